//! `millrace events copy`: a log moves into the other kind of event store and back, by the real binary.

mod looking;
mod refusals;
mod rows;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

use infrastructure::event_store::{
    Append, EventStore, EventStoreDb, EventStoreDbOptions, ExpectedRevision, MemoryEventStore, Name, NewEvent,
    Position, RecordedEvent, Revision, SqliteEventStore, SqliteEventStoreOptions, SqliteEventVisitor, StreamId,
};
use tests::{
    binary::{self, Ran, millrace},
    cluster::Cluster,
    contracts::event_store::whole_log,
    esdb::{Double, Options},
    random::Random,
    server::{Server, Start, eventually, send_signal, temp_dir},
    shop,
};
use uuid::Uuid;

const TO_THE_CLUSTER: [&str; 4] = ["--from", "embedded", "--to", "eventstoredb"];
const BACK: [&str; 4] = ["--from", "eventstoredb", "--to", "embedded"];

/// An event store that is not ours alone: others have written before, and write.
struct Elsewhere {
    double: Double,
    client: eventstore::Client,
    written: u64,
}

impl Elsewhere {
    async fn new() -> Self {
        let engine: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new());
        let double = Double::start(engine, Options { has_tls: false, ..Options::default() }).await;
        let settings: eventstore::ClientSettings = double.connection_string().parse().expect("a connection string");
        let client = eventstore::Client::new(settings).expect("a client");
        let mut elsewhere = Self { double, client, written: 0 };
        elsewhere.write_of_others().await;
        elsewhere
    }

    /// Somebody else's events, one of them large.
    async fn write_of_others(&mut self) {
        for bytes in [10, 300_000, 10] {
            self.written += 1;
            let event = eventstore::EventData::binary("theirs", vec![7; bytes].into());
            let event = event.id(Uuid::from_u64_pair(u64::MAX, self.written));
            self.client
                .append_to_stream("theirs-1", &eventstore::AppendToStreamOptions::default(), event)
                .await
                .expect("it is appended");
        }
    }

    fn environment(&self) -> (String, String) {
        ("MILLRACE_EVENT_STORE__URL".to_owned(), self.double.connection_string())
    }

    /// It through the adapter.
    async fn open(&self) -> EventStoreDb {
        let options = EventStoreDbOptions::try_new(&self.double.connection_string()).expect("options");
        EventStoreDb::open(options).await.expect("it opens")
    }

    /// How a server runs on it.
    fn start(&self) -> Start {
        Start { environment: vec![self.environment()], ..Start::default() }
    }

    fn command(&self, data: &Path, arguments: &[&str]) -> Command {
        let own: [OsString; 2] = ["--data-dir".into(), data.into()];
        let mut command = binary::command(&[], arguments.iter().map(OsString::from).chain(own));
        command.envs([self.environment()]);
        command
    }

    /// Runs `millrace events` to its end.
    fn events(&self, data: &Path, arguments: &[&str]) -> Ran {
        ran(&mut self.command(data, &[&["events"], arguments].concat()))
    }

    fn copy(&self, data: &Path, arguments: &[&[&str]]) -> Ran {
        self.events(data, &[&["copy"], arguments.concat().as_slice()].concat())
    }

    /// Starts a copy, and leaves it running. What it says goes into the file.
    fn start_copy(&self, data: &Path, arguments: &[&[&str]], says: &Path) -> Child {
        let mut command = self.command(data, &[&["events", "copy"], arguments.concat().as_slice()].concat());
        let file = || fs::File::options().create(true).append(true).open(says).expect("a file");
        command.stdout(file()).stderr(file()).spawn().expect("it starts")
    }
}

/// Runs it to its end.
fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Runs `millrace events` on this data directory alone.
fn events(data: &Path, arguments: &[&str]) -> Ran {
    let own: [OsString; 3] = ["events".into(), "--data-dir".into(), data.into()];
    millrace(own.into_iter().chain(arguments.iter().map(OsString::from)))
}

#[track_caller]
fn assert_refused(ran: &Ran, code: &str) {
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains(&format!("error[{code}]")), "{code} was expected: {ran:?}");
    assert!(!ran.stdout.contains("ready to switch:"), "{ran:?}");
}

fn events_db(data: &Path) -> PathBuf {
    data.join("events.db")
}

fn open(data: &Path) -> SqliteEventStore {
    fs::create_dir_all(data).expect("a folder");
    SqliteEventStore::open(&events_db(data), SqliteEventStoreOptions::default()).expect("a store")
}

/// An event that only its bytes tell anything about.
fn new_event(random: &mut Random, number: u64) -> NewEvent {
    let metadata = ["{}", "", "{ \"a\" : 1.50 }", "no JSON", "{\"at\":\"2020-01-01T00:00:00Z\",\"metadata\":{}}"];
    let data = ["{}", "{\"ä\":\"\\u00e4\"}", "plain text", "{ \"a\":1, \"a\":2 }  "];
    let micros = 1_500_000_000_000_000 + i64::try_from(random.below(1_000_000_000_000_000)).expect("a time");
    NewEvent {
        id: Uuid::from_u64_pair(number, random.below(u64::MAX)),
        type_name: Name::from(["order.placed.v1", "product.registered.v1"][random.index(2)]),
        at: chrono::DateTime::from_timestamp_micros(micros).expect("a time"),
        metadata: metadata[random.index(5)].to_owned(),
        data: data[random.index(4)].to_owned(),
    }
}

