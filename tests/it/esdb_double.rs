//! The double of EventStoreDB, asked by clients that are not ours.

use std::sync::Arc;

use eventstore::{AppendToStreamOptions, Client, EventData, ReadStreamOptions, StreamState};
use infrastructure::event_store::MemoryEventStore;
use tests::esdb::{Double, Options};
use uuid::Uuid;

async fn double() -> (Double, Client) {
    let double = Double::start(Arc::new(MemoryEventStore::new()), Options::default()).await;
    let client = Client::new(double.connection_string().parse().expect("settings")).expect("a client");
    (double, client)
}

fn event(name: &str, number: u64) -> EventData {
    let id = Uuid::from_u128(u128::from(number) + 1);
    EventData::json(name, &serde_json::json!({ "number": number })).expect("JSON").id(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    let (_double, client) = double().await;
    let none = AppendToStreamOptions::default().stream_state(StreamState::NoStream);
    let written =
        client.append_to_stream("test-stream", &none, vec![event("a", 1), event("b", 2)]).await.expect("append");
    println!("{written:?}");
    let mut read = client.read_stream("test-stream", &ReadStreamOptions::default()).await.expect("read");
    while let Some(event) = read.next().await.expect("event") {
        println!("{event:?}");
    }
}
