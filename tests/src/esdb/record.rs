//! One event of the double's log, and how the engine keeps it.
//!
//! The engine knows streams named category-uuid and payloads that are text. Everything else a client of the protocol
//! may send goes through it too, so that there is one log and one set of rules: a stream with another name is a
//! stream of the category [`OTHER`] whose id follows from the name, and an envelope in the engine's metadata keeps
//! what the engine has no place for. What is larger than the engine takes travels ahead of it in parcels.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::Timestamp;
use infrastructure::event_store::{APPEND_BYTES_MAX, EVENT_BYTES_MAX, Name, NewEvent, RecordedEvent, StreamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The engine's category of streams that are not named category-uuid.
pub(super) const OTHER: &str = "~other";
/// The engine's category of tombstones: the mark must not take a revision of the stream it ends.
pub(super) const TOMBSTONE: &str = "~tombstone";
/// The engine's category of payloads that are too large for it; no stream of the log.
pub(super) const PARCEL: &str = "~parcel";
/// The type of a tombstone, as the server names it.
pub(super) const STREAM_DELETED: &str = "$streamDeleted";
/// The revision of a tombstone, and the `$tb` of a stream that is deleted softly: the server's
/// `EventNumber.DeletedStream`. Source: SystemStreams/EventNumber in the server's Core project. Live: not verified.
pub(super) const DELETED: u64 = i64::MAX as u64;

/// The bytes of a parcel's piece: base64 makes 128 KiB of them.
const PIECE_BYTES: usize = 96 * 1024;
/// Pieces that fit into one append of the engine.
pub(super) const PIECES_PER_APPEND: usize = 3;

/// An event of the log as clients see it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// Its place in the log; not a counter (see [`Record::bytes`]).
    pub(super) position: u64,
    /// The name of its stream.
    pub(super) stream: Name,
    /// Its place in the stream.
    pub(super) revision: u64,
    /// Its id.
    pub(super) id: Uuid,
    /// Its type.
    pub(super) type_name: Name,
    /// When the double wrote it.
    pub(super) created: Timestamp,
    /// Whether the payload is declared as JSON.
    pub(super) is_json: bool,
    /// The client's metadata.
    pub(super) metadata: Bytes,
    /// The payload.
    pub(super) data: Bytes,
}

impl Record {
    /// How many positions it takes: its size with a header, as in a log of bytes.
    pub(super) fn bytes(&self) -> u64 {
        let size = 61 + self.stream.len() + self.type_name.len() + self.metadata.len() + self.data.len();
        size as u64
    }

    /// Whether it is the system's own: its type begins with `$`.
    pub(super) fn is_tombstone(&self) -> bool {
        self.revision == DELETED
    }
}

/// An event as a client sends it.
#[derive(Clone, Debug)]
pub(super) struct Proposed {
    /// Its id.
    pub(super) id: Uuid,
    /// Its type.
    pub(super) type_name: String,
    /// Whether the payload is declared as JSON.
    pub(super) is_json: bool,
    /// The client's metadata.
    pub(super) metadata: Bytes,
    /// The payload.
    pub(super) data: Bytes,
}

impl Proposed {
    /// Its size against the limits of an append.
    pub(super) fn bytes(&self) -> usize {
        self.type_name.len() + self.metadata.len() + self.data.len()
    }
}

/// Where the engine keeps the stream of this name.
pub(super) fn engine_stream(name: &str) -> StreamId {
    named_for_engine(name).unwrap_or_else(|| StreamId::new(OTHER, name_id(name)))
}

/// Where the engine keeps the tombstone of the stream of this name.
pub(super) fn engine_tombstone(name: &str) -> StreamId {
    StreamId::new(TOMBSTONE, name_id(name))
}

