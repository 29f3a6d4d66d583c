//! Moves what is committed from the write-ahead log into the tables, beside the writer instead of in its way.
//!
//! A checkpoint inside COMMIT would make some hundred appends wait for thousands of page writes and an fsync. So a
//! thread of its own copies while the writer goes on; then the writer copies the little that came in meanwhile,
//! because only when nothing is left can the log start again from its beginning. That keeps it from growing without
//! bound. **Invariant:** nothing leaves the log before it is durable in the tables; SQLite sees to that.

use std::{
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, ErrorCode};

use super::StoreError;

/// A write-ahead log that is still this long after a checkpoint is worth a warning (256 MiB).
const LOG_PAGES_WARN: i64 = 65_536;
/// SQLite's, and so this store's, page size.
const PAGE_BYTES: usize = 4_096;
/// How many pages a commit writes besides those of its events.
const COMMIT_PAGES: usize = 4;

/// The checkpoints of one store. Dropping it waits for the one that is running.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Written since the last one, by estimate.
    pages: usize,
    /// When to start one.
    pages_due: usize,
    is_copying: bool,
    start: Option<Sender<()>>,
    done: Receiver<Result<(), String>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread with a connection of its own. A checkpoint is due after `pages_due` written pages.
    pub(super) fn start(connection: Connection, pages_due: usize) -> Result<Self, StoreError> {
        let (start, starts) = channel::<()>();
        let (report, done) = channel();
        let thread = thread::Builder::new()
            .name("event-checkpoint".to_owned())
            .spawn(move || {
                while starts.recv().is_ok() {
                    if report.send(checkpoint(&connection).map(drop)).is_err() {
                        break;
                    }
                }
            })
            .map_err(|error| StoreError::Unavailable(format!("the checkpoint thread does not start: {error}")))?;
        Ok(Self { pages: 0, pages_due, is_copying: false, start: Some(start), done, thread: Some(thread) })
    }

    /// To be called by the writer between two batches. An error says why the device is in doubt.
    pub(super) fn after_commit(&mut self, writer: &Connection, events: usize, bytes: usize) -> Result<(), String> {
        // Each event may touch a page of the index of its own.
        self.pages += COMMIT_PAGES + events + bytes / PAGE_BYTES;
        if self.is_copying {
            match self.done.try_recv() {
                Ok(copied) => copied?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err("the checkpoint thread has ended".to_owned()),
            }
            self.is_copying = false;
            self.pages = 0;
            let pages_left = checkpoint(writer)?;
            if pages_left >= LOG_PAGES_WARN {
                tracing::warn!(log.pages = pages_left, "a long read keeps the write-ahead log at {pages_left} pages");
            }
        } else if self.pages >= self.pages_due
            && let Some(start) = &self.start
        {
            start.send(()).map_err(|_| "the checkpoint thread has ended".to_owned())?;
            self.is_copying = true;
        }
        Ok(())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.start = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the event store's checkpoint thread ended with a panic");
        }
    }
}

/// Copies what no reader hinders; returns how many pages could not be copied. A full device is no failure: the pages
/// stay in the log, and appends find out themselves.
fn checkpoint(connection: &Connection) -> Result<i64, String> {
    let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (in_log, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(in_log - copied)
    });
    match copied {
        Ok(pages_left) => Ok(pages_left),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Ok(0),
            Some(_) | None => Err(format!("a checkpoint failed: {error}")),
        },
    }
}
