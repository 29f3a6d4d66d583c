//! The shop in memory: plain maps and ifs, and no rule taken from the code.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Timestamp, order::CancelReason, values::Currency};
use projections::{
    order_summary::{OrderRow, OrderStatus},
    product_catalog::{ProductRow, ProductStatus},
};
use uuid::Uuid;

use super::{PRODUCTS, Step, customer, order, product};

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

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Shop {
    articles: BTreeMap<u8, Article>,
    sales: BTreeMap<u8, Sale>,
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
            Step::Rebuild { .. } => true,
        }
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
        articles + self.sales.values().map(|sale| sale.events).sum::<u64>()
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
        View { products: articles.collect(), orders: orders.collect(), sold: sold.collect() }
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
    /// Pieces and orders of each product.
    sold: Vec<(u64, u64)>,
}

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
    pub(super) fn read(orders: &[OrderRow], products: &[ProductRow], sold: Vec<(u64, u64)>) -> Self {
        let view = Self {
            products: products.iter().map(|row| (row.product.uuid(), product_view(row))).collect(),
            orders: orders.iter().map(|row| (row.order.uuid(), order_view(row))).collect(),
            sold,
        };
        assert_eq!((view.orders.len(), view.products.len()), (orders.len(), products.len()), "a row is there twice");
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

fn order_view(row: &OrderRow) -> OrderView {
    let lines = row.lines.iter().map(|line| {
        let price = (line.unit_price.minor(), line.unit_price.currency() == Currency::EUR);
        (line.product.uuid(), line.sku.as_str().to_owned(), line.quantity.units(), price)
    });
    OrderView {
        customer: row.customer.uuid(),
        status: match row.status {
            OrderStatus::Placed => "placed",
            OrderStatus::Shipped => "shipped",
            OrderStatus::Delivered => "delivered",
            OrderStatus::Cancelled => "cancelled",
        },
        total: row.total.minor(),
        lines: lines.collect(),
        reason: row.cancel_reason,
        tracking: row.tracking.as_ref().map(|tracking| tracking.as_str().to_owned()),
        placed_at: row.placed_at,
        updated_at: row.updated_at,
        revision: row.revision.value(),
    }
}
