//! What the tables of each read model must hold: plain maps and ifs, and no rule taken from the code.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use uuid::Uuid;

use super::log::{Event, Happened};

/// A value in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// A number, or a moment in microseconds.
    Number(i64),
    /// A text, or JSON.
    Text(Arc<str>),
    /// A UUID.
    Bytes(Vec<u8>),
}

/// The rows of a table by the bytes of their key, without the key.
pub type Rows = BTreeMap<Vec<u8>, Vec<Cell>>;

/// A read model's table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// What its name has after the generation.
    pub suffix: &'static str,
    /// The columns of the key.
    pub key: &'static [&'static str],
    /// The other columns.
    pub columns: &'static [&'static str],
}

/// A read model, as seen from outside.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name.
    pub name: &'static str,
    /// The prefixes of the types of its events.
    pub events: &'static [&'static str],
    /// Its tables.
    pub tables: &'static [Table],
    fold: fn(&[&Event]) -> Vec<Rows>,
}

/// All of them.
pub const MODELS: [Model; 3] = [
    Model {
        name: "order_summary",
        events: &["order."],
        tables: &[Table {
            suffix: "",
            key: &["order_id"],
            columns: &[
                "customer_id",
                "status",
                "total_minor",
                "currency",
                "lines",
                "cancel_reason",
                "tracking",
                "placed_at",
                "updated_at",
                "revision",
            ],
        }],
        fold: orders,
    },
    Model {
        name: "product_catalog",
        events: &["product."],
        tables: &[Table {
            suffix: "",
            key: &["product_id"],
            columns: &["sku", "name", "price_minor", "currency", "status", "registered_at", "updated_at", "revision"],
        }],
        fold: products,
    },
    Model {
        name: "product_sales",
        events: &["order.placed.", "order.cancelled."],
        tables: &[
            Table { suffix: "_counters", key: &["product_id"], columns: &["units", "orders"] },
            Table { suffix: "_lines", key: &["order_id", "product_id"], columns: &["units"] },
        ],
        fold: sales,
    },
];

impl Model {
    /// The model of this name.
    pub fn called(name: &str) -> Self {
        let found = MODELS.into_iter().find(|model| model.name == name);
        found.unwrap_or_else(|| panic!("there is no projection {name}"))
    }

    /// Whether it reads this event.
    pub fn reads(&self, event: &Event) -> bool {
        self.events.iter().any(|prefix| event.kind.starts_with(prefix))
    }

    /// The name of a table of one of its generations.
    pub fn table(&self, table: &Table, generation: i64) -> String {
        format!("{}_g{generation}{}", self.name, table.suffix)
    }

    /// The rows of each of its tables after these events, without those at the positions that are left out.
    pub fn fold(&self, events: &[Event], left_out: &HashSet<u64>) -> Vec<Rows> {
        let events = events.iter().filter(|event| self.reads(event) && !left_out.contains(&event.position));
        (self.fold)(&events.collect::<Vec<_>>())
    }
}

/// What happened in this event, which a read model shows.
#[track_caller]
fn happened(event: &Event) -> &Happened {
    let Some(happened) = &event.happened else {
        panic!("nobody understands event {} of {}-{}, and it is not parked", event.position, event.category, event.key)
    };
    happened
}

fn text(text: &str) -> Cell {
    Cell::Text(text.into())
}

fn optional(value: Option<&str>) -> Cell {
    value.map_or(Cell::Null, text)
}

