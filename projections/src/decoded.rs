//! An event with its place in the log, decoded once for everybody.

use std::sync::Arc;

use domain::{Event, Timestamp};
use infrastructure::{
    codec::{self, DecodeError},
    event_store::{Name, Position, RecordedEvent, Revision, StreamId},
};

/// A recorded event, decoded.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub revision: Revision,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Its stored type name.
    pub type_name: Name,
    /// What happened; shared by all who follow the log.
    pub event: Arc<Event>,
    /// How large it is in the store, in bytes: what it weighs in memory, about.
    pub bytes: usize,
}

/// Where an event is, and what it calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: Position,
    pub(crate) stream: StreamId,
    pub(crate) revision: Revision,
    pub(crate) type_name: Name,
}

impl Place {
    pub(crate) fn of(event: &Decoded) -> Self {
        Self {
            position: event.position,
            stream: event.stream.clone(),
            revision: event.revision,
            type_name: event.type_name.clone(),
        }
    }

    pub(crate) fn of_recorded(event: &RecordedEvent) -> Self {
        Self {
            position: event.position,
            stream: event.stream.clone(),
            revision: event.revision,
            type_name: event.type_name.clone(),
        }
    }
}

/// An event that this build cannot read, and why.
#[derive(Clone, Debug)]
pub(crate) struct Undecodable {
    pub(crate) place: Place,
    pub(crate) error: String,
}

impl Decoded {
    /// Decodes a recorded event. A panicking upcaster counts as a failure of that event.
    pub fn decode(recorded: &RecordedEvent) -> Result<Self, DecodeError> {
        let event = codec::decode_foreign(&recorded.type_name, &recorded.data)?;
        Ok(Self {
            position: recorded.position,
            stream: recorded.stream.clone(),
            revision: recorded.revision,
            recorded_at: recorded.recorded_at,
            type_name: recorded.type_name.clone(),
            event: Arc::new(event),
            bytes: recorded.data.len(),
        })
    }

    /// The same, with what is known of an event that cannot be decoded.
    pub(crate) fn or_why(recorded: &RecordedEvent) -> Result<Self, Undecodable> {
        Self::decode(recorded)
            .map_err(|error| Undecodable { place: Place::of_recorded(recorded), error: error.to_string() })
    }
}
