//! The one thread that writes, and the queue before it.

use std::{borrow::Cow, fmt, thread};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{
    super::{ReadStoreError, Statement},
    connection::failed,
    placeholders::Placeholders,
};
use crate::wal::Checkpoints;

/// A transaction that waits.
pub(super) struct Request {
    statements: Vec<Statement>,
    answer: oneshot::Sender<Result<(), ReadStoreError>>,
}

/// The writing thread, from outside.
pub(super) struct Writer {
    /// None once it is closing.
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts a thread that does `work` on the requests, of which `waiting_max` wait in the queue, but at least one.
    pub(super) fn start<F>(waiting_max: usize, work: F) -> Result<Self, ReadStoreError>
    where
        F: FnOnce(mpsc::Receiver<Request>) + Send + 'static,
    {
        let (requests, receiver) = mpsc::channel(waiting_max.max(1));
        let thread = thread::Builder::new()
            .name("read-store-writer".to_owned())
            .spawn(move || work(receiver))
            .map_err(|error| ReadStoreError::Unavailable(format!("no thread for the writer: {error}")))?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Queues a transaction and waits for its outcome. A caller that leaves does not stop what is queued.
    pub(super) async fn transaction(&self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        let (answer, outcome) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send(Request { statements, answer }).await.map_err(|_| gone())?;
        // A thread that ends drops the queue and so every answer it owes: nobody waits forever.
        outcome.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the read store's writer had panicked");
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

fn gone() -> ReadStoreError {
    ReadStoreError::Unavailable("its writer has ended".to_owned())
}

/// Does what is asked until nobody can ask any more.
///
/// A failed checkpoint leaves in doubt what the file has, so nothing is written after it until it is opened again.
pub(super) fn serve(mut connection: Connection, mut checkpoints: Checkpoints, mut requests: mpsc::Receiver<Request>) {
    let mut stopped = None;
    while let Some(Request { statements, answer }) = requests.blocking_recv() {
        let outcome = match &stopped {
            None => transact(&mut connection, &statements),
            Some(reason) => Err(ReadStoreError::Unavailable(format!("its writer has stopped: {reason}"))),
        };
        let has_written = outcome.is_ok();
        // It fails only if the caller has left, and then nobody wants to know.
        drop(answer.send(outcome));
        if has_written && let Err(reason) = checkpoints.after_commit(&connection) {
            tracing::error!("the read store has stopped taking writes until a restart: {reason}");
            stopped = Some(reason);
        }
    }
}

fn transact(connection: &mut Connection, statements: &[Statement]) -> Result<(), ReadStoreError> {
    // The lock is taken at once, so that a busy file is found before anything is done.
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| failed(&error))?;
    for statement in statements {
        run(&transaction, statement)?;
    }
    // Without it the transaction is rolled back as it is dropped.
    transaction.commit().map_err(|error| failed(&error))
}

/// The same, but a table whose key is of several columns is kept in the order of that key, and not beside an index of it.
fn in_order(sql: &str) -> Cow<'_, str> {
    let has_wide_key = sql.starts_with("CREATE TABLE") && sql.contains("PRIMARY KEY (");
    if has_wide_key { format!("{sql} WITHOUT ROWID").into() } else { sql.into() }
}

fn run(connection: &Connection, Statement { sql, rows, must_change }: &Statement) -> Result<(), ReadStoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut prepared = connection.prepare_cached(&in_order(sql)).map_err(|error| failed(&error))?;
    // A COMMIT or ROLLBACK does not write either.
    if prepared.readonly() {
        return Err(ReadStoreError::Refused("a statement of a transaction must write".to_owned()));
    }
    let placeholders = Placeholders::of(&prepared)?;
    for values in rows {
        placeholders.bind(&mut prepared, values)?;
        let changed = prepared.raw_execute().map_err(|error| failed(&error))? as u64;
        if let Some(expected) = *must_change
            && changed != expected
        {
            return Err(ReadStoreError::Guard { expected, changed });
        }
    }
    Ok(())
}
