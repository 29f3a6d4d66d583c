//! Cohorts: one execution for equal subscribers, no hole and no repeat between replay and live, slow ones told so.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_graphql::{Context, EmptyMutation, Object, Result, Schema, SimpleObject, Subscription};
use futures_util::{Stream, StreamExt as _, stream};
use infrastructure::lifecycle::Lifecycle;
use tokio::sync::broadcast;

use super::*;
use crate::{
    auth::{Role, Viewer},
    engine::{EngineLimits, GraphQlRequest, RequestId},
};

/// A log of numbers; the number at place n is n, and so is its position.
#[derive(Clone, Debug)]
struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    entries: Mutex<u64>,
    live: broadcast::Sender<u64>,
    executions: AtomicUsize,
    resolved: AtomicUsize,
}

impl Log {
    fn new() -> Self {
        let live = broadcast::channel(100_000).0;
        Self(Arc::new(Inner {
            entries: Mutex::new(0),
            live,
            executions: AtomicUsize::default(),
            resolved: AtomicUsize::default(),
        }))
    }

    fn append(&self) {
        let mut entries = self.0.entries.lock().unwrap();
        *entries += 1;
        let _ = self.0.live.send(*entries);
    }
}

struct Query;

#[Object]
impl Query {
    async fn nothing(&self) -> bool {
        true
    }
}

#[derive(SimpleObject)]
#[graphql(complex)]
struct Entry {
    number: u64,
}

#[async_graphql::ComplexObject]
impl Entry {
    /// Counts how often a message was resolved.
    async fn resolved(&self, context: &Context<'_>) -> bool {
        context.data_unchecked::<Log>().0.resolved.fetch_add(1, Ordering::Relaxed);
        true
    }
}

struct Subscriptions;

#[Subscription]
impl Subscriptions {
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn entries(&self, context: &Context<'_>, after: Option<u64>) -> Result<impl Stream<Item = Entry> + use<>> {
        let log = context.data_unchecked::<Log>().clone();
        let reporter = context.data::<LiveReporter>()?.clone();
        let numbers = match reporter.phase() {
            LivePhase::Live => {
                log.0.executions.fetch_add(1, Ordering::Relaxed);
                let entries = log.0.entries.lock().unwrap();
                reporter.starts_after(Position::new(*entries));
                let receiver = log.0.live.subscribe();
                stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await.ok()?, receiver)) }).boxed()
            }
            LivePhase::Replay { until } => {
                let from = after.unwrap_or(until.value());
                reporter.starts_after(Position::new(from));
                stream::iter(from + 1..=until.value()).boxed()
            }
        };
        Ok(numbers.map(move |number| {
            reporter.delivers(Position::new(number));
            Entry { number }
        }))
    }
}

type TestEngine = Engine<Schema<Query, EmptyMutation, Subscriptions>>;

fn engine(log: &Log) -> TestEngine {
    let schema = Schema::build(Query, EmptyMutation, Subscriptions).data(log.clone()).finish();
    Engine::new(schema, EngineLimits::default(), Lifecycle::new())
}

fn subscribe(engine: &TestEngine, role: Role, after: Option<u64>) -> Deliveries {
    let request = GraphQlRequest {
        query: "subscription($after: Int) { entries(after: $after) { number resolved } }".to_owned(),
        variables: serde_json::json!({ "after": after }).as_object().cloned().unwrap_or_default(),
        ..GraphQlRequest::default()
    };
    let expires_at = chrono::DateTime::UNIX_EPOCH;
    let viewer = Viewer { subject: "ann".to_owned(), role, expires_at };
    let request_id = RequestId::parse("test").expect("a plain id");
    let prepared = engine.prepare(request).expect("a valid document");
    engine.subscribe(prepared, CallContext { viewer, request_id, resume_after: None })
}

async fn number(deliveries: &mut Deliveries) -> u64 {
    match next(deliveries).await {
        Delivery::Next { payload, .. } => number_in(&payload),
        other @ (Delivery::Error { .. } | Delivery::Complete) => panic!("not a message: {other:?}"),
    }
}

fn number_in(payload: &[u8]) -> u64 {
    let json: serde_json::Value = serde_json::from_slice(payload).expect("JSON");
    json["data"]["entries"]["number"].as_u64().expect("a number")
}

/// Where a subscriber that was let go for reading too slowly is told to resume.
fn cursor_of_a_slow_reader(errors: &[u8]) -> String {
    let errors: serde_json::Value = serde_json::from_slice(errors).expect("JSON");
    assert_eq!(errors[0]["extensions"]["code"], "CONSUMER_TOO_SLOW");
    errors[0]["extensions"]["lastCursor"].as_str().expect("a cursor").to_owned()
}

