//! Applying events to a keyed model: load, fold, write each changed row once.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use async_trait::async_trait;
use infrastructure::{
    event_store::Position,
    read_store::{ReadStore, ReadStoreError, Statement},
};
use tokio::sync::watch;
use uuid::Uuid;

use super::{ApplyError, Builder, Shape};
use crate::{
    Change, Decoded, Hub, KeyedFold,
    table::{Serving, TableSql, create_indexes, create_table, table_name},
};

/// How many rows a rebuild holds in memory before it writes them.
const BUILDER_ROWS_MAX: usize = 32_768;

/// A keyed model at work.
#[derive(Debug)]
pub(crate) struct KeyedShape<M: KeyedFold> {
    pub(crate) hub: Hub<M::Row>,
    /// The table queries read; none until the first generation is built.
    pub(crate) serving: watch::Sender<Option<Arc<Serving<M>>>>,
}

impl<M: KeyedFold> KeyedShape<M> {
    pub(crate) fn new() -> Self {
        Self { hub: Hub::default(), serving: watch::Sender::new(None) }
    }

    /// What queries read, if they read this generation.
    fn serving(&self, generation: i64) -> Option<Arc<Serving<M>>> {
        self.serving.borrow().clone().filter(|serving| serving.generation == generation)
    }
}

/// Rows by key, as they are in the table or will be.
struct Rows<M: KeyedFold> {
    rows: HashMap<Uuid, Option<M::Row>>,
    changed: HashSet<Uuid>,
}

impl<M: KeyedFold> Rows<M> {
    fn new() -> Self {
        Self { rows: HashMap::new(), changed: HashSet::new() }
    }

    /// Loads the rows that `events` change and that are not here yet.
    async fn load(
        &mut self,
        store: &dyn ReadStore,
        table: &Serving<M>,
        events: &[Decoded],
    ) -> Result<(), ReadStoreError> {
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        for event in events {
            if let Some(key) = M::key(event)
                && !self.rows.contains_key(&key)
                && seen.insert(key)
                && !M::starts(event)
            {
                match table.hot.get(&key) {
                    Some(row) => drop(self.rows.insert(key, Some(row))),
                    None => missing.push(key),
                }
            }
        }
        for query in table.sql.load_all(&missing) {
            for row in store.query(query).await? {
                self.rows.insert(row.uuid(0)?, Some(M::read(&row)?));
            }
        }
        Ok(())
    }

    /// Folds one event; gives its key. A fold that panics counts as a failure of that event.
    fn fold(&mut self, event: &Decoded) -> Result<Option<Uuid>, ApplyError> {
        let panicked = |_| ApplyError::Event { position: event.position, error: "its fold panicked".to_owned() };
        let key = std::panic::catch_unwind(|| M::key(event)).map_err(panicked)?;
        let Some(key) = key else { return Ok(None) };
        let row = self.rows.get_mut(&key).and_then(Option::take);
        let folded = std::panic::catch_unwind(AssertUnwindSafe(|| M::fold(row, event))).map_err(panicked)?;
        self.rows.insert(key, folded);
        self.changed.insert(key);
        Ok(Some(key))
    }

    /// The statements that write every changed row once.
    fn statements(&mut self, table: &TableSql) -> Vec<Statement> {
        let mut upserts = Vec::with_capacity(self.changed.len());
        let mut deletes = Vec::new();
        // In the order of the table's own index: neighbours in time are neighbours there, and written together.
        let mut changed: Vec<Uuid> = self.changed.drain().collect();
        changed.sort_unstable();
        for key in changed {
            match self.rows.get(&key).and_then(Option::as_ref) {
                Some(row) => upserts.push(M::write(row)),
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
        statements
    }
}

#[async_trait]
impl<M: KeyedFold> Shape for KeyedShape<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn version(&self) -> u32 {
        M::VERSION
    }

    fn events(&self) -> &'static [&'static str] {
        M::EVENTS
    }

    fn tables(&self, generation: i64) -> Vec<String> {
        vec![table_name(M::NAME, generation)]
    }

    fn create(&self, generation: i64) -> Vec<Statement> {
        vec![create_table::<M>(generation)]
    }

    fn finish(&self, generation: i64) -> Vec<Statement> {
        create_indexes::<M>(generation)
    }

    async fn apply(
        &self,
        store: &dyn ReadStore,
        generation: i64,
        events: &[Decoded],
        scanned_to: Position,
        checkpoint: Statement,
        is_live: bool,
    ) -> Result<(), ApplyError> {
        // A generation that nobody reads yet has no hot rows.
        let serving = self.serving(generation).unwrap_or_else(|| Arc::new(Serving::new(generation)));
        let mut rows = Rows::<M>::new();
        rows.load(store, &serving, events).await?;
        let mut changes = Vec::new();
        for event in events {
            let Some(key) = rows.fold(event)? else { continue };
            if is_live {
                changes.push(Change {
                    position: event.position,
                    revision: event.revision,
                    occurred_at: event.recorded_at,
                    key,
                    event: event.event.clone(),
                    row: rows.rows.get(&key).cloned().flatten(),
                });
            }
        }
        let mut statements = rows.statements(&serving.sql);
        statements.push(checkpoint);
        if let Err(error) = store.transaction(statements).await {
            // Whether it was written, or by whom, may be in doubt now: the table knows.
            serving.hot.clear();
            return Err(error.into());
        }
        for (key, row) in rows.rows {
            match row {
                Some(row) => serving.hot.insert(key, row),
                None => drop(serving.hot.remove(&key)),
            }
        }
        if is_live {
            self.hub.announce(changes, M::topics, scanned_to);
        }
        Ok(())
    }

    fn builder(&self, generation: i64) -> Box<dyn Builder> {
        let table = Serving::new(generation);
        Box::new(KeyedBuilder::<M> { table, rows: Rows::new(), flushed: HashMap::new() })
    }

    fn serve(&self, generation: i64, position: Position, has_gap: bool) {
        self.serving.send_replace(Some(Arc::new(Serving::new(generation))));
        if has_gap {
            self.hub.announce_gap(position);
        } else {
            self.hub.begin(position);
        }
    }

    fn close(&self) {
        self.hub.close();
    }
}

struct KeyedBuilder<M: KeyedFold> {
    /// Nobody reads it yet, and so nobody warms it.
    table: Serving<M>,
    rows: Rows<M>,
    /// What was flushed last: it may be on its way into the table still.
    flushed: HashMap<Uuid, Option<M::Row>>,
}

#[async_trait]
impl<M: KeyedFold> Builder for KeyedBuilder<M> {
    async fn apply(&mut self, store: &dyn ReadStore, events: &[Decoded]) -> Result<(), ApplyError> {
        for key in events.iter().filter_map(M::key) {
            if !self.rows.rows.contains_key(&key)
                && let Some(row) = self.flushed.remove(&key)
            {
                self.rows.rows.insert(key, row);
            }
        }
        self.rows.load(store, &self.table, events).await?;
        for event in events {
            self.rows.fold(event)?;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows.rows.len() >= BUILDER_ROWS_MAX
    }

    fn flush(&mut self) -> Vec<Statement> {
        let statements = self.rows.statements(&self.table.sql);
        self.flushed = std::mem::take(&mut self.rows.rows);
        statements
    }
}
