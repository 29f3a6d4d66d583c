//! `millrace events print` and `tail`: what is in the log, one JSON object per line.

#[cfg(test)]
mod tests;

use std::time::Duration;

use domain::{Secret, secrets};
use infrastructure::event_store::{Position, RecordedEvent, Revision, StreamId};
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use super::{
    super::{Failure, asked_to_stop, output::try_print},
    log::Log,
};
use crate::{
    cli::{EventsPrintArgs, EventsTailArgs},
    config::Config,
};

/// How many events are read at once.
const PAGE_EVENTS: usize = 1_000;
/// How often the log is looked at by `tail`. The writer is another process, which cannot wake this one.
const TAIL_INTERVAL: Duration = Duration::from_millis(200);

/// Prints the events that are there, oldest first.
pub(super) async fn print_all(config: &Config, args: &EventsPrintArgs) -> Result<(), Failure> {
    let events = Log::open(config).await?;
    let limit = args.limit.unwrap_or(usize::MAX);
    let after = Position::new(args.after.unwrap_or(0));
    match &args.stream {
        Some(stream) => print_stream(&events, &stream_id(stream)?, after, limit).await,
        None => print_log(&events, after, limit).await,
    }
}

/// Prints events as they are appended, until interrupted.
pub(super) async fn tail(config: &Config, args: &EventsTailArgs) -> Result<(), Failure> {
    let events = Log::open(config).await?;
    let stream = args.stream.as_deref().map(stream_id).transpose()?;
    let mut after = match args.after {
        Some(after) => Position::new(after),
        None => events.head().await?,
    };
    let stop = asked_to_stop();
    tokio::pin!(stop);
    loop {
        let page = events.read_after(after, PAGE_EVENTS).await?;
        after = page.scanned_to;
        for event in page.events.iter().filter(|event| stream.as_ref().is_none_or(|stream| *stream == event.stream)) {
            if !try_print(&line(event)) {
                return Ok(());
            }
        }
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(TAIL_INTERVAL), if page.is_end => {}
            () = std::future::ready(()), if !page.is_end => {}
        }
    }
}

async fn print_log(events: &Log, mut after: Position, mut left: usize) -> Result<(), Failure> {
    while left > 0 {
        let page = events.read_after(after, left.min(PAGE_EVENTS)).await?;
        after = page.scanned_to;
        left -= page.events.len();
        if !page.events.iter().all(|event| try_print(&line(event))) || page.is_end {
            break;
        }
    }
    Ok(())
}

async fn print_stream(events: &Log, stream: &StreamId, after: Position, mut left: usize) -> Result<(), Failure> {
    let mut from = Revision::FIRST;
    while left > 0 {
        let page = events.read_stream(stream, from, PAGE_EVENTS).await?;
        let Some(last) = page.events.last() else { break };
        from = last.revision.next();
        for event in page.events.iter().filter(|event| event.position > after).take(left) {
            left -= 1;
            if !try_print(&line(event)) {
                return Ok(());
            }
        }
        if page.is_end {
            break;
        }
    }
    Ok(())
}

/// What stands where a secret is. What is printed is read by many eyes and pasted into tickets; `events export` is for copies
/// that are whole.
const HIDDEN_TEXT: &str = "(hidden)";

/// One event as a JSON object on one line. Data and metadata stand there as they are stored, except for what is hidden.
fn line(event: &RecordedEvent) -> String {
    // What is not JSON is shown as text: this is the tool that finds such an event.
    let raw = |text: &str| {
        RawValue::from_string(text.to_owned())
            .and_then(|raw| serde_json::to_value(&raw))
            .unwrap_or_else(|_| Value::from(text))
    };
    json!({
        "position": event.position.value(),
        "stream": event.stream.to_string(),
        "revision": event.revision.value(),
        "id": event.id,
        "type": &*event.type_name,
        "recordedAt": event.recorded_at,
        "metadata": raw(&event.metadata),
        "data": without_secrets(&event.type_name, raw(&event.data)),
    })
    .to_string()
}

fn without_secrets(type_name: &str, mut data: Value) -> Value {
    for Secret { field, .. } in secrets().into_iter().filter(|secret| type_name.starts_with(secret.events)) {
        match data.get_mut(field) {
            Some(value) if !value.is_null() => *value = HIDDEN_TEXT.into(),
            Some(_) | None => {}
        }
        // What is not JSON cannot be looked into.
        if data.is_string() {
            data = HIDDEN_TEXT.into();
        }
    }
    data
}

fn stream_id(text: &str) -> Result<StreamId, Failure> {
    let parsed =
        text.split_once('-').and_then(|(category, id)| Some(StreamId::new(category, Uuid::parse_str(id).ok()?)));
    parsed.ok_or_else(|| Failure {
        code: "BAD_STREAM".into(),
        message: format!("`{text}` is not the name of a stream"),
        advice: "a stream is named by its category and a UUID, such as order-0198c2f0-0000-7000-8000-000000000000"
            .into(),
        exit_code: 2,
    })
}
