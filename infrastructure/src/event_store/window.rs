//! The newest events, read once for everybody who follows the log.
//!
//! Each read model follows the log by itself, and all of them ask for the same events in the same moment. Here the first
//! one to ask reads, and the others get what it read. Whoever is further behind than the window reads for themselves.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    AllPage, Append, AppendError, Appended, Direction, EventStore, PAGE_EVENTS_MAX, Position, RecordedEvent, Revision,
    StoreError, StreamId, StreamPage, TypeFilter, Whereabouts,
};

#[cfg(test)]
mod tests;

/// At least so much is read at once: somebody wants few of many.
const PAGE_EVENTS_MIN: usize = 512;
/// How much is kept beside the page that was read last.
const EVENTS_KEPT_MAX: usize = 4_096;
const BYTES_KEPT_MAX: usize = 8 * 1024 * 1024;

/// An event store whose newest events are read once for all who follow it.
///
/// What is seen of a log never changes (promise 3 of [`EventStore`]), so nothing that is kept grows old. A file that
/// somebody mends by hand is the exception: see [`Window::forget`].
#[derive(Debug)]
pub struct Window {
    store: Arc<dyn EventStore>,
    tail: watch::Receiver<Position>,
    kept: Mutex<Kept>,
    /// Held by the one who reads.
    reading: tokio::sync::Mutex<()>,
}

/// All events after one position up to another.
#[derive(Debug, Default)]
struct Kept {
    after: Position,
    events: VecDeque<RecordedEvent>,
    bytes: usize,
    up_to: Position,
    /// How many reads have failed.
    failures: u64,
}

/// What is kept of a page that is asked for.
enum Found {
    Page(AllPage),
    /// All that is kept is after what is asked for.
    Older,
    /// The page would begin where what is kept ends, or later.
    Newer {
        failures: u64,
    },
}

impl Window {
    /// The same store, read once for all.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        let tail = store.tail();
        Self { store, tail, kept: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    /// Everything is read again by whoever wants it. For those who failed at an event that somebody may have mended.
    pub fn forget(&self) {
        let mut kept = self.kept();
        *kept = Kept { after: kept.up_to, up_to: kept.up_to, failures: kept.failures, ..Kept::default() };
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whoever panicked had not begun to change it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, after: Position, filter: &TypeFilter, limit: usize) -> Found {
        let kept = self.kept();
        if after < kept.after {
            return Found::Older;
        }
        if after >= kept.up_to {
            return Found::Newer { failures: kept.failures };
        }
        let mut page = kept.page(after, filter, limit);
        page.is_end = page.scanned_to >= *self.tail.borrow();
        Found::Page(page)
    }

    /// Reads what follows `after` for all who follow.
    async fn read_on(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        let outcome = self.store.read_all(after, &TypeFilter::All, limit.max(PAGE_EVENTS_MIN)).await;
        let mut kept = self.kept();
        match outcome {
            // Nobody is there yet: what others have kept is worth more.
            Ok(page) if page.events.is_empty() && after != kept.up_to => Ok(page),
            Ok(page) => {
                let is_end = page.is_end;
                kept.take(after, page);
                let own = kept.page(after, filter, limit);
                Ok(AllPage { is_end: is_end && own.scanned_to == kept.up_to, ..own })
            }
            Err(error) => {
                kept.failures += 1;
                Err(error)
            }
        }
    }
}

impl Kept {
    fn page(&self, after: Position, filter: &TypeFilter, limit: usize) -> AllPage {
        let first = self.events.partition_point(|event| event.position <= after);
        let mut events = Vec::new();
        let mut passing = self.events.range(first..).filter(|event| filter.passes(&event.type_name));
        while events.len() < limit
            && let Some(event) = passing.next()
        {
            events.push(event.clone());
        }
        let is_cut = passing.next().is_some();
        let scanned_to = events.last().filter(|_| is_cut).map_or(self.up_to, |event| event.position);
        AllPage { events, scanned_to, is_end: false }
    }

    /// Takes in what follows `after`, and gives the oldest up.
    fn take(&mut self, after: Position, page: AllPage) {
        if after != self.up_to {
            // Somebody is further: what is between is not known.
            (self.after, self.up_to, self.bytes) = (after, after, 0);
            self.events.clear();
        }
        while self.events.len() > EVENTS_KEPT_MAX || self.bytes > BYTES_KEPT_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= size(&oldest);
            self.after = oldest.position;
        }
        self.bytes += page.events.iter().map(size).sum::<usize>();
        self.events.extend(page.events);
        self.up_to = page.scanned_to;
    }
}

fn size(event: &RecordedEvent) -> usize {
    size_of::<RecordedEvent>() + event.data.len() + event.metadata.len()
}

#[async_trait]
impl EventStore for Window {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.store.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        self.store.read_stream(stream, from, direction, limit).await
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        let limit = limit.min(PAGE_EVENTS_MAX);
        if limit == 0 {
            return self.store.read_all(after, filter, limit).await;
        }
        let failures = match self.find(after, filter, limit) {
            Found::Page(page) => return Ok(page),
            Found::Older => return self.store.read_all(after, filter, limit).await,
            Found::Newer { failures } => failures,
        };
        let turn = self.reading.lock().await;
        match self.find(after, filter, limit) {
            Found::Page(page) => Ok(page),
            Found::Newer { failures: now } if now == failures => self.read_on(after, filter, limit).await,
            // Whoever waited for somebody's failure does not wait for the next one's too.
            Found::Newer { .. } | Found::Older => {
                drop(turn);
                self.store.read_all(after, filter, limit).await
            }
        }
    }

    async fn event_at(&self, position: Position) -> Result<Option<RecordedEvent>, StoreError> {
        self.store.event_at(position).await
    }

    async fn locate(&self, position: Position) -> Result<Whereabouts, StoreError> {
        self.store.locate(position).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.store.head().await
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.tail.clone()
    }

    fn distance(&self, after: Position, to: Position) -> u64 {
        self.store.distance(after, to)
    }
}
