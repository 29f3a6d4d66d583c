//! The contract suites against every adapter.

use std::sync::Arc;

use infrastructure::event_store::{
    EventStore, EventStoreDb, EventStoreDbOptions, MemoryEventStore, SqliteEventStore, SqliteEventStoreOptions, Window,
};
use infrastructure::read_store::{ReadStore, SqliteReadStore, SqliteReadStoreOptions};
use infrastructure::snapshot_store::{MemorySnapshotStore, ReadStoreSnapshots, SnapshotStore};
use tempfile::TempDir;
use tests::{
    esdb::{Double, Limits, Options},
    postgres::{Durability, PostgresSchema, PostgresServer},
    since::Since,
};

mod event_store {
    use super::{
        eventstoredb_event_store, memory_event_store, shared_eventstoredb_event_store, sqlite_event_store,
        windowed_event_store,
    };

    tests::contract_suite!(event_store, memory => memory_event_store());
    tests::contract_suite!(event_store, sqlite => sqlite_event_store());
    tests::contract_suite!(event_store, windowed => windowed_event_store());
    tests::contract_suite!(event_store, eventstoredb => eventstoredb_event_store());
    tests::contract_suite!(event_store, eventstoredb_shared => shared_eventstoredb_event_store());
}

mod durable_event_store {
    use super::sqlite_event_store_again_and_again;

    tests::contract_suite!(durable_event_store, sqlite => sqlite_event_store_again_and_again());
}

/// The window, whose content everybody reads who follows the log, in front of a file.
async fn windowed_event_store() -> (Arc<dyn EventStore>, TempDir) {
    let (store, folder) = sqlite_event_store().await;
    (Arc::new(Window::new(store)), folder)
}

async fn memory_event_store() -> (Arc<dyn EventStore>, ()) {
    (Arc::new(MemoryEventStore::new()), ())
}

/// Names a live server that the suite is to pass as well: a connection string. Its log may hold anything, but nobody
/// else may write meanwhile.
const LIVE: &str = "MILLRACE_TEST_EVENTSTOREDB_URL";

/// The adapter in front of a live server, if there is one; otherwise of a double that has events of other people.
async fn shared_eventstoredb_event_store() -> (Arc<dyn EventStore>, impl Sized) {
    let (url, double) = if let Some(url) = tests::binary::variable(LIVE) {
        (url, None)
    } else {
        let double = Double::start(Arc::new(MemoryEventStore::new()), Options::default()).await;
        (double.connection_string(), Some(double))
    };
    let options = EventStoreDbOptions::try_new(&url).expect("options");
    let store: Arc<dyn EventStore> = Arc::new(EventStoreDb::open(options).await.expect("an event store"));
    if double.is_some() {
        let earlier = tests::contracts::event_store::append;
        let stream = tests::contracts::event_store::stream("earlier");
        store.append(earlier(&stream, 0, tests::contracts::event_store::events(20))).await.expect("earlier events");
    }
    let (view, alone) = Since::open(store).await;
    (view, (double, alone))
}

/// The adapter in front of a double whose log is empty.
async fn eventstoredb_event_store() -> (Arc<dyn EventStore>, Double) {
    let limits = Limits { has_system_events: false, ..Limits::default() };
    let double = Double::start(Arc::new(MemoryEventStore::new()), Options { limits, ..Options::default() }).await;
    let options = EventStoreDbOptions::try_new(&double.connection_string()).expect("options");
    (Arc::new(EventStoreDb::open(options).await.expect("an event store")), double)
}

async fn sqlite_event_store() -> (Arc<dyn EventStore>, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    (open(&folder.path().join("events.db")), folder)
}

async fn sqlite_event_store_again_and_again() -> (tests::contracts::durable_event_store::Opener, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.db");
    let opener = Box::new(move || -> futures_util::future::BoxFuture<'static, Arc<dyn EventStore>> {
        let store = open(&path);
        Box::pin(async move { store })
    });
    (opener, folder)
}

fn open(path: &std::path::Path) -> Arc<dyn EventStore> {
    Arc::new(SqliteEventStore::open(path, SqliteEventStoreOptions::default()).expect("an event store"))
}

