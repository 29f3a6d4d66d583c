//! The read store in one SQLite file: one writer, many readers, nothing to install.
//!
//! The file is in WAL mode, so readers never wait for the writer nor the writer for them, and a query reads one
//! snapshot. It deliberately does no more than the port asks: tables, indexes and checkpoints belong to whoever
//! writes the SQL.

mod connection;
mod placeholders;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use tokio::sync::watch;

use self::{reader::Readers, writer::Writer};
use super::{Cost, Query, ReadStore, ReadStoreError, Row, Statement};
use crate::{
    LogPages,
    wal::{Checkpoints, open_tables},
};

/// The page cache of the connection that does checkpoints: it reads the log, hardly any table.
const COPIER_CACHE_KIB: u32 = 1_024;

/// How many resources a store may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteReadStoreOptions {
    /// Connections for [`Cost::Point`], at least one. More than the runtime has threads are never busy.
    pub point_connections: usize,
    /// Connections for [`Cost::Scan`], at least one: so many scans run at once, the others wait. They are apart, so
    /// that no number of scans keeps a point query waiting.
    pub scan_connections: usize,
    /// Transactions that may wait for the writer; whoever comes after them waits to wait.
    pub waiting_transactions_max: usize,
    /// The writer's page cache.
    pub writer_cache_kib: u32,
    /// When pages are copied from the write-ahead log into the tables. A page that is written often is copied once; but what
    /// was written until then is synced at once, and the event store's syncs wait behind it.
    pub log_pages: LogPages,
}

impl Default for SqliteReadStoreOptions {
    fn default() -> Self {
        Self {
            point_connections: 8,
            scan_connections: 4,
            waiting_transactions_max: 64,
            writer_cache_kib: 32 * 1024,
            log_pages: LogPages { due: 1_000, max: 65_536 },
        }
    }
}

/// Read models in one SQLite file.
///
/// Dropping it finishes the transactions that wait and closes the file.
#[derive(Debug)]
pub struct SqliteReadStore {
    // Dropped in this order: the writer closes the file last, because only a connection that may write can empty
    // the log beside it.
    points: Readers,
    scans: Arc<Readers>,
    writer: Writer,
    /// One process has the file, so its nudges need no way to another one.
    nudges: watch::Sender<u64>,
}

impl SqliteReadStore {
    /// Opens the file, or makes it, readable for its owner only.
    pub fn open(path: &Path, options: SqliteReadStoreOptions) -> Result<Self, ReadStoreError> {
        connection::create_private(path)?;
        let tables = open_tables(path).map_err(|error| connection::unavailable(path, &error))?;
        let mut writer = connection::open_writer(path, options.writer_cache_kib)?;
        let copier = connection::open_writer(path, COPIER_CACHE_KIB)?;
        let checkpoints =
            Checkpoints::start("read-checkpoint", Arc::clone(&tables), &mut writer, copier, options.log_pages)
                .map_err(|error| ReadStoreError::Unavailable(format!("checkpoints do not start: {error}")))?;
        Ok(Self {
            points: Readers::new(path, options.point_connections, Arc::clone(&tables)),
            scans: Arc::new(Readers::new(path, options.scan_connections, tables)),
            writer: Writer::start(options.waiting_transactions_max, |requests| {
                writer::serve(checkpoints, writer, requests);
            })?,
            nudges: watch::Sender::new(0),
        })
    }
}

#[async_trait]
impl ReadStore for SqliteReadStore {
    async fn query(&self, query: Query) -> Result<Vec<Row>, ReadStoreError> {
        match query.cost {
            // A hop to another thread and back costs more than the query.
            Cost::Point => self.points.query_here(&query).await,
            Cost::Scan => self.scans.query_elsewhere(query).await,
        }
    }

    async fn transaction(&self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        self.writer.transaction(statements).await
    }

    fn nudge(&self) {
        self.nudges.send_modify(|count| *count += 1);
    }

    fn nudges(&self) -> watch::Receiver<u64> {
        self.nudges.subscribe()
    }
}
