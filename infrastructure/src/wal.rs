//! Moves what is committed from SQLite's write-ahead log into the tables, beside the writer instead of in its way.
//!
//! A checkpoint inside COMMIT makes whoever waits for it wait for thousands of page writes and two syncs as well; and
//! where the log is not synced with every commit, the other stores of the same device wait behind that sync, too. So a
//! thread of its own copies while the writer goes on; then the writer copies the little that came in meanwhile,
//! because only when nothing is left can the log start again from its beginning. That keeps it from growing without
//! bound. **Invariant:** nothing leaves the log before it is durable in the tables; SQLite sees to that.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, ErrorCode};

/// A write-ahead log that is still this long after a checkpoint is worth a warning (256 MiB).
const LOG_PAGES_WARN: i64 = 65_536;

/// The checkpoints of one file. Dropping it waits for the one that is running.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    /// How many pages the log has, as the writer's connection was told at its last commit.
    log: Arc<AtomicUsize>,
    /// What it was told before.
    log_before: usize,
    /// Pages written since the last checkpoint.
    written: usize,
    /// When to start one.
    due: usize,
    is_copying: bool,
    start: Option<Sender<()>>,
    done: Receiver<Result<(), String>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, of this name, with a `connection` of its own. From now on `writer` does no checkpoint by itself;
    /// one is due after it has written `due` pages.
    pub(crate) fn start(name: &str, writer: &mut Connection, connection: Connection, due: usize) -> io::Result<Self> {
        let log = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&log);
        // It takes the place of SQLite's own hook, which is the one that does checkpoints.
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            told.store(usize::try_from(pages).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(io::Error::other)?;
        let (start, starts) = channel::<()>();
        let (report, done) = channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            while starts.recv().is_ok() {
                if report.send(checkpoint(&connection).map(drop)).is_err() {
                    break;
                }
            }
        })?;
        let (start, thread) = (Some(start), Some(thread));
        Ok(Self { log, log_before: 0, written: 0, due: due.max(1), is_copying: false, start, done, thread })
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
            self.written = 0;
            let pages_left = checkpoint(writer)?;
            if pages_left >= LOG_PAGES_WARN {
                tracing::warn!(log.pages = pages_left, "a long read keeps the write-ahead log at {pages_left} pages");
            }
        } else if self.written >= self.due
            && let Some(start) = &self.start
        {
            start.send(()).map_err(|_| ended())?;
            self.is_copying = true;
        }
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
