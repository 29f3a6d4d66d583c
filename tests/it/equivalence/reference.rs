//! The shop in memory: plain maps and ifs, and no rule taken from the code.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Timestamp,
    order::{CancelReason, OrderStatus},
    values::{Currency, Pieces},
};
use projections::{
    order_summary::OrderRow,
    product_catalog::{ProductRow, ProductStatus},
    stock_level::StockLevelRow,
};
use uuid::Uuid;

use super::{
    PRODUCTS, Shelf, Step, customer, order,
    people::{People, PeopleView},
    posts::{HeardView, Posts, PostsView},
    product, stock, warehouse,
};

/// A price: minor units, and whether in euro.
type Price = (i64, bool);

#[derive(Clone, Debug)]
struct Article {
    price: Price,
    is_retired: bool,
    registered_at: Timestamp,
    updated_at: Timestamp,
    events: u64,
}

#[derive(Clone, Debug)]
struct Sale {
    customer: u8,
    lines: Vec<(u8, u32, Price)>,
    status: &'static str,
    reason: Option<CancelReason>,
    tracking: Option<String>,
    placed_at: Timestamp,
    updated_at: Timestamp,
    events: u64,
}

/// What lies on a shelf.
#[derive(Clone, Debug)]
struct Pile {
    on_hand: i64,
    /// By order: how many were asked for, and how many of them are still there.
    promised: BTreeMap<u8, (i64, i64)>,
    updated_at: Timestamp,
    events: u64,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Shop {
    piles: BTreeMap<Shelf, Pile>,
    articles: BTreeMap<u8, Article>,
    sales: BTreeMap<u8, Sale>,
    people: People,
    posts: Posts,
}

impl Shop {
    /// Does it. Whether it may be done.
    pub(super) fn perform(&mut self, step: &Step, now: Timestamp) -> bool {
        match step {
            Step::Register { product, price, is_euro } => {
                if self.articles.contains_key(product) {
                    return false;
                }
                let price = (*price, *is_euro);
                let article = Article { price, is_retired: false, registered_at: now, updated_at: now, events: 1 };
                self.articles.insert(*product, article);
                true
            }
            Step::ChangePrice { product, price, is_euro } => match self.articles.get_mut(product) {
                Some(article) if !article.is_retired && article.price.1 == *is_euro => {
                    if article.price.0 != *price {
                        (article.price.0, article.updated_at, article.events) = (*price, now, article.events + 1);
                    }
                    true
                }
                Some(_) | None => false,
            },
            Step::Retire { product } => match self.articles.get_mut(product) {
                Some(article) => {
                    if !article.is_retired {
                        (article.is_retired, article.updated_at, article.events) = (true, now, article.events + 1);
                    }
                    true
                }
                None => false,
            },
            Step::Place { order, customer, lines } => self.place(*order, *customer, lines, now),
            Step::Cancel { order, by, reason } => {
                let Some(sale) = self.sales.get_mut(order) else { return false };
                if by.is_some_and(|by| by != sale.customer) {
                    return false;
                }
                if sale.status == "placed" {
                    sale.reason = Some(*reason);
                    sale.moved_to("cancelled", now);
                }
                sale.status == "cancelled"
            }
            Step::Ship { order, tracking } => {
                let Some(sale) = self.sales.get_mut(order).filter(|sale| sale.status == "placed") else { return false };
                sale.tracking.clone_from(tracking);
                sale.moved_to("shipped", now);
                true
            }
            Step::Deliver { order } => {
                let Some(sale) = self.sales.get_mut(order) else { return false };
                if sale.status == "shipped" {
                    sale.moved_to("delivered", now);
                }
                sale.status == "delivered"
            }
            Step::Receive { shelf, pieces } => {
                let pile = Pile { on_hand: 0, promised: BTreeMap::new(), updated_at: now, events: 0 };
                *pieces > 0 && self.piles.entry(*shelf).or_insert(pile).moved(*pieces, now)
            }
            Step::Adjust { shelf, change } => {
                let Some(pile) = self.piles.get_mut(shelf) else { return false };
                *change != 0 && pile.on_hand + change >= pile.reserved() && pile.moved(*change, now)
            }
            Step::Reserve { shelf, order, pieces } => {
                let Some(pile) = self.piles.get_mut(shelf).filter(|_| *pieces > 0) else { return false };
                if let Some((asked, _)) = pile.promised.get(order) {
                    return asked == pieces;
                }
                if *pieces > pile.on_hand - pile.reserved() {
                    return false;
                }
                pile.promised.insert(*order, (*pieces, *pieces));
                pile.moved(0, now)
            }
            Step::Release { shelf, order, is_expired } => {
                let Some(pile) = self.piles.get_mut(shelf).filter(|pile| pile.promised.contains_key(order)) else {
                    return true;
                };
                // Everything here happens within the hour.
                if *is_expired {
                    return false;
                }
                pile.promised.remove(order);
                pile.moved(0, now)
            }
            Step::Commit { shelf, order, pieces } => {
                let Some(pile) = self.piles.get_mut(shelf).filter(|_| *pieces > 0) else { return false };
                let Some((_, left)) = pile.promised.get_mut(order).filter(|(_, left)| left >= pieces) else {
                    return false;
                };
                *left -= pieces;
                pile.promised.retain(|_, (_, left)| *left > 0);
                pile.moved(-pieces, now)
            }
            Step::CreateProfile { who, says } => self.people.create(*who, *says, now),
            Step::UpdateProfile { who, wishes } => self.people.update(*who, *wishes, now),
            Step::Publish { post, by, says, reply_to } => self.publish(*post, *by, *says, *reply_to, now),
            Step::Edit { post, by, text } => self.posts.edit(*post, *by, *text, now),
            Step::Delete { post, by } => self.posts.delete(*post, *by),
            Step::Repost { post, by } => self.people.is_there(*by) && self.posts.repost(*post, *by, now),
            Step::UndoRepost { post, by } => self.posts.undo_repost(*post, *by),
            Step::Rebuild { .. } => true,
        }
    }

