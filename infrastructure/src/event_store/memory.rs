//! The event store in memory: every promise but durability. For tests of what sits above.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use async_trait::async_trait;
use domain::Timestamp;
use tokio::sync::watch;

use super::{
    AllPage, Append, AppendError, Appended, Direction, EventStore, ExpectedRevision, PAGE_EVENTS_MAX, Position,
    RecordedEvent, Revision, StoreError, StreamId, StreamPage, TypeFilter, limits,
};

/// An event store that ends with the process.
#[derive(Debug)]
pub struct MemoryEventStore {
    log: RwLock<Log>,
    tail: watch::Sender<Position>,
}

/// Positions are counters from 1: the event at position *p* is `events[p - 1]`.
#[derive(Debug, Default)]
struct Log {
    events: Vec<RecordedEvent>,
    /// Of each stream, the indexes of its events.
    streams: HashMap<StreamId, Vec<usize>>,
}

impl MemoryEventStore {
    /// An empty store.
    pub fn new() -> Self {
        Self { log: RwLock::default(), tail: watch::Sender::new(Position::START) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Log> {
        // A writer panics before it changes the log or not at all, so a poisoned lock holds a whole log.
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryEventStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl EventStore for MemoryEventStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        limits::check(&append)?;
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        let appended = log.append(&append)?;
        // Under the lock, so that the tail never goes back; whoever it wakes reads after the lock is released.
        self.tail.send_replace(log.head());
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        Ok(self.read().stream_page(stream, from, direction, limit.min(PAGE_EVENTS_MAX)))
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        Ok(self.read().page(after, filter, limit.min(PAGE_EVENTS_MAX)))
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.read().head())
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }
}

impl Log {
    fn head(&self) -> Position {
        position(self.events.len())
    }

    fn append(&mut self, append: &Append) -> Result<Appended, AppendError> {
        let indexes = self.streams.get(&append.stream).map_or(&[][..], Vec::as_slice);
        let last = indexes.len().checked_sub(1).map(revision);
        if append.expected != ExpectedRevision::after(last) {
            return self.earlier(append, indexes).ok_or(AppendError::WrongExpectedRevision { actual: last });
        }
        let (first_revision, first_index) = (indexes.len(), self.events.len());
        let recorded = append.events.iter().enumerate().map(|(offset, event)| RecordedEvent {
            position: position(first_index + offset + 1),
            stream: append.stream.clone(),
            revision: revision(first_revision + offset),
            id: event.id,
            type_name: event.type_name.clone(),
            recorded_at: to_micros(event.at),
            metadata: event.metadata.clone(),
            data: event.data.clone(),
        });
        self.events.extend(recorded);
        self.streams.entry(append.stream.clone()).or_default().extend(first_index..self.events.len());
        Ok(Appended {
            revision: revision(first_revision + append.events.len() - 1),
            positions: (first_index..self.events.len()).map(|index| position(index + 1)).collect(),
        })
    }

    /// What the same append was answered the first time, if it was there before.
    fn earlier(&self, append: &Append, indexes: &[usize]) -> Option<Appended> {
        let first = match append.expected {
            ExpectedRevision::NoStream => 0,
            ExpectedRevision::Exact(last) => to_index(last.value()).checked_add(1)?,
        };
        let end = first.checked_add(append.events.len())?;
        let there = indexes.get(first..end)?;
        let is_same = there.iter().zip(append.events.iter()).all(|(index, event)| self.events[*index].id == event.id);
        is_same.then(|| Appended {
            revision: revision(end - 1),
            positions: there.iter().map(|index| position(index + 1)).collect(),
        })
    }

    fn stream_page(&self, stream: &StreamId, from: Revision, direction: Direction, limit: usize) -> StreamPage {
        let indexes = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let from = to_index(from.value());
        let (wanted, is_end) = match direction {
            Direction::Forwards => {
                let start = from.min(indexes.len());
                let end = start.saturating_add(limit).min(indexes.len());
                (start..end, end == indexes.len())
            }
            Direction::Backwards => {
                let end = from.saturating_add(1).min(indexes.len());
                let start = end.saturating_sub(limit);
                (start..end, start == 0)
            }
        };
        let events = indexes[wanted].iter().map(|index| self.events[*index].clone());
        let events = match direction {
            Direction::Forwards => events.collect(),
            Direction::Backwards => events.rev().collect(),
        };
        StreamPage { events, is_end }
    }

    fn page(&self, after: Position, filter: &TypeFilter, limit: usize) -> AllPage {
        let start = to_index(after.value()).min(self.events.len());
        let passing = self.events[start..].iter().filter(|event| filter.passes(&event.type_name));
        let events: Vec<_> = passing.take(limit).cloned().collect();
        // Less than asked for: everything was looked at. Otherwise nothing was after the last event of the page.
        let scanned_to = if events.len() < limit {
            self.head().max(after)
        } else {
            events.last().map_or(after, |event| event.position)
        };
        AllPage { events, scanned_to, is_end: scanned_to >= self.head() }
    }
}

fn position(number: usize) -> Position {
    Position::new(number as u64)
}

fn revision(number: usize) -> Revision {
    Revision::new(number as u64)
}

fn to_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Without what is finer than a microsecond, as every store keeps it.
fn to_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_timestamp_micros(at.timestamp_micros()).expect("what chrono counts it can name")
}
