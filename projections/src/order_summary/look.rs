//! Finding a page of orders at a price that does not grow with their number.
//!
//! A page is found in one of two ways. Where something that the filter asks for leads to few orders, they are all looked
//! at. Otherwise the orders are walked in the list's own order, along the index that leads furthest, until the page is full;
//! after so many orders the walk ends, and the page says behind which place it goes on. So no filter looks at everything.

use std::collections::{BTreeSet, HashMap};

use domain::values::OrderId;
use infrastructure::read_store::Query;
use uuid::Uuid;

use super::{
    NAME, OrderList, OrderPage, OrderRow, OrderSummary, Place, SearchText,
    lead::{self, Hint, Lead, Span},
    query,
    search::TERMS,
};
use crate::{QueryError, Served, table::TableSql};

/// How far a look goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// How many orders something may lead to that all of them are looked at.
    pub(super) few: usize,
    /// How many orders a walk looks at.
    pub(super) walk: usize,
    /// How many of them it reads first, where not each will be wanted.
    pub(super) block: usize,
    /// Of how many SKUs a word may tell.
    pub(super) skus: usize,
}

impl Reach {
    /// What a page may cost: some ten milliseconds at the worst.
    const USUAL: Self = Self { few: 1_000, walk: 4_000, block: 128, skus: 32 };
}

/// How many orders a walk reads at once.
const BLOCK_MAX: usize = 1_024;
/// How many orders that are known by place are read at once.
const ROWS_AT_ONCE: usize = 32;
/// How many names a SKU may have been sold under, about: so many words are read for each that may be found.
const NAMES_OF_SKU: usize = 4;

impl Served<OrderSummary> {
    /// The orders of a page.
    pub async fn page(&self, page: &OrderPage) -> Result<OrderList, QueryError> {
        self.page_within(page, Reach::USUAL).await
    }

    /// The same, with another reach.
    pub(super) async fn page_within(&self, page: &OrderPage, reach: Reach) -> Result<OrderList, QueryError> {
        Look { orders: self, page, reach, span: page.span() }.run().await
    }
}

struct Look<'a> {
    orders: &'a Served<OrderSummary>,
    page: &'a OrderPage,
    reach: Reach,
    /// What of the list is still to be looked at.
    span: Span,
}

