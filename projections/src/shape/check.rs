//! Rows against their events: fold anew, compare, repair.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc};

use infrastructure::{
    event_store::{Direction, EventStore, Position, RecordedEvent, Revision, StoreError, StreamId},
    read_store::{Query, ReadStore, ReadStoreError, Row, Statement, Value},
};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use uuid::Uuid;

use super::{Copied, Look, beside};
use crate::{
    Decoded, KeyedFold, Sources, parking,
    table::{Serving, TableSql, read_row, stored_hash, topics_of},
};

/// How many events of a stream are read at once.
const PAGE_EVENTS: usize = 512;
/// How many rows are copied or compared at once.
const PAGE_ROWS: usize = 2_048;

/// A row that is not what its events make of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The row's key.
    pub key: Uuid,
    /// The generation it is in.
    pub generation: i64,
    /// Everything up to here was applied to the generation.
    pub position: Position,
    /// The row as it is stored, as JSON; none if there is none.
    pub stored: Option<String>,
    /// The row as its events make it, as JSON, or why they make none; none if there should be none.
    pub folded: Option<String>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// How many rows were folded anew.
    pub(crate) rows: u64,
    /// Those that differ.
    pub(crate) differences: Vec<Difference>,
    /// The keys with neither a row nor an event.
    pub(crate) missing: Vec<Uuid>,
    /// Why the first of those that cannot be folded cannot.
    pub(crate) unfoldable: Option<String>,
}

/// A row that was written anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repaired {
    /// Its key.
    pub key: Uuid,
    /// The row before, as JSON; none if there was none.
    pub before: Option<String>,
    /// The row now, as JSON; none if it was removed.
    pub after: Option<String>,
}

