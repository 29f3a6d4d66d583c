//! Following the log: catch up from a position, then live, without a hole between the two.
//!
//! A subscription only ever reads; the tail tells it when. So there is one way an event reaches a reader, whether
//! it is old or a millisecond young. It never polls.

use std::sync::Arc;

use tokio::sync::watch;

use super::{EventStore, Position, RecordedEvent, StoreError, TypeFilter};

/// A reader's place in the log.
#[derive(Debug)]
pub struct Subscription {
    store: Arc<dyn EventStore>,
    filter: TypeFilter,
    after: Position,
    tail: watch::Receiver<Position>,
}

/// The next events of a subscription; there may be none that pass the filter.
#[derive(Debug)]
pub struct Batch {
    /// The events that pass the filter, in order.
    pub events: Vec<RecordedEvent>,
    /// Everything up to here was looked at.
    pub scanned_to: Position,
    /// Whether that was the end of the log at the time of reading.
    pub is_caught_up: bool,
}

impl Subscription {
    /// Follows `store` from after `after`.
    pub fn new(store: Arc<dyn EventStore>, after: Position, filter: TypeFilter) -> Self {
        let tail = store.tail();
        Self { store, filter, after, tail }
    }

    /// Everything up to here was handed out.
    pub const fn position(&self) -> Position {
        self.after
    }

    /// The next events, at most `limit`. Waits until the log is longer than what was looked at. Cancel-safe: what is
    /// not returned is read again.
    pub async fn next(&mut self, limit: usize) -> Result<Batch, StoreError> {
        let after = self.after;
        self.tail
            .wait_for(|tail| *tail > after)
            .await
            .map_err(|_| StoreError::Unavailable("the event store is closed".to_owned()))?;
        let page = self.store.read_all(after, &self.filter, limit).await?;
        self.after = page.scanned_to;
        Ok(Batch { events: page.events, scanned_to: page.scanned_to, is_caught_up: page.is_end })
    }
}
