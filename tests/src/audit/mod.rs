//! The read store held against the log: whatever a file holds, every generation is what its events make of it.
//!
//! The file is read directly and in one snapshot, of a running server or of a dead one. For each generation there must
//! be exactly its tables; at its checkpoint, every row must be what a fold of the log makes, without the events that
//! are parked; and what is parked must be what has to be.

mod fold;
mod graph;
mod inboxes;
mod log;
mod posts;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::Path,
    sync::Arc,
};

use rusqlite::{Transaction, TransactionBehavior, types::ValueRef};
use tempfile::TempDir;
use uuid::Uuid;

pub use fold::{Cell, MODELS, Model, Rows};
pub use log::{Event, Happened, Log, Social};

use crate::server::temp_dir;

/// Tables of the read store that belong to no generation.
const BOOKKEEPING: [&str; 5] =
    ["projection_generations", "projection_numbers", "projection_parked", "projection_slices", "projection_origin"];
/// Tables of others, made once the projections have begun.
const OF_OTHERS: [&str; 5] = ["processes", "process_notes", "process_parked", "process_reports", "snapshots"];

/// A generation as the bookkeeping has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The projection.
    pub name: String,
    /// Its number.
    pub number: i64,
    /// Everything up to here is applied, except what is parked.
    pub position: u64,
    /// What it is for.
    pub state: String,
    /// When it got into its state, in microseconds.
    pub since: i64,
    /// What is parked in it, by position.
    pub parked: BTreeMap<u64, Parked>,
}

/// An event that waits or was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The key it waits under.
    pub key: Uuid,
    /// `failed`, `queued` or `skipped`.
    pub state: String,
}

/// What a read store holds, found to be right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Every generation.
    pub generations: Vec<Generation>,
    /// How many rows were compared.
    pub rows: usize,
}

impl Findings {
    /// The generations of a projection in this state.
    pub fn in_state<'a>(&'a self, name: &'a str, state: &'a str) -> impl Iterator<Item = &'a Generation> {
        self.generations.iter().filter(move |generation| generation.name == name && generation.state == state)
    }

    /// The generation that serves, if one does.
    pub fn serving<'a>(&'a self, name: &'a str) -> Option<&'a Generation> {
        self.in_state(name, "serving").next()
    }

    /// The generation that served before it, if it is kept.
    pub fn standby<'a>(&'a self, name: &'a str) -> Option<&'a Generation> {
        let kept = self.in_state(name, "standby").chain(self.in_state(name, "rolled_back"));
        kept.max_by_key(|generation| generation.since)
    }

    /// The generation that is being built, if there is one.
    pub fn building<'a>(&'a self, name: &'a str) -> Option<&'a Generation> {
        self.in_state(name, "building").last()
    }
}

impl Generation {
    /// The first event of each key that waits.
    pub fn heads(&self) -> BTreeMap<Uuid, (u64, &Parked)> {
        let mut heads = BTreeMap::new();
        for (position, parked) in self.parked.iter().filter(|(_, parked)| parked.state != "skipped") {
            heads.entry(parked.key).or_insert((*position, parked));
        }
        heads
    }
}

/// Copies the files of a server that has died, as it left them: whoever opens a database changes what is beside it.
pub fn post_mortem(data: &Path) -> TempDir {
    let copy = temp_dir();
    for name in ["read.db", "read.db-wal", "events.db", "events.db-wal"] {
        match fs::copy(data.join(name), copy.path().join(name)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => panic!("{name} cannot be copied: {error}"),
        }
    }
    copy
}

