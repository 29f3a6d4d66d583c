//! Moves what is committed from SQLite's write-ahead log into the tables, beside the writer instead of in its way.
//!
//! A checkpoint inside COMMIT makes whoever waits for it wait for thousands of page writes and two syncs as well; and
//! where the log is not synced with every commit, the other stores of the same device wait behind that sync, too. So a
//! thread of its own copies while the writer goes on; then the writer copies the little that came in meanwhile,
//! because only when nothing is left can the log start again from its beginning. If it is more than a little, the thread
//! copies once more. Where the writer is always the faster one, it has to wait once the log is long: otherwise that would
//! grow without bound.
//!
//! SQLite syncs the tables with the checkpoint that leaves nothing in the log, and with no other one. That is the writer's,
//! so everything that the thread has copied would be synced while nothing can be written. Therefore the thread syncs the file
//! itself, and for the writer there is little left to sync.
//!
//! **Invariants:** Nothing leaves the log before it is durable in the tables; SQLite sees to that. The thread's handle of the file
//! is closed after all connections of the store, because closing any handle releases SQLite's locks: whoever holds a connection
//! holds the handle, too.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, ErrorCode};

#[cfg(test)]
mod tests;

/// A write-ahead log that is still this long after a checkpoint is worth a warning (256 MiB).
const LOG_PAGES_WARN: i64 = 65_536;
/// The writer copies itself what came in meanwhile if it is at most such a part of what makes a checkpoint due.
const REST_PART: usize = 4;

/// Opens the file for whoever syncs it beside SQLite. To be done before there is a connection.
pub(crate) fn open_tables(path: &Path) -> io::Result<Arc<File>> {
    // Some systems sync only what may be written.
    OpenOptions::new().read(true).write(true).open(path).map(Arc::new)
}

/// When pages are copied, in pages of 4 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPages {
    /// After so many written pages they are copied, beside the writer.
    pub due: usize,
    /// When the log has so many and what comes in while it is copied does not become less, the writer waits for that.
    pub max: usize,
}

/// The checkpoints of one file. Dropping it waits for the one that is running. The writer's connection has to be dropped before.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    /// How many pages the log has, as the writer's connection was told at its last commit.
    log: Arc<AtomicUsize>,
    /// What it was told before.
    log_before: usize,
    /// Pages written since the last checkpoint, or since the copying began that is under way.
    written: usize,
    /// Pages that were to be copied when the copying began that is under way.
    copied: usize,
    pages: LogPages,
    is_copying: bool,
    start: Option<Sender<()>>,
    done: Receiver<Result<(), String>>,
    thread: Option<JoinHandle<()>>,
    /// Here so that it is closed when the thread, and with it its connection, is gone.
    _tables: Arc<File>,
}

impl Checkpoints {
    /// Starts the thread, of this name, with a `connection` of its own to the file `tables`. From now on `writer` does no
    /// checkpoint by itself.
    pub(crate) fn start(
        name: &str,
        tables: Arc<File>,
        writer: &mut Connection,
        connection: Connection,
        pages: LogPages,
    ) -> io::Result<Self> {
        let log = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&log);
        // It takes the place of SQLite's own hook, which is the one that does checkpoints.
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            told.store(usize::try_from(pages).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(io::Error::other)?;
        let synced = Arc::clone(&tables);
        let (start, starts) = channel::<()>();
        let (report, done) = channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            while starts.recv().is_ok() {
                if report.send(checkpoint(&connection).and_then(|_| sync(&synced))).is_err() {
                    break;
                }
            }
        })?;
        let (start, thread) = (Some(start), Some(thread));
        let is_copying = false;
        Ok(Self { log, log_before: 0, written: 0, copied: 0, pages, is_copying, start, done, thread, _tables: tables })
    }

    /// To be called by the writer between two transactions. An error says why the device is in doubt: what is written from
    /// then on may be lost.
    pub(crate) fn after_commit(&mut self, writer: &Connection) -> Result<(), String> {
        let log = self.log.load(Ordering::Relaxed);
        // It is shorter once it has started again from its beginning.
        self.written += log.checked_sub(self.log_before).unwrap_or(log);
        self.log_before = log;
        if self.is_copying {
            match self.done.try_recv() {
                Ok(copied) => copied?,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(ended()),
            }
            self.is_copying = false;
            let becomes_less = self.written <= self.copied / 2;
            if self.written > self.pages.due / REST_PART && (becomes_less || log < self.pages.max) {
                return self.copy();
            }
            self.written = 0;
            let pages_left = checkpoint(writer)?;
            if pages_left >= LOG_PAGES_WARN {
                tracing::warn!(log.pages = pages_left, "a long read keeps the write-ahead log at {pages_left} pages");
            }
            Ok(())
        } else if self.written >= self.pages.due.max(1) {
            self.copy()
        } else {
            Ok(())
        }
    }

    fn copy(&mut self) -> Result<(), String> {
        let start = self.start.as_ref().ok_or_else(ended)?;
        start.send(()).map_err(|_| ended())?;
        (self.is_copying, self.copied, self.written) = (true, self.written, 0);
        Ok(())
    }
}

fn ended() -> String {
    "the checkpoint thread has ended".to_owned()
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.start = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a checkpoint thread ended with a panic");
        }
    }
}

/// As with [`checkpoint`], a full device is no failure. SQLite syncs the file itself before anything leaves the log.
fn sync(tables: &File) -> Result<(), String> {
    match tables.sync_data() {
        Err(error) if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            Err(format!("the tables could not be synced: {error}"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Copies what no reader hinders; returns how many pages could not be copied. A full device is no failure: the pages
/// stay in the log, and writers find out themselves.
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
