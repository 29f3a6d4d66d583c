//! The connections that read, and how a query runs on one.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, types::ValueRef};
use tokio::sync::Semaphore;

use super::{
    super::{Query, RawValue, ReadStoreError, Row},
    connection::{failed, open_reader},
    placeholders::Placeholders,
};

/// A bounded number of connections, opened when first needed. Each query takes one for itself.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    /// The lock is held only to take one out or to put it back.
    idle: Mutex<Vec<Connection>>,
    /// Whoever holds a permit may have a connection.
    permits: Arc<Semaphore>,
    /// Closed after the connections (wal.rs).
    _tables: Arc<File>,
}

impl Readers {
    /// At most `count` connections, but at least one.
    pub(super) fn new(path: &Path, count: usize, tables: Arc<File>) -> Self {
        let permits = Arc::new(Semaphore::new(count.max(1)));
        Self { path: path.to_owned(), idle: Mutex::default(), permits, _tables: tables }
    }

    /// Runs a query on this thread, once a connection is free.
    pub(super) async fn query_here(&self, query: &Query) -> Result<Vec<Row>, ReadStoreError> {
        let _permit = self.permits.acquire().await.map_err(|_| gone())?;
        self.query(query)
    }

    /// Runs a query on a thread that may block, once a connection is free.
    pub(super) async fn query_elsewhere(self: &Arc<Self>, query: Query) -> Result<Vec<Row>, ReadStoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| gone())?;
        let readers = Arc::clone(self);
        let scan = move || {
            // Held to the end of the query, even if whoever asked has left.
            let _permit = permit;
            readers.query(&query)
        };
        tokio::task::spawn_blocking(scan).await.map_err(|_| gone())?
    }

    /// Needs a permit.
    fn query(&self, query: &Query) -> Result<Vec<Row>, ReadStoreError> {
        // The lock must be free again when a connection is opened.
        let idle = self.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        let rows = rows(&connection, query);
        self.lock().push(connection);
        rows
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone() -> ReadStoreError {
    ReadStoreError::Unavailable("it is closing".to_owned())
}

fn rows(connection: &Connection, query: &Query) -> Result<Vec<Row>, ReadStoreError> {
    let mut statement = connection.prepare_cached(&query.sql).map_err(|error| failed(&error))?;
    let columns = statement.column_count();
    // Without columns it may be a BEGIN, which would pin the connection to an old snapshot.
    if columns == 0 || !statement.readonly() {
        return Err(ReadStoreError::Refused("a query must only read".to_owned()));
    }
    Placeholders::of(&statement)?.bind(&mut statement, &query.params)?;
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(|error| failed(&error))? {
        let values = (0..columns).map(|column| {
            let value = row.get_ref(column).map_err(|error| failed(&error))?;
            raw(column, value)
        });
        rows.push(Row(values.collect::<Result<_, _>>()?));
    }
    Ok(rows)
}

fn raw(column: usize, value: ValueRef<'_>) -> Result<RawValue, ReadStoreError> {
    match value {
        ValueRef::Null => Ok(RawValue::Null),
        ValueRef::Integer(number) => Ok(RawValue::Int(number)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(RawValue::Text(text.to_owned())),
            Err(_) => Err(ReadStoreError::Corrupt(format!("column {column} holds a text that is not UTF-8"))),
        },
        ValueRef::Blob(bytes) => Ok(RawValue::Blob(bytes.to_vec())),
        ValueRef::Real(_) => Err(ReadStoreError::Column { column, wanted: "an exact value" }),
    }
}
