//! The contract suites against every adapter.

use std::sync::Arc;

use infrastructure::event_store::{EventStore, MemoryEventStore, SqliteEventStore, SqliteEventStoreOptions};
use infrastructure::read_store::{ReadStore, SqliteReadStore, SqliteReadStoreOptions};
use tempfile::TempDir;

mod event_store {
    use super::{memory_event_store, sqlite_event_store};

    tests::contract_suite!(event_store, memory => memory_event_store());
    tests::contract_suite!(event_store, sqlite => sqlite_event_store());
}

mod durable_event_store {
    use super::sqlite_event_store_again_and_again;

    tests::contract_suite!(durable_event_store, sqlite => sqlite_event_store_again_and_again());
}

async fn memory_event_store() -> (Arc<dyn EventStore>, ()) {
    (Arc::new(MemoryEventStore::new()), ())
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
    use super::sqlite_read_store;

    tests::contract_suite!(read_store, sqlite => sqlite_read_store());
}

mod durable_read_store {
    use super::sqlite_read_store_again_and_again;

    tests::contract_suite!(durable_read_store, sqlite => sqlite_read_store_again_and_again());
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
