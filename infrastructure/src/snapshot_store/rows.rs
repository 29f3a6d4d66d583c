//! Snapshots in a table of the read store: in the file beside the read models, or where processes share one, there.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Snapshot, SnapshotStore, sql};
use crate::{
    event_store::StreamId,
    read_store::{ReadStore, ReadStoreError, Statement},
};

/// The table is made if it is not there. Once, before it is used.
pub async fn prepare(rows: &dyn ReadStore) -> Result<(), ReadStoreError> {
    rows.transaction(vec![sql::create()]).await
}

/// Removes all snapshots, for where the log becomes another one. Needs [`prepare`].
pub fn forget_all() -> Statement {
    sql::delete_all()
}

/// Snapshots in a read store.
#[derive(Debug)]
pub struct ReadStoreSnapshots {
    rows: Arc<dyn ReadStore>,
}

impl ReadStoreSnapshots {
    /// Those in `rows`; the table is made if it is not there.
    pub async fn open(rows: Arc<dyn ReadStore>) -> Result<Self, ReadStoreError> {
        prepare(&*rows).await?;
        Ok(Self { rows })
    }
}

#[async_trait]
impl SnapshotStore for ReadStoreSnapshots {
    async fn load(&self, stream: &StreamId) -> Result<Option<Snapshot>, ReadStoreError> {
        let found = self.rows.query(sql::read(stream)).await?;
        Ok(found.first().and_then(sql::snapshot_of))
    }

    async fn save(&self, stream: &StreamId, snapshot: Snapshot) -> Result<(), ReadStoreError> {
        self.rows.transaction(vec![sql::write(stream, snapshot)]).await
    }
}
