//! Keys that wait for an event that this build cannot read.

use uuid::Uuid;

use crate::{
    codec::DecodeCode,
    event_store::{Name, Position},
};

/// A key that waits: nothing is done for it, because what is known of it has a hole. A pointer to the event, never a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedKey {
    /// Whose event it is.
    pub key: Uuid,
    /// Where the event stands.
    pub position: Position,
    /// Its stored name.
    pub type_name: Name,
    /// Why it cannot be read, for programs.
    pub code: DecodeCode,
    /// Why it cannot be read, for people.
    pub reason: String,
    /// A position of the log before it, with no event of the process in between.
    pub(super) after: Position,
}

/// Where a parked key waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the log is to be read on from.
    pub(super) after: Position,
    /// Where the event stands.
    pub(super) position: Position,
}

/// A parked key that is folded anew.
#[derive(Debug)]
pub(super) struct Mended<S> {
    /// Where it waited.
    pub(super) place: Place,
    /// What is known of it by now.
    pub(super) state: S,
    /// The last event of the state.
    pub(super) cause: Option<Uuid>,
    /// What it waits for all the same.
    pub(super) still: Option<ParkedKey>,
}

impl ParkedKey {
    pub(super) const fn place(&self) -> Place {
        Place { after: self.after, position: self.position }
    }
}
