//! Connections that break in every way, at any of them, under load: between clients and the processes that serve, between
//! processes and the event store, between processes and the database.
//!
//! `MILLRACE_CLUSTER_CONNECTION_FAULTS` says how many faults (24), `MILLRACE_CLUSTER_SEED` repeats a schedule. A fault
//! counts when it has hit a connection, and a run in which one of a kind did not is no run.

mod bench;
mod load;
mod report;
mod schedule;
mod subscriber;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use infrastructure::event_store::{
    EventStore as _, EventStoreDb, EventStoreDbOptions, PAGE_EVENTS_MAX, Position, RecordedEvent, TypeFilter,
};
use serde_json::{Value, json};
use tests::{
    binary,
    client::Client,
    faults::say,
    log::global_id,
    proxy::{Fault, FaultKind, Way},
    random::Random,
    server::eventually,
    shop,
};
use tokio::task::JoinSet;

use self::{
    bench::{Bench, Store},
    load::{Acked, Load, insist_on_order, read_at, shop_until},
    report::Report,
    schedule::{Planned, Schedule},
    subscriber::{Subscriber, Told},
};

const CLIENTS: usize = 4;
/// Subscriptions go on so soon after a fault is healed.
const RESUME: Duration = Duration::from_secs(5);
/// The same for machines that have more to do than this test. How many took longer than [`RESUME`] is printed.
const RESUME_MAX: Duration = Duration::from_secs(20);
/// So soon a process that cannot reach a store says that it is not ready: it asks every second, and waits three.
const NOT_READY_MAX: Duration = Duration::from_secs(10);
/// Whoever asks is answered by then, whatever the stores do: the read store's patience, and a new connection.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long a fault may wait for something to hit.
const HIT_MAX: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_break_in_any_way_cost_time_and_nothing_else() {
    let seed = Random::seed("MILLRACE_CLUSTER_SEED");
    let faults: usize = binary::variable("MILLRACE_CLUSTER_CONNECTION_FAULTS")
        .map_or(24, |text| text.parse().unwrap_or_else(|error| panic!("{text}: {error}")));
    say(&format!("connection faults: {faults}, MILLRACE_CLUSTER_SEED={seed}"));
    let mut random = Random::new(seed);
    let mut bench = Bench::start().await;
    let product = shop::register(&bench.operators()[0], "TEA-1").await.id;
    let subscribers: Vec<Subscriber> = bench.subscribers().into_iter().map(Subscriber::start).collect();
    for subscriber in &subscribers {
        subscriber.is_there().await;
    }
    let (stop, load) = (Arc::new(AtomicBool::new(false)), Load::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (stop, load, servers) = (Arc::clone(&stop), load.clone(), bench.customers());
        clients.spawn(shop_until(stop, number, servers, product.clone(), load, random.fork()));
    }

    let mut report = Report::default();
    let mut schedule = Schedule::new(random.fork());
    while report.faults() < faults {
        let planned = schedule.next();
        let healed = fault(&bench, &planned, &mut report).await;
        let before = report.resumed.len();
        resume(&bench, &subscribers, &load, &product, healed, &mut report).await;
        let slow = report.resumed[before..].iter().max().filter(|resumed| **resumed > RESUME);
        if let Some(slow) = slow {
            say(&format!("connection faults: told only after {slow:.1?}, once this was healed: {planned:?}"));
        }
    }

    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client came to its end");
    }
    let acked = load.acked();
    let told = assert_log_is_what_was_acknowledged(&bench, &acked).await;
    for subscriber in subscribers {
        let heard = eventually("everything is told", async || {
            let heard = subscriber.told();
            (heard.len() >= told.len()).then_some(heard)
        })
        .await;
        assert!(
            heard == told,
            "a subscriber was told something else than what is in the log:\n{}",
            differ(&heard, &told)
        );
        report.reconnected += subscriber.reconnected();
    }
    let last = acked.values().map(|acked| acked.position).max().expect("orders were placed");
    let rows = shop::all_orders(&bench.operators()[0], &tests::log::position_token(last)).await;
    let orders: BTreeSet<&String> = told.iter().map(|told| &told.order).collect();
    assert_eq!(rows.keys().collect::<BTreeSet<_>>(), orders, "the read model has every order and no other");
    bench.verify().await;
    bench.assert_alive();
    say(&report.text(&acked, &load, &bench.connections()));
    for kind in FaultKind::ALL {
        assert!(report.fired(kind) > 0 || faults < FaultKind::ALL.len(), "{kind:?} never happened");
    }
    let slow = report.resumed.iter().max().copied().unwrap_or_default();
    assert!(slow <= RESUME_MAX, "a subscription went on only after {slow:?}");
}