impl Look<'_> {
    async fn run(self) -> Result<OrderList, QueryError> {
        let page = self.page;
        let parts = page.filter.parts();
        let hints = lead::hints(&parts, page.sort.key);
        let conditions: usize = parts.iter().map(|part| part.conditions()).sum();
        // Then what it leads to is what is wanted, order by order.
        let is_covered = page.is_by_placement() && conditions <= 1 && hints.len() == conditions;
        let mut leads = Vec::new();
        for hint in hints {
            leads.extend(self.follow(hint).await?);
        }
        let is_walk = |lead: &Lead| page.is_by_placement() && lead.ranges.is_empty();
        if !matches!(&leads[..], [only] if is_walk(only)) {
            for lead in &leads {
                if let Some(places) = self.few(lead).await? {
                    return self.out_of(places).await;
                }
            }
        }
        let lead = leads.into_iter().find(is_walk);
        let block = if is_covered { page.limit } else { page.limit.max(self.reach.block) };
        self.walk(lead.as_ref(), block).await
    }

    /// What a hint leads to; none if it leads nowhere, since it is of too much, or the generation is of an older version.
    async fn follow(&self, hint: Hint<'_>) -> Result<Option<Lead>, QueryError> {
        let has_all = self.orders.has_side(TERMS);
        match hint {
            Hint::Lead(lead) => Ok((has_all || !lead.is_new).then_some(lead)),
            Hint::Text(text) if has_all => self.follow_text(text).await,
            Hint::Text(_) => Ok(None),
        }
    }

    async fn follow_text(&self, text: &SearchText) -> Result<Option<Lead>, QueryError> {
        let Some(places) = self.few(&lead::of_handle(text)).await? else { return Ok(None) };
        let mut fewest: Option<BTreeSet<String>> = None;
        for word in text.words() {
            let Some(skus) = self.skus(word).await? else { continue };
            if fewest.as_ref().is_none_or(|fewest| skus.len() < fewest.len()) {
                fewest = Some(skus);
            }
        }
        let skus = fewest.as_ref().map(|skus| lead::of_skus(skus.iter().map(String::as_str)));
        Ok(skus.map(|lead| Lead { places, ..lead }))
    }

    /// The SKUs of which words tell that begin with this one; none if they are too many.
    async fn skus(&self, word: &str) -> Result<Option<BTreeSet<String>>, QueryError> {
        let limit = (self.reach.skus + 1) * NAMES_OF_SKU;
        let rows = self.find(|sql| query::words(sql, word, limit)).await?;
        let skus = rows.iter().map(|row| row.text(1).map(str::to_owned)).collect::<Result<BTreeSet<_>, _>>()?;
        Ok((rows.len() < limit && skus.len() <= self.reach.skus).then_some(skus))
    }

    /// All places that a lead leads to and that may be on the page; none if they are more than a few.
    async fn few(&self, lead: &Lead) -> Result<Option<Vec<Place>>, QueryError> {
        // What the list is not sorted by says nothing of where the page begins.
        let span = if self.page.is_by_placement() { self.span } else { Span::default() };
        let limit = self.reach.few + 1;
        let mut places = self.listed(lead, &span, limit).await?;
        for range in &lead.ranges {
            if places.len() < limit {
                places.extend(places_of(&self.find(|sql| query::range(sql, range, limit)).await?)?);
            }
        }
        Ok((places.len() < limit).then_some(places))
    }

    /// The first places of a lead's lists, and those that are known one by one.
    async fn listed(&self, lead: &Lead, span: &Span, limit: usize) -> Result<Vec<Place>, QueryError> {
        let is_down = self.page.reads_down();
        let mut places = if lead.lists.is_empty() {
            Vec::new()
        } else {
            places_of(&self.find(|sql| query::places(sql, &lead.lists, span, is_down, limit)).await?)?
        };
        if !lead.places.is_empty() {
            places.extend(lead.places.iter().filter(|place| span.holds(**place)));
            sort(&mut places, is_down);
            places.truncate(limit);
        }
        Ok(places)
    }

    async fn find(
        &self,
        query: impl Fn(&TableSql) -> Option<Query>,
    ) -> Result<Vec<infrastructure::read_store::Row>, QueryError> {
        // A generation of an older version serves again, since a moment ago.
        self.orders.find(query).await?.ok_or(QueryError::Building(NAME))
    }

    /// The page, out of these orders, which are all that may be on it.
    async fn out_of(self, mut places: Vec<Place>) -> Result<OrderList, QueryError> {
        let page = self.page;
        sort(&mut places, page.reads_down());
        if page.is_by_placement() {
            places.retain(|place| self.span.holds(*place));
        }
        let mut found = Vec::new();
        for places in places.chunks(ROWS_AT_ONCE) {
            let rows = self.rows(places).await?;
            found.extend(rows.into_iter().filter(|row| self.span.holds(page.place(row)) && page.filter.matches(row)));
            if page.is_by_placement() && found.len() >= page.limit {
                break;
            }
        }
        if !page.is_by_placement() {
            found.sort_by_key(|row| page.place(row));
            if page.reads_down() {
                found.reverse();
            }
        }
        found.truncate(page.limit);
        Ok(OrderList { rows: found, goes_on_behind: None })
    }

    /// The orders at these places, in their order, without those that are elsewhere by now.
    async fn rows(&self, places: &[Place]) -> Result<Vec<OrderRow>, QueryError> {
        let keys: Vec<Uuid> = places.iter().map(|(_, order)| order.uuid()).collect();
        let rows = self.orders.rows(&keys).await?;
        let mut rows: HashMap<OrderId, OrderRow> = rows.into_iter().map(|row| (row.placed.order, row)).collect();
        let at = |(at, order): &Place| rows.remove(order).filter(|row| row.placed.placed_at == *at);
        Ok(places.iter().filter_map(at).collect())
    }

    /// The page, out of the orders along a lead, or out of all of them.
    async fn walk(mut self, lead: Option<&Lead>, mut block: usize) -> Result<OrderList, QueryError> {
        let page = self.page;
        let (mut found, mut looked, walk) = (Vec::new(), 0, self.reach.walk.max(page.limit));
        loop {
            let count = block.min(walk - looked);
            let (rows, last) = self.block(lead, count).await?;
            for row in rows.into_iter().filter(|row| page.filter.matches(row)) {
                found.push(row);
                if found.len() == page.limit {
                    return Ok(OrderList { rows: found, goes_on_behind: None });
                }
            }
            looked += count;
            let Some(last) = last else { return Ok(OrderList { rows: found, goes_on_behind: None }) };
            if looked >= walk {
                return Ok(OrderList { rows: found, goes_on_behind: Some(last) });
            }
            self.span.goes_on_behind(last, page.reads_down());
            block = (block * 4).clamp(1, BLOCK_MAX);
        }
    }

    /// The next orders of a walk, and the place of the last of them if there may be more.
    async fn block(&self, lead: Option<&Lead>, count: usize) -> Result<(Vec<OrderRow>, Option<Place>), QueryError> {
        let (page, span) = (self.page, &self.span);
        let own = lead.and_then(Lead::own_list);
        if let Some(lead) = lead
            && own.is_none()
        {
            let places = self.listed(lead, span, count).await?;
            let last = places.last().copied().filter(|_| places.len() >= count);
            let mut rows = Vec::new();
            for places in places.chunks(ROWS_AT_ONCE) {
                rows.extend(self.rows(places).await?);
            }
            return Ok((rows, last));
        }
        let rows = self.orders.select(|columns, table| query::rows((columns, table), own, page, span, count)).await?;
        let last = rows.last().map(|row| page.place(row)).filter(|_| rows.len() >= count);
        Ok((rows, last))
    }
}

fn places_of(rows: &[infrastructure::read_store::Row]) -> Result<Vec<Place>, QueryError> {
    rows.iter().map(|row| Ok((row.timestamp(0)?, OrderId::new(row.uuid(1)?)))).collect()
}

/// In the order they are read in, each once.
fn sort(places: &mut Vec<Place>, is_down: bool) {
    places.sort_unstable();
    places.dedup();
    if is_down {
        places.reverse();
    }
}