fn token(number: u64) -> String {
    PositionToken(Position::new(number)).to_string()
}

async fn next(deliveries: &mut Deliveries) -> Delivery {
    tokio::time::timeout(Duration::from_secs(30), deliveries.next()).await.expect("in time").expect("not over")
}

/// Waits until the subscription is set up: an entry appended now will be delivered live.
async fn until_live(engine: &TestEngine, log: &Log, executions: usize) {
    while log.0.executions.load(Ordering::Relaxed) < executions || engine.live_executions() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn equal_subscribers_are_served_by_one_execution_and_share_the_bytes() {
    let log = Log::new();
    let engine = engine(&log);
    // They differ in `after`, which is theirs alone.
    let mut members: Vec<Deliveries> =
        [None, Some(0), None].into_iter().map(|after| subscribe(&engine, Role::Operator, after)).collect();
    until_live(&engine, &log, 1).await;
    log.append();
    let mut payloads = Vec::new();
    for member in &mut members {
        let Delivery::Next { payload, .. } = next(member).await else { panic!("a message") };
        payloads.push(payload);
    }
    assert_eq!(log.0.executions.load(Ordering::Relaxed), 1);
    assert_eq!(log.0.resolved.load(Ordering::Relaxed), 1);
    assert!(payloads.iter().all(|payload| payload.as_ptr() == payloads[0].as_ptr()));
}

#[tokio::test]
async fn subscribers_of_other_rights_are_served_apart() {
    let log = Log::new();
    let engine = engine(&log);
    let _operator = subscribe(&engine, Role::Operator, None);
    let _customer = subscribe(&engine, Role::Customer, None);
    until_live(&engine, &log, 2).await;
    assert_eq!(engine.live_executions(), 2);
}

#[tokio::test]
async fn the_execution_ends_with_its_last_subscriber_however_quiet_it_is() {
    let log = Log::new();
    let engine = engine(&log);
    let first = subscribe(&engine, Role::Operator, None);
    let second = subscribe(&engine, Role::Operator, None);
    until_live(&engine, &log, 1).await;
    drop(first);
    assert_eq!(engine.live_executions(), 1);
    drop(second);
    assert_eq!(engine.live_executions(), 0);
    while log.0.live.receiver_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_while_messages_stream_in_gets_each_of_them_once() {
    const ENTRIES: u64 = 2_000;
    let log = Log::new();
    let engine = engine(&log);
    let writer = {
        let log = log.clone();
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        tokio::spawn(async move {
            for _ in 0..ENTRIES {
                log.append();
                tokio::task::yield_now().await;
            }
        })
    };
    let mut readers = Vec::new();
    for start in [0, 0, 7, 100, 500] {
        let (engine, log) = (engine.clone(), log.clone());
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        readers.push(tokio::spawn(async move {
            while *log.0.entries.lock().unwrap() < start {
                tokio::task::yield_now().await;
            }
            let mut deliveries = subscribe(&engine, Role::Operator, Some(start));
            let mut seen = start;
            while seen < ENTRIES {
                // Nothing holds the writer back, so a reader without a processor falls behind and is told to resume.
                match next(&mut deliveries).await {
                    Delivery::Next { payload, .. } => {
                        assert_eq!(number_in(&payload), seen + 1, "started after {start}");
                        seen += 1;
                    }
                    Delivery::Error { errors } => {
                        assert_eq!(cursor_of_a_slow_reader(&errors), token(seen), "started after {start}");
                        deliveries = subscribe(&engine, Role::Operator, Some(seen));
                    }
                    Delivery::Complete => panic!("over after {seen}, started after {start}"),
                }
            }
        }));
    }
    writer.await.expect("the writer ends");
    for reader in readers {
        reader.await.expect("the reader saw everything once");
    }
}

#[tokio::test]
async fn a_subscriber_that_reads_too_slowly_is_told_where_to_resume() {
    let log = Log::new();
    let engine = engine(&log);
    let mut slow = subscribe(&engine, Role::Operator, None);
    let mut quick = subscribe(&engine, Role::Operator, None);
    until_live(&engine, &log, 1).await;
    let sent = DELIVERIES_MAX as u64 + 50;
    for expected in 1..=sent {
        log.append();
        assert_eq!(number(&mut quick).await, expected);
    }
    for expected in 1..=DELIVERIES_MAX as u64 {
        assert_eq!(number(&mut slow).await, expected);
    }
    let Delivery::Error { errors } = next(&mut slow).await else { panic!("the last word is an error") };
    assert_eq!(cursor_of_a_slow_reader(&errors), token(DELIVERIES_MAX as u64));
    assert!(slow.next().await.is_none());
}
