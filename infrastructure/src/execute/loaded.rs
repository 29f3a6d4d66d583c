//! A stream folded into its aggregate's state, with the commands it holds.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use domain::Decider;
use uuid::Uuid;

use super::{Current, Executed, error::ExecuteError, metadata::CommandMark};
use crate::{
    codec::{self, DecodeError},
    event_store::{
        Direction, EventStore, ExpectedRevision, PAGE_EVENTS_MAX, Position, RecordedEvent, Revision, StreamId,
    },
};

/// What one command left behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) position: Position,
    pub(super) input_hash: Option<Uuid>,
}

/// A folded stream.
#[derive(Debug)]
pub(super) struct Loaded<D: Decider> {
    pub(super) state: Arc<D::State>,
    pub(super) revision: Option<Revision>,
    pub(super) position: Position,
    pub(super) commands: HashMap<Uuid, Receipt>,
}

impl<D: Decider> Default for Loaded<D> {
    fn default() -> Self {
        Self { state: Arc::default(), revision: None, position: Position::START, commands: HashMap::new() }
    }
}

impl<D: Decider> Clone for Loaded<D> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            revision: self.revision,
            position: self.position,
            commands: self.commands.clone(),
        }
    }
}

impl<D: Decider> Loaded<D> {
    /// Folds what the stream holds beyond what is loaded already.
    pub(super) async fn catch_up(
        mut self,
        store: &dyn EventStore,
        stream: &StreamId,
    ) -> Result<Self, ExecuteError<D::Rejection>> {
        loop {
            let from = ExpectedRevision::after(self.revision).first_new();
            let page = store
                .read_stream(stream, from, Direction::Forwards, PAGE_EVENTS_MAX)
                .await
                .map_err(ExecuteError::Store)?;
            for event in &page.events {
                self.apply(event)
                    .map_err(|source| ExecuteError::Undecodable { stream: stream.clone(), source: Arc::new(source) })?;
            }
            if page.is_end {
                return Ok(self);
            }
        }
    }

    fn apply(&mut self, recorded: &RecordedEvent) -> Result<(), DecodeError> {
        let fold = || -> Result<(), DecodeError> {
            let event = codec::decode::<D::Event>(&recorded.type_name, &recorded.data)?;
            let state = Arc::unwrap_or_clone(std::mem::take(&mut self.state));
            self.state = Arc::new(D::evolve(state, &event));
            Ok(())
        };
        // What is half folded is thrown away by the caller.
        std::panic::catch_unwind(AssertUnwindSafe(fold))
            .unwrap_or_else(|_| Err(DecodeError::Panicked { type_name: recorded.type_name.to_string() }))?;
        self.revision = Some(recorded.revision);
        self.position = recorded.position;
        if let Ok(mark) = serde_json::from_str::<CommandMark>(&recorded.metadata) {
            self.commands.insert(mark.command_id, Receipt { position: recorded.position, input_hash: mark.input_hash });
        }
        Ok(())
    }

    pub(super) fn current(&self) -> Current<D::State> {
        Current { state: Arc::clone(&self.state), revision: self.revision, position: self.position }
    }

    pub(super) fn executed(&self, position: Position, is_repeat: bool) -> Executed<D::State> {
        Executed { position, revision: self.revision, state: Arc::clone(&self.state), is_repeat }
    }

    /// Rough bytes, for the cache's bound.
    pub(super) fn weight(&self) -> u64 {
        let receipts = self.commands.capacity() * (size_of::<(Uuid, Receipt)>() + 1);
        (size_of::<Self>() + D::weight(&self.state) + receipts) as u64
    }
}
