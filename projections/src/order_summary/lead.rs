//! What of a filter an index can lead to.
//!
//! A lead has all orders that its condition asks for, and maybe others: whoever follows it looks at each order.

use std::collections::BTreeSet;

use domain::{Timestamp, values::OrderId};
use infrastructure::read_store::Value;
use uuid::Uuid;

use super::{
    OrderFilter, OrderSortKey, SearchText,
    list::Place,
    search::{self, TERMS},
};

/// The last character there is: no text that begins like another one comes after that one with it.
const LAST: char = '\u{10ffff}';

/// A table that orders are found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// The orders' own.
    Orders,
    /// A side table.
    Side(&'static str),
}

/// Orders in the order of their placement: those of which a column says this.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    pub(super) table: Table,
    pub(super) column: &'static str,
    pub(super) value: Value,
}

/// A part of an index in no order that anybody asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) table: Table,
    /// Columns with comparisons, and what each is compared with.
    pub(super) conditions: Vec<(&'static str, Value)>,
}

/// Where to look for the orders that a condition asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lead {
    pub(super) lists: Vec<List>,
    pub(super) ranges: Vec<Range>,
    /// Orders that are known one by one.
    pub(super) places: Vec<Place>,
    /// Whether a generation of an older version may lack it.
    pub(super) is_new: bool,
}

impl Lead {
    /// The only list there is to walk along, if it is in the orders' own table.
    pub(super) fn own_list(&self) -> Option<&List> {
        match &self.lists[..] {
            [list] if list.table == Table::Orders && self.places.is_empty() => Some(list),
            _ => None,
        }
    }
}

/// A lead, or what it takes to find one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Hint<'a> {
    Lead(Lead),
    Text(&'a SearchText),
}

/// What these filters, which must all hold, lead to: what finds few orders first.
pub(super) fn hints<'a>(parts: &[&'a OrderFilter], sort: OrderSortKey) -> Vec<Hint<'a>> {
    let mut hints: Vec<(usize, Hint<'a>)> = parts.iter().flat_map(|part| of_one(part, sort)).collect();
    hints.sort_by_key(|(rank, _)| *rank);
    hints.into_iter().map(|(_, hint)| hint).collect()
}

/// The leads of one filter, each with its rank among all of them.
fn of_one(filter: &OrderFilter, sort: OrderSortKey) -> Vec<(usize, Hint<'_>)> {
    let range = |table, conditions| Lead { ranges: vec![Range { table, conditions }], is_new: true, ..Lead::default() };
    let text = |text: &str| Value::Text(text.to_owned());
    let leads = [
        filter.number.as_ref().map(|number| range(Table::Orders, vec![("number =", text(number))])),
        filter
            .tracking
            .as_ref()
            .map(|number| range(Table::Orders, vec![("tracking =", Value::Text(search::handle(number.as_str())))])),
        filter.sku.as_ref().map(|sku| of_skus([sku.as_str()])),
        filter.customer.map(|customer| {
            let value = Value::Uuid(customer.uuid());
            Lead { lists: vec![List { table: Table::Orders, column: "customer_id", value }], ..Lead::default() }
        }),
        total(filter).map(|conditions| range(Table::Orders, conditions)),
        placement(filter, sort).map(|conditions| range(Table::Orders, conditions)),
        filter.is_overdue.map(|is_overdue| {
            let value = Value::Int(is_overdue.into());
            Lead {
                lists: vec![List { table: Table::Orders, column: "is_overdue", value }],
                is_new: true,
                ..Lead::default()
            }
        }),
        filter
            .payment_status
            .as_ref()
            .map(|all| Lead { is_new: true, ..one_of("payment_status", all.iter().map(|one| one.as_str())) }),
        filter
            .fulfilment_status
            .as_ref()
            .map(|all| Lead { is_new: true, ..one_of("fulfilment_status", all.iter().map(|one| one.as_str())) }),
        filter.status.as_ref().map(|all| one_of("status", all.iter().map(|one| one.as_str()))),
    ];
    let texts = filter.text.iter().map(|text| (0, Hint::Text(text)));
    let leads = (1..).zip(leads).filter_map(|(rank, lead)| Some((rank, Hint::Lead(lead?))));
    texts.chain(leads).collect()
}

/// Orders whose column has one of these words.
fn one_of(column: &'static str, words: impl Iterator<Item = &'static str>) -> Lead {
    let words: BTreeSet<&str> = words.collect();
    let list = |word: &str| List { table: Table::Orders, column, value: Value::Text(word.to_owned()) };
    Lead { lists: words.into_iter().map(list).collect(), ..Lead::default() }
}

