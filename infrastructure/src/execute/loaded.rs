//! A stream folded into its aggregate's state, with the commands it remembers.

use std::{panic::AssertUnwindSafe, sync::Arc};

use domain::Decider;

use super::{
    Current,
    error::ExecuteError,
    metadata::CommandMark,
    receipts::{Receipt, Receipts},
};
use crate::{
    codec::{self, DecodeError},
    event_store::{
        Direction, EventStore, ExpectedRevision, PAGE_EVENTS_MAX, Position, RecordedEvent, Revision, StreamId,
    },
    snapshot_store::Tip,
};

/// A folded stream.
#[derive(Debug)]
pub(super) struct Loaded<D: Decider> {
    pub(super) state: Arc<D::State>,
    /// Its last event; none if it has no events.
    pub(super) tip: Option<Tip>,
    pub(super) receipts: Receipts,
    /// How many of its events are in its snapshot, or were meant to be.
    pub(super) in_snapshot: u64,
}

impl<D: Decider> Default for Loaded<D> {
    fn default() -> Self {
        Self { state: Arc::default(), tip: None, receipts: Receipts::default(), in_snapshot: 0 }
    }
}

impl<D: Decider> Clone for Loaded<D> {
    fn clone(&self) -> Self {
        let Self { state, tip, receipts, in_snapshot } = self;
        Self { state: Arc::clone(state), tip: *tip, receipts: receipts.clone(), in_snapshot: *in_snapshot }
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
            let from = ExpectedRevision::after(self.revision()).first_new();
            let page = store
                .read_stream(stream, from, Direction::Forwards, PAGE_EVENTS_MAX)
                .await
                .map_err(ExecuteError::Store)?;
            self.apply(&page.events, stream)?;
            if page.is_end {
                return Ok(self);
            }
        }
    }

    /// Folds the next events of the stream.
    pub(super) fn apply(
        &mut self,
        events: &[RecordedEvent],
        stream: &StreamId,
    ) -> Result<(), ExecuteError<D::Rejection>> {
        let undecodable = |source| ExecuteError::Undecodable { stream: stream.clone(), source: Arc::new(source) };
        events.iter().try_for_each(|event| self.apply_one(event)).map_err(undecodable)
    }

    fn apply_one(&mut self, recorded: &RecordedEvent) -> Result<(), DecodeError> {
        let fold = || -> Result<(), DecodeError> {
            let event = codec::decode::<D::Event>(&recorded.type_name, &recorded.data)?;
            let state = Arc::unwrap_or_clone(std::mem::take(&mut self.state));
            self.state = Arc::new(D::evolve(state, &event));
            Ok(())
        };
        // What is half folded is thrown away by the caller.
        std::panic::catch_unwind(AssertUnwindSafe(fold))
            .unwrap_or_else(|_| Err(DecodeError::Panicked { type_name: recorded.type_name.to_string() }))?;
        self.tip = Some(recorded.into());
        if let Ok(mark) = serde_json::from_str::<CommandMark>(&recorded.metadata) {
            let receipt = Receipt { position: recorded.position, input_hash: mark.input_hash };
            self.receipts.insert(mark.command_id, receipt);
        }
        Ok(())
    }

    pub(super) fn revision(&self) -> Option<Revision> {
        self.tip.map(|tip| tip.revision)
    }

    /// The position of its last event.
    pub(super) fn position(&self) -> Position {
        self.tip.map_or(Position::START, |tip| tip.position)
    }

    /// How many events it has.
    pub(super) fn events(&self) -> u64 {
        self.tip.map_or(0, |tip| tip.revision.value() + 1)
    }

    pub(super) fn current(&self) -> Current<D::State> {
        Current { state: Arc::clone(&self.state), revision: self.revision(), position: self.position() }
    }

    /// Rough bytes, for the cache's bound.
    pub(super) fn weight(&self) -> u64 {
        (size_of::<Self>() + D::weight(&self.state) + self.receipts.weight()) as u64
    }
}