/// Holds the read store in this folder against the event store there. `log` is what is known of it, and is read on.
#[track_caller]
pub fn audit(data: &Path, log: &mut Log) -> Findings {
    if !data.join("read.db").exists() {
        return Findings::default();
    }
    let mut connection = log::open(&data.join("read.db"));
    let snapshot = connection.transaction_with_behavior(TransactionBehavior::Deferred).expect("a snapshot");
    let tables = tables(&snapshot);
    if !tables.contains(BOOKKEEPING[0]) {
        assert!(tables.is_empty(), "tables of nobody: {tables:?}");
        return Findings::default();
    }
    let generations = generations(&snapshot, tables.contains(BOOKKEEPING[1]));
    // After the snapshot was taken: whatever it shows is in the log already.
    log.read_on(&data.join("events.db"));
    nothing_is_orphaned(&tables, &generations);
    let mut rows = 0;
    for generation in &generations {
        let is_served = generations.iter().filter(|other| other.name == generation.name && other.state == "serving");
        assert!(is_served.count() <= 1, "two generations serve: {generations:#?}");
        assert!(generation.position <= log.head(), "it is ahead of the log, {}: {generation:?}", log.head());
        // Before its first checkpoint a copy of another generation's rows may be in it.
        if generation.position == 0 && ["building", "scratch"].contains(&generation.state.as_str()) {
            continue;
        }
        parked_is_what_must_be(generation, log);
        rows += rows_are_right(&snapshot, generation, log);
    }
    Findings { generations, rows }
}

fn tables(snapshot: &Transaction<'_>) -> BTreeSet<String> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut statement = snapshot.prepare(sql).expect("SQL");
    let names = statement.query_map([], |row| row.get(0)).expect("the schema can be read");
    names.collect::<Result<_, _>>().expect("the schema can be read")
}

fn generations(snapshot: &Transaction<'_>, can_park: bool) -> Vec<Generation> {
    let sql = "SELECT name, generation, position, state, since FROM projection_generations \
               LEFT JOIN projection_slices USING (name, generation) ORDER BY name, generation";
    let mut statement = snapshot.prepare(sql).expect("SQL");
    let read = statement.query_map([], |row| {
        let (name, number, position) = (row.get(0)?, row.get(1)?, log::position(row, 2)?);
        Ok(Generation { name, number, position, state: row.get(3)?, since: row.get(4)?, parked: BTreeMap::new() })
    });
    let read: Result<Vec<Generation>, _> = read.expect("the bookkeeping can be read").collect();
    let mut generations = read.expect("the bookkeeping can be read");
    if !can_park {
        return generations;
    }
    let sql = "SELECT projection, generation, position, parked_key, state FROM projection_parked";
    let mut statement = snapshot.prepare(sql).expect("SQL");
    let mut rows = statement.query([]).expect("what is parked can be read");
    while let Some(row) = rows.next().expect("what is parked can be read") {
        let text = |column| row.get::<_, String>(column).expect("a text");
        let (name, number): (String, i64) = (text(0), row.get(1).expect("a number"));
        let key: [u8; 16] = row.get(3).expect("a key");
        let position = log::position(row, 2).expect("a position");
        let its = generations.iter_mut().find(|generation| generation.name == name && generation.number == number);
        let its = its.unwrap_or_else(|| panic!("event {position} is parked in generation {number} of {name}: gone"));
        let parked = Parked { key: Uuid::from_bytes(key), state: text(4) };
        assert!(its.parked.insert(position, parked).is_none(), "event {position} is parked twice in {name} {number}");
    }
    generations
}

/// There are the tables of the generations in the bookkeeping, and no others.
fn nothing_is_orphaned(tables: &BTreeSet<String>, generations: &[Generation]) {
    let mut expected: BTreeSet<String> = BOOKKEEPING.iter().map(|name| (*name).to_owned()).collect();
    for generation in generations {
        let model = Model::called(&generation.name);
        expected.extend(model.tables.iter().map(|table| model.table(table, generation.number)));
    }
    // A start may have been interrupted between the two tables of the bookkeeping.
    let missing: Vec<_> = expected.difference(tables).filter(|name| *name != BOOKKEEPING[1]).collect();
    let orphaned: Vec<_> = tables.difference(&expected).filter(|name| !OF_OTHERS.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "tables are missing: {missing:?} of {generations:#?}");
    assert!(orphaned.is_empty(), "tables of no generation: {orphaned:?}, there are {generations:#?}");
}

