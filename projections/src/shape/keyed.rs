//! Applying events to a keyed model: load, fold, write each changed row once.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use infrastructure::{
    event_store::Position,
    read_store::{ReadStore, Statement},
};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    ApplyError, Audience, Batch, Builder, CheckError, Checked, Copied, Difference, Failure, Look, Repaired, Shape,
    Verified, check, ended, retell::Retold, rows::Rows, rows::too_slow, verify,
};
use crate::{
    Change, Decoded, Hub, KeyedFold,
    bookkeeping::Tally,
    table::{
        Serving, TableSql, create_indexes, create_sides, create_table, form, table_names, topics_of, written_hash,
    },
};

/// A keyed model at work.
#[derive(Debug)]
pub(crate) struct KeyedShape<M: KeyedFold> {
    pub(crate) hub: Hub<M::Row>,
    /// The table queries read; none until the first generation is built.
    pub(crate) serving: watch::Sender<Option<Arc<Serving<M>>>>,
    /// The rows that were retold last.
    retold: Retold<M>,
}

impl<M: KeyedFold> KeyedShape<M> {
    pub(crate) fn new() -> Self {
        Self { hub: Hub::default(), serving: watch::Sender::new(None), retold: Retold::new() }
    }

    /// What queries read, if they read this generation. A generation that nobody reads has no hot rows.
    pub(super) fn table(&self, generation: i64) -> Arc<Serving<M>> {
        let serving = self.serving.borrow().clone().filter(|serving| serving.generation == generation);
        serving.unwrap_or_else(|| Arc::new(Serving::new(generation)))
    }

    fn announce(&self, changes: Vec<Change<M::Row>>, audience: Audience, scanned_to: Position) {
        match audience {
            Audience::Nobody => {}
            Audience::Live => self.hub.announce(changes, topics_of::<M>, scanned_to),
            Audience::Late => {
                let Some(first) = changes.first() else { return };
                let from = Position::new(first.position.value().saturating_sub(1));
                let topics = changes.iter().flat_map(|change| {
                    let others = change.row.as_ref().map(topics_of::<M>).unwrap_or_default();
                    std::iter::once(change.key).chain(others)
                });
                let mut topics: Vec<Uuid> = topics.collect();
                topics.sort_unstable();
                topics.dedup();
                self.hub.announce_gap_of(&topics, from);
            }
        }
    }
}

/// Folds where nobody else waits for the thread, at most for `limit`; then the thread is left alone with it.
async fn isolated<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApplyError> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(ended(&error, "writing its row panicked")),
        Err(_) => Err(ApplyError::Batch(too_slow(limit, limit))),
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

    fn form(&self) -> String {
        form::<M>()
    }

    fn events(&self) -> &'static [&'static str] {
        M::EVENTS
    }

    fn key(&self, event: &Decoded) -> Result<Option<Uuid>, String> {
        std::panic::catch_unwind(|| {
            let key = M::key(event);
            M::starts(event);
            key
        })
        .map_err(|_| "finding its key panicked".to_owned())
    }

    fn tables(&self, generation: i64) -> Vec<String> {
        table_names::<M>(generation)
    }

    fn create(&self, generation: i64) -> Vec<Statement> {
        std::iter::once(create_table::<M>(generation)).chain(create_sides::<M>(generation)).collect()
    }

    fn finish(&self, generation: i64) -> Vec<Statement> {
        create_indexes::<M>(generation)
    }

    async fn apply(&self, batch: Batch<'_>) -> Result<Vec<Failure>, ApplyError> {
        let Batch { store, generation, events, scanned_to, limit, audience, finish } = batch;
        let table = self.table(generation);
        let mut rows = Rows::<M>::new();
        rows.load(store, &table, &events).await?;
        let sql = table.sql.clone();
        let (rows, changes, failures, mut statements) = isolated(limit, move || {
            let mut changes = Vec::new();
            let heard = (audience != Audience::Nobody).then_some(&mut changes);
            let failures = rows.fold(&events, limit, heard);
            let statements = rows.statements(&sql, None);
            (rows.rows, changes, failures, statements)
        })
        .await?;
        statements.extend(finish(&failures));
        if let Err(error) = store.transaction(statements).await {
            // Whether it was written, or by whom, may be in doubt now: the table knows.
            table.hot.clear();
            return Err(error.into());
        }
        for (key, row) in rows {
            match row {
                Some(row) => table.hot.insert(key, row),
                None => drop(table.hot.remove(&key)),
            }
        }
        self.announce(changes, audience, scanned_to);
        Ok(failures)
    }

    fn builder(&self, generation: i64, tally: Option<Tally>, limit: Duration) -> Box<dyn Builder> {
        Box::new(KeyedBuilder::<M> {
            table: Serving::new(generation),
            rows: Rows::new(),
            flushed: HashMap::new(),
            prior: HashMap::new(),
            tally,
            bytes: 0,
            limit,
        })
    }

    fn is_divisible(&self) -> bool {
        true
    }

    fn folds_rows(&self) -> bool {
        M::sources(Uuid::nil()) != crate::Sources::Log
    }

    async fn verify(&self, look: Look<'_>, expected: Option<Tally>) -> Result<Verified, CheckError> {
        verify::keyed::<M>(look, expected).await
    }

    async fn check(&self, look: Look<'_>, keys: &[Uuid]) -> Result<Checked, CheckError> {
        check::check::<M>(look, &self.table(look.generation), keys).await
    }

    async fn sample(&self, look: Look<'_>, dice: u64, count: usize) -> Result<Vec<Uuid>, CheckError> {
        check::sample::<M>(look, dice, count).await
    }

    async fn repair(&self, look: Look<'_>, keys: &[Uuid], with: Vec<Statement>) -> Result<Vec<Repaired>, CheckError> {
        let table = self.table(look.generation);
        let is_serving = self.serving.borrow().as_ref().is_some_and(|serving| serving.generation == look.generation);
        let (repaired, topics) = check::repair::<M>(look, &table, is_serving, keys, with).await?;
        if is_serving {
            self.hub.announce_gap_of(&topics, look.position);
        }
        Ok(repaired)
    }

    async fn copy(&self, look: Look<'_>, to: i64, after: Option<Uuid>) -> Result<Option<Copied>, CheckError> {
        check::copy::<M>(look, to, after).await
    }

    async fn compare(&self, look: Look<'_>, other: i64, limit: usize) -> Result<Vec<Difference>, CheckError> {
        check::compare::<M>(look, other, limit).await
    }

    fn serve(&self, generation: i64, position: Position, has_gap: bool) {
        self.serving.send_replace(Some(Arc::new(Serving::new(generation))));
        if has_gap {
            self.hub.announce_gap(position);
        } else {
            self.hub.begin(position);
        }
    }

    fn reads(&self, _version: i64, form: &str) -> bool {
        TableSql::frozen::<M>(0, form).is_some()
    }

    fn serve_frozen(&self, generation: i64, form: &str, position: Position) {
        if let Some(sql) = TableSql::frozen::<M>(generation, form) {
            self.serving.send_replace(Some(Arc::new(Serving::of(generation, sql))));
            self.hub.announce_gap(position);
        }
    }

    fn skip(&self, to: Position) -> bool {
        let is_skipped = self.hub.skip(to);
        if is_skipped {
            self.retold.forget();
        }
        is_skipped
    }

    async fn retell(
        &self,
        look: Look<'_>,
        events: Vec<Decoded>,
        left_out: &HashSet<Position>,
        to: Position,
    ) -> Result<(), CheckError> {
        let told = self.retold.fold(look, events, left_out).await?;
        self.hub.announce(told.changes, topics_of::<M>, to);
        for (keys, from) in told.untold {
            self.hub.announce_gap_of(&keys, from);
        }
        Ok(())
    }

    fn tell_late(&self, keys: &[Uuid], from: Position) {
        self.retold.forget();
        self.hub.announce_gap_of(keys, from);
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
    /// The hashes of rows in the table, of those that are here or were flushed last.
    prior: HashMap<Uuid, u64>,
    tally: Option<Tally>,
    bytes: usize,
    /// How long a fold may take.
    limit: Duration,
}

