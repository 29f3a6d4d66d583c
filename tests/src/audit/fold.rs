//! What the tables of each read model must hold: plain maps and ifs, and no rule taken from the code.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Datelike as _, SecondsFormat};
use uuid::Uuid;

use super::{
    graph, inboxes,
    log::{Event, Happened},
    posts,
};

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
    pub(super) fold: fn(&[&Event]) -> Vec<Rows>,
}

/// All of them.
pub const MODELS: [Model; 9] = [
    inboxes::MODEL,
    Model {
        name: "order_stats",
        events: &[
            "order.placed.",
            "order.confirmed.",
            "order.cancelled.",
            "order.shipped.",
            "order.delivered.",
            "order.paid.",
            "order.refunded.",
        ],
        tables: &[
            Table { suffix: "_counters", key: &["currency", "hour", "what"], columns: &["month", "amount"] },
            Table { suffix: "_orders", key: &["order_id"], columns: &["currency", "status", "units", "left_to_ship"] },
        ],
        fold: stats,
    },
    Model {
        name: "order_summary",
        events: &["order."],
        tables: &[
            Table {
                suffix: "",
                key: &["order_id"],
                columns: &[
                    "number",
                    "customer_id",
                    "status",
                    "payment_status",
                    "fulfilment_status",
                    "total_minor",
                    "currency",
                    "cancel_reason",
                    "is_overdue",
                    "warehouse",
                    "tracking",
                    "first_sku",
                    "placed_at",
                    "updated_at",
                    "lines",
                    "details",
                    "revision",
                ],
            },
            Table { suffix: "_terms", key: &["term", "placed_at", "order_id"], columns: &[] },
            Table { suffix: "_words", key: &["word", "sku"], columns: &[] },
        ],
        fold: orders,
    },
    Model {
        name: "post_board",
        events: &["post."],
        tables: &[Table {
            suffix: "",
            key: &["post_id"],
            columns: &["kind", "author_id", "visibility", "body", "revision"],
        }],
        fold: posts::posts,
    },
    Model {
        name: "product_catalog",
        events: &["product."],
        tables: &[Table {
            suffix: "",
            key: &["product_id"],
            columns: &[
                "sku",
                "name",
                "price_minor",
                "currency",
                "status",
                "is_stocked",
                "registered_at",
                "updated_at",
                "revision",
            ],
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
    Model {
        name: "profile_directory",
        events: &["profile."],
        tables: &[Table {
            suffix: "",
            key: &["user_id"],
            columns: &["handle", "name", "biography", "created_at", "updated_at", "revision"],
        }],
        fold: profiles,
    },
    graph::MODEL,
    Model {
        name: "stock_level",
        events: &["stock."],
        tables: &[Table {
            suffix: "",
            key: &["stock_id"],
            columns: &["sku", "warehouse", "on_hand", "reserved", "updated_at", "revision"],
        }],
        fold: stocks,
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
pub(super) fn happened(event: &Event) -> &Happened {
    let Some(happened) = &event.happened else {
        panic!("nobody understands event {} of {}-{}, and it is not parked", event.position, event.category, event.key)
    };
    happened
}

pub(super) fn text(text: &str) -> Cell {
    Cell::Text(text.into())
}

/// What people call an order: its last forty bits, five to a digit.
fn number(order: Uuid) -> String {
    let bits = order.as_u128() & ((1 << 40) - 1);
    let digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".as_bytes();
    (0..8).map(|place| char::from(digits[(bits >> (35 - 5 * place)) as usize % 32])).collect()
}

/// What a row says of an order that was shipped whole.
fn shipment(units: &[i64], tracking: Option<&str>, at: i64) -> String {
    let at = DateTime::from_timestamp_micros(at).expect("a moment").to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let lines: Vec<String> =
        units.iter().enumerate().map(|(line, units)| format!("{{\"line\":{line},\"quantity\":{units}}}")).collect();
    let tracking = serde_json::to_string(&tracking).expect("a text");
    format!("{{\"shipments\":[{{\"at\":\"{at}\",\"lines\":[{}],\"tracking\":{tracking}}}]}}", lines.join(","))
}

/// The SKU and the name of each line.
fn products_of(lines: &str) -> Vec<(String, String)> {
    let lines: Vec<serde_json::Value> = serde_json::from_str(lines).expect("lines are a list");
    let text = |line: &serde_json::Value, field: &str| line[field].as_str().expect("a text").to_owned();
    lines.iter().map(|line| (text(line, "sku"), text(line, "name"))).collect()
}

/// The words of a text of plain letters.
fn words_in(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn orders(events: &[&Event]) -> Vec<Rows> {
    const STATUS: usize = 2;
    const PIECES: usize = 4;
    const REASON: usize = 7;
    const TRACKING: usize = 10;
    const UPDATED_AT: usize = 13;
    const DETAILS: usize = 15;
    const REVISION: usize = 16;
    let [mut rows, mut terms, mut words] = [Rows::new(), Rows::new(), Rows::new()];
    let mut units_of: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
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
            Happened::Placed { customer, lines, units, total, at } => {
                units_of.insert(event.key, units.iter().map(|(_, units)| *units).collect());
                let products = products_of(lines);
                let first = products.first().map_or(Cell::Null, |(sku, _)| text(sku));
                for (sku, name) in &products {
                    if first != text(sku) {
                        let term = word(format!("sku {sku}").as_bytes());
                        terms.insert([&term[..], &at.to_be_bytes(), key].concat(), vec![]);
                    }
                    for one in words_in(sku).chain(words_in(name)) {
                        words.insert([word(one.as_bytes()), word(sku.as_bytes())].concat(), vec![]);
                    }
                }
                let row = vec![
                    text(&number(event.key)),
                    Cell::Bytes(customer.as_bytes().to_vec()),
                    text("placed"),
                    text("on_account"),
                    text("unfulfilled"),
                    Cell::Number(total.0),
                    text(&total.1),
                    Cell::Null,
                    Cell::Number(0),
                    text("main"),
                    Cell::Null,
                    first,
                    Cell::Number(*at),
                    Cell::Number(*at),
                    Cell::Text(Arc::clone(lines)),
                    Cell::Null,
                    Cell::Number(event.revision),
                ];
                rows.insert(key.to_vec(), row);
            }
            Happened::Cancelled { reason, at } => step("placed", "cancelled", *at, &[(REASON, text(reason))]),
            Happened::Shipped { tracking, at } => {
                let units = units_of.get(&event.key).map_or(&[][..], Vec::as_slice);
                let details = shipment(units, tracking.as_deref(), *at);
                // As it is searched for: nothing but letters and digits.
                let tracking =
                    tracking.as_deref().map_or(Cell::Null, |number| text(&words_in(number).collect::<String>()));
                let more = [(PIECES, text("shipped")), (TRACKING, tracking), (DETAILS, text(&details))];
                step("placed", "shipped", *at, &more);
            }
            Happened::Delivered { at } => step("shipped", "delivered", *at, &[(PIECES, text("delivered"))]),
            other @ (Happened::Registered { .. }
            | Happened::PriceChanged { .. }
            | Happened::Retired { .. }
            | Happened::Received { .. }
            | Happened::Moved { .. }
            | Happened::Created { .. }
            | Happened::Updated { .. }
            | Happened::HandleChanged { .. }
            | Happened::Published { .. }
            | Happened::Edited { .. }
            | Happened::Reposted { .. }
            | Happened::Deleted { .. }
            | Happened::Social { .. }) => panic!("{other:?} happened to an order"),
        }
    }
    vec![rows, terms, words]
}

fn products(events: &[&Event]) -> Vec<Rows> {
    const PRICE: usize = 2;
    const CURRENCY: usize = 3;
    const STATUS: usize = 4;
    const UPDATED_AT: usize = 7;
    const REVISION: usize = 8;
    let mut rows = Rows::new();
    for event in events {
        let key = event.key.as_bytes();
        let revision = Cell::Number(event.revision);
        if let Happened::Registered { sku, name, price, is_stocked, at } = happened(event) {
            let moment = || Cell::Number(*at);
            let price = [Cell::Number(price.0), text(&price.1)];
            let [minor, currency] = price;
            let counted = Cell::Number((*is_stocked).into());
            let row =
                vec![text(sku), text(name), minor, currency, text("offered"), counted, moment(), moment(), revision];
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
            | Happened::Delivered { .. }
            | Happened::Received { .. }
            | Happened::Moved { .. }
            | Happened::Created { .. }
            | Happened::Updated { .. }
            | Happened::HandleChanged { .. }
            | Happened::Published { .. }
            | Happened::Edited { .. }
            | Happened::Reposted { .. }
            | Happened::Deleted { .. }
            | Happened::Social { .. }) => panic!("{other:?} happened to a product that is there"),
        }
    }
    vec![rows]
}

fn profiles(events: &[&Event]) -> Vec<Rows> {
    const HANDLE: usize = 0;
    const NAME: usize = 1;
    const BIOGRAPHY: usize = 2;
    const UPDATED_AT: usize = 4;
    const REVISION: usize = 5;
    let mut rows = Rows::new();
    for event in events {
        let key = event.key.as_bytes();
        let revision = Cell::Number(event.revision);
        if let Happened::Created { handle, name, biography, at } = happened(event) {
            let moment = || Cell::Number(*at);
            let row = vec![text(handle), text(name), text(biography), moment(), moment(), revision];
            rows.insert(key.to_vec(), row);
            continue;
        }
        let Some(row) = rows.get_mut(key.as_slice()) else { continue };
        row[REVISION] = revision;
        match happened(event) {
            Happened::Updated { name, biography, at } => {
                (row[NAME], row[BIOGRAPHY]) = (text(name), text(biography));
                row[UPDATED_AT] = Cell::Number(*at);
            }
            Happened::HandleChanged { handle, at } => {
                (row[HANDLE], row[UPDATED_AT]) = (text(handle), Cell::Number(*at));
            }
            other @ (Happened::Created { .. }
            | Happened::Placed { .. }
            | Happened::Cancelled { .. }
            | Happened::Shipped { .. }
            | Happened::Delivered { .. }
            | Happened::Registered { .. }
            | Happened::PriceChanged { .. }
            | Happened::Retired { .. }
            | Happened::Received { .. }
            | Happened::Moved { .. }
            | Happened::Published { .. }
            | Happened::Edited { .. }
            | Happened::Reposted { .. }
            | Happened::Deleted { .. }
            | Happened::Social { .. }) => panic!("{other:?} happened to a profile that is there"),
        }
    }
    vec![rows]
}

fn stocks(events: &[&Event]) -> Vec<Rows> {
    const ON_HAND: usize = 2;
    const RESERVED: usize = 3;
    const UPDATED_AT: usize = 4;
    const REVISION: usize = 5;
    let mut rows = Rows::new();
    for event in events {
        let key = event.key.as_bytes();
        let (more_on_hand, more_reserved, moment) = match happened(event) {
            Happened::Received { sku, warehouse, pieces, at } => {
                let none = || Cell::Number(0);
                let row = || vec![text(sku), text(warehouse), none(), none(), none(), none()];
                rows.entry(key.to_vec()).or_insert_with(row);
                (*pieces, 0, *at)
            }
            Happened::Moved { on_hand, reserved, at } => (*on_hand, *reserved, *at),
            other @ (Happened::Registered { .. }
            | Happened::PriceChanged { .. }
            | Happened::Retired { .. }
            | Happened::Placed { .. }
            | Happened::Cancelled { .. }
            | Happened::Shipped { .. }
            | Happened::Delivered { .. }
            | Happened::Created { .. }
            | Happened::Updated { .. }
            | Happened::HandleChanged { .. }
            | Happened::Published { .. }
            | Happened::Edited { .. }
            | Happened::Reposted { .. }
            | Happened::Deleted { .. }
            | Happened::Social { .. }) => panic!("{other:?} happened to a stock"),
        };
        // What is there of a stock whose first receipt was skipped, nobody knows.
        let Some(row) = rows.get_mut(key.as_slice()) else { continue };
        for (column, more) in [(ON_HAND, more_on_hand), (RESERVED, more_reserved)] {
            let Cell::Number(before) = row[column] else { panic!("a stock counts in numbers: {row:?}") };
            row[column] = Cell::Number((before + more).max(0));
        }
        (row[UPDATED_AT], row[REVISION]) = (Cell::Number(moment), Cell::Number(event.revision));
    }
    vec![rows]
}

/// A word as a part of a key.
pub(super) fn word(word: &[u8]) -> Vec<u8> {
    [word, &[0]].concat()
}

/// What is known of an order: its currency, what it is, how many pieces, and how many of them have not left.
type Counted = (String, &'static str, i64, i64);

fn stats(events: &[&Event]) -> Vec<Rows> {
    let mut orders: BTreeMap<Uuid, Counted> = BTreeMap::new();
    let mut counters: BTreeMap<(String, i64, String), (i64, i64)> = BTreeMap::new();
    let mut count = |currency: &str, at: i64, what: &str, more: i64| {
        let moment = DateTime::from_timestamp_micros(at).expect("a moment");
        let month = i64::from(moment.year()) * 12 + i64::from(moment.month0());
        let key = (currency.to_owned(), moment.timestamp().div_euclid(3_600), what.to_owned());
        counters.entry(key).or_insert((month, 0)).1 += more;
    };
    for event in events {
        let happened = happened(event);
        if let Happened::Placed { units, total, at, .. } = happened {
            let pieces: i64 = units.iter().map(|(_, units)| units).sum();
            orders.insert(event.key, (total.1.clone(), "placed", pieces, pieces));
            count(&total.1, *at, "placed", 1);
            count(&total.1, *at, "units", pieces);
            continue;
        }
        let Some((currency, status, pieces, left)) = orders.get_mut(&event.key) else { continue };
        match happened {
            Happened::Cancelled { reason, at } if *status == "placed" && left == pieces => {
                *status = "cancelled";
                count(currency, *at, &format!("cancelled.{reason}"), 1);
            }
            // Nothing here ships a part of an order.
            Happened::Shipped { at, .. } if *status == "placed" => {
                (*status, *left) = ("shipped", 0);
                count(currency, *at, "shipped", 1);
            }
            Happened::Delivered { at } if *status == "shipped" => {
                *status = "delivered";
                count(currency, *at, "delivered", 1);
            }
            Happened::Cancelled { .. } | Happened::Shipped { .. } | Happened::Delivered { .. } => {}
            other @ (Happened::Placed { .. }
            | Happened::Registered { .. }
            | Happened::PriceChanged { .. }
            | Happened::Retired { .. }
            | Happened::Received { .. }
            | Happened::Moved { .. }
            | Happened::Created { .. }
            | Happened::Updated { .. }
            | Happened::HandleChanged { .. }
            | Happened::Published { .. }
            | Happened::Edited { .. }
            | Happened::Reposted { .. }
            | Happened::Deleted { .. }
            | Happened::Social { .. }) => panic!("{other:?} happened to an order that is there"),
        }
    }
    let counters = counters.into_iter().map(|((currency, hour, what), (month, amount))| {
        let key = [word(currency.as_bytes()), hour.to_be_bytes().to_vec(), word(what.as_bytes())].concat();
        (key, vec![Cell::Number(month), Cell::Number(amount)])
    });
    let orders = orders.into_iter().map(|(order, (currency, status, pieces, left))| {
        let row = vec![text(&currency), text(status), Cell::Number(pieces), Cell::Number(left)];
        (order.as_bytes().to_vec(), row)
    });
    vec![counters.collect(), orders.collect()]
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
            | Happened::Retired { .. }
            | Happened::Received { .. }
            | Happened::Moved { .. }
            | Happened::Created { .. }
            | Happened::Updated { .. }
            | Happened::HandleChanged { .. }
            | Happened::Published { .. }
            | Happened::Edited { .. }
            | Happened::Reposted { .. }
            | Happened::Deleted { .. }
            | Happened::Social { .. }) => panic!("{other:?} is not about sales"),
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
