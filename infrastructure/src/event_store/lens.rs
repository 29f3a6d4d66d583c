//! For tests: a log in memory whose pages go through the test's hands.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    AllPage, Append, AppendError, Appended, Direction, EventStore, MemoryEventStore, Position, Revision, StoreError,
    StreamId, StreamPage, TypeFilter,
};

/// An event store in memory. `show` makes of each page of the whole log what is seen of it.
pub(crate) struct Lens<F> {
    pub(crate) events: Arc<MemoryEventStore>,
    pub(crate) show: F,
}

impl<F> fmt::Debug for Lens<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lens").field("events", &self.events).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F> EventStore for Lens<F>
where
    F: Fn(AllPage) -> Result<AllPage, StoreError> + Send + Sync,
{
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.events.append(append).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError> {
        self.events.read_stream(stream, from, direction, limit).await
    }

    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError> {
        // As with any other store: whoever else wants to read meanwhile gets as far as to ask.
        tokio::task::yield_now().await;
        (self.show)(self.events.read_all(after, filter, limit).await?)
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.events.head().await
    }

    fn tail(&self) -> watch::Receiver<Position> {
        self.events.tail()
    }
}