fn orders(events: &[&Event]) -> Vec<Rows> {
    const STATUS: usize = 1;
    const REASON: usize = 5;
    const TRACKING: usize = 6;
    const UPDATED_AT: usize = 8;
    const REVISION: usize = 9;
    let mut rows = Rows::new();
    for event in events {
        let key = event.key.as_bytes();
        let mut step = |from: &str, to: &str, at: i64, more: &[(usize, Cell)]| {
            let Some(row) = rows.get_mut(key.as_slice()) else { return };
            row[REVISION] = Cell::Number(event.revision);
            // What is out of turn, since an event before it was skipped, changes nothing else.
            if row[STATUS] != text(from) {
                return;
            }
            (row[STATUS], row[UPDATED_AT]) = (text(to), Cell::Number(at));
            for (column, cell) in more {
                row[*column] = cell.clone();
            }
        };
        match happened(event) {
            Happened::Placed { customer, lines, total, at, .. } => {
                let row = vec![
                    Cell::Bytes(customer.as_bytes().to_vec()),
                    text("placed"),
                    Cell::Number(total.0),
                    text(&total.1),
                    Cell::Text(Arc::clone(lines)),
                    Cell::Null,
                    Cell::Null,
                    Cell::Number(*at),
                    Cell::Number(*at),
                    Cell::Number(event.revision),
                ];
                rows.insert(key.to_vec(), row);
            }
            Happened::Cancelled { reason, at } => step("placed", "cancelled", *at, &[(REASON, text(reason))]),
            Happened::Shipped { tracking, at } => {
                step("placed", "shipped", *at, &[(TRACKING, optional(tracking.as_deref()))]);
            }
            Happened::Delivered { at } => step("shipped", "delivered", *at, &[]),
            other @ (Happened::Registered { .. } | Happened::PriceChanged { .. } | Happened::Retired { .. }) => {
                panic!("{other:?} happened to an order")
            }
        }
    }
    vec![rows]
}

fn products(events: &[&Event]) -> Vec<Rows> {
    const PRICE: usize = 2;
    const CURRENCY: usize = 3;
    const STATUS: usize = 4;
    const UPDATED_AT: usize = 6;
    const REVISION: usize = 7;
    let mut rows = Rows::new();
    for event in events {
        let key = event.key.as_bytes();
        let revision = Cell::Number(event.revision);
        if let Happened::Registered { sku, name, price, at } = happened(event) {
            let moment = || Cell::Number(*at);
            let price = [Cell::Number(price.0), text(&price.1)];
            let [minor, currency] = price;
            let row = vec![text(sku), text(name), minor, currency, text("offered"), moment(), moment(), revision];
            rows.insert(key.to_vec(), row);
            continue;
        }
        let Some(row) = rows.get_mut(key.as_slice()) else { continue };
        row[REVISION] = revision;
        if row[STATUS] != text("offered") {
            continue;
        }
        match happened(event) {
            Happened::PriceChanged { price, at } => {
                (row[PRICE], row[CURRENCY]) = (Cell::Number(price.0), text(&price.1));
                row[UPDATED_AT] = Cell::Number(*at);
            }
            Happened::Retired { at } => (row[STATUS], row[UPDATED_AT]) = (text("retired"), Cell::Number(*at)),
            other @ (Happened::Registered { .. }
            | Happened::Placed { .. }
            | Happened::Cancelled { .. }
            | Happened::Shipped { .. }
            | Happened::Delivered { .. }) => panic!("{other:?} happened to a product that is there"),
        }
    }
    vec![rows]
}

fn sales(events: &[&Event]) -> Vec<Rows> {
    let mut sold: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
    let mut open: BTreeMap<Uuid, BTreeMap<Uuid, i64>> = BTreeMap::new();
    for event in events {
        match happened(event) {
            Happened::Placed { units, .. } => {
                let order = open.entry(event.key).or_default();
                for (product, units) in units {
                    *order.entry(*product).or_default() += units;
                }
                for (product, units) in order {
                    let sold = sold.entry(*product).or_default();
                    *sold = (sold.0 + *units, sold.1 + 1);
                }
            }
            Happened::Cancelled { .. } => {
                for (product, units) in open.remove(&event.key).unwrap_or_default() {
                    let sold = sold.entry(product).or_default();
                    *sold = (sold.0 - units, sold.1 - 1);
                }
            }
            other @ (Happened::Shipped { .. }
            | Happened::Delivered { .. }
            | Happened::Registered { .. }
            | Happened::PriceChanged { .. }
            | Happened::Retired { .. }) => panic!("{other:?} is not about sales"),
        }
    }
    let number = |number: i64| Cell::Number(number);
    let counters =
        sold.into_iter().map(|(product, sold)| (product.as_bytes().to_vec(), vec![number(sold.0), number(sold.1)]));
    let lines = open.into_iter().flat_map(|(order, lines)| {
        let key = move |product: Uuid| [order.as_bytes().as_slice(), product.as_bytes()].concat();
        lines.into_iter().map(move |(product, units)| (key(product), vec![Cell::Number(units)]))
    });
    vec![counters.collect(), lines.collect()]
}
