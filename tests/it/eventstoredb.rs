//! The EventStoreDB adapter against a double that fails in every way it can plan.
//!
//! Each fault alone, with the outcome it must have; opening; a campaign of faults under many writers. What works
//! without faults is in the contract suites.

mod append;
mod campaign;
mod delayed_acks;
mod log_lines;
mod opening;
mod reading;
mod tail;

use std::{sync::Arc, time::Duration};

use infrastructure::event_store::{
    Append, AppendError, Direction, EventStore, EventStoreDb, EventStoreDbOptions, MemoryEventStore, Position,
    RecordedEvent, Revision, StoreError, TypeFilter, Whereabouts,
};
use tests::{
    contracts::event_store::{append, events, stream, whole_log, whole_stream},
    esdb::{Double, Fault, FaultKind, Limits, Operation, Options, Plan, Repeats},
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a call may take in these tests.
const CALL: Duration = Duration::from_millis(400);

/// Options of a double whose own limits are short, so that its time-outs come soon.
fn short() -> Options {
    let limits = Limits { commit_timeout: Duration::from_millis(100), has_system_events: false, ..Limits::default() };
    Options { limits, ..Options::default() }
}

async fn double() -> Double {
    Double::start(Arc::new(MemoryEventStore::new()), short()).await
}

/// Options with short times.
fn hasty(connection_string: &str) -> EventStoreDbOptions {
    let mut options = EventStoreDbOptions::try_new(connection_string).expect("options");
    options.call_timeout = CALL;
    options.append_budget = Duration::from_secs(5);
    options.read_budget = Duration::from_secs(5);
    options.retry_pauses = (Duration::from_millis(10), Duration::from_millis(200));
    options.open_deadline = Duration::from_secs(5);
    options.poll_interval = Duration::from_millis(50);
    options.silence_max = Duration::from_millis(300);
    options
}

async fn open(options: EventStoreDbOptions) -> EventStoreDb {
    EventStoreDb::open(options).await.expect("an event store")
}

/// A double and the adapter in front of it.
async fn pair() -> (Double, EventStoreDb) {
    pair_with(short()).await
}

async fn pair_with(options: Options) -> (Double, EventStoreDb) {
    let double = Double::start(Arc::new(MemoryEventStore::new()), options).await;
    let store = open(hasty(&double.connection_string())).await;
    (double, store)
}

/// An append of so many events to a stream nobody else uses.
fn fresh(count: usize) -> Append {
    append(&stream("order"), 0, events(count))
}

/// Whether `there` are the events of `sent`.
fn are(there: &[RecordedEvent], sent: &Append) -> bool {
    there.iter().map(|event| event.id).eq(sent.events.iter().map(|event| event.id))
}
