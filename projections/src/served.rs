//! A read model as queries see it: wait for a position, then read the serving generation.

use std::{sync::Arc, time::Duration};

use infrastructure::{
    event_store::Position,
    read_store::{Query, ReadStore, ReadStoreError, Row},
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    Behind, Hub, KeyedFold, ProjectionState, SetChange, StoppedAt, Tables,
    shape::{KeyedShape, SetChangeShape},
    status::Monitor,
    table::Serving,
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
            | ProjectionState::Frozen { .. } => QueryError::Timeout { name, position: status.position, wanted },
        }
    }

    fn serving(&self) -> Result<T, QueryError> {
        self.serving.borrow().clone().ok_or(QueryError::Building(self.name))
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
        let serving = self.reader.serving()?;
        if let Some(row) = serving.hot.get(&key) {
            return Ok(Some(row));
        }
        let rows = self.reader.store.query(serving.sql.load(key)).await?;
        Ok(rows.first().map(M::read).transpose()?)
    }

    /// The rows with these keys, in no particular order; missing ones are left out.
    pub async fn rows(&self, keys: &[Uuid]) -> Result<Vec<M::Row>, QueryError> {
        let serving = self.reader.serving()?;
        let mut rows = Vec::new();
        for query in serving.sql.load_all(keys) {
            for row in self.reader.store.query(query).await? {
                rows.push(M::read(&row)?);
            }
        }
        Ok(rows)
    }

    /// The rows of a query over the serving table: `query` gets the column list and the table's name.
    pub(crate) async fn select(&self, query: impl FnOnce(&str, &str) -> Query) -> Result<Vec<M::Row>, QueryError> {
        let serving = self.reader.serving()?;
        let rows = self.reader.store.query(query(&serving.sql.columns, &serving.sql.name)).await?;
        Ok(rows.iter().map(M::read).collect::<Result<_, _>>()?)
    }
}

/// A read model of set changes, to query.
#[derive(Debug)]
pub struct ServedTables<M: SetChange> {
    reader: Reader<Tables>,
    model: std::marker::PhantomData<fn() -> M>,
}

impl<M: SetChange> Clone for ServedTables<M> {
    fn clone(&self) -> Self {
        Self { reader: self.reader.clone(), model: std::marker::PhantomData }
    }
}

impl<M: SetChange> ServedTables<M> {
    pub(crate) fn new(shape: &SetChangeShape<M>, store: Arc<dyn ReadStore>, monitor: Arc<Monitor>) -> Self {
        let serving = shape.serving.subscribe();
        Self { reader: Reader { name: M::NAME, store, monitor, serving }, model: std::marker::PhantomData }
    }

    /// Waits until everything up to `wanted` is applied, at most `at_most`.
    pub async fn wait(&self, wanted: Position, at_most: Duration) -> Result<(), QueryError> {
        self.reader.wait(wanted, at_most).await
    }

    /// Everything up to here is applied. Read it before a query: the answer is at least as new.
    pub fn position(&self) -> Position {
        self.reader.monitor.position()
    }

    /// The rows of a query over the serving tables.
    pub(crate) async fn select(&self, query: impl FnOnce(&Tables) -> Query) -> Result<Vec<Row>, QueryError> {
        let tables = self.reader.serving()?;
        Ok(self.reader.store.query(query(&tables)).await?)
    }
}

#[cfg(test)]
mod tests;
