//! What the tests of several slices need: an event store that is away, and the code of an error.

use std::sync::Arc;

use async_graphql::Error;
use async_trait::async_trait;
use infrastructure::event_store::{
    AllPage, Append, AppendError, Appended, Direction, EventStore, Position, Revision, StoreError, StreamId,
    StreamPage, TypeFilter,
};
use tokio::sync::watch;

/// An event store that cannot be reached.
#[derive(Debug)]
pub(super) struct Away;

impl Away {
    /// The same behind the port.
    pub(super) fn shared() -> Arc<dyn EventStore> {
        Arc::new(Self)
    }

    fn error() -> StoreError {
        StoreError::Unavailable("it is away".to_owned())
    }
}

#[async_trait]
impl EventStore for Away {
    async fn append(&self, _append: Append) -> Result<Appended, AppendError> {
        Err(AppendError::NotWritten(Self::error()))
    }

    async fn read_stream(
        &self,
        _stream: &StreamId,
        _from: Revision,
        _direction: Direction,
        _limit: usize,
    ) -> Result<StreamPage, StoreError> {
        Err(Self::error())
    }

    async fn read_all(&self, _after: Position, _filter: &TypeFilter, _limit: usize) -> Result<AllPage, StoreError> {
        Err(Self::error())
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Err(Self::error())
    }

    fn tail(&self) -> watch::Receiver<Position> {
        watch::channel(Position::START).1
    }
}

/// The code that clients see; none for what is broken, which the engine names.
pub(super) fn code(error: &Error) -> Option<String> {
    let code = error.extensions.as_ref()?.get("code")?.clone();
    Some(code.into_json().ok()?.as_str().expect("a code is a text").to_owned())
}
