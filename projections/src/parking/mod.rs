//! Parking by key: an event that cannot be applied keeps back its own key, and nothing else.
//!
//! What is parked is a pointer to the event, never a copy. Later events of the key queue behind it in order, so the key
//! is released whole: by a retry, by a skip with a reason, or by a new build. **Invariant:** the entry is written in the
//! transaction that moves the checkpoint past the event, so no event is ever passed without a trace.

mod keys;
mod policy;
pub(crate) mod sql;
#[cfg(test)]
mod tests;

use domain::Timestamp;
use infrastructure::event_store::{Name, Position, Revision, StreamId};
use uuid::Uuid;

pub(crate) use keys::ParkedKeys;
pub use policy::OnFailure;
pub(crate) use sql::forget;

/// How one parked event is waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParkedState {
    /// It cannot be applied: the key waits for it.
    Failed,
    /// It waits behind another one of its key.
    Queued,
    /// An operator passed over it.
    Skipped,
}

impl ParkedState {
    const ALL: [Self; 3] = [Self::Failed, Self::Queued, Self::Skipped];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Queued => "queued",
            Self::Skipped => "skipped",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A pointer to an event that is not applied to its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedEvent {
    /// The projection.
    pub projection: String,
    /// The generation of its tables.
    pub generation: i64,
    /// The key that waits: of the row, or of the stream where the event does not tell the row.
    pub key: Uuid,
    /// The event's place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place there.
    pub revision: Revision,
    /// Its type.
    pub type_name: Name,
    /// How it waits.
    pub state: ParkedState,
    /// Why it failed, with the causes; of a skipped one also the reason to skip it. None if it only waits behind another.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it failed first, or got in line.
    pub first_at: Timestamp,
    /// When it was tried last.
    pub last_at: Timestamp,
    /// When it is tried again by itself; none: not before an operator orders it or a new build starts.
    pub next_retry: Option<Timestamp>,
    /// The version of the projection that could not apply it.
    pub version: i64,
    /// What that build could decode.
    pub(crate) build: String,
}

/// Which parked events to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkedFilter {
    /// Of this projection only.
    pub projection: Option<String>,
    /// Of this key only.
    pub key: Option<Uuid>,
    /// Of this event type only.
    pub type_name: Option<String>,
    /// In this state only.
    pub state: Option<ParkedState>,
}

/// The place of a parked event in the list of all: by projection, then by position.
pub type ParkedPlace = (String, Position, Uuid);

/// A part of the list of parked events.
#[derive(Clone, Debug, Default)]
pub struct ParkedPage {
    /// Which of them.
    pub filter: ParkedFilter,
    /// Only those after this place.
    pub after: Option<ParkedPlace>,
    /// Only those before this place.
    pub before: Option<ParkedPlace>,
    /// The last ones instead of the first, in reverse order.
    pub from_end: bool,
    /// How many at most.
    pub limit: usize,
}
