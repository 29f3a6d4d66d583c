//! What a worker holds: slices of a generation to carry on, or one that it can only show.

use infrastructure::event_store::Position;

use crate::track::Track;

/// The generation that a worker serves.
#[derive(Debug)]
pub(crate) enum Held {
    /// None yet.
    Nothing,
    /// One that this build carries on.
    Track(Box<Track>),
    /// One of another version, as it stands.
    Frozen(Frozen),
}

/// A generation that this build can only read.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    pub(crate) generation: i64,
    pub(crate) version: i64,
    pub(crate) form: String,
    pub(crate) position: Position,
    /// Whether queries of this build can read it. Otherwise it waits for a build that can.
    pub(crate) is_readable: bool,
}

impl Held {
    pub(crate) fn track(&self) -> Option<&Track> {
        match self {
            Self::Track(track) => Some(track),
            Self::Nothing | Self::Frozen(_) => None,
        }
    }

    pub(crate) fn position(&self) -> Option<Position> {
        match self {
            Self::Nothing => None,
            Self::Track(track) => Some(track.position),
            Self::Frozen(frozen) => frozen.is_readable.then_some(frozen.position),
        }
    }
}
