//! Checksums of streams: what proves that a log and its copy are the same.
//!
//! The checksum of a stream is that of its last event: SHA-256 over the checksum of the event before (32 zero bytes
//! before the first) and the event's revision, id, type, recorded time, metadata and data, each with its length before
//! it. Positions are left out, because they differ between stores. The digest over all streams is SHA-256 over stream
//! and checksum of every event, in the order of the log.

use std::{collections::HashMap, fmt};

use infrastructure::event_store::{Name, RecordedEvent, StreamId};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The checksum of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checksum([u8; 32]);

impl Checksum {
    /// That of the stream with one more event.
    #[must_use]
    pub(super) fn with(self, event: &RecordedEvent) -> Self {
        let mut hash = Sha256::new();
        add(&mut hash, &self.0);
        add(&mut hash, &event.revision.value().to_le_bytes());
        add(&mut hash, event.id.as_bytes());
        add(&mut hash, event.type_name.as_bytes());
        add(&mut hash, &event.recorded_at.timestamp_micros().to_le_bytes());
        add(&mut hash, event.metadata.as_bytes());
        add(&mut hash, event.data.as_bytes());
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Length and bytes, so that nothing can move from one field into the next.
fn add(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// The checksums of all streams of a log, as it is read from its beginning. Some 60 bytes for each stream.
#[derive(Debug, Default)]
pub(super) struct Checksums {
    categories: HashMap<Name, u32>,
    /// By the category's number and the stream's id.
    streams: HashMap<(u32, Uuid), Checksum>,
    events: u64,
    log: Sha256,
}

impl Checksums {
    /// The checksum of a stream so far.
    pub(super) fn of(&mut self, stream: &StreamId) -> Checksum {
        let key = self.key(stream);
        self.streams.get(&key).copied().unwrap_or_default()
    }

    /// Takes the next event, with which its stream has this checksum.
    pub(super) fn take(&mut self, event: &RecordedEvent, checksum: Checksum) {
        let key = self.key(&event.stream);
        self.streams.insert(key, checksum);
        self.events += 1;
        add(&mut self.log, event.stream.category.as_bytes());
        add(&mut self.log, event.stream.id.as_bytes());
        add(&mut self.log, &checksum.0);
    }

    fn key(&mut self, stream: &StreamId) -> (u32, Uuid) {
        if let Some(number) = self.categories.get(&stream.category) {
            return (*number, stream.id);
        }
        let number = u32::try_from(self.categories.len()).expect("nobody has so many kinds of streams");
        self.categories.insert(stream.category.clone(), number);
        (number, stream.id)
    }

    /// How many events there are.
    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    /// How many streams they are of.
    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// The digest over all of them.
    pub(super) fn digest(self) -> String {
        format!("{:x}", self.log.finalize())
    }
}

#[cfg(test)]
mod tests;
