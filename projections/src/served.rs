//! A read model as queries see it: wait for a position, then read the serving generation.

use std::{sync::Arc, time::Duration};

use infrastructure::{
    event_store::Position,
    lifecycle::Lifecycle,
    read_store::{Query, ReadStore, ReadStoreError, Row},
};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};
use uuid::Uuid;

use crate::{
    Behind, Decoded, Hub, KeyedFold, ProjectionState, SetChange, StoppedAt, Tables,
    shape::{KeyedShape, SetChangeShape},
    status::Monitor,
    table::{LOAD_KEYS, Serving, TableSql},
};

/// Why a query has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QueryError {
    /// The read model has not reached the position in time.
    #[error("the read model {name} is at {position} and did not reach {wanted} in time")]
    Timeout {
        /// Which one.
        name: &'static str,
        /// Where it is.
        position: Position,
        /// Where it should be.
        wanted: Position,
    },
    /// The read model stands at an event it cannot apply.
    #[error("the read model {name} stopped at event {}", .stopped.position)]
    Stopped {
        /// Which one.
        name: &'static str,
        /// Where and why.
        stopped: Box<StoppedAt>,
    },
    /// Its first generation is still being built.
    #[error("the read model {0} is being built")]
    Building(&'static str),
    /// The read store failed.
    #[error("the read store failed")]
    Store(#[from] ReadStoreError),
}

/// What is the same for both shapes.
#[derive(Clone, Debug)]
struct Reader<T> {
    name: &'static str,
    store: Arc<dyn ReadStore>,
    monitor: Arc<Monitor>,
    serving: watch::Receiver<Option<T>>,
}

impl<T: Clone> Reader<T> {
    async fn wait(&self, wanted: Position, at_most: Duration) -> Result<(), QueryError> {
        if self.monitor.position() >= wanted && self.serving.borrow().is_some() {
            return Ok(());
        }
        let mut position = self.monitor.watch_position();
        let mut stopped = self.monitor.watch_stopped();
        let mut serving = self.serving.clone();
        let reached = async {
            // A stopped worker leaves its senders behind only when the server stops.
            let _ = serving.wait_for(Option::is_some).await;
            let _ = position.wait_for(|position| *position >= wanted).await;
        };
        tokio::select! {
            biased;
            () = reached => Ok(()),
            // A projection that stands still will not get there by waiting.
            _ = stopped.wait_for(|is_stopped| *is_stopped) => Err(self.not_there(wanted)),
            () = tokio::time::sleep(at_most) => Err(self.not_there(wanted)),
        }
    }

    fn not_there(&self, wanted: Position) -> QueryError {
        let status = self.monitor.status();
        let name = self.name;
        match status.state {
            ProjectionState::Stopped(stopped) => QueryError::Stopped { name, stopped: Box::new(stopped) },
            ProjectionState::Building => QueryError::Building(name),
            ProjectionState::Running
            | ProjectionState::Retrying { .. }
            | ProjectionState::Paused(_)
            | ProjectionState::Unattended { .. }
            | ProjectionState::Frozen { .. } => QueryError::Timeout { name, position: status.position, wanted },
        }
    }

    fn begin(&self) -> Reading<T> {
        Reading { name: self.name, serving: self.serving.clone() }
    }
}

/// A query under way. A generation that is removed under its hands was not serving any more: the query is asked again of
/// the one that is.
struct Reading<T> {
    name: &'static str,
    serving: watch::Receiver<Option<T>>,
}

impl<T: Clone> Reading<T> {
    /// The generation to ask.
    fn generation(&mut self) -> Result<T, QueryError> {
        self.serving.borrow_and_update().clone().ok_or(QueryError::Building(self.name))
    }

    /// The answer; none if it is to be asked again.
    fn answer<R>(&self, outcome: Result<R, ReadStoreError>) -> Option<Result<R, QueryError>> {
        match outcome {
            Err(ReadStoreError::Refused(_)) if self.serving.has_changed().unwrap_or(false) => None,
            outcome => Some(outcome.map_err(QueryError::Store)),
        }
    }
}

/// A keyed read model, to query.
#[derive(Debug)]
pub struct Served<M: KeyedFold> {
    reader: Reader<Arc<Serving<M>>>,
    hub: Hub<M::Row>,
}

impl<M: KeyedFold> Clone for Served<M> {
    fn clone(&self) -> Self {
        Self { reader: self.reader.clone(), hub: self.hub.clone() }
    }
}

impl<M: KeyedFold> Served<M> {
    pub(crate) fn new(shape: &KeyedShape<M>, store: Arc<dyn ReadStore>, monitor: Arc<Monitor>) -> Self {
        let serving = shape.serving.subscribe();
        Self { reader: Reader { name: M::NAME, store, monitor, serving }, hub: shape.hub.clone() }
    }

    /// Waits until everything up to `wanted` is applied, at most `at_most`.
    pub async fn wait(&self, wanted: Position, at_most: Duration) -> Result<(), QueryError> {
        self.reader.wait(wanted, at_most).await
    }

    /// Everything up to here is applied. Read it before a query: the answer is at least as new.
    pub fn position(&self) -> Position {
        self.reader.monitor.position()
    }

    /// Whether the row with this key is behind, because an event of the key cannot be applied.
    pub fn behind(&self, key: Uuid) -> Option<Behind> {
        self.reader.monitor.behind_of(key)
    }

    /// Its live changes.
    pub const fn hub(&self) -> &Hub<M::Row> {
        &self.hub
    }

    /// The row with this key.
    pub async fn row(&self, key: Uuid) -> Result<Option<M::Row>, QueryError> {
        let mut reading = self.reader.begin();
        loop {
            let serving = reading.generation()?;
            if let Some(row) = serving.hot.get(&key) {
                return Ok(Some(row));
            }
            let rows = self.reader.store.query(serving.sql.load(key)).await;
            if let Some(rows) = reading.answer(rows) {
                return Ok(rows?.first().map(M::read).transpose()?);
            }
        }
    }

    /// The rows with these keys, in no particular order; missing ones are left out.
    pub async fn rows(&self, keys: &[Uuid]) -> Result<Vec<M::Row>, QueryError> {
        let serving = self.reader.begin().generation()?;
        let (mut rows, mut cold) = (Vec::with_capacity(keys.len()), Vec::new());
        for key in keys {
            match serving.hot.get(key) {
                Some(row) => rows.push(row),
                None => cold.push(*key),
            }
        }
        for keys in cold.chunks(LOAD_KEYS) {
            rows.extend(self.answers(|serving| serving.sql.load_some(keys)).await?);
        }
        Ok(rows)
    }

    /// The rows of a query over the serving table: `query` gets the column list and the table's name.
    pub(crate) async fn select(&self, query: impl Fn(&str, &str) -> Query) -> Result<Vec<M::Row>, QueryError> {
        self.answers(|serving| query(&serving.sql.columns, &serving.sql.name)).await
    }

    /// Whether there is this side table: a generation of an older version may lack it.
    pub(crate) fn has_side(&self, name: &str) -> bool {
        self.reader.serving.borrow().as_ref().is_some_and(|serving| serving.sql.side(name).is_some())
    }

    /// What a query over the serving tables finds, as it is stored. None if there is no such query, as where a table is
    /// missing in a generation of an older version.
    pub(crate) async fn find(
        &self,
        query: impl Fn(&TableSql) -> Option<Query>,
    ) -> Result<Option<Vec<Row>>, QueryError> {
        let mut reading = self.reader.begin();
        loop {
            let serving = reading.generation()?;
            let Some(query) = query(&serving.sql) else { return Ok(None) };
            let rows = self.reader.store.query(query).await;
            if let Some(rows) = reading.answer(rows) {
                return rows.map(Some);
            }
        }
    }

    async fn answers(&self, query: impl Fn(&Serving<M>) -> Query) -> Result<Vec<M::Row>, QueryError> {
        let mut reading = self.reader.begin();
        loop {
            let serving = reading.generation()?;
            let rows = self.reader.store.query(query(&serving)).await;
            if let Some(rows) = reading.answer(rows) {
                return Ok(rows?.iter().map(M::read).collect::<Result<_, _>>()?);
            }
        }
    }
}

/// A read model of set changes, to query.
#[derive(Debug)]
pub struct ServedTables<M: SetChange> {
    reader: Reader<Tables>,
    applied: broadcast::Sender<Arc<Vec<Decoded>>>,
    model: std::marker::PhantomData<fn() -> M>,
}

impl<M: SetChange> Clone for ServedTables<M> {
    fn clone(&self) -> Self {
        Self { reader: self.reader.clone(), applied: self.applied.clone(), model: std::marker::PhantomData }
    }
}

impl<M: SetChange> ServedTables<M> {
    pub(crate) fn new(shape: &SetChangeShape<M>, store: Arc<dyn ReadStore>, monitor: Arc<Monitor>) -> Self {
        let serving = shape.serving.subscribe();
        let reader = Reader { name: M::NAME, store, monitor, serving };
        Self { reader, applied: shape.applied.clone(), model: std::marker::PhantomData }
    }

    /// Waits until everything up to `wanted` is applied, at most `at_most`.
    pub async fn wait(&self, wanted: Position, at_most: Duration) -> Result<(), QueryError> {
        self.reader.wait(wanted, at_most).await
    }

    /// Everything up to here is applied. Read it before a query: the answer is at least as new.
    pub fn position(&self) -> Position {
        self.reader.monitor.position()
    }

    /// Tells the events that are applied from now on, a batch at a time and right before [`ServedTables::position`] moves
    /// past them, and whether batches before them were missed; until the process stops.
    pub(crate) fn tell_applied<F>(
        &self,
        lifecycle: &Lifecycle,
        tell: impl Fn(Arc<Vec<Decoded>>, bool) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (mut applied, until) = (self.applied.subscribe(), lifecycle.clone());
        lifecycle.spawn(async move {
            let mut has_missed = false;
            loop {
                let batch = tokio::select! {
                    () = until.stopping() => return,
                    batch = applied.recv() => batch,
                };
                match batch {
                    // Nothing of it could be applied: that something was missed is told with what can.
                    Ok(events) if events.is_empty() => {}
                    Ok(events) => tell(events, std::mem::take(&mut has_missed)).await,
                    // What comes next is behind all that was missed.
                    Err(RecvError::Lagged(_)) => has_missed = true,
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// The rows of a query over the serving tables.
    pub(crate) async fn select(&self, query: impl Fn(&Tables) -> Query) -> Result<Vec<Row>, QueryError> {
        self.read(|store, tables| {
            let query = query(&tables);
            async move { store.query(query).await }
        })
        .await
    }

    /// What several queries over the tables of one generation give.
    pub(crate) async fn read<R, F>(&self, ask: impl Fn(Arc<dyn ReadStore>, Tables) -> F) -> Result<R, QueryError>
    where
        F: Future<Output = Result<R, ReadStoreError>>,
    {
        let mut reading = self.reader.begin();
        loop {
            let tables = reading.generation()?;
            let outcome = ask(Arc::clone(&self.reader.store), tables).await;
            if let Some(answer) = reading.answer(outcome) {
                return answer;
            }
        }
    }
}

#[cfg(test)]
mod tests;
