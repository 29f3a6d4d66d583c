//! Snapshots in memory, for tests of what sits above.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{Snapshot, SnapshotStore};
use crate::{event_store::StreamId, read_store::ReadStoreError};

/// Forgets everything with its process.
#[derive(Debug, Default)]
pub struct MemorySnapshotStore {
    snapshots: Mutex<HashMap<StreamId, Snapshot>>,
}

impl MemorySnapshotStore {
    /// Without snapshots.
    pub fn new() -> Self {
        Self::default()
    }

    fn snapshots(&self) -> MutexGuard<'_, HashMap<StreamId, Snapshot>> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SnapshotStore for MemorySnapshotStore {
    async fn load(&self, stream: &StreamId) -> Result<Option<Snapshot>, ReadStoreError> {
        Ok(self.snapshots().get(stream).cloned())
    }

    async fn save(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), ReadStoreError> {
        self.snapshots().insert(stream.clone(), snapshot);
        Ok(())
    }
}
