//! An event with its place in the log, decoded once for everybody.

use std::panic::AssertUnwindSafe;

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
    /// What happened.
    pub event: Event,
}

impl Decoded {
    /// Decodes a recorded event. A panicking upcaster counts as a failure of that event.
    pub fn decode(recorded: &RecordedEvent) -> Result<Self, DecodeError> {
        let decode = || codec::decode::<Event>(&recorded.type_name, &recorded.data);
        let event = std::panic::catch_unwind(AssertUnwindSafe(decode))
            .unwrap_or_else(|_| Err(DecodeError::Panicked { type_name: recorded.type_name.to_string() }))?;
        Ok(Self {
            position: recorded.position,
            stream: recorded.stream.clone(),
            revision: recorded.revision,
            recorded_at: recorded.recorded_at,
            type_name: recorded.type_name.clone(),
            event,
        })
    }
}
