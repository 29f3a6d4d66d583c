//! Nodes that die and come back, clusters, users.

use std::{path::Path, sync::Arc, time::Duration};

use eventstore::{Client, Error, ReadAllOptions, ReadStreamOptions, StreamState, TombstoneStreamOptions};
use infrastructure::event_store::{EventStore, MemoryEventStore, SqliteEventStore, SqliteEventStoreOptions};
use tests::{
    esdb::{Access, Cluster, Double, Fault, FaultKind, Operation, Options, Plan},
    server::POLL_INTERVAL,
};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{PATIENCE, append, connect, events, read_all, read_stream, rest, start, write};

fn open(path: &Path) -> Arc<dyn EventStore> {
    Arc::new(SqliteEventStore::open(path, SqliteEventStoreOptions::default()).expect("an event store"))
}

/// What the log holds, with everything a client sees of it.
async fn dump(client: &Client) -> Vec<String> {
    let events = rest(client.read_all(&ReadAllOptions::default()).await.expect("ok")).await.expect("ok");
    let line = |event: &eventstore::ResolvedEvent| {
        let event = event.get_original_event();
        format!("{} {} {} {} {:?}", event.position.commit, event.stream_id(), event.revision, event.id, event.data)
    };
    events.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_that_was_killed_comes_back_on_its_port_with_its_log() {
    let (double, client) = start(Options::default()).await;
    write(&client, "s", [1]).await;
    double.kill().await;
    append(&client, "s", StreamState::Any, events("thing", [2])).await.expect_err("nobody is there");
    assert!(TcpStream::connect(double.address()).await.is_err());
    double.restart().await;
    let client = connect(&double.connection_string());
    write(&client, "s", [2]).await;
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 2]);
    // The ids of before are forgotten, as in a process that has started anew.
    write(&client, "s", [1]).await;
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_a_file_is_the_same_after_it_was_opened_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.db");
    let double = Double::start(open(&path), Options::default()).await;
    let client = connect(&double.connection_string());
    write(&client, "test-stream", 0..3).await;
    write(&client, "order-00000000-0000-0000-0000-000000000001", 3..6).await;
    let large = eventstore::EventData::binary("blob", vec![7; 400_000].into()).id(uuid::Uuid::from_u128(1));
    append(&client, "large", StreamState::NoStream, vec![large]).await.expect("ok");
    write(&client, "gone", [7]).await;
    client.tombstone_stream("gone", &TombstoneStreamOptions::default()).await.expect("ok");
    let before = dump(&client).await;
    double.kill().await;
    double.database().close().await;
    let port = double.address().port();
    drop(double);

    let double = Double::start(open(&path), Options { port, ..Options::default() }).await;
    let client = connect(&double.connection_string());
    assert_eq!(dump(&client).await, before);
    let error = append(&client, "gone", StreamState::Any, events("thing", [8])).await.expect_err("it has a tombstone");
    assert!(matches!(error, Error::ResourceDeleted), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_gets_otherwise_is_in_the_log_too() {
    let engine: Arc<dyn EventStore> = Arc::new(MemoryEventStore::new());
    let first = Double::start(Arc::clone(&engine), Options::default()).await;
    let second = Double::start(engine, Options::default()).await;
    write(&connect(&first.connection_string()), "s", [1]).await;
    let client = connect(&second.connection_string());
    while read_all(&client, ReadAllOptions::default()).await.expect("ok").is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    write(&client, "s", [2]).await;
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_reset_are_made_anew() {
    let (double, client) = start(Options::default()).await;
    write(&client, "s", [1]).await;
    double.faults().plan(Plan::new(Operation::Append, Fault::HangBefore));
    let mut hanging = JoinSet::new();
    hanging.spawn({
        let client = client.clone();
        async move { append(&client, "s", StreamState::Any, events("thing", [2])).await }
    });
    while double.faults().fired(FaultKind::HangBefore) == 0 {
        sleep(POLL_INTERVAL).await;
    }
    double.reset_connections();
    let answer = timeout(PATIENCE, hanging.join_next()).await.expect("an answer").expect("a task").expect("no panic");
    assert!(matches!(answer, Err(Error::ServerError(_))), "{answer:?}");
    write(&client, "s", [3]).await;
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_names_the_leader_and_gossip_finds_it() {
    let cluster = Cluster::start(3, Arc::new(MemoryEventStore::new()), Options::default()).await;
    let client = connect(&cluster.connection_string());
    write(&client, "s", [1]).await;
    cluster.set_leader(Some(2));
    assert_eq!(cluster.leader(), Some(2));
    let error = append(&client, "s", StreamState::Any, events("thing", [2])).await.expect_err("somebody else leads");
    let leader = cluster.nodes()[2].address();
    assert!(matches!(&error, Error::NotLeaderException(named) if named.port == u32::from(leader.port())), "{error:?}");
    // The client now asks the one that was named.
    write(&client, "s", [2]).await;

    // Each new client finds the leader by gossip, whichever seed it asks first, though one is dead.
    cluster.nodes()[0].kill().await;
    for number in 3..9 {
        write(&connect(&cluster.connection_string()), "s", [number]).await;
    }
    cluster.set_leader(None);
    let error = append(&client, "s", StreamState::Any, events("thing", [9])).await.expect_err("nobody leads");
    assert!(matches!(error, Error::ServerError(_)), "{error:?}");
    cluster.set_leader(Some(1));
    let client = connect(&cluster.connection_string());
    write(&client, "s", [9]).await;
    let expected: Vec<_> = (1..10).collect();
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_users_without_rights_are_turned_away() {
    let access = Access { may_read_all: false, may_write: false, ..Access::new("reader", "secret") };
    let (double, client) = start(Options { access: Some(access), ..Options::default() }).await;
    let address = double.address();
    let missing = read_stream(&client, "s", ReadStreamOptions::default()).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
    let all = read_all(&client, ReadAllOptions::default()).await;
    assert!(matches!(all, Err(Error::AccessDenied)), "{all:?}");
    let written = append(&client, "s", StreamState::Any, events("thing", [1])).await;
    assert!(matches!(written, Err(Error::AccessDenied)), "{written:?}");
    for user in ["", "reader:wrong@", "nobody:secret@"] {
        let stranger = connect(&format!("esdb://{user}{address}?tls=false"));
        let read = read_stream(&stranger, "s", ReadStreamOptions::default()).await;
        assert!(matches!(read, Err(Error::AccessDenied)), "{user}: {read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_speaks_tls_with_whom_it_trusts() {
    let (double, client) = start(Options { has_tls: true, ..Options::default() }).await;
    write(&client, "s", [1]).await;
    assert_eq!(read_stream(&client, "s", ReadStreamOptions::default()).await.expect("ok"), [1]);
    let address = double.address();
    for parameters in ["tls=true", "tls=false"] {
        let client = connect(&format!("esdb://{address}?{parameters}&maxDiscoverAttempts=1"));
        append(&client, "s", StreamState::Any, events("thing", [2])).await.expect_err("no trust, or no TLS");
    }
    let careless = connect(&format!("esdb://{address}?tls=true&tlsVerifyCert=false"));
    write(&careless, "s", [2]).await;
}
