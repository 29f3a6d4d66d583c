//! The double of EventStoreDB, asked by clients that are not ours: the official ones for Rust and Python.

mod faults;
mod nodes;
mod python;
mod rules;
mod subscriptions;

use std::{sync::Arc, time::Duration};

use eventstore::{
    AppendToStreamOptions, Client, ClientSettings, Error, EventData, Position, ReadAllOptions, ReadStream,
    ReadStreamOptions, ResolvedEvent, StreamState, WriteResult,
};
use infrastructure::event_store::MemoryEventStore;
use serde_json::json;
use tests::esdb::{Double, Options};
use tonic::Code;
use uuid::Uuid;

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough to see that something does not happen.
const A_WHILE: Duration = Duration::from_millis(200);

async fn start(options: Options) -> (Double, Client) {
    let double = Double::start(Arc::new(MemoryEventStore::new()), options).await;
    let client = connect(&double.connection_string());
    (double, client)
}

fn connect(connection_string: &str) -> Client {
    let settings: ClientSettings = connection_string.parse().expect("a connection string");
    Client::new(settings).expect("a client")
}

/// An event that carries `number`, also in its id.
fn event(type_name: &str, number: u64) -> EventData {
    let id = Uuid::from_u128(0xabcd_0000 + u128::from(number));
    EventData::json(type_name, &json!({ "number": number })).expect("a number is JSON").id(id)
}

fn events(type_name: &str, numbers: impl IntoIterator<Item = u64>) -> Vec<EventData> {
    numbers.into_iter().map(|number| event(type_name, number)).collect()
}

async fn append(
    client: &Client,
    stream: &str,
    state: StreamState,
    events: Vec<EventData>,
) -> eventstore::Result<WriteResult> {
    client.append_to_stream(stream, &AppendToStreamOptions::default().stream_state(state), events).await
}

/// Appends events with these numbers, which must work. The position of the last one.
async fn write(client: &Client, stream: &str, numbers: impl IntoIterator<Item = u64>) -> Position {
    append(client, stream, StreamState::Any, events("thing", numbers)).await.expect("an append").position
}

/// The text of an error with this code. The client's codes are those of another version of tonic than the double's.
fn with_code(error: &Error, expected: Code) -> Option<&str> {
    if let Error::Grpc { code, message } = error
        && i32::from(*code) == i32::from(expected)
    {
        Some(message)
    } else {
        None
    }
}

fn number(event: &ResolvedEvent) -> u64 {
    let data: serde_json::Value = event.get_original_event().as_json().expect("JSON");
    data["number"].as_u64().expect("a number")
}

async fn rest(mut read: ReadStream) -> eventstore::Result<Vec<ResolvedEvent>> {
    let mut events = Vec::new();
    while let Some(event) = read.next().await? {
        events.push(event);
    }
    Ok(events)
}

async fn read_stream(client: &Client, stream: &str, options: ReadStreamOptions) -> eventstore::Result<Vec<u64>> {
    let events = rest(client.read_stream(stream, &options).await?).await?;
    Ok(events.iter().map(number).collect())
}

/// The numbers of what tests have written, in the order of the log.
async fn read_all(client: &Client, options: ReadAllOptions) -> eventstore::Result<Vec<u64>> {
    let events = rest(client.read_all(&options).await?).await?;
    let is_ours = |event: &&ResolvedEvent| !event.get_original_event().event_type.starts_with('$');
    Ok(events.iter().filter(is_ours).map(number).collect())
}