/// Orders with one of these SKUs.
pub(super) fn of_skus<'a>(skus: impl IntoIterator<Item = &'a str>) -> Lead {
    let lists = skus.into_iter().flat_map(|sku| {
        let first = List { table: Table::Orders, column: "first_sku", value: Value::Text(sku.to_owned()) };
        let further = List { table: Table::Side(TERMS), column: "term", value: Value::Text(search::sku_term(sku)) };
        [first, further]
    });
    Lead { lists: lists.collect(), is_new: true, ..Lead::default() }
}

/// Orders of which all of the text may be a handle.
pub(super) fn of_handle(text: &SearchText) -> Lead {
    let begins = |table, (from, before): (&'static str, &'static str), beginning: String| {
        let end = Value::Text(format!("{beginning}{LAST}"));
        Range { table, conditions: vec![(from, Value::Text(beginning)), (before, end)] }
    };
    let mut ranges = Vec::new();
    ranges.extend(text.number().map(|number| begins(Table::Orders, ("number >=", "number <"), number)));
    if let Some(digits) = text.id_digits() {
        for (from, to) in [("order_id >=", "order_id <="), ("customer_id >=", "customer_id <=")] {
            let conditions = vec![(from, id(digits, '0')), (to, id(digits, 'f'))];
            ranges.push(Range { table: Table::Orders, conditions });
        }
    }
    if let Some(tracking) = text.tracking() {
        ranges.push(begins(Table::Orders, ("tracking >=", "tracking <"), tracking.to_owned()));
        ranges.push(begins(Table::Side(TERMS), ("term >=", "term <"), search::tracking_term(tracking)));
    }
    Lead { ranges, is_new: true, ..Lead::default() }
}

/// Everything that begins with this word.
pub(super) fn beginning_with(word: &str) -> (Value, Value) {
    (Value::Text(word.to_owned()), Value::Text(format!("{word}{LAST}")))
}

/// The first or last id that begins with these digits.
fn id(digits: &str, filler: char) -> Value {
    let missing = 32_usize.saturating_sub(digits.len());
    let digits: String = digits.chars().chain(std::iter::repeat_n(filler, missing)).collect();
    Value::Uuid(Uuid::parse_str(&digits).expect("thirty-two hexadecimal digits"))
}

/// Totals of one currency, if there is a bound.
fn total(filter: &OrderFilter) -> Option<Vec<(&'static str, Value)>> {
    let currency = filter.currency?;
    if filter.total_at_least.is_none() && filter.total_at_most.is_none() {
        return None;
    }
    let mut conditions = vec![("currency =", Value::Text(currency.code().to_owned()))];
    conditions.extend(filter.total_at_least.map(|minor| ("total_minor >=", Value::Int(minor))));
    conditions.extend(filter.total_at_most.map(|minor| ("total_minor <=", Value::Int(minor))));
    Some(conditions)
}

/// A time of placement, where that is not what the list is sorted by.
fn placement(filter: &OrderFilter, sort: OrderSortKey) -> Option<Vec<(&'static str, Value)>> {
    if sort == OrderSortKey::PlacedAt || (filter.placed_from.is_none() && filter.placed_before.is_none()) {
        return None;
    }
    let from = filter.placed_from.map(|from| ("placed_at >=", Value::Timestamp(from)));
    Some(from.into_iter().chain(filter.placed_before.map(|before| ("placed_at <", Value::Timestamp(before)))).collect())
}

/// A part of a list sorted by time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// Then or later.
    pub(super) from: Option<Timestamp>,
    /// Before then.
    pub(super) until: Option<Timestamp>,
    /// Later than this place.
    pub(super) above: Option<Place>,
    /// Earlier than this place.
    pub(super) below: Option<Place>,
}

impl Span {
    /// Whether this place is in it.
    pub(super) fn holds(&self, place: (Timestamp, OrderId)) -> bool {
        self.from.is_none_or(|from| place.0 >= from)
            && self.until.is_none_or(|until| place.0 < until)
            && self.above.is_none_or(|above| place > above)
            && self.below.is_none_or(|below| place < below)
    }

    /// What is left of it behind this place.
    pub(super) fn goes_on_behind(&mut self, place: Place, is_descending: bool) {
        if is_descending {
            self.below = Some(place);
        } else {
            self.above = Some(place);
        }
    }
}
