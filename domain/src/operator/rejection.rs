//! Why an operator's action is refused.

use uuid::Uuid;

use super::REPAIR_KEYS_MAX;
use crate::{Timestamp, values::Actor};

/// An answer to whoever asked; never stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorRejection {
    /// It stands still already.
    #[error("the projection is paused already, by {by} since {since}")]
    AlreadyPaused {
        /// Who paused it.
        by: Actor,
        /// When.
        since: Timestamp,
    },
    /// An event is given up only for a reason that can be read later.
    #[error("say why the event is to be skipped")]
    ReasonMissing,
    /// There is nothing to repair.
    #[error("there are no keys")]
    NoKeys,
    /// There are so many keys.
    #[error("there are {0} keys, at most {REPAIR_KEYS_MAX} are repaired at once")]
    TooManyKeys(usize),
    /// This key stands there twice.
    #[error("the key {0} is there more than once")]
    RepeatedKey(Uuid),
}
