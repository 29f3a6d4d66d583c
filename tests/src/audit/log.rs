//! The log as its file holds it, parsed once.

use std::{collections::HashSet, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, Row};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the log.
    pub position: u64,
    /// What kind of object it happened to.
    pub category: Arc<str>,
    /// To which one.
    pub key: Uuid,
    /// Its place in the stream.
    pub revision: i64,
    /// Its type.
    pub kind: Arc<str>,
    /// What happened; none if nobody understands it.
    pub happened: Option<Happened>,
}

/// What happened, as far as a read model shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A customer bought.
    Placed {
        /// Who.
        customer: Uuid,
        /// What, as it is written.
        lines: Arc<str>,
        /// How many pieces of which product, line by line.
        units: Vec<(Uuid, i64)>,
        /// The sum.
        total: (i64, String),
        /// When, in microseconds.
        at: i64,
    },
    /// An order was given up.
    Cancelled {
        /// Why.
        reason: String,
        /// When.
        at: i64,
    },
    /// An order left the house.
    Shipped {
        /// The carrier's number.
        tracking: Option<String>,
        /// When.
        at: i64,
    },
    /// The customer has it.
    Delivered {
        /// When.
        at: i64,
    },
    /// A product came into the catalogue.
    Registered {
        /// Its SKU.
        sku: String,
        /// Its name.
        name: String,
        /// Its price.
        price: (i64, String),
        /// When.
        at: i64,
    },
    /// Its price changed.
    PriceChanged {
        /// The new one.
        price: (i64, String),
        /// When.
        at: i64,
    },
    /// It is offered no longer.
    Retired {
        /// When.
        at: i64,
    },
}

/// The whole log, from the first event on.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The events; the first one is at position 1.
    pub events: Vec<Event>,
    /// Events that nobody understood once, and that were put right since.
    pub mended: HashSet<u64>,
}

impl Log {
    /// Reads on from the last event that is known.
    pub fn read_on(&mut self, events_db: &Path) {
        let connection = open(events_db);
        let sql = "SELECT e.position, s.category, s.key, e.revision, t.name, e.data
             FROM events e JOIN streams s ON s.id = e.stream JOIN event_types t ON t.id = e.type
             WHERE e.position > ?1 ORDER BY e.position";
        let mut statement = connection.prepare(sql).expect("an event store");
        let mut rows = statement.query([self.head().cast_signed()]).expect("the log can be read");
        while let Some(row) = rows.next().expect("the log can be read") {
            let key: [u8; 16] = row.get(2).expect("a key");
            let (kind, data): (Arc<str>, String) = (row.get(4).expect("a type"), row.get(5).expect("data"));
            let event = Event {
                position: position(row, 0).expect("a position"),
                category: row.get(1).expect("a category"),
                key: Uuid::from_bytes(key),
                revision: row.get(3).expect("a revision"),
                happened: parse(&kind, &data),
                kind,
            };
            assert_eq!(event.position, self.head() + 1, "a position is missing before {event:?}");
            self.events.push(event);
        }
    }

    /// The event at this position was given data that can be understood: everything is read anew.
    pub fn is_mended(&mut self, position: u64) {
        self.mended.insert(position);
        self.events.clear();
    }

    /// The position of the last event.
    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// The event at this position.
    pub fn at(&self, position: u64) -> Option<&Event> {
        self.events.get(usize::try_from(position.checked_sub(1)?).ok()?)
    }

    /// The events up to this position.
    pub fn up_to(&self, position: u64) -> &[Event] {
        &self.events[..usize::try_from(position).expect("a small number")]
    }
}

/// A position in a column.
pub(super) fn position(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

/// Opens a database to read, beside whoever writes it.
pub(super) fn open(path: &Path) -> Connection {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    connection.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[derive(Deserialize)]
struct Amount {
    minor: i64,
    currency: String,
}

#[derive(Deserialize)]
struct Line {
    product: Uuid,
    quantity: i64,
}

#[derive(Deserialize)]
struct Data<'a> {
    customer: Option<Uuid>,
    #[serde(borrow)]
    lines: Option<&'a RawValue>,
    total: Option<Amount>,
    reason: Option<String>,
    tracking: Option<String>,
    sku: Option<String>,
    name: Option<String>,
    price: Option<Amount>,
    at: Option<DateTime<Utc>>,
}

/// What the data says; none if it does not say what an event of this type has to say.
fn parse(kind: &str, data: &str) -> Option<Happened> {
    if kind.starts_with("operator.") {
        return None;
    }
    let data: Data<'_> = serde_json::from_str(data).ok()?;
    let at = data.at?.timestamp_micros();
    let amount = |amount: Amount| (amount.minor, amount.currency);
    Some(match kind {
        "order.placed.v1" => {
            let lines = data.lines?.get();
            let parsed: Vec<Line> = serde_json::from_str(lines).ok()?;
            Happened::Placed {
                customer: data.customer?,
                // The table holds them with the fields in the order of their names.
                lines: serde_json::from_str::<serde_json::Value>(lines).ok()?.to_string().into(),
                units: parsed.into_iter().map(|line| (line.product, line.quantity)).collect(),
                total: amount(data.total?),
                at,
            }
        }
        "order.cancelled.v2" => Happened::Cancelled { reason: data.reason?, at },
        "order.shipped.v1" => Happened::Shipped { tracking: data.tracking, at },
        "order.delivered.v1" => Happened::Delivered { at },
        "product.registered.v1" => {
            Happened::Registered { sku: data.sku?, name: data.name?, price: amount(data.price?), at }
        }
        "product.price_changed.v1" => Happened::PriceChanged { price: amount(data.price?), at },
        "product.retired.v1" => Happened::Retired { at },
        other => panic!("the audit does not know {other}"),
    })
}
