//! Models that fail when an event tells them to.
//!
//! Whether a model fails is in the event: the tracking label of a shipment says how. Orders carry the number of their
//! hall, so that mending the models of one test leaves the others alone.

use std::{collections::BTreeSet, sync::Mutex};

use domain::order::OrderEvent;
use infrastructure::read_store::Row;

use super::super::*;
use crate::{SetChange, Tables};

/// How long a slow event takes, and how long it may.
pub(in super::super) const SLOW: Duration = Duration::from_millis(700);
pub(in super::super) const LIMIT: Duration = Duration::from_millis(350);

static MENDED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// What a model is told to do by an event; nothing once its hall is mended.
fn ill(event: &Decoded) -> Option<&str> {
    let Event::Order(OrderEvent::Shipped { tracking: Some(tracking), .. }) = &*event.event else { return None };
    (!is_mended(event.stream.id)).then_some(tracking.as_str())
}

fn is_mended(order: Uuid) -> bool {
    MENDED.lock().unwrap().contains(&(order.as_u64_pair().1 << 1 >> 33))
}

fn obey(told: Option<&str>) {
    match told {
        Some("fold") => panic!("the fold is defective, on purpose"),
        Some("slow") => std::thread::sleep(SLOW),
        Some(_) | None => {}
    }
}

/// The models of this hall fail no more; or they do again.
pub(super) fn mend(hall: u64, is_mended: bool) {
    let mut mended = MENDED.lock().unwrap();
    if is_mended {
        mended.insert(hall);
    } else {
        mended.remove(&hall);
    }
}

/// One row for each order: which events made it, in order. Form 1 has a column more that may be NULL, form 2 one that
/// must not be.
#[derive(Debug)]
pub(in super::super) enum Notes<const VERSION: u32 = 1, const FORM: u8 = 0> {}

#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Note {
    pub(in super::super) id: Uuid,
    /// The positions of its events.
    pub(in super::super) trail: String,
    /// How its row is to be written.
    pub(in super::super) told: Option<String>,
    pub(in super::super) more: Option<i64>,
}

impl<const V: u32, const FORM: u8> KeyedFold for Notes<V, FORM> {
    const NAME: &'static str = "notes";
    const VERSION: u32 = V;
    const EVENTS: &'static [&'static str] = &["order."];
    const COLUMNS: &'static [(&'static str, &'static str)] = match FORM {
        0 => &[("id", "UUID NOT NULL"), ("trail", "TEXT NOT NULL"), ("weight", "BIGINT NOT NULL CHECK (weight < 9)")],
        1 => &[
            ("id", "UUID NOT NULL"),
            ("trail", "TEXT NOT NULL"),
            ("weight", "BIGINT NOT NULL CHECK (weight < 9)"),
            ("more", "BIGINT"),
        ],
        _ => &[
            ("id", "UUID NOT NULL"),
            ("trail", "TEXT NOT NULL"),
            ("weight", "BIGINT NOT NULL CHECK (weight < 9)"),
            ("more", "BIGINT NOT NULL"),
        ],
    };
    const INDEXES: &'static [&'static str] = &["weight, id"];
    type Row = Note;

    fn key(event: &Decoded) -> Option<Uuid> {
        assert!(ill(event) != Some("key"), "the key is defective, on purpose");
        Some(event.stream.id)
    }
    fn sources(key: Uuid) -> Sources {
        Sources::Streams(vec![StreamId::new("order", key)])
    }
    fn starts(event: &Decoded) -> bool {
        matches!(&*event.event, Event::Order(OrderEvent::Placed { .. }))
    }
    fn fold(row: Option<Note>, event: &Decoded) -> Option<Note> {
        obey(ill(event));
        assert!(ill(event) != Some("notes"), "the fold is defective, on purpose");
        let told = ill(event).filter(|told| ["write", "refuse", "read"].contains(told)).map(str::to_owned);
        let mut row = row.unwrap_or(Note { id: event.stream.id, trail: String::new(), told: None, more: None });
        row.trail = format!("{} {}", row.trail, event.position).trim().to_owned();
        row.told = row.told.or(told);
        row.more = (FORM > 0).then_some(7);
        Some(row)
    }
    fn write(row: &Note) -> Vec<Value> {
        let told = row.told.as_deref();
        assert!(told != Some("write"), "the writing is defective, on purpose");
        let weight = match told {
            Some("refuse") => 9,
            Some("read") => 1,
            Some(_) | None => 0,
        };
        let mut values = vec![Value::Uuid(row.id), Value::Text(row.trail.clone()), Value::Int(weight)];
        values.extend(row.more.map(Value::Int));
        values
    }
    fn read(row: &Row) -> Result<Note, ReadStoreError> {
        let more = if FORM > 0 && !row.is_null(3) { Some(row.int(3)?) } else { None };
        let is_ill = row.int(2)? == 1 && !is_mended(row.uuid(0)?);
        assert!(!is_ill, "the reading is defective, on purpose");
        Ok(Note { id: row.uuid(0)?, trail: row.text(1)?.to_owned(), told: None, more })
    }
}

/// One row for each event.
#[derive(Debug)]
pub(in super::super) enum Ledger {}

impl SetChange for Ledger {
    const NAME: &'static str = "ledger";
    const VERSION: u32 = 1;
    const EVENTS: &'static [&'static str] = &["order."];
    const TABLES: &'static [&'static str] = &["lines"];

    fn key(event: &Decoded) -> Uuid {
        assert!(ill(event) != Some("key"), "the key is defective, on purpose");
        event.stream.id
    }
    fn create(tables: &Tables) -> Vec<String> {
        let lines = tables.name("lines");
        vec![format!("CREATE TABLE IF NOT EXISTS {lines} (id UUID NOT NULL, position BIGINT NOT NULL PRIMARY KEY)")]
    }
    fn changes(event: &Decoded, tables: &Tables) -> Vec<Statement> {
        let told = ill(event);
        obey(told);
        assert!(told != Some("write"), "the writing is defective, on purpose");
        let id = if told == Some("refuse") { Value::Null } else { Value::Uuid(event.stream.id) };
        let position = Value::Int(i64::try_from(event.position.value()).unwrap());
        let sql = format!("INSERT INTO {} (id, position) VALUES ($1, $2)", tables.name("lines"));
        vec![Statement::once(sql, vec![id, position])]
    }
}
