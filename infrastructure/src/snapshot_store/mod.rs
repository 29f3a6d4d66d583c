//! The snapshot store port: folded states of long streams, so that they need not be folded from their start.
//!
//! **A cache, never a source.** What is stored is a fold of events that are stored elsewhere: it may be lost, be old, be of
//! another log or of another build, and whoever loads it must find that out (infrastructure/src/execute/snapshots.rs does).
//! Nothing here knows what a state means.

mod memory;
mod rows;
mod sql;

use async_trait::async_trait;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

pub use memory::MemorySnapshotStore;
pub use rows::{ReadStoreSnapshots, forget_all, prepare};

use crate::{
    event_store::{Position, RecordedEvent, Revision, StreamId},
    read_store::ReadStoreError,
};

/// A stream as it was right after one of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The version under which `state` was written.
    pub version: u32,
    /// The last event that is in it.
    pub tip: Tip,
    /// The state as its aggregate writes it.
    pub state: String,
    /// The commands that the stream remembers, as the executor writes them.
    pub receipts: String,
}

/// An event, as far as it takes to tell it from every other: those of another log, too, or of a log that was set back and
/// written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its place in the stream.
    pub revision: Revision,
    /// Its place in the log.
    pub position: Position,
    /// Its id. A command that is sent again after the log was set back gives its event the same one.
    pub id: Uuid,
    /// When it was recorded, in microseconds since 1970. That differs, should all else be the same.
    pub recorded_at: i64,
}

impl From<&RecordedEvent> for Tip {
    fn from(event: &RecordedEvent) -> Self {
        let recorded_at = event.recorded_at.timestamp_micros();
        Self { revision: event.revision, position: event.position, id: event.id, recorded_at }
    }
}

impl Snapshot {
    /// A number over all of it, stored beside it: what a device has changed must not pass for a state.
    pub fn checksum(&self) -> u64 {
        let Self { version, tip, state, receipts } = self;
        let mut hash = Xxh3::new();
        hash.update(&version.to_le_bytes());
        hash.update(&tip.revision.value().to_le_bytes());
        hash.update(&tip.position.value().to_le_bytes());
        hash.update(tip.id.as_bytes());
        hash.update(&tip.recorded_at.to_le_bytes());
        hash.update(&(state.len() as u64).to_le_bytes());
        hash.update(state.as_bytes());
        hash.update(receipts.as_bytes());
        hash.digest()
    }
}

/// The newest snapshot of each stream.
///
/// Promises, each tested in `tests/src/contracts/snapshot_store.rs` against every adapter:
///
/// 1. What is loaded is what was saved last, byte for byte, or nothing. Never a part of it, nor parts of two.
/// 2. A snapshot that was damaged where it lay is not loaded (durable adapters).
/// 3. Streams do not touch each other, whatever their categories.
#[async_trait]
pub trait SnapshotStore: Send + Sync + std::fmt::Debug {
    /// The snapshot of a stream, if there is one that is whole.
    async fn load(&self, stream: &StreamId) -> Result<Option<Snapshot>, ReadStoreError>;

    /// Puts a snapshot in the place of the one before, whichever of them is newer.
    async fn save(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), ReadStoreError>;
}