/// Why rows could not be checked or repaired. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// The model's rows cannot be folded one by one.
    #[error("rows of this model cannot be folded one by one: rebuild it instead")]
    NotByKey,
    /// There is neither a row nor an event with these keys.
    #[error("there is neither a row nor an event with the key {}", keys(.0))]
    Missing(Vec<Uuid>),
    /// The events of a key cannot be folded.
    #[error("the row {key} cannot be folded: {error}")]
    Unfoldable {
        /// Which.
        key: Uuid,
        /// Why.
        error: String,
    },
    /// What a builder wrote is not there.
    #[error("{0}")]
    Finding(String),
    /// The event store failed.
    #[error("the event store failed")]
    Events(#[from] StoreError),
    /// The read store failed.
    #[error("the read store failed")]
    Rows(#[from] ReadStoreError),
}

fn keys(keys: &[Uuid]) -> String {
    keys.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ")
}

/// A row as its events make it, and how many events of the key there are, those left out included.
pub(super) struct Folded<R> {
    pub(super) row: Option<R>,
    events: usize,
}

/// The row of a key as its events up to the position make it, without those that are parked or were skipped.
pub(super) async fn refold<M: KeyedFold>(look: Look<'_>, key: Uuid) -> Result<Folded<M::Row>, CheckError> {
    let Sources::Streams(streams) = M::sources(key) else { return Err(CheckError::NotByKey) };
    let parked = parking::sql::of_one_key(look.store, M::NAME, look.generation, key).await?;
    let left_out: HashSet<Position> = parked.iter().map(|entry| entry.position).collect();
    let mut events = Vec::new();
    for stream in &streams {
        read_stream(look.events, stream, look.position, &mut events).await?;
    }
    if streams.len() > 1 {
        events.sort_unstable_by_key(|event| event.position);
    }
    let unfoldable = |error: String| CheckError::Unfoldable { key, error };
    let mut folded = Folded { row: None, events: left_out.len() };
    for event in &events {
        let is_ours = M::EVENTS.iter().any(|prefix| event.type_name.starts_with(prefix));
        if !is_ours || left_out.contains(&event.position) {
            continue;
        }
        let at = event.position;
        let event = Decoded::decode(event).map_err(|error| unfoldable(format!("event {at}: {error}")))?;
        let row = folded.row.clone();
        let step = AssertUnwindSafe(|| (M::key(&event) == Some(key)).then(|| M::fold(row, &event)));
        let step = std::panic::catch_unwind(step).map_err(|_| unfoldable(format!("event {at}: its fold panicked")))?;
        if let Some(next) = step {
            folded = Folded { row: next, events: folded.events + 1 };
        }
    }
    Ok(folded)
}

async fn read_stream(
    store: &dyn EventStore,
    stream: &StreamId,
    up_to: Position,
    events: &mut Vec<RecordedEvent>,
) -> Result<(), StoreError> {
    let mut from = Revision::FIRST;
    loop {
        let page = store.read_stream(stream, from, Direction::Forwards, PAGE_EVENTS).await?;
        let Some(last) = page.events.last() else { return Ok(()) };
        from = last.revision.next();
        let is_over = page.is_end || last.position > up_to;
        events.extend(page.events.into_iter().filter(|event| event.position <= up_to));
        if is_over {
            return Ok(());
        }
    }
}

/// Folds these rows anew and compares them with what is stored, and with what is kept in memory.
pub(super) async fn check<M: KeyedFold>(
    look: Look<'_>,
    table: &Arc<Serving<M>>,
    keys: &[Uuid],
) -> Result<Checked, CheckError> {
    let mut checked = Checked::default();
    for key in keys {
        let stored = look.store.query(table.sql.load(*key)).await?.into_iter().next();
        let folded = match refold::<M>(look, *key).await {
            Ok(folded) => {
                if stored.is_none() && folded.events == 0 {
                    checked.missing.push(*key);
                }
                Ok(folded.row)
            }
            Err(error @ CheckError::Unfoldable { .. }) => {
                let why = error.to_string();
                checked.unfoldable.get_or_insert_with(|| why.clone());
                Err(why)
            }
            Err(error) => return Err(error),
        };
        checked.rows += 1;
        let read = stored.as_ref().map(read_row::<M>).transpose();
        let is_hot_right = table.hot.get(key).is_none_or(|hot| matches!(&read, Ok(Some(row)) if *row == hot));
        let lacks = match &folded {
            Ok(Some(row)) => beside::missing::<M>(look.store, &table.sql, row).await?,
            Ok(None) | Err(_) => Vec::new(),
        };
        let is_right = is_hot_right && matches!((&read, &folded), (Ok(stored), Ok(folded)) if stored == folded);
        if is_right && lacks.is_empty() {
            continue;
        }
        checked.differences.push(Difference {
            key: *key,
            generation: look.generation,
            position: look.position,
            stored: stored.as_ref().map(|row| {
                let json = json_of_stored::<M>(row);
                if lacks.is_empty() { json } else { unled(&json) }
            }),
            folded: match folded {
                Ok(row) => row.as_ref().map(json_of::<M>),
                Err(error) => Some(error),
            },
        });
    }
    Ok(checked)
}

/// Whether one row of a generation that nobody has in memory is what its events make of it.
pub(super) async fn matches<M: KeyedFold>(look: Look<'_>, key: Uuid, stored: &Row) -> Result<bool, CheckError> {
    let folded = match refold::<M>(look, key).await {
        Ok(folded) => folded.row,
        Err(CheckError::Unfoldable { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(read_row::<M>(stored).ok() == folded)
}

/// Some keys of rows, from a place on that `dice` chooses between the first and the last key.
pub(super) async fn sample<M: KeyedFold>(look: Look<'_>, dice: u64, count: usize) -> Result<Vec<Uuid>, CheckError> {
    let table = TableSql::new::<M>(look.generation);
    let mut ends = Vec::new();
    for is_last in [false, true] {
        let Some(row) = look.store.query(table.end(is_last)).await?.into_iter().next() else { return Ok(Vec::new()) };
        ends.push(row.uuid(0)?.as_u128());
    }
    let (first, last) = (ends[0], ends[1]);
    // So many parts of 2^64, without overflow.
    let span = (last - first) >> 64;
    let within = (((last - first) & u128::from(u64::MAX)) * u128::from(dice)) >> 64;
    let place = Uuid::from_u128((first + span * u128::from(dice) + within).saturating_sub(1));
    let rows = look.store.query(table.scan(Some(place), count)).await?;
    rows.iter().map(|row| Ok(row.uuid(0)?)).collect()
}

/// Folds these rows anew and writes them. Gives what changed, and the topics under which it is followed.
///
/// What should stand beside them is looked for where the tables are indexed; where they are being filled, what the rows
/// said before is beside them.
pub(super) async fn repair<M: KeyedFold>(
    look: Look<'_>,
    table: &Arc<Serving<M>>,
    is_indexed: bool,
    keys: &[Uuid],
    with: Vec<Statement>,
) -> Result<(Vec<Repaired>, Vec<Uuid>), CheckError> {
    let (mut repaired, mut upserts, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut missing, mut topics, mut beside_them) = (Vec::new(), keys.to_vec(), Vec::new());
    for key in keys {
        let stored = look.store.query(table.sql.load(*key)).await?.into_iter().next();
        let folded = refold::<M>(look, *key).await?;
        if stored.is_none() && folded.events == 0 {
            missing.push(*key);
        }
        match &folded.row {
            Some(row) => {
                let written = std::panic::catch_unwind(AssertUnwindSafe(|| M::write(row)));
                let error = "writing it panicked".to_owned();
                upserts.push(written.map_err(|_| CheckError::Unfoldable { key: *key, error })?);
                topics.extend(topics_of::<M>(row));
                beside_them.extend(if is_indexed {
                    beside::missing::<M>(look.store, &table.sql, row).await?
                } else {
                    let before = stored.as_ref().and_then(|row| read_row::<M>(row).ok());
                    beside::of::<M>(&table.sql, &[(before.as_ref(), row)])
                });
            }
            None => deletes.push(*key),
        }
        repaired.push(Repaired {
            key: *key,
            before: stored.as_ref().map(|row| json_of_stored::<M>(row)),
            after: folded.row.as_ref().map(json_of::<M>),
        });
    }
    if !missing.is_empty() {
        return Err(CheckError::Missing(missing));
    }
    let mut statements = vec![table.sql.upsert(upserts), table.sql.delete(&deletes)];
    statements.extend(beside_them);
    statements.extend(with);
    let written = look.store.transaction(statements).await;
    // The table knows now; and it alone if the outcome is in doubt.
    for key in keys {
        table.hot.remove(key);
    }
    written?;
    Ok((repaired, topics))
}

/// Reads a part of a generation's rows, and makes the statements that write them into another one.
pub(super) async fn copy<M: KeyedFold>(
    look: Look<'_>,
    to: i64,
    after: Option<Uuid>,
) -> Result<Option<Copied>, CheckError> {
    let (source, target) = (TableSql::new::<M>(look.generation), TableSql::new::<M>(to));
    let rows = look.store.query(source.scan(after, PAGE_ROWS)).await?;
    let Some(last) = rows.last() else { return Ok(None) };
    let last = last.uuid(0)?;
    let rows = rows.iter().map(read_row::<M>).collect::<Result<Vec<_>, _>>()?;
    let mut statements = vec![target.upsert(rows.iter().map(M::write).collect())];
    statements.extend(beside::of::<M>(&target, &rows.iter().map(|row| (None, row)).collect::<Vec<_>>()));
    Ok(Some(Copied { statements, last }))
}

/// Where two generations at the same position differ, walking through both by key.
pub(super) async fn compare<M: KeyedFold>(
    look: Look<'_>,
    other: i64,
    limit: usize,
) -> Result<Vec<Difference>, CheckError> {
    let mut ours = Walk::new(look.store, TableSql::new::<M>(look.generation));
    let mut theirs = Walk::new(look.store, TableSql::new::<M>(other));
    let mut differences = Vec::new();
    let (mut one, mut two) = (ours.next().await?, theirs.next().await?);
    while differences.len() < limit {
        let keys = (one.as_ref().map(|row| row.uuid(0)).transpose()?, two.as_ref().map(|row| row.uuid(0)).transpose()?);
        let (takes_one, takes_two, key) = match keys {
            (None, None) => break,
            (Some(key), None) => (true, false, key),
            (None, Some(key)) => (false, true, key),
            (Some(one), Some(two)) => (one <= two, two <= one, one.min(two)),
        };
        let (stored, folded) = (one.as_ref().filter(|_| takes_one), two.as_ref().filter(|_| takes_two));
        if stored.map(stored_hash) != folded.map(stored_hash) {
            differences.push(Difference {
                key,
                generation: look.generation,
                position: look.position,
                stored: stored.map(json_of_stored::<M>),
                folded: folded.map(json_of_stored::<M>),
            });
        }
        if takes_one {
            one = ours.next().await?;
        }
        if takes_two {
            two = theirs.next().await?;
        }
    }
    Ok(differences)
}

/// The rows of a table by key, read a part at a time.
pub(super) struct Walk<'a> {
    store: &'a dyn ReadStore,
    table: TableSql,
    page: std::vec::IntoIter<Row>,
    last: Option<Uuid>,
    is_over: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(store: &'a dyn ReadStore, table: TableSql) -> Self {
        Self { store, table, page: Vec::new().into_iter(), last: None, is_over: false }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Row>, ReadStoreError> {
        if let Some(row) = self.page.next() {
            return Ok(Some(row));
        }
        if self.is_over {
            return Ok(None);
        }
        let query: Query = self.table.scan(self.last, PAGE_ROWS);
        let rows = self.store.query(query).await?;
        self.is_over = rows.len() < PAGE_ROWS;
        if let Some(last) = rows.last() {
            self.last = Some(last.uuid(0)?);
        }
        self.page = rows.into_iter();
        Ok(self.page.next())
    }
}

/// A row as JSON, column by column, for people who compare.
fn json_of<M: KeyedFold>(row: &M::Row) -> String {
    let columns = M::COLUMNS.iter().map(|(name, _)| *name);
    let values = M::write(row).into_iter().map(|value| match value {
        Value::Null => serde_json::Value::Null,
        Value::Int(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Uuid(uuid) => uuid.to_string().into(),
        Value::Timestamp(moment) => moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true).into(),
        Value::Json(json) => serde_json::from_str(&json).unwrap_or_else(|_| json.into()),
    });
    let row: Map<String, serde_json::Value> = columns.map(str::to_owned).zip(values).collect();
    serde_json::Value::Object(row).to_string()
}

/// The same of a row to which the side tables do not lead by all that it says.
fn unled(json: &str) -> String {
    let Ok(mut row) = serde_json::from_str::<Map<String, serde_json::Value>>(json) else { return json.to_owned() };
    row.insert("(side tables)".to_owned(), "not all that leads to the row is there".into());
    serde_json::Value::Object(row).to_string()
}

fn json_of_stored<M: KeyedFold>(row: &Row) -> String {
    match read_row::<M>(row) {
        Ok(row) => json_of::<M>(&row),
        Err(error) => format!("unreadable: {error}: {row:?}"),
    }
}
