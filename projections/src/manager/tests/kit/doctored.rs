//! An event store that hands out other data for some events than were appended.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use infrastructure::event_store::{
    AllPage, Append, AppendError, Appended, Direction, EventStore, MemoryEventStore, Name, Position, RecordedEvent,
    Revision, StoreError, StreamId, StreamPage, TypeFilter, Whereabouts,
};
use tokio::sync::watch;

/// An event store that tells what it was asked, and that hands out other data for some events than were appended.
#[derive(Debug)]
pub(in super::super) struct Doctored {
    pub(super) inner: MemoryEventStore,
    /// How far events are apart.
    pub(super) stride: u64,
    tail: watch::Sender<Position>,
    ill: Mutex<HashMap<Position, (Name, String)>>,
    /// How many events were read by a scan of the log from its start.
    pub(in super::super) scanned: AtomicU64,
}

impl Doctored {
    pub(in super::super) fn new(stride: u64) -> Self {
        let tail = watch::Sender::new(Position::START);
        Self { inner: MemoryEventStore::new(), stride, tail, ill: Mutex::default(), scanned: AtomicU64::new(0) }
    }

    /// From now on this event is read with this type and these data.
    pub(in super::super) fn falsify(&self, at: Position, type_name: &str, data: &str) {
        self.ill.lock().unwrap().insert(at, (type_name.into(), data.to_owned()));
    }

    /// This event is read as it was appended.
    pub(in super::super) fn is_true(&self, at: Position) {
        self.ill.lock().unwrap().remove(&at);
    }

    /// Everything is read as it was appended.
    pub(in super::super) fn is_true_again(&self) {
        self.ill.lock().unwrap().clear();
    }

    pub(super) fn outer(&self, inner: Position) -> Position {
        Position::new(inner.value() * self.stride)
    }

    fn shown(&self, events: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
        let ill = self.ill.lock().unwrap();
        let show = |mut event: RecordedEvent| {
            event.position = self.outer(event.position);
            if let Some((type_name, data)) = ill.get(&event.position) {
                (event.type_name, event.data) = (type_name.clone(), data.clone());
            }
            event
        };
        events.into_iter().map(show).collect()
    }
}

#[async_trait]
impl EventStore for Doctored {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let mut appended = self.inner.append(append).await?;
        for position in &mut appended.positions {
            *position = self.outer(*position);
        }
        let head = self.outer(self.inner.head().await.expect("memory does not fail"));
        self.tail.send_replace(head);
        Ok(appended)
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        let mut page = self.inner.read_stream(stream, from, direction, limit).await?;
        page.events = self.shown(page.events);
        Ok(page)
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        let inner = Position::new(after.value() / self.stride);
        let mut page = self.inner.read_all(inner, filter, limit).await?;
        page.events = self.shown(page.events);
        page.scanned_to = self.outer(page.scanned_to).max(after);
        self.scanned.fetch_add(page.events.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn locate(&self, position: Position) -> Result<Whereabouts, StoreError> {
        let head = self.head().await?;
        Ok(if position > head {
            Whereabouts::Beyond { head }
        } else if position.value().is_multiple_of(self.stride) {
            Whereabouts::Inside
        } else {
            Whereabouts::Nowhere
        })
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.outer(self.inner.head().await?))
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }
}
