//! The event store port: an append-only log of streams with one global order.
//!
//! It knows bytes, not events: `codec` gives them meaning. What everything above relies on are the numbered
//! promises of [`EventStore`], each with a contract test in tests/src/contracts/event_store.rs.

mod error;
mod eventstoredb;
#[cfg(test)]
pub(crate) mod lens;
mod limits;
mod memory;
mod sqlite;
mod subscription;
mod types;
mod window;

use async_trait::async_trait;
use tokio::sync::watch;

pub use error::{AppendError, StoreError};
pub use eventstoredb::{EventStoreDb, EventStoreDbOptions, OpenError};
pub use memory::MemoryEventStore;
pub use sqlite::{
    CompleteEventImport, ImportError, LogSequence, OutOfSequence, SqliteEventImport, SqliteEventStore,
    SqliteEventStoreOptions, SqliteEventVisitor,
};
pub use subscription::{Batch, Subscription};
pub use types::{
    AllPage, Append, Appended, Direction, ExpectedRevision, Name, NewEvent, Position, RecordedEvent, Revision,
    StreamId, StreamPage, TypeFilter, Whereabouts,
};
pub use window::Window;

/// The most events of one append. The same in every adapter, so that tests transfer.
pub const APPEND_EVENTS_MAX: usize = 1_000;
/// The most bytes of one append, data and metadata together (512 KiB).
pub const APPEND_BYTES_MAX: usize = 512 * 1024;
/// The most bytes of one event, data and metadata together (256 KiB): an order of the most lines has about 130 KiB.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// The most events of one page, whatever a reader asks for.
pub const PAGE_EVENTS_MAX: usize = 8_192;

/// An append-only log of streams with one global order.
///
/// Promises, each tested in `tests/src/contracts/event_store.rs` against every adapter:
///
/// 1. An append is all or nothing.
/// 2. A wrong expected revision appends nothing and says the actual one.
/// 3. Once a reader has seen position *p*, nothing new ever appears at or before *p*.
/// 4. Appending the same event ids again at the same expected revision is a success that changes nothing and gives
///    the same positions.
/// 5. An acknowledged append survives the process and the machine (durable adapters).
/// 6. Revisions of a stream are gapless from 0; positions strictly increase over the whole log.
/// 7. An append over [`APPEND_EVENTS_MAX`], [`APPEND_BYTES_MAX`] or [`EVENT_BYTES_MAX`], or of no events, is
///    refused and appends nothing.
/// 8. [`EventStore::tail`] shows a position only once a reader can read everything up to it, and always shows the
///    last one in the end.
/// 9. A failed append is either known not to be written, or says that its outcome is unknown.
/// 10. [`EventStore::locate`] finds every position that the store has given out inside the log, and no other number.
#[async_trait]
pub trait EventStore: Send + Sync + std::fmt::Debug {
    /// Appends events to one stream; returns when they are durable.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// Reads at most `limit` events of one stream. Forwards, `from` is the first revision wanted; backwards, the
    /// last one (`Revision::MAX` for the end). A stream that does not exist is empty.
    async fn read_stream(
        &self,
        stream: &StreamId,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<StreamPage, StoreError>;

    /// Reads at most `limit` events of the whole log after position `after` that pass `filter`, in order. `after` is a
    /// position that the store has given out: where positions are not counters, another one may be refused as
    /// [`StoreError::Format`].
    async fn read_all(&self, after: Position, filter: &TypeFilter, limit: usize) -> Result<AllPage, StoreError>;

    /// The event at exactly this position, if there is one. Where positions are counters, it is the one after the
    /// position before.
    async fn event_at(&self, position: Position) -> Result<Option<RecordedEvent>, StoreError> {
        let before = Position::new(position.value().saturating_sub(1));
        let page = self.read_all(before, &TypeFilter::All, 1).await?;
        Ok(page.events.into_iter().find(|event| event.position == position))
    }

    /// Where this position lies: whether the store may have given it out. Where positions are counters, every number up
    /// to the last position is one.
    async fn locate(&self, position: Position) -> Result<Whereabouts, StoreError> {
        let head = self.head().await?;
        Ok(if position > head { Whereabouts::Beyond { head } } else { Whereabouts::Inside })
    }

    /// The last position of the log, [`Position::START`] if it is empty.
    async fn head(&self) -> Result<Position, StoreError>;

    /// The last position as it moves: the wake-up for whoever follows the log.
    fn tail(&self) -> watch::Receiver<Position>;

    /// How many events lie after `after`, up to `to`; an estimate where positions are not counters.
    fn distance(&self, after: Position, to: Position) -> u64 {
        to.value().saturating_sub(after.value())
    }
}