/// Appends so many events to streams in no order, some of them together.
async fn write_history(store: &dyn EventStore, random: &mut Random, streams: u64, count: u64) {
    let stream_of =
        |number: u64| StreamId::new(["order", "product"][usize::from(number % 2 == 1)], Uuid::from_u128(number.into()));
    let (mut lasts, mut written) = (std::collections::HashMap::new(), 0);
    let there = whole_log(store).await;
    for event in &there {
        lasts.insert(event.stream.clone(), event.revision);
    }
    while written < count {
        let stream = stream_of(random.below(streams));
        let events: Vec<_> =
            (0..=random.below(3)).map(|offset| new_event(random, there.len() as u64 + written + offset)).collect();
        written += events.len() as u64;
        let expected = ExpectedRevision::after(lasts.get(&stream).copied());
        let appended = store.append(Append { stream: stream.clone(), expected, events: events.into() }).await;
        lasts.insert(stream, appended.expect("it is appended").revision);
    }
}

/// Everything of an event but its position.
fn unplaced(events: &[RecordedEvent]) -> Vec<RecordedEvent> {
    events.iter().map(|event| RecordedEvent { position: Position::START, ..event.clone() }).collect()
}

fn digest(said: &str) -> &str {
    said.lines().find_map(|line| line.strip_prefix("digest ")).unwrap_or_else(|| panic!("no digest in {said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_moves_there_across_kills_and_comes_back_event_by_event() {
    const EVENTS: u64 = 4_000;
    let folder = temp_dir();
    let [data, back, says] = ["data", "back", "says"].map(|name| folder.path().join(name));
    let mut random = Random::new(7);
    let store = open(&data);
    write_history(&store, &mut random, 400, EVENTS).await;
    let original = whole_log(&store).await;
    drop(store);
    let mut elsewhere = Elsewhere::new().await;
    let there = elsewhere.open().await;

    // Killed again and again, each time somewhere else.
    let mut killed_with_work_left = 0;
    for round in 1..=12 {
        let before = whole_log(&there).await.len();
        let mut child = elsewhere.start_copy(&data, &[&TO_THE_CLUSTER], &says);
        eventually("it copies", async || {
            (there.head().await.expect("a head") > Position::START && whole_log(&there).await.len() > before)
                .then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        let now = whole_log(&there).await;
        assert_eq!(unplaced(&now), unplaced(&original[..now.len()]), "what is there is the beginning of the log");
        if now.len() == original.len() {
            break;
        }
        killed_with_work_left += 1;
        if round % 4 == 0 {
            elsewhere.write_of_others().await;
        }
    }
    assert!(killed_with_work_left > 0, "it was never killed in the middle");

    let said = elsewhere.copy(&data, &[&TO_THE_CLUSTER]).ok();
    assert!(said.contains(&format!("verified: {} events of ", original.len())), "{said}");
    assert!(said.contains("ready to switch: start the servers with `event_store.url` set"), "{said}");
    let copied = whole_log(&there).await;
    assert_eq!(unplaced(&copied), unplaced(&original));
    assert!(copied.windows(2).any(|pair| pair[1].position.value() - pair[0].position.value() > 300_000), "a gap");
    // Once more is nothing to do, and the same answer.
    let again = elsewhere.copy(&data, &[&TO_THE_CLUSTER]).ok();
    assert!(again.contains("copied 0 events"), "{again}");
    assert_eq!(digest(&again), digest(&said));

    // Back into another directory: the very same store.
    let returned = elsewhere.copy(&back, &[&BACK]).ok();
    assert_eq!(digest(&returned), digest(&said));
    assert!(returned.contains("ready to switch, if no server runs"), "{returned}");
    assert_eq!(whole_log(&open(&back)).await, original);
    assert_eq!(
        events(&back, &["check", "--structure"]).stdout.lines().next(),
        Some("the structure of events.db is whole")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_back_goes_on_across_kills_too() {
    let folder = temp_dir();
    let [data, says] = ["data", "says"].map(|name| folder.path().join(name));
    let mut elsewhere = Elsewhere::new().await;
    let there = elsewhere.open().await;
    let mut random = Random::new(3);
    write_history(&there, &mut random, 100, 1_500).await;
    elsewhere.write_of_others().await;
    write_history(&there, &mut random, 100, 1_500).await;
    let original = whole_log(&there).await;
    let (mut killed_with_work_left, mut before) = (0, Position::START);
    for _ in 0..6 {
        let mut child = elsewhere.start_copy(&data, &[&BACK], &says);
        eventually("it copies", async || {
            let head = SqliteEventVisitor::open(&events_db(&data)).ok()?.head().await.ok()?;
            (head > before).then_some(())
        })
        .await;
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        let now = whole_log(&open(&data)).await;
        assert_eq!(unplaced(&now), unplaced(&original[..now.len()]));
        if now.len() == original.len() {
            break;
        }
        killed_with_work_left += 1;
        before = now.last().expect("it copies").position;
    }
    assert!(killed_with_work_left > 0, "it was never killed in the middle");
    let said = elsewhere.copy(&data, &[&BACK]).ok();
    assert!(said.contains(&format!("verified: {} events of ", original.len())), "{said}");
    let copy = whole_log(&open(&data)).await;
    assert_eq!(unplaced(&copy), unplaced(&original));
    assert!(copy.iter().zip(1..).all(|(event, position)| event.position.value() == position), "positions count");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_follows_a_server_until_it_is_stopped_and_a_server_on_the_copy_serves_the_same_orders() {
    let folder = temp_dir();
    let [data, cluster, says] = ["data", "cluster", "says"].map(|name| folder.path().join(name));
    let elsewhere = Elsewhere::new().await;
    let there = elsewhere.open().await;
    let server = Server::start_in(&data, Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    for _ in 0..5 {
        shop::place(&alice, &tea.id).await;
    }
    let mut child = elsewhere.start_copy(&data, &[&TO_THE_CLUSTER, &["--follow"]], &says);
    let said = || fs::read_to_string(&says).expect("a file");
    eventually("it follows", async || said().contains("follow: 6 events are copied").then_some(())).await;
    for _ in 0..5 {
        let order = shop::place(&alice, &tea.id).await;
        shop::ship(&operator, &order.id).await;
    }
    eventually("all of it is there", async || (whole_log(&there).await.len() == 16).then_some(())).await;
    assert!(send_signal("TERM", child.id()));
    assert!(child.wait().expect("it is our child").success(), "{}", said());
    assert!(said().contains("verified: 16 events of 11 streams"), "{}", said());
    assert!(said().contains("not ready to switch: a server has the data directory"), "{}", said());

    // What is ordered meanwhile is copied by the last run.
    let last = shop::place(&alice, &tea.id).await;
    let orders = shop::all_orders(&operator, &last.position).await;
    server.stop().await;
    let said = elsewhere.copy(&data, &[&TO_THE_CLUSTER]).ok();
    assert!(said.contains("copied 1 events") && said.contains("verified: 17 events"), "{said}");
    assert!(said.contains("ready to switch:"), "{said}");

    let server = Server::start_in(&cluster, elsewhere.start()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let next = shop::place(&alice, &tea.id).await;
    let mut seen = shop::all_orders(&operator, &next.position).await;
    assert!(seen.remove(&next.id).is_some());
    assert_eq!(seen, orders);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_fold_the_copy_while_it_is_followed_and_the_switch_finds_the_rows_there() {
    let folder = temp_dir();
    let [data, says] = ["data", "says"].map(|name| folder.path().join(name));
    let cluster = Cluster::new().await;
    let server = Server::start_in(&data, Start::default()).await;
    let (operator, alice) = (server.operator(), server.customer("alice"));
    let tea = shop::register(&operator, "TEA-1").await;
    let mut command = binary::command(
        &[],
        ["events", "copy", "--follow"].map(OsString::from).into_iter().chain(TO_THE_CLUSTER.map(OsString::from)),
    );
    command.arg("--data-dir").arg(&data).envs(cluster.start("all", "console").environment);
    let file = fs::File::create(&says).expect("a file");
    let mut copy = command.stdout(file.try_clone().expect("a file")).stderr(file).spawn().expect("it starts");
    let said = || fs::read_to_string(&says).expect("a file");
    eventually("it follows", async || said().contains("nothing is left").then_some(())).await;
    let worker = cluster.worker("worker-1").await;
    for _ in 0..4 {
        shop::place(&alice, &tea.id).await;
    }
    let last = shop::place(&alice, &tea.id).await;
    let orders = shop::all_orders(&operator, &last.position).await;
    server.stop().await;
    let count = "SELECT count(*) FROM order_summary_g1";
    eventually("the worker has folded the copy", async || (cluster.schema.run(count).await == ["5"]).then_some(()))
        .await;
    assert!(send_signal("TERM", copy.id()));
    assert!(copy.wait().expect("it is our child").success(), "{}", said());
    assert!(said().contains("verified: 6 events of 6 streams"), "{}", said());
    assert!(said().contains("ready to switch: start the servers"), "{}", said());

    let api = cluster.api("api-1").await;
    let (operator, alice) = (api.operator(), api.customer("alice"));
    let next = shop::place(&alice, &tea.id).await;
    let mut seen = shop::all_orders(&operator, &next.position).await;
    assert!(seen.remove(&next.id).is_some());
    assert_eq!(seen, orders);
    api.stop().await;
    worker.stop().await;
}