    fn publish(&mut self, post: u8, by: u8, says: (u8, bool), reply_to: Option<u8>, now: Timestamp) -> bool {
        self.people.is_there(by) && self.posts.publish(post, by, says, reply_to, now)
    }

    fn place(&mut self, order: u8, customer: u8, wanted: &[(u8, u32)], now: Timestamp) -> bool {
        let mut lines = Vec::new();
        for (product, units) in wanted {
            match self.articles.get(product) {
                Some(article) if !article.is_retired => lines.push((*product, *units, article.price)),
                Some(_) | None => return false,
            }
        }
        let currencies: BTreeSet<bool> = lines.iter().map(|(_, _, (_, is_euro))| *is_euro).collect();
        if self.sales.contains_key(&order) || currencies.len() != 1 {
            return false;
        }
        let (status, reason, tracking) = ("placed", None, None);
        let sale = Sale { customer, lines, status, reason, tracking, placed_at: now, updated_at: now, events: 1 };
        self.sales.insert(order, sale);
        true
    }

    /// How many events there are.
    pub(super) fn events(&self) -> u64 {
        let articles: u64 = self.articles.values().map(|article| article.events).sum();
        let piles: u64 = self.piles.values().map(|pile| pile.events).sum();
        articles
            + piles
            + self.sales.values().map(|sale| sale.events).sum::<u64>()
            + self.people.events()
            + self.posts.events()
    }

