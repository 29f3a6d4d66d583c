//! One event as one line of an export: everything that is needed to have the same event again.
//!
//! Data and metadata are JSON texts inside JSON: as strings, so that they come back byte for byte, even where they are
//! no JSON at all.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use infrastructure::event_store::{Name, Position, RecordedEvent, Revision, StreamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a UUID is as text.
const UUID_CHARS: usize = 36;

/// The fields, in the order in which they are written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    position: u64,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    revision: u64,
    id: Uuid,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    recorded_at: Cow<'a, str>,
    metadata: String,
    data: String,
}

/// Writes `event` as a line, with its end.
pub(super) fn write(event: &RecordedEvent, out: &mut Vec<u8>) {
    let line = Line {
        position: event.position.value(),
        stream: event.stream.to_string().into(),
        revision: event.revision.value(),
        id: event.id,
        r#type: (&*event.type_name).into(),
        recorded_at: time(event.recorded_at).into(),
        metadata: event.metadata.clone(),
        data: event.data.clone(),
    };
    serde_json::to_writer(&mut *out, &line).expect("numbers and texts are JSON, and a vector takes them");
    out.push(b'\n');
}

/// The event in a line without its end, or what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<RecordedEvent, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let stream = stream(&line.stream).ok_or_else(|| format!("`{}` is not the name of a stream", line.stream))?;
    let recorded_at = line.recorded_at.parse::<DateTime<Utc>>().ok().filter(|at| time(*at) == line.recorded_at);
    let recorded_at = recorded_at.ok_or_else(|| format!("`{}` is not a time as it is written", line.recorded_at))?;
    Ok(RecordedEvent {
        position: Position::new(line.position),
        stream,
        revision: Revision::new(line.revision),
        id: line.id,
        type_name: Name::from(&*line.r#type),
        recorded_at,
        metadata: line.metadata,
        data: line.data,
    })
}

/// Microseconds are what is stored, so microseconds are always written.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The stream of this name. The id is taken from the end, so the category may hold anything.
fn stream(name: &str) -> Option<StreamId> {
    let (category, id) = name.split_at_checked(name.len().checked_sub(UUID_CHARS)?)?;
    Some(StreamId::new(category.strip_suffix('-')?, Uuid::try_parse(id).ok()?))
}

#[cfg(test)]
mod tests;