mod read_store {
    use super::{postgres_read_store, sqlite_read_store};

    tests::contract_suite!(read_store, sqlite => sqlite_read_store());
    tests::contract_suite!(read_store, postgres => postgres_read_store());
}

mod durable_read_store {
    use super::{postgres_read_store_after_crashes, sqlite_read_store_again_and_again};

    tests::contract_suite!(durable_read_store, sqlite => sqlite_read_store_again_and_again());
    tests::contract_suite!(durable_read_store, postgres => postgres_read_store_after_crashes());
}

mod shared_read_store {
    use super::two_postgres_read_stores;

    tests::contract_suite!(shared_read_store, postgres => two_postgres_read_stores());
}

mod snapshot_store {
    use super::{memory_snapshot_store, postgres_snapshot_store, sqlite_snapshot_store};

    tests::contract_suite!(snapshot_store, memory => memory_snapshot_store());
    tests::contract_suite!(snapshot_store, sqlite => sqlite_snapshot_store());
    tests::contract_suite!(snapshot_store, postgres => postgres_snapshot_store());
}

async fn memory_snapshot_store() -> (Arc<dyn SnapshotStore>, ()) {
    (Arc::new(MemorySnapshotStore::new()), ())
}

async fn sqlite_snapshot_store() -> (Arc<dyn SnapshotStore>, TempDir) {
    let (rows, folder) = sqlite_read_store().await;
    (snapshots_in(rows).await, folder)
}

async fn postgres_snapshot_store() -> (Arc<dyn SnapshotStore>, PostgresSchema) {
    let (rows, schema) = postgres_read_store().await;
    (snapshots_in(rows).await, schema)
}

async fn snapshots_in(rows: Arc<dyn ReadStore>) -> Arc<dyn SnapshotStore> {
    Arc::new(ReadStoreSnapshots::open(rows).await.expect("the table is made"))
}

async fn sqlite_read_store() -> (Arc<dyn ReadStore>, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    (open_read_store(&folder.path().join("read.db")), folder)
}

async fn sqlite_read_store_again_and_again() -> (tests::contracts::durable_read_store::Opener, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("read.db");
    let opener = Box::new(move || -> futures_util::future::BoxFuture<'static, Arc<dyn ReadStore>> {
        let store = open_read_store(&path);
        Box::pin(async move { store })
    });
    (opener, folder)
}

fn open_read_store(path: &std::path::Path) -> Arc<dyn ReadStore> {
    Arc::new(SqliteReadStore::open(path, SqliteReadStoreOptions::default()).expect("a store"))
}

async fn postgres_read_store() -> (Arc<dyn ReadStore>, PostgresSchema) {
    let schema = PostgresSchema::new().await;
    (Arc::new(schema.open().await), schema)
}

async fn two_postgres_read_stores() -> ((Arc<dyn ReadStore>, Arc<dyn ReadStore>), PostgresSchema) {
    let schema = PostgresSchema::new().await;
    ((Arc::new(schema.open().await), Arc::new(schema.open().await)), schema)
}

/// Each time the store is opened again, its server has crashed in between.
async fn postgres_read_store_after_crashes() -> (tests::contracts::durable_read_store::Opener, Arc<PostgresServer>) {
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(Durability::Full)).await.expect("a server");
    let server = Arc::new(server);
    let schema = Arc::new(PostgresSchema::on_server(&server).await);
    let crashing = Arc::clone(&server);
    let is_first = std::sync::atomic::AtomicBool::new(true);
    let opener = Box::new(move || -> futures_util::future::BoxFuture<'static, Arc<dyn ReadStore>> {
        if !is_first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            crashing.crash();
            crashing.start_again();
        }
        let schema = Arc::clone(&schema);
        Box::pin(async move { Arc::new(schema.open().await) as Arc<dyn ReadStore> })
    });
    (opener, server)
}

mod payment_gateway {
    use crate::payment_provider::{http_gateway, sandbox};

    tests::contract_suite!(payment_gateway, sandbox => sandbox());
    tests::contract_suite!(payment_gateway, http => http_gateway());
}