    /// What every read model must say.
    pub(super) fn view(&self) -> View {
        let articles = self.articles.iter().map(|(n, article)| {
            let status = if article.is_retired { "retired" } else { "offered" };
            let view = ProductView {
                sku: format!("SKU-{n}"),
                name: format!("Product {n}"),
                price: article.price,
                status,
                registered_at: article.registered_at,
                updated_at: article.updated_at,
                revision: article.events - 1,
            };
            (product(*n).uuid(), view)
        });
        let orders = self.sales.iter().map(|(n, sale)| (order(*n).uuid(), sale.view()));
        let sold = (0..=PRODUCTS).map(|n| {
            let kept = self.sales.values().filter(|sale| sale.status != "cancelled");
            let units =
                kept.map(|sale| sale.lines.iter().filter(|line| line.0 == n).map(|line| u64::from(line.1)).sum());
            let units: Vec<u64> = units.filter(|units| *units > 0).collect();
            (units.iter().sum(), units.len() as u64)
        });
        let stocks = self.piles.iter().map(|((n, is_north), pile)| {
            let view = StockView {
                sku: format!("SKU-{n}"),
                warehouse: warehouse(*is_north).to_string(),
                pieces: (pile.on_hand, pile.reserved()),
                updated_at: pile.updated_at,
                revision: pile.events - 1,
            };
            (stock((*n, *is_north)).uuid(), view)
        });
        let found = (0..=PRODUCTS).map(|n| {
            let has_it = |sale: &Sale| sale.lines.iter().any(|line| line.0 == n);
            self.sales.iter().filter(|(_, sale)| has_it(sale)).map(|(n, _)| order(*n).uuid()).collect()
        });
        let (products, orders, stocks) = (articles.collect(), orders.collect(), stocks.collect());
        let counted = [true, false].map(|is_euro| self.counted(is_euro));
        let (people, posts, heard) = (self.people.view(), self.posts.view(), self.posts.heard());
        View { products, orders, stocks, people, posts, heard, sold: sold.collect(), found: found.collect(), counted }
    }

    fn counted(&self, is_euro: bool) -> Counted {
        let of_currency = |sale: &&Sale| sale.lines.iter().any(|(_, _, price)| price.1 == is_euro);
        let sales: Vec<&Sale> = self.sales.values().filter(of_currency).collect();
        let are = |statuses: &[&str]| sales.iter().filter(|sale| statuses.contains(&sale.status)).count() as u64;
        let pieces = sales.iter().flat_map(|sale| &sale.lines).map(|(_, units, _)| u64::from(*units)).sum();
        [sales.len() as u64, are(&["cancelled"]), are(&["shipped", "delivered"]), are(&["delivered"]), pieces]
    }
}

impl Pile {
    fn reserved(&self) -> i64 {
        self.promised.values().map(|(_, left)| left).sum()
    }

    /// Something happened to it. True.
    fn moved(&mut self, more: i64, now: Timestamp) -> bool {
        (self.on_hand, self.updated_at, self.events) = (self.on_hand + more, now, self.events + 1);
        true
    }
}

impl Sale {
    fn moved_to(&mut self, status: &'static str, now: Timestamp) {
        (self.status, self.updated_at, self.events) = (status, now, self.events + 1);
    }