/// Lets one fault happen, and heals it. Gives the moment of its healing.
async fn fault(bench: &Bench, planned: &Planned, report: &mut Report) -> Instant {
    let proxies = bench.proxies(planned);
    let kind = planned.fault.kind();
    let hits = || proxies.iter().map(|proxy| proxy.hits(kind)).sum::<u64>();
    let before = hits();
    let began = Instant::now();
    for proxy in &proxies {
        proxy.inject(planned.fault).await;
    }
    if let Some(store) = planned.until_not_ready {
        for process in bench.cut_off(planned) {
            let name = match store {
                Store::Events => "event_store",
                Store::Rows => "read_store",
            };
            process.not_ready(name, began + NOT_READY_MAX).await;
            report.not_ready.push(began.elapsed());
        }
    }
    tokio::time::sleep(planned.lasts).await;
    while hits() == before && began.elapsed() < planned.lasts + HIT_MAX {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for proxy in &proxies {
        proxy.heal().await;
    }
    report.count(planned, hits() - before, began.elapsed());
    Instant::now()
}

/// Waits until everything goes on, and measures when: commands at each process that serves, subscribers, read models, and
/// readiness.
async fn resume(
    bench: &Bench,
    subscribers: &[Subscriber],
    load: &Load,
    product: &str,
    healed: Instant,
    report: &mut Report,
) {
    let mut probes = JoinSet::new();
    for (index, server) in bench.customers().into_iter().enumerate() {
        let key = format!("probe/{}/{index}", report.tries());
        let (server, product) = (server.clone(), product.to_owned());
        let load = load.clone();
        probes.spawn(async move {
            let acked =
                insist_on_order(&key, &product, std::slice::from_ref(&server), &load, &mut Random::new(0)).await;
            (acked, server, healed.elapsed())
        });
    }
    for (acked, server, answered) in probes.join_all().await {
        report.answered.push(answered);
        for subscriber in subscribers {
            report.resumed.push(subscriber.heard_of(&acked.order).await.saturating_duration_since(healed));
        }
        read_at(&server, &acked, load).await;
        report.folded.push(healed.elapsed());
    }
    bench.ready().await;
    report.ready.push(healed.elapsed());
}

/// Every acknowledged command is in the log once, where the answer said, and nothing else is. Gives what the log says
/// about orders.
async fn assert_log_is_what_was_acknowledged(bench: &Bench, acked: &BTreeMap<String, Acked>) -> Vec<Told> {
    let events = log(bench).await;
    let events: Vec<&RecordedEvent> =
        events.iter().filter(|event| event.stream.to_string().starts_with("order-")).collect();
    assert!(events.windows(2).all(|pair| pair[0].position < pair[1].position), "positions increase");
    let commands: BTreeSet<String> = events.iter().map(|event| command(event)).collect();
    assert_eq!(commands.len(), events.len(), "a command took effect twice");
    let told: Vec<Told> = events.iter().map(|event| told(event)).collect();
    let mut expected: Vec<Told> = acked.values().map(Acked::told).collect();
    expected.sort_by_key(|told| told.position);
    assert!(told == expected, "the log is not what was acknowledged:\n{}", differ(&told, &expected));
    told
}

fn told(event: &RecordedEvent) -> Told {
    let stream = event.stream.to_string();
    let id = stream.strip_prefix("order-").expect("streams of orders were chosen");
    Told { position: event.position.value(), order: global_id("order", id), version: event.revision.value() }
}

fn command(event: &RecordedEvent) -> String {
    let metadata: Value = serde_json::from_str(&event.metadata).expect("metadata is JSON");
    metadata["command_id"].as_str().expect("every event comes from a command").to_owned()
}

/// The whole log, as the event store itself has it.
async fn log(bench: &Bench) -> Vec<RecordedEvent> {
    let options = EventStoreDbOptions::try_new(&bench.cluster.double.connection_string()).expect("an address");
    let store = EventStoreDb::open(options).await.expect("the event store is there");
    let (mut events, mut after) = (Vec::new(), Position::START);
    loop {
        let page = store.read_all(after, &TypeFilter::All, PAGE_EVENTS_MAX).await.expect("the event store is there");
        events.extend(page.events);
        after = page.scanned_to;
        if page.is_end {
            return events;
        }
    }
}

/// The first place where two lists differ.
fn differ(left: &[Told], right: &[Told]) -> String {
    let place = left.iter().zip(right).position(|(left, right)| left != right);
    let place = place.unwrap_or_else(|| left.len().min(right.len()));
    let near = |list: &[Told]| {
        let end = list.len().min(place + 3);
        format!("{} entries, from {place} on {:?}", list.len(), &list[place.min(end)..end])
    };
    format!("{}\n{}", near(left), near(right))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_what_is_silent_is_answered_and_lost_connections_are_replaced() {
    let bench = Bench::start().await;
    let product = shop::register(&bench.operators()[0], "TEA-1").await.id;
    let subscriber = Subscriber::start(bench.subscribers().remove(0));
    let (server, load) = (bench.customers().remove(0), Load::default());
    let place = async |key: &str| {
        insist_on_order(key, &product, std::slice::from_ref(&server), &load, &mut Random::new(0)).await
    };
    let first = place("first").await;
    read_at(&server, &first, &load).await;
    let links = bench.serving_links()[0];

    links.rows.inject(Fault::Hang(Way::Both)).await;
    assert_answered(&server, shop::ORDER, json!({ "id": first.order }), &["READ_STORE_UNAVAILABLE"]).await;
    links.rows.heal().await;
    links.events.inject(Fault::Hang(Way::Both)).await;
    let input = json!({ "input": { "lines": shop::order_input(&product, 1)["lines"], "idempotencyKey": "second" } });
    let codes = ["STORE_UNAVAILABLE", "OUTCOME_UNKNOWN"];
    assert_answered(&server, shop::ORDER_PLACE, input, &codes).await;
    links.events.heal().await;
    // What hung is taken up again: it has happened once.
    let second = place("second").await;
    subscriber.heard_of(&second.order).await;

    for links in bench.serving_links() {
        links.rows.inject(Fault::Lose).await;
        links.events.inject(Fault::Lose).await;
    }
    let lost = Instant::now();
    let third = place("third").await;
    let taken = lost.elapsed();
    read_at(&server, &third, &load).await;
    let folded = lost.elapsed();
    let told = subscriber.heard_of(&third.order).await - lost;
    say(&format!(
        "connection faults: all lost on the way, a command was taken after {taken:.1?}, read after {folded:.1?}, told \
         after {told:.1?}"
    ));
    assert!(taken.max(folded).max(told) < ANSWER_MAX, "nobody missed the connections that were lost");
    bench.ready().await;
    let told: Vec<Told> = [&first, &second, &third].map(Acked::told).into();
    assert_eq!(subscriber.told(), told);
}

/// There is an answer, and it is one of these errors, to be tried again.
async fn assert_answered(server: &Client, document: &str, variables: Value, codes: &[&str]) {
    let answer = tokio::time::timeout(ANSWER_MAX, server.graphql(document, variables)).await;
    let answer = answer.unwrap_or_else(|_| panic!("nobody answers {document}"));
    assert!(answer.error_code().is_some_and(|code| codes.contains(&code)), "{answer}");
    assert_eq!(answer.body["errors"][0]["extensions"]["retryable"], true, "{answer}");
}

#[test]
fn the_schedule_has_every_kind_of_fault_at_every_kind_of_connection() {
    let mut schedule = Schedule::new(Random::new(1));
    let planned: Vec<Planned> = (0..200).map(|_| schedule.next()).collect();
    for kind in FaultKind::ALL {
        for link in bench::Link::ALL {
            assert!(
                planned.iter().any(|planned| planned.fault.kind() == kind && planned.link == link),
                "no {kind:?} at {link:?}"
            );
        }
    }
    assert!(planned.iter().any(|planned| planned.lasts > Duration::from_millis(tests::cluster::LEASE_MS)));
    let first: BTreeSet<FaultKind> = planned.iter().take(24).map(|planned| planned.fault.kind()).collect();
    assert_eq!(first.len(), FaultKind::ALL.len(), "a short run has all of them, too");
}
