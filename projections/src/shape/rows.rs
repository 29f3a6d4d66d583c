//! Rows by key, in memory: load, fold, write each changed one once.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use infrastructure::read_store::{ReadStore, ReadStoreError, Statement, Value};
use tokio::time::Instant;
use uuid::Uuid;

use super::Failure;
use crate::{
    Change, Decoded, KeyedFold,
    bookkeeping::Tally,
    decoded::Place,
    table::{Serving, TableSql, read_row, written_hash},
};

/// Rows as they are in the table or will be.
#[expect(clippy::struct_field_names, reason = "rows are what it is of, and all of them what it holds")]
pub(super) struct Rows<M: KeyedFold> {
    pub(super) rows: HashMap<Uuid, Option<M::Row>>,
    pub(super) changed: HashSet<Uuid>,
    /// The changed ones as they were before, for models that have tables beside their rows.
    before: HashMap<Uuid, M::Row>,
}

impl<M: KeyedFold> Rows<M> {
    pub(super) fn new() -> Self {
        Self { rows: HashMap::new(), changed: HashSet::new(), before: HashMap::new() }
    }

    /// Loads the rows that `events` change and that are not here yet. Gives the keys of those that were there.
    pub(super) async fn load(
        &mut self,
        store: &dyn ReadStore,
        table: &Serving<M>,
        events: &[Decoded],
    ) -> Result<Vec<Uuid>, ReadStoreError> {
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for event in events {
            if let Some(key) = M::key(event)
                && !self.rows.contains_key(&key)
                && seen.insert(key)
                && !is_first(event, M::starts(event))
            {
                match table.hot.get(&key) {
                    Some(row) => {
                        self.rows.insert(key, Some(row));
                        found.push(key);
                    }
                    None => missing.push(key),
                }
            }
        }
        for query in table.sql.load_all(&missing) {
            for row in store.query(query).await? {
                let key = row.uuid(0)?;
                self.rows.insert(key, Some(read_row::<M>(&row)?));
                found.push(key);
            }
        }
        Ok(found)
    }

    /// Folds events in order, each within `limit`. One that fails leaves its row as it was, and keeps back the later
    /// ones of its key. `changes` hears of every row that changed.
    pub(super) fn fold(
        &mut self,
        events: &[Decoded],
        limit: Duration,
        changes: Option<&mut Vec<Change<M::Row>>>,
    ) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut waiting = HashSet::new();
        let mut changes = changes;
        for (index, event) in events.iter().enumerate() {
            let key = match std::panic::catch_unwind(|| M::key(event)) {
                Ok(Some(key)) => key,
                Ok(None) => continue,
                Err(_) => {
                    let error = Some("finding its key panicked".to_owned());
                    failures.push(Failure { index, place: Place::of(event), key: event.stream.id, error });
                    continue;
                }
            };
            if waiting.contains(&key) {
                failures.push(Failure { index, place: Place::of(event), key, error: None });
                continue;
            }
            let before = self.rows.get(&key).cloned().flatten();
            let started = Instant::now();
            let folded = std::panic::catch_unwind(AssertUnwindSafe(|| M::fold(before, event)));
            let error = match folded {
                Err(_) => "its fold panicked".to_owned(),
                Ok(_) if started.elapsed() > limit => too_slow(started.elapsed(), limit),
                Ok(row) => {
                    if let Some(changes) = &mut changes {
                        changes.push(change(event, key, row.clone()));
                    }
                    let earlier = self.rows.insert(key, row).flatten();
                    if self.changed.insert(key)
                        && !M::SIDES.is_empty()
                        && let Some(earlier) = earlier
                    {
                        self.before.insert(key, earlier);
                    }
                    continue;
                }
            };
            waiting.insert(key);
            failures.push(Failure { index, place: Place::of(event), key, error: Some(error) });
        }
        failures
    }

    /// The statements that write every changed row once. `prior` are the hashes of the rows as they are in the table;
    /// `tally` follows what is written.
    pub(super) fn statements(
        &mut self,
        table: &TableSql,
        mut counted: Option<(&mut Tally, &mut HashMap<Uuid, u64>)>,
    ) -> Vec<Statement> {
        let mut upserts = Vec::with_capacity(self.changed.len());
        let mut deletes = Vec::new();
        // In the order of the table's own index: neighbours in time are neighbours there, and written together.
        let mut changed: Vec<Uuid> = self.changed.drain().collect();
        changed.sort_unstable();
        let beside = self.beside(&changed);
        for key in changed {
            let values = self.rows.get(&key).and_then(Option::as_ref).map(M::write);
            if let Some((tally, prior)) = &mut counted {
                if let Some(before) = prior.remove(&key) {
                    tally.remove(before);
                }
                if let Some(values) = &values {
                    let hash = written_hash(values);
                    tally.add(hash);
                    prior.insert(key, hash);
                }
            }
            match values {
                Some(values) => upserts.push(values),
                None => deletes.push(key),
            }
        }
        let mut statements = Vec::new();
        if !upserts.is_empty() {
            statements.push(table.upsert(upserts));
        }
        if !deletes.is_empty() {
            statements.push(table.delete(&deletes));
        }
        statements.extend(table.insert_beside(beside));
        statements
    }

    /// What the side tables are to get with these rows.
    fn beside(&mut self, changed: &[Uuid]) -> Vec<Vec<Vec<Value>>> {
        if M::SIDES.is_empty() {
            return Vec::new();
        }
        let before = std::mem::take(&mut self.before);
        let rows = changed.iter().filter_map(|key| Some((before.get(key), self.rows.get(key)?.as_ref()?)));
        M::beside(&rows.collect::<Vec<_>>())
    }
}

/// Whether no earlier event can have touched the row: a model's word alone is not enough for a log that anybody may have
/// written.
fn is_first(event: &Decoded, starts: bool) -> bool {
    starts && event.revision.value() == 0
}

pub(super) fn too_slow(took: Duration, limit: Duration) -> String {
    format!("applying it took {:.1} s; {:.1} s are allowed", took.as_secs_f64(), limit.as_secs_f64())
}

pub(super) fn change<R>(event: &Decoded, key: Uuid, row: Option<R>) -> Change<R> {
    Change {
        position: event.position,
        revision: event.revision,
        occurred_at: event.recorded_at,
        key,
        event: Arc::clone(&event.event),
        row,
    }
}