    fn view(&self) -> OrderView {
        let lines = self.lines.iter().map(|(n, units, price)| (product(*n).uuid(), format!("SKU-{n}"), *units, *price));
        OrderView {
            customer: customer(self.customer).uuid(),
            status: self.status,
            total: self.lines.iter().map(|(_, units, price)| i64::from(*units) * price.0).sum(),
            lines: lines.collect(),
            reason: self.reason,
            tracking: self.tracking.clone(),
            placed_at: self.placed_at,
            updated_at: self.updated_at,
            revision: self.events - 1,
        }
    }
}

/// What the read models say, in plain words.
#[derive(Debug, PartialEq)]
pub(super) struct View {
    products: BTreeMap<Uuid, ProductView>,
    orders: BTreeMap<Uuid, OrderView>,
    stocks: BTreeMap<Uuid, StockView>,
    people: PeopleView,
    posts: PostsView,
    heard: HeardView,
    /// Pieces and orders of each product.
    sold: Vec<(u64, u64)>,
    /// The orders of each product.
    found: Vec<BTreeSet<Uuid>>,
    /// What was counted of orders in euros, and of others.
    counted: [Counted; 2],
}

/// Orders that were placed, cancelled, shipped and delivered, and pieces that were ordered.
pub(super) type Counted = [u64; 5];

#[derive(Debug, PartialEq)]
struct ProductView {
    sku: String,
    name: String,
    price: Price,
    status: &'static str,
    registered_at: Timestamp,
    updated_at: Timestamp,
    revision: u64,
}

#[derive(Debug, PartialEq)]
struct StockView {
    sku: String,
    warehouse: String,
    /// On hand, and those of them that are promised.
    pieces: (i64, i64),
    updated_at: Timestamp,
    revision: u64,
}

#[derive(Debug, PartialEq)]
struct OrderView {
    customer: Uuid,
    status: &'static str,
    total: i64,
    lines: Vec<(Uuid, String, u32, Price)>,
    reason: Option<CancelReason>,
    tracking: Option<String>,
    placed_at: Timestamp,
    updated_at: Timestamp,
    revision: u64,
}

impl View {
    /// What these rows say. No row is there twice.
    pub(super) fn read(
        orders: &[OrderRow],
        products: &[ProductRow],
        levels: &[StockLevelRow],
        (people, posts, heard): (PeopleView, PostsView, HeardView),
        sold: Vec<(u64, u64)>,
        found: Vec<BTreeSet<Uuid>>,
        counted: [Counted; 2],
    ) -> Self {
        let view = Self {
            products: products.iter().map(|row| (row.product.uuid(), product_view(row))).collect(),
            orders: orders.iter().map(|row| (row.placed.order.uuid(), order_view(row))).collect(),
            stocks: levels.iter().map(|row| (row.stock.uuid(), stock_view(row))).collect(),
            people,
            posts,
            heard,
            sold,
            found,
            counted,
        };
        assert_eq!((view.orders.len(), view.products.len()), (orders.len(), products.len()), "a row is there twice");
        assert_eq!(view.stocks.len(), levels.len(), "a row is there twice");
        view
    }

    pub(super) fn statuses(&self) -> impl Iterator<Item = &'static str> {
        self.orders.values().map(|order| order.status)
    }
}

fn product_view(row: &ProductRow) -> ProductView {
    ProductView {
        sku: row.sku.as_str().to_owned(),
        name: row.name.as_str().to_owned(),
        price: (row.price.minor(), row.price.currency() == Currency::EUR),
        status: match row.status {
            ProductStatus::Offered => "offered",
            ProductStatus::Retired => "retired",
        },
        registered_at: row.registered_at,
        updated_at: row.updated_at,
        revision: row.revision.value(),
    }
}

fn stock_view(row: &StockLevelRow) -> StockView {
    let number = |pieces: Pieces| i64::try_from(pieces.number()).expect("in range");
    StockView {
        sku: row.sku.as_str().to_owned(),
        warehouse: row.warehouse.as_str().to_owned(),
        pieces: (number(row.on_hand), number(row.reserved)),
        updated_at: row.updated_at,
        revision: row.revision.value(),
    }
}

fn order_view(row: &OrderRow) -> OrderView {
    let placed = &row.placed;
    let lines = placed.lines.iter().map(|line| {
        let price = (line.unit_price.minor(), line.unit_price.currency() == Currency::EUR);
        (line.product.uuid(), line.sku.as_str().to_owned(), line.quantity.units(), price)
    });
    OrderView {
        customer: placed.customer.uuid(),
        status: match placed.status {
            OrderStatus::Placed => "placed",
            OrderStatus::Confirmed => "confirmed",
            OrderStatus::Shipped => "shipped",
            OrderStatus::Delivered => "delivered",
            OrderStatus::Cancelled => "cancelled",
        },
        total: placed.total.minor(),
        lines: lines.collect(),
        reason: placed.cancel_reason,
        tracking: placed.shipments.last().and_then(|one| Some(one.tracking.as_ref()?.as_str().to_owned())),
        placed_at: placed.placed_at,
        updated_at: placed.updated_at,
        revision: row.revision.value(),
    }
}