/// What nobody understands is parked, with everything behind it, and nothing else is.
fn parked_is_what_must_be(generation: &Generation, log: &Log) {
    let model = Model::called(&generation.name);
    let what = || format!("generation {} of {} at {}", generation.number, generation.name, generation.position);
    for (position, parked) in &generation.parked {
        let event = log.at(*position).filter(|event| event.position <= generation.position && model.reads(event));
        let event = event.unwrap_or_else(|| panic!("{position} is parked in {}, which is not at it", what()));
        assert_eq!(event.key, parked.key, "{position} is parked under another key in {}", what());
        let is_to_blame = event.happened.is_none() || log.mended.contains(position);
        assert!(is_to_blame || parked.state == "queued", "{position} is {parked:?} in {}, for no reason", what());
    }
    let heads = generation.heads();
    for event in log.up_to(generation.position).iter().filter(|event| model.reads(event)) {
        let is_there = generation.parked.contains_key(&event.position);
        assert!(is_there || event.happened.is_some(), "{} is not parked in {}", event.position, what());
        let is_behind = heads.get(&event.key).is_some_and(|(first, _)| *first <= event.position);
        assert!(is_there || !is_behind, "{} overtook an event that waits, in {}", event.position, what());
    }
}

/// Every row is what the events up to the checkpoint make of it. Gives how many there are.
fn rows_are_right(snapshot: &Transaction<'_>, generation: &Generation, log: &Log) -> usize {
    let model = Model::called(&generation.name);
    let left_out: HashSet<u64> = generation.parked.keys().copied().collect();
    let folded = model.fold(log.up_to(generation.position), &left_out);
    let mut count = 0;
    for (table, folded) in model.tables.iter().zip(folded) {
        let name = model.table(table, generation.number);
        let columns = table.key.iter().chain(table.columns).copied().collect::<Vec<_>>().join(", ");
        let stored = rows(snapshot, &format!("SELECT {columns} FROM {name}"), table.key.len());
        count += stored.len();
        if stored == folded {
            continue;
        }
        let keys: BTreeSet<&Vec<u8>> = stored.keys().chain(folded.keys()).collect();
        let differing: Vec<_> = keys.into_iter().filter(|key| stored.get(*key) != folded.get(*key)).collect();
        let first = differing[0];
        panic!(
            "{name} at {} ({}) differs from the log in {} of {} rows; the first is {:02x?}:\nstored {:?}\nfolded {:?}",
            generation.position,
            generation.state,
            differing.len(),
            folded.len(),
            first,
            stored.get(first),
            folded.get(first)
        );
    }
    count
}

fn rows(snapshot: &Transaction<'_>, select: &str, key_columns: usize) -> Rows {
    let mut statement = snapshot.prepare(select).expect("a table");
    let columns = statement.column_count();
    let mut found = statement.query([]).expect("a table");
    let mut rows = Rows::new();
    while let Some(row) = found.next().expect("a row") {
        let mut key = Vec::new();
        for column in 0..key_columns {
            match row.get_ref(column).expect("a key") {
                ValueRef::Blob(uuid) => key.extend(uuid),
                ValueRef::Text(word) => key.extend(fold::word(word)),
                ValueRef::Integer(number) => key.extend(number.to_be_bytes()),
                other @ (ValueRef::Null | ValueRef::Real(_)) => panic!("{other:?} is no part of a key"),
            }
        }
        let cells = (key_columns..columns).map(|column| cell(row.get_ref(column).expect("a value")));
        rows.insert(key, cells.collect());
    }
    rows
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Number(number),
        ValueRef::Text(text) => Cell::Text(Arc::from(str::from_utf8(text).expect("UTF-8"))),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Real(real) => panic!("{real} is no value of a read model"),
    }
}
