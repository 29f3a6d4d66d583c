//! What an operator can do to a projection, or to a process.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An action on one projection, the last on one process. Positions are places in the log of all events, as `millrace events` numbers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OperatorAction {
    /// Let it stand still.
    Pause {
        /// Once it has applied everything up to here; none: now.
        at: Option<u64>,
    },
    /// Let it go on.
    Resume,
    /// Build its next generation.
    Rebuild {
        /// The first position that is looked at; none: the beginning.
        from: Option<u64>,
    },
    /// Serve the generation before again.
    Rollback,
    /// Remove a generation that does not serve.
    DiscardGeneration {
        /// Its number.
        generation: i64,
    },
    /// Try parked events again.
    RetryParked {
        /// Those of this key; none: of all keys.
        key: Option<Uuid>,
    },
    /// Go on as if a parked event did nothing. It stays in the log.
    SkipParked {
        /// The key that is parked.
        key: Uuid,
        /// The event.
        position: u64,
    },
    /// Fold some rows anew from their events.
    Repair {
        /// Their keys: at least one, at most [`super::REPAIR_KEYS_MAX`], each once.
        keys: Vec<Uuid>,
    },
    /// To a process: try the steps again that did not work. The process reads of it here.
    RetrySteps {
        /// Those of this key.
        key: Uuid,
    },
}
