//! Looking at the events of a running server from another process: reads only, takes no lock.

use std::{path::Path, sync::Arc};

use super::{PageLimits, SqliteEventStoreOptions, blocking, open, reader::Readers, to_i64, verify};
use crate::event_store::{AllPage, Direction, Position, Revision, StoreError, StreamId, StreamPage, TypeFilter};

/// An event store's file, to look at. It sees what is committed, whoever writes.
#[derive(Debug)]
pub struct SqliteEventVisitor {
    readers: Arc<Readers>,
    limits: PageLimits,
}

impl SqliteEventVisitor {
    /// Opens the file of an event store; it must exist.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteEventStoreOptions::default();
        let connection = open::visitor_connection(path, options.reader_cache_kib)?;
        let limits = PageLimits {
            events: 0,
            bytes: options.page_bytes_max,
            scanned: to_i64(u64::from(options.page_scanned_max)),
        };
        Ok(Self { readers: Readers::new(vec![connection], None), limits })
    }

    /// Checks the whole file, as [`super::SqliteEventStore::verify`] does, in one snapshot.
    pub async fn verify(&self) -> Result<(), StoreError> {
        blocking(&self.readers, verify::verify).await
    }

    /// The last position of the log.
    pub async fn head(&self) -> Result<Position, StoreError> {
        blocking(&self.readers, |reader| reader.head()).await
    }

    /// At most `limit` events after position `after`.
    pub async fn read_all(&self, after: Position, limit: usize) -> Result<AllPage, StoreError> {
        let limits = PageLimits { events: limit, ..self.limits };
        blocking(&self.readers, move |reader| reader.read_all(after, &TypeFilter::All, limits)).await
    }

    /// At most `limit` events of one stream, from revision `from` on.
    pub async fn read_stream(&self, stream: &StreamId, from: Revision, limit: usize) -> Result<StreamPage, StoreError> {
        let limits = PageLimits { events: limit, ..self.limits };
        let stream = stream.clone();
        blocking(&self.readers, move |reader| reader.read_stream(&stream, from, Direction::Forwards, limits)).await
    }
}