fn name_id(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// The engine's own reading of a name, if it is one of its names to the letter.
fn named_for_engine(name: &str) -> Option<StreamId> {
    let (head, id) = name.split_at_checked(name.len().checked_sub(36)?)?;
    let category = head.strip_suffix('-')?;
    let is_free = !category.is_empty() && !category.starts_with(['$', '~']);
    let stream = StreamId::new(category, id.parse().ok()?);
    (is_free && stream.to_string() == name).then_some(stream)
}

/// What the engine has no place for. Stored as the engine's metadata.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Envelope {
    /// The stream's name where the engine has another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    is_json: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Payload>,
    /// The payload where the engine's data is not it.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Payload>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Payload {
    Text(String),
    Base64(String),
    /// Bytes of a parcel.
    Parcel {
        id: Uuid,
        start: usize,
        end: usize,
    },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Enveloped {
    double: Envelope,
}

/// What an append is for the engine.
#[derive(Debug)]
pub(super) struct Packed {
    /// The events.
    pub(super) events: Vec<NewEvent>,
    /// What must be in the engine before them: the stream and its events, of which an append takes
    /// [`PIECES_PER_APPEND`].
    pub(super) parcel: Option<(StreamId, Vec<NewEvent>)>,
}

/// Packs the events of an append to the stream `name`. A parcel, if it takes one, has the id `parcel`.
pub(super) fn pack(name: &str, events: &[Proposed], at: Timestamp, parcel: Uuid) -> Packed {
    let stream = named_for_engine(name).is_none().then(|| name.to_owned());
    let packed: Vec<_> = events.iter().map(|event| pack_inline(event, stream.clone(), at)).collect();
    let is_small = packed.iter().all(|event| event.bytes() <= EVENT_BYTES_MAX)
        && packed.iter().map(NewEvent::bytes).sum::<usize>() <= APPEND_BYTES_MAX;
    if is_small {
        return Packed { events: packed, parcel: None };
    }
    let mut bytes = Vec::new();
    let mut put = |payload: &[u8]| {
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        Payload::Parcel { id: parcel, start, end: bytes.len() }
    };
    let events = events
        .iter()
        .map(|event| {
            let (metadata, data) = (put(&event.metadata), put(&event.data));
            let envelope =
                Envelope { stream: stream.clone(), is_json: event.is_json, metadata: Some(metadata), data: Some(data) };
            new_event(event.id, &event.type_name, at, envelope, String::new())
        })
        .collect();
    let pieces = bytes.chunks(PIECE_BYTES).enumerate().map(|(number, piece)| NewEvent {
        id: Uuid::new_v5(&parcel, &number.to_be_bytes()),
        type_name: PARCEL.into(),
        at,
        metadata: "{}".to_owned(),
        data: BASE64_STANDARD.encode(piece),
    });
    Packed { events, parcel: Some((StreamId::new(PARCEL, parcel), pieces.collect())) }
}

fn pack_inline(event: &Proposed, stream: Option<String>, at: Timestamp) -> NewEvent {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec());
    let base64 = |bytes: &Bytes| Payload::Base64(BASE64_STANDARD.encode(bytes));
    let metadata = match text(&event.metadata) {
        Ok(text) if text.is_empty() => None,
        Ok(text) => Some(Payload::Text(text)),
        Err(_) => Some(base64(&event.metadata)),
    };
    let (data, text) = match text(&event.data) {
        Ok(text) => (None, text),
        Err(_) => (Some(base64(&event.data)), String::new()),
    };
    let envelope = Envelope { stream, is_json: event.is_json, metadata, data };
    new_event(event.id, &event.type_name, at, envelope, text)
}

fn new_event(id: Uuid, type_name: &str, at: Timestamp, envelope: Envelope, data: String) -> NewEvent {
    let metadata = serde_json::to_string(&Enveloped { double: envelope }).expect("an envelope is JSON");
    NewEvent { id, type_name: type_name.into(), at, metadata, data }
}

/// The tombstone of the stream `name`, for its place in the engine.
pub(super) fn pack_tombstone(name: &str, id: Uuid, at: Timestamp) -> NewEvent {
    let envelope = Envelope { stream: Some(name.to_owned()), ..Envelope::default() };
    new_event(id, STREAM_DELETED, at, envelope, String::new())
}

/// The pieces of large payloads that came by, until their events come.
#[derive(Debug, Default)]
pub(super) struct Parcels(std::collections::HashMap<Uuid, Vec<u8>>);

impl Parcels {
    /// The event of the log that the engine's event is, placed at `position`; none if it is a piece of a parcel. An
    /// event that somebody wrote into the engine directly is one with the engine's metadata.
    pub(super) fn unpack(&mut self, event: RecordedEvent, position: u64) -> Option<Record> {
        if &*event.stream.category == PARCEL {
            let piece = BASE64_STANDARD.decode(event.data).expect("the double wrote it");
            self.0.entry(event.stream.id).or_default().extend(piece);
            return None;
        }
        let (envelope, foreign) = match serde_json::from_str::<Enveloped>(&event.metadata) {
            Ok(enveloped) => (enveloped.double, None),
            Err(_) => (Envelope { is_json: true, ..Envelope::default() }, Some(event.metadata)),
        };
        let stream = envelope.stream.map_or_else(|| event.stream.to_string().as_str().into(), |name| (&*name).into());
        let revision = if &*event.stream.category == TOMBSTONE { DELETED } else { event.revision.value() };
        let metadata =
            envelope.metadata.map_or_else(|| Bytes::from(foreign.unwrap_or_default()), |payload| self.open(payload));
        let data = envelope.data.map_or_else(|| Bytes::from(event.data), |payload| self.open(payload));
        Some(Record {
            position,
            stream,
            revision,
            id: event.id,
            type_name: event.type_name,
            created: event.recorded_at,
            is_json: envelope.is_json,
            metadata,
            data,
        })
    }

    fn open(&mut self, payload: Payload) -> Bytes {
        match payload {
            Payload::Text(text) => text.into(),
            Payload::Base64(text) => BASE64_STANDARD.decode(text).expect("the double wrote it").into(),
            Payload::Parcel { id, start, end } => {
                let parcel = self.0.get(&id).expect("a parcel comes before its events");
                let bytes = Bytes::copy_from_slice(&parcel[start..end]);
                if end == parcel.len() && start != end {
                    self.0.remove(&id);
                }
                bytes
            }
        }
    }
}
