//! Events to bytes and back, old versions included.
//!
//! An event is stored as its type name and the JSON of its fields. serde writes an event enum externally tagged,
//! `{"order.placed.v1":{...}}`; the codec splits and joins that form, which costs one copy and needs no second
//! description of any event.

use std::{collections::HashMap, sync::LazyLock};

use domain::{EventPayload, Upcaster};
use serde_json::{Deserializer, Value};

use crate::event_store::{EVENT_BYTES_MAX, Name};

/// How many upcasters one event may pass. A longer chain is a cycle.
const UPCAST_STEPS_MAX: usize = 64;

static UPCASTERS: LazyLock<HashMap<&'static str, Upcaster>> =
    LazyLock::new(|| domain::upcasters().into_iter().map(|step| (step.from, step)).collect());

/// Why stored bytes are no event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The JSON is broken or has not the fields of its type.
    #[error("an event of type {type_name} does not decode: {source}")]
    Malformed {
        /// The stored type name.
        type_name: String,
        /// What serde found.
        source: serde_json::Error,
    },
    /// An upcaster refused it.
    #[error("an event of type {type_name} is not lifted to {to}: {source}")]
    NotLifted {
        /// The stored type name.
        type_name: String,
        /// The version it was to become.
        to: &'static str,
        /// What the upcaster says.
        source: domain::UpcastError,
    },
    /// It is larger than any event that an append accepts: it came into the store on another way.
    #[error("an event of type {type_name} has {bytes} bytes, more than an event may have")]
    Oversized {
        /// The stored type name.
        type_name: String,
        /// The size of its data.
        bytes: usize,
    },
    /// Decoding it panicked: a defect of an upcaster.
    #[error("decoding an event of type {type_name} panicked")]
    Panicked {
        /// The stored type name.
        type_name: String,
    },
}

impl DecodeError {
    /// What it is, for programs; the same for good.
    pub fn code(&self) -> DecodeCode {
        match self {
            Self::Malformed { .. } => DecodeCode::Malformed,
            Self::NotLifted { .. } => DecodeCode::NotLifted,
            Self::Oversized { .. } => DecodeCode::Oversized,
            Self::Panicked { .. } => DecodeCode::Panicked,
        }
    }
}

/// Why stored bytes are no event, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeCode {
    /// This build knows no event of that name: mostly a later one wrote it.
    Unknown,
    /// It is not JSON, or has not the fields of its type.
    Malformed,
    /// It is of an old version, and an upcaster refuses it.
    NotLifted,
    /// It is larger than an event may be.
    Oversized,
    /// A defect of an upcaster.
    Panicked,
}

impl DecodeCode {
    const ALL: [Self; 5] = [Self::Unknown, Self::Malformed, Self::NotLifted, Self::Oversized, Self::Panicked];

    /// As it is written down.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Malformed => "MALFORMED",
            Self::NotLifted => "NOT_LIFTED",
            Self::Oversized => "OVERSIZED",
            Self::Panicked => "PANICKED",
        }
    }

    /// What was written down as this.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// Whether this build knows events of this name, of whatever version.
pub fn is_known<E: EventPayload>(type_name: &str) -> bool {
    E::types().contains(&type_name) || UPCASTERS.contains_key(type_name)
}

/// What this build can decode, as a short text: another one may succeed where this one fails.
pub fn fingerprint<E: EventPayload>() -> String {
    let mut names: Vec<&str> = E::types();
    names.extend(UPCASTERS.values().flat_map(|step| [step.from, step.to]));
    names.sort_unstable();
    names.dedup();
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, names.join(" ").as_bytes()).to_string()
}

/// The stored form of an event: type name and JSON object.
#[expect(clippy::missing_panics_doc, reason = "an event enum has string keys and no failing serializer")]
pub fn encode<E: EventPayload>(event: &E) -> (Name, String) {
    let tagged = serde_json::to_string(event).expect("events are plain data");
    // {"TYPE":DATA}: type names hold no quotes, so the first `":` ends the name.
    let end = tagged.find("\":").expect("an event enum is externally tagged");
    (Name::from(&tagged[2..end]), tagged[end + 2..tagged.len() - 1].to_owned())
}

/// The event of this stored form, lifted to the version this build knows.
pub fn decode<E: EventPayload>(type_name: &str, data: &str) -> Result<E, DecodeError> {
    if UPCASTERS.contains_key(type_name) {
        return decode_old(type_name, data);
    }
    let mut tagged = String::with_capacity(type_name.len() + data.len() + 5);
    tagged.push_str("{\"");
    tagged.push_str(type_name);
    tagged.push_str("\":");
    tagged.push_str(data);
    tagged.push('}');
    read::<E>(type_name, type_name, &tagged)
}

/// The same, of an event that came into the store on whatever way: too large a one, and an upcaster that panics, are errors of
/// that event.
pub fn decode_foreign<E: EventPayload>(type_name: &str, data: &str) -> Result<E, DecodeError> {
    let bytes = data.len();
    if bytes > EVENT_BYTES_MAX {
        return Err(DecodeError::Oversized { type_name: type_name.to_owned(), bytes });
    }
    std::panic::catch_unwind(|| decode::<E>(type_name, data))
        .unwrap_or_else(|_| Err(DecodeError::Panicked { type_name: type_name.to_owned() }))
}

fn decode_old<E: EventPayload>(stored_name: &str, data: &str) -> Result<E, DecodeError> {
    let malformed = |source| DecodeError::Malformed { type_name: stored_name.to_owned(), source };
    let mut value: Value = serde_json::from_str(data).map_err(malformed)?;
    let mut type_name = stored_name;
    for _ in 0..UPCAST_STEPS_MAX {
        let Some(step) = UPCASTERS.get(type_name) else { break };
        value = (step.apply)(value).map_err(|source| DecodeError::NotLifted {
            type_name: stored_name.to_owned(),
            to: step.to,
            source,
        })?;
        type_name = step.to;
    }
    let tagged = serde_json::json!({ type_name: value }).to_string();
    read::<E>(stored_name, type_name, &tagged)
}

fn read<E: EventPayload>(stored_name: &str, type_name: &str, tagged: &str) -> Result<E, DecodeError> {
    let mut json = Deserializer::from_str(tagged);
    E::deserialize_tagged(type_name, &mut json)
        .and_then(|event| json.end().map(|()| event))
        .map_err(|source| DecodeError::Malformed { type_name: stored_name.to_owned(), source })
}

#[cfg(test)]
mod tests;
