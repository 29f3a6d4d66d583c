//! The embedded event store: one SQLite file, one writing thread, readers beside it.
//!
//! An append goes into a queue; the writer takes everything that waits there and commits it at once (writer.rs,
//! log.rs), so many clients share one fsync. Positions are counters that this one writer gives out, so no reader can
//! skip an event that commits late. Readers use connections of their own (reader.rs) and never wait for the writer;
//! short reads run on the caller's thread, long ones on a blocking thread. Checkpoints run beside both
//! (infrastructure/src/wal.rs). What an error of SQLite means is decided in failure.rs. A whole log from elsewhere does not come
//! through the writer: it is a new file (import.rs).
//!
//! **Invariant:** one process writes to the file. A lock on a file beside it sees to that; the kernel releases it
//! however the process ends.

mod failure;
mod import;
mod log;
mod open;
mod reader;
mod schema;
mod sequence;
mod verify;
mod visitor;
mod writer;

use std::{fs::File, path::Path, sync::Arc, time::Instant};

use async_trait::async_trait;
use tokio::sync::watch;

pub use self::{
    import::{CompleteEventImport, ImportError, SqliteEventImport},
    sequence::{LogSequence, OutOfSequence},
    visitor::SqliteEventVisitor,
};
use self::{
    reader::{PageLimits, Reader, Readers},
    writer::Writer,
};
use super::{
    AllPage, Append, AppendError, Appended, Direction, EventStore, PAGE_EVENTS_MAX, Position, Revision, StoreError,
    StreamId, StreamPage, TypeFilter, limits,
};
use crate::{LogPages, telemetry};

/// The longest read on the caller's own thread, in events: some hundred microseconds.
const INLINE_EVENTS_MAX: usize = 256;
/// The payload at which a read on the caller's own thread ends (512 KiB).
const INLINE_BYTES_MAX: usize = 512 * 1024;

/// How much the embedded event store may use.
#[derive(Clone, Copy, Debug)]
pub struct SqliteEventStoreOptions {
    /// Connections for short reads: how many run at the same time.
    pub point_readers: usize,
    /// Connections for long reads: how many run at the same time.
    pub scan_readers: usize,
    /// The payload at which a page takes no more events.
    pub page_bytes_max: usize,
    /// The most events of the log that one page looks at.
    pub page_scanned_max: u32,
    /// SQLite's page cache of the writer, in KiB. It should hold the part of the stream index that is written to.
    pub writer_cache_kib: u32,
    /// SQLite's page cache of each reader, in KiB. Each commit empties it, so more than a page's path is of no use.
    pub reader_cache_kib: u32,
    /// Of how many streams the writer knows the last revision without reading.
    pub streams_cached: usize,
    /// When pages are copied from the write-ahead log into the tables.
    pub log_pages: LogPages,
}

impl Default for SqliteEventStoreOptions {
    fn default() -> Self {
        Self {
            point_readers: 4,
            scan_readers: 4,
            page_bytes_max: 8 * 1024 * 1024,
            page_scanned_max: 65_536,
            writer_cache_kib: 32 * 1024,
            reader_cache_kib: 1024,
            streams_cached: 65_536,
            log_pages: LogPages { due: 8_192, max: 16_384 },
        }
    }
}

/// An event store in an SQLite file.
#[derive(Debug)]
pub struct SqliteEventStore {
    // Dropped in this order: SQLite tidies its write-ahead log away when the last connection, the writer's, closes.
    points: Arc<Readers>,
    scans: Arc<Readers>,
    writer: Writer,
    tail: Arc<watch::Sender<Position>>,
    long_page: PageLimits,
    _lock: File,
}

impl SqliteEventStore {
    /// Opens the event store at `path`, or creates it; its folder must exist. What an earlier process left
    /// unfinished is recovered here.
    pub fn open(path: &Path, options: SqliteEventStoreOptions) -> Result<Self, StoreError> {
        open::open(path, options)
    }

    /// Checks the whole file: SQLite's structures, gapless positions and revisions, every name. Takes minutes on a
    /// large one; reads and appends go on meanwhile.
    pub async fn verify(&self) -> Result<(), StoreError> {
        blocking(&self.scans, verify::verify).await
    }

    /// Appends all of these in one transaction, in this order, or none of them. An error names the first that cannot be
    /// written by its index.
    pub async fn append_whole(&self, appends: Vec<Append>) -> Result<(), (usize, AppendError)> {
        for (index, append) in appends.iter().enumerate() {
            limits::check(append).map_err(|error| (index, error))?;
        }
        self.writer.append_whole(appends).await
    }
}

#[async_trait]
impl EventStore for SqliteEventStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let bytes = limits::check(&append)?;
        let started = Instant::now();
        let answer = self.writer.append(append, bytes).await;
        metrics::histogram!(telemetry::APPEND_SECONDS).record(started.elapsed());
        answer
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        let limit = limit.min(PAGE_EVENTS_MAX);
        // Nearly every stream is short, so a long page begins like a short one.
        let first = inline(limit);
        let mut page = self.points.lease().await.reader().read_stream(stream, from, direction, first)?;
        let Some(last) = page.events.last() else { return Ok(page) };
        if page.is_end || page.events.len() >= limit {
            return Ok(page);
        }
        let from = match direction {
            Direction::Forwards => last.revision.next(),
            Direction::Backwards => Revision::new(last.revision.value() - 1),
        };
        let rest = PageLimits { events: limit - page.events.len(), ..self.long_page };
        let stream = stream.clone();
        let more = blocking(&self.scans, move |reader| reader.read_stream(&stream, from, direction, rest)).await?;
        page.events.extend(more.events);
        Ok(StreamPage { events: page.events, is_end: more.is_end })
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        let limit = limit.min(PAGE_EVENTS_MAX);
        let waiting = self.distance(after, *self.tail.borrow());
        let is_short = match filter {
            TypeFilter::All => waiting.min(limit as u64) <= INLINE_EVENTS_MAX as u64,
            // Few events may lie far apart.
            TypeFilter::Prefixes(_) => waiting <= INLINE_EVENTS_MAX as u64,
        };
        if is_short {
            return self.points.lease().await.reader().read_all(after, filter, inline(limit));
        }
        let filter = filter.clone();
        let limits = PageLimits { events: limit, ..self.long_page };
        blocking(&self.scans, move |reader| reader.read_all(after, &filter, limits)).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.points.lease().await.reader().head()
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }
}

/// A page of at most `limit` events that is read on the caller's thread.
fn inline(limit: usize) -> PageLimits {
    let events = limit.min(INLINE_EVENTS_MAX);
    PageLimits { events, bytes: INLINE_BYTES_MAX, scanned: to_i64(INLINE_EVENTS_MAX as u64) }
}

/// Runs `read` where it may take its time.
async fn blocking<T: Send + 'static>(
    readers: &Arc<Readers>,
    read: impl FnOnce(&mut Reader) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let mut lease = readers.lease().await;
    tokio::task::spawn_blocking(move || read(lease.reader()))
        .await
        .unwrap_or_else(|error| Err(StoreError::Unavailable(format!("a read did not finish: {error}"))))
}

/// SQLite counts with a sign. What is beyond its range is beyond every number given out.
fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Positions, revisions and counts are never negative.
fn to_u64(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests;
