//! Why an operator's order was not taken.

use std::borrow::Cow;

use infrastructure::{
    event_store::{Position, StoreError},
    read_store::ReadStoreError,
};
use uuid::Uuid;

use crate::{rebuild::EstimateError, shape::CheckError, track::ReleaseError};

/// Why an operator's order was not taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// There is no such projection.
    #[error("there is no projection {name}; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is, comma-separated.
        known: String,
    },
    /// One rebuild of a projection at a time.
    #[error("projection {0} is being rebuilt already")]
    AlreadyRebuilding(&'static str),
    /// A rebuild of the changed rows alone needs rows that can be folded one by one, and a generation to copy from.
    #[error("projection {name} cannot be rebuilt from a position on: {why}; rebuild it whole")]
    NotFromPosition {
        /// Which.
        name: &'static str,
        /// Why not.
        why: Cow<'static, str>,
    },
    /// A position of the log is beyond its end.
    #[error("position {position} is beyond the end of the log, {head}")]
    BeyondHead {
        /// What was asked for.
        position: Position,
        /// The end.
        head: Position,
    },
    /// There is nothing to go back to.
    #[error("projection {0} has no other generation to go back to")]
    NoStandby(&'static str),
    /// The generation cannot serve.
    #[error("generation {generation} of {name} cannot serve: {why}")]
    CannotServe {
        /// Which projection.
        name: &'static str,
        /// Which generation.
        generation: i64,
        /// Why.
        why: String,
    },
    /// The generation is not the one on standby.
    #[error("generation {generation} of {name} is not on standby")]
    UnknownGeneration {
        /// Which projection.
        name: &'static str,
        /// Which generation.
        generation: i64,
    },
    /// The projection is paused already.
    #[error("projection {0} is paused already")]
    AlreadyPaused(&'static str),
    /// The projection is neither paused nor stopped.
    #[error("projection {0} is neither paused nor stopped")]
    NotPaused(&'static str),
    /// Nothing of the key is parked.
    #[error("nothing with the key {key} is parked in {name}")]
    NotParked {
        /// Which projection.
        name: &'static str,
        /// Which key.
        key: Uuid,
    },
    /// The key waits for another event.
    #[error("key {key} of {name} does not wait for event {position}, or not for it first")]
    NotWaiting {
        /// Which projection.
        name: &'static str,
        /// Which key.
        key: Uuid,
        /// Which event.
        position: Position,
    },
    /// Rows of the model cannot be folded one by one.
    #[error("rows of {0} cannot be folded one by one; rebuild it instead")]
    NotByKey(&'static str),
    /// There is neither a row nor an event with these keys.
    #[error("{0}")]
    UnknownKeys(String),
    /// The events of a key cannot be folded.
    #[error("{0}")]
    Unfoldable(String),
    /// The projection serves no generation of this build's version.
    #[error("projection {0} serves no generation of this build's version yet")]
    NotServing(&'static str),
    /// A look at everything came to no end.
    #[error("{0}")]
    NotVerified(String),
    /// No process leads the projection just now.
    #[error(
        "no process leads projection {0} just now: start one that works (`millrace work`), or try again in a moment if one \
         was just lost"
    )]
    NoLead(&'static str),
    /// The worker has ended: the server stops.
    #[error("the server stops")]
    Stopping,
    /// The log is not the one that the read models were folded from.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The read store failed.
    #[error("the read store failed")]
    Rows(#[from] ReadStoreError),
    /// The event store failed.
    #[error("the event store failed")]
    Events(#[from] StoreError),
}

/// Why read models and log do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    /// The log is behind the read models: it is another one, or an older backup.
    #[error(
        "projection {name} has applied events up to {checkpoint}, but the log ends at {head}: the read store belongs to \
         another event store or to a newer copy of it. Restore the matching event store, or delete the read store; it is \
         rebuilt from the events"
    )]
    Ahead {
        /// Which projection.
        name: &'static str,
        /// Its checkpoint.
        checkpoint: Position,
        /// The end of the log.
        head: Position,
    },
    /// The log was longer than it is, or went on in another way.
    #[error(
        "event {event} at position {position}, which the read models have seen, is not in the log any more: the event store \
         was set back to an older copy. Restore the matching event store, or empty the read store; it is rebuilt from the \
         events"
    )]
    SetBack {
        /// Where the event was.
        position: Position,
        /// Its id.
        event: Uuid,
    },
    /// The read models are of another log.
    #[error(
        "the read models were folded from another log: the read store belongs to another event store. Set the event store \
         that belongs to it, or another, empty read store"
    )]
    Other,
}

impl ManagerError {
    pub(crate) fn of_release(error: ReleaseError, name: &'static str) -> Self {
        match error {
            ReleaseError::Events(error) => error.into(),
            ReleaseError::Rows(error) => error.into(),
            ReleaseError::NotWaiting { key, position } => Self::NotWaiting { name, key, position },
        }
    }

    pub(crate) fn of_check(error: CheckError, name: &'static str) -> Self {
        let text = error.to_string();
        match error {
            CheckError::NotByKey => Self::NotByKey(name),
            CheckError::Missing(_) => Self::UnknownKeys(text),
            CheckError::Unfoldable { .. } => Self::Unfoldable(text),
            CheckError::Finding(finding) => Self::NotVerified(finding),
            CheckError::Events(error) => error.into(),
            CheckError::Rows(error) => error.into(),
        }
    }
}

impl From<EstimateError> for ManagerError {
    fn from(error: EstimateError) -> Self {
        match error {
            EstimateError::Events(error) => error.into(),
            EstimateError::Rows(error) => error.into(),
        }
    }
}
