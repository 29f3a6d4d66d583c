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

/// How many times statements are run in one commit, if it is not the commit of one transaction alone.
const GROUP_ROWS_MAX: usize = 1_024;

/// A transaction that waits.
pub(super) struct Request {
    statements: Vec<Statement>,
    answer: oneshot::Sender<Result<(), ReadStoreError>>,
}

impl Request {
    /// How many times statements are run: what it costs, about.
    fn rows(&self) -> usize {
        self.statements.iter().map(|statement| statement.rows.len()).sum()
    }
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
/// Transactions that wait at the same time are committed together: a commit costs more than the few rows of one. A failed
/// checkpoint leaves in doubt what the file has, so nothing is written after it until it is opened again. (The parameters
/// are dropped from the last one to the first: `checkpoints` after `connection`.)
pub(super) fn serve(mut checkpoints: Checkpoints, mut connection: Connection, mut requests: mpsc::Receiver<Request>) {
    let mut stopped: Option<String> = None;
    let mut next = None;
    while let Some(first) = next.take().or_else(|| requests.blocking_recv()) {
        let group;
        (group, next) = together(first, &mut requests);
        let outcomes = match &stopped {
            None => transact_all(&mut connection, &group),
            Some(reason) => group.iter().map(|_| Err(has_stopped(reason))).collect(),
        };
        let has_written = outcomes.iter().any(Result::is_ok);
        for (request, outcome) in group.into_iter().zip(outcomes) {
            // It fails only if the caller has left, and then nobody wants to know.
            drop(request.answer.send(outcome));
        }
        if has_written && let Err(reason) = checkpoints.after_commit(&connection) {
            tracing::error!("the read store has stopped taking writes until a restart: {reason}");
            stopped = Some(reason);
        }
    }
}

fn has_stopped(reason: &str) -> ReadStoreError {
    ReadStoreError::Unavailable(format!("its writer has stopped: {reason}"))
}

/// What waits behind the first one and is committed with it; and the one behind these, if it was taken already. A large one
/// goes alone, so that no small one waits for it longer than it has to.
fn together(first: Request, requests: &mut mpsc::Receiver<Request>) -> (Vec<Request>, Option<Request>) {
    let mut rows = first.rows();
    let mut group = vec![first];
    while rows <= GROUP_ROWS_MAX
        && let Ok(next) = requests.try_recv()
    {
        rows += next.rows();
        if rows > GROUP_ROWS_MAX {
            return (group, Some(next));
        }
        group.push(next);
    }
    (group, None)
}

/// Each in order, all or nothing of it. If one of several fails, nothing of them was written, and each is done by itself.
fn transact_all(connection: &mut Connection, group: &[Request]) -> Vec<Result<(), ReadStoreError>> {
    let is_done = group.len() > 1 && transact(connection, group.iter().flat_map(|request| &request.statements)).is_ok();
    let outcome = |request: &Request| if is_done { Ok(()) } else { transact(connection, &request.statements) };
    group.iter().map(outcome).collect()
}

fn transact<'a>(
    connection: &mut Connection,
    statements: impl IntoIterator<Item = &'a Statement>,
) -> Result<(), ReadStoreError> {
    // The lock is taken at once, so that a busy file is found before anything is done.
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| failed(&error))?;
    for statement in statements {
        run(&transaction, statement)?;
    }
    // Without it the transaction is rolled back as it is dropped.
    transaction.commit().map_err(|error| failed(&error))
}

/// The statement as SQLite is to have it.
///
/// A table whose key is of several columns is kept in the order of that key, and not beside an index of it. And a statement
/// that fails takes its whole transaction with it, so it need not be able to take back what it has done itself: for that,
/// SQLite would copy each page before a statement of many rows changes it, some 4 KiB for a row of a home feed. `OR FAIL` says
/// so (<https://sqlite.org/lang_conflict.html>).
fn for_sqlite(sql: &str) -> Cow<'_, str> {
    if sql.starts_with("CREATE TABLE") && sql.contains("PRIMARY KEY (") {
        format!("{sql} WITHOUT ROWID").into()
    } else if let Some(rest) = sql.strip_prefix("INSERT INTO ") {
        format!("INSERT OR FAIL INTO {rest}").into()
    } else if let Some(rest) = sql.strip_prefix("UPDATE ") {
        format!("UPDATE OR FAIL {rest}").into()
    } else {
        sql.into()
    }
}

fn run(connection: &Connection, Statement { sql, rows, must_change }: &Statement) -> Result<(), ReadStoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut prepared = connection.prepare_cached(&for_sqlite(sql)).map_err(|error| failed(&error))?;
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
