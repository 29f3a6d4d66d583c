//! An event as the server keeps it, both ways.
//!
//! Id, type and data are the server's own. Its metadata is an envelope: the time and the metadata of the port, byte for
//! byte, and the ids of the conversation under the names that the server's tools know. Events that somebody else wrote
//! into one of our streams have no envelope and are read as far as they go.
//!
//! **Invariant:** an event of one of our streams is never left out for its content. What is no text is given as data
//! that does not decode, so that whoever decodes it decides.

use std::borrow::Cow;

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    super::{Name, NewEvent, Position, RecordedEvent, Revision, StoreError, StreamId},
    failure::Failure,
    wire::{ProposedEvent, WireEvent, WireId},
};

/// How the names of the server's own types and streams begin.
pub(super) const SYSTEM_PREFIX: char = '$';
/// What stands before data that is no text. No JSON begins like this.
const NO_TEXT: &str = "not UTF-8: ";
/// The server's names for what it keeps beside an event, and for data that is JSON or is not.
const TYPE: &str = "type";
const CONTENT_TYPE: &str = "content-type";
const CREATED: &str = "created";
const JSON: &str = "application/json";
const BINARY: &str = "application/octet-stream";
/// The length of a UUID in a stream's name.
const UUID_CHARS: usize = 36;

/// What is kept beside the data.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "$correlationId", default, skip_serializing_if = "Option::is_none")]
    correlation: Option<Uuid>,
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    causation: Option<Uuid>,
    /// When the event was decided: RFC 3339 with microseconds.
    #[serde(borrow)]
    at: Cow<'a, str>,
    /// The port's metadata, if it is a JSON object.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    /// The port's metadata, if it is another text.
    #[serde(borrow, rename = "metadataText", default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
}

/// The part of our metadata that the server's tools have names for.
#[derive(Default, Deserialize)]
struct Conversation {
    #[serde(default)]
    correlation_id: Option<Uuid>,
    #[serde(default)]
    causation_id: Option<Uuid>,
}

/// The event as it is sent: the same bytes for the same event.
pub(super) fn to_server(event: &NewEvent) -> ProposedEvent {
    let content_type = if as_is(&event.data).is_some() { JSON } else { BINARY };
    let properties = [(TYPE, event.type_name.to_string()), (CONTENT_TYPE, content_type.to_owned())];
    ProposedEvent {
        id: Some(event.id.into()),
        properties: properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        metadata: envelope(event).into(),
        data: event.data.clone().into_bytes().into(),
    }
}

fn envelope(event: &NewEvent) -> Vec<u8> {
    let metadata = as_is(&event.metadata).filter(|_| event.metadata.starts_with('{'));
    // Metadata without these ids, or with other things under their names, has no conversation to show.
    let conversation: Conversation = metadata.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let envelope = Envelope {
        correlation: conversation.correlation_id,
        causation: conversation.causation_id,
        at: time_text(event.at).into(),
        metadata,
        text: metadata.is_none().then(|| event.metadata.as_str().into()),
    };
    serde_json::to_vec(&envelope).expect("an envelope is plain data")
}

/// The text as JSON that is written as it stands; none if it is not JSON, or has blanks around it.
fn as_is(text: &str) -> Option<&RawValue> {
    serde_json::from_str::<&RawValue>(text).ok().filter(|raw| raw.get().len() == text.len())
}

/// RFC 3339 in UTC with microseconds; finer parts are left out.
fn time_text(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// An event as the server gives it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored<'a> {
    /// The name of its stream, which may be any bytes.
    pub(super) stream: &'a [u8],
    pub(super) revision: u64,
    pub(super) id: Uuid,
    pub(super) type_name: &'a str,
    /// Its two positions: they are the same for whatever was not written in a transaction of an old server.
    pub(super) commit: u64,
    pub(super) prepare: u64,
    /// When the server wrote it.
    pub(super) created: Timestamp,
    pub(super) metadata: &'a [u8],
    pub(super) data: &'a [u8],
}

impl<'a> TryFrom<&'a WireEvent> for Stored<'a> {
    type Error = Failure;

    fn try_from(event: &'a WireEvent) -> Result<Self, Failure> {
        let missing = |what| Failure::Store(StoreError::Corrupt(format!("the server gave an event without {what}")));
        Ok(Self {
            stream: &event.stream.as_ref().ok_or_else(|| missing("stream"))?.name,
            revision: event.revision,
            id: event.id.as_ref().and_then(WireId::uuid).ok_or_else(|| missing("id"))?,
            type_name: event.properties.get(TYPE).ok_or_else(|| missing("type"))?,
            commit: event.commit,
            prepare: event.prepare,
            created: created(event),
            metadata: &event.metadata,
            data: &event.data,
        })
    }
}

impl Stored<'_> {
    /// Its stream, if that is one of ours.
    pub(super) fn our_stream(&self) -> Option<StreamId> {
        std::str::from_utf8(self.stream).ok().and_then(stream_of)
    }

    /// Whether the server wrote it for itself.
    pub(super) fn is_of_system(&self) -> bool {
        self.type_name.starts_with(SYSTEM_PREFIX)
    }

    /// It in the port's words, as an event of `stream`.
    pub(super) fn in_stream(&self, stream: StreamId) -> Result<RecordedEvent, Failure> {
        if self.commit != self.prepare {
            return Err(Failure::Store(StoreError::Format(format!(
                "the event at {}/{} was written in a transaction of an old server, which is not supported",
                self.commit, self.prepare
            ))));
        }
        let (recorded_at, metadata) = self.opened();
        Ok(RecordedEvent {
            position: Position::new(self.commit),
            stream,
            revision: Revision::new(self.revision),
            id: self.id,
            type_name: Name::from(self.type_name),
            recorded_at,
            metadata,
            data: text(self.data),
        })
    }

    /// Time and metadata, out of the envelope if there is one.
    fn opened(&self) -> (Timestamp, String) {
        if let Ok(Envelope { at, metadata, text, .. }) = serde_json::from_slice(self.metadata)
            && let Ok(at) = at.parse::<Timestamp>()
            && let Some(metadata) = metadata.map(|raw| raw.get().to_owned()).or_else(|| text.map(Cow::into_owned))
        {
            return (at, metadata);
        }
        let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(self.metadata).is_ok();
        (self.created, if is_object { text(self.metadata) } else { "{}".to_owned() })
    }
}

/// The stream with this name, if it is one of ours: category and id.
pub(super) fn stream_of(name: &str) -> Option<StreamId> {
    let (category, id) = name.split_at_checked(name.len().checked_sub(UUID_CHARS)?)?;
    let category = category.strip_suffix('-')?;
    let uuid = Uuid::try_parse(id).ok()?;
    // Another spelling of the same id is another stream.
    let is_ours = !category.starts_with(SYSTEM_PREFIX) && uuid.as_hyphenated().to_string() == id;
    is_ours.then(|| StreamId::new(category, uuid))
}

/// When the server wrote the event. It counts in steps of 100 ns; one that does not tell wrote it at the beginning.
fn created(event: &WireEvent) -> Timestamp {
    let steps = event.properties.get(CREATED).and_then(|steps| steps.parse::<i64>().ok());
    steps.and_then(|steps| Timestamp::from_timestamp_micros(steps / 10)).unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{NO_TEXT}{}", String::from_utf8_lossy(bytes)),
    }
}

#[cfg(test)]
mod tests;