#[async_trait]
impl<M: KeyedFold> Builder for KeyedBuilder<M> {
    async fn apply(&mut self, store: &dyn ReadStore, events: Vec<Decoded>) -> Result<Vec<Failure>, ApplyError> {
        for key in events.iter().filter_map(M::key) {
            if !self.rows.rows.contains_key(&key)
                && let Some(row) = self.flushed.remove(&key)
            {
                self.rows.rows.insert(key, row);
            }
        }
        let found = self.rows.load(store, &self.table, &events).await?;
        self.bytes += events.iter().map(|event| event.bytes).sum::<usize>();
        let mut rows = std::mem::replace(&mut self.rows, Rows::new());
        let (counts, limit) = (self.tally.is_some(), self.limit);
        let folding = tokio::task::spawn_blocking(move || {
            let hash = |key| rows.rows.get(key).and_then(Option::as_ref).map(|row| written_hash(&M::write(row)));
            let hashes: Vec<(Uuid, u64)> =
                if counts { found.iter().filter_map(|key| Some((*key, hash(key)?))).collect() } else { Vec::new() };
            let failures = rows.fold(&events, limit, None);
            (rows, hashes, failures)
        });
        let (rows, hashes, failures) = folding.await.map_err(|error| ended(&error, "reading a row back panicked"))?;
        self.rows = rows;
        self.prior.extend(hashes);
        Ok(failures)
    }

    fn held(&self) -> (usize, usize) {
        (self.rows.rows.len(), self.bytes)
    }

    fn flush(&mut self) -> Result<Vec<Statement>, ApplyError> {
        let Self { table, rows, prior, tally, .. } = self;
        let counted = tally.as_mut().map(|tally| (tally, &mut *prior));
        let statements = std::panic::catch_unwind(AssertUnwindSafe(|| rows.statements(&table.sql, counted)))
            .map_err(|_| ApplyError::Batch("writing a row panicked".to_owned()))?;
        self.flushed = std::mem::take(&mut self.rows.rows);
        self.prior.retain(|key, _| self.flushed.contains_key(key));
        self.bytes = 0;
        Ok(statements)
    }

    fn tally(&self) -> Option<Tally> {
        self.tally
    }

    fn reset(&mut self) {
        self.rows = Rows::new();
        self.flushed.clear();
        self.prior.clear();
        self.tally = None;
        self.bytes = 0;
    }
}
