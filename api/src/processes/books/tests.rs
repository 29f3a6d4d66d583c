//! One audit at a time; the next one when it is over, however it ended.

use domain::{Event, testing::now};
use infrastructure::{
    codec,
    event_store::{Append, ExpectedRevision, MemoryEventStore, Name, NewEvent, StreamId},
    process,
    read_store::{SqliteReadStore, SqliteReadStoreOptions},
};
use uuid::Uuid;

use super::*;

async fn books(events: &Arc<MemoryEventStore>) -> (Books, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = SqliteReadStore::open(&folder.path().join("read.db"), SqliteReadStoreOptions::default());
    let rows: Arc<dyn ReadStore> = Arc::new(rows.expect("a store"));
    process::prepare(&*rows).await.expect("the tables");
    (Books::new(Arc::clone(events) as Arc<dyn EventStore>, rows), folder)
}

async fn append(events: &MemoryEventStore, stream: u128, (type_name, data): (impl Into<Name>, String)) {
    let event = NewEvent {
        id: Uuid::from_u128(stream),
        type_name: type_name.into(),
        at: now(),
        metadata: "{}".to_owned(),
        data,
    };
    let stream = StreamId::new("order", Uuid::from_u128(stream));
    let append = Append { stream, expected: ExpectedRevision::NoStream, events: vec![event].into() };
    events.append(append).await.expect("appended");
}

#[tokio::test]
async fn one_audit_runs_at_a_time_and_the_next_one_when_it_is_over() {
    let events = Arc::new(MemoryEventStore::new());
    append(&events, 1, codec::encode(&Event::from(domain::testing::order_placed()))).await;
    let (books, _folder) = books(&events).await;
    let turn = books.turns.try_acquire().expect("nobody audits");
    assert!(matches!(books.audit().await, Err(BooksError::AlreadyVerifying)));
    drop(turn);
    for _ in 0..2 {
        let (report, head) = books.audit().await.expect("a report");
        assert_eq!((report.orders, head), (1, Position::new(1)));
    }
}

#[tokio::test]
async fn an_audit_that_failed_keeps_nobody_from_the_next_one() {
    let events = Arc::new(MemoryEventStore::new());
    append(&events, 1, ("order.placed.v99", "{}".to_owned())).await;
    let (books, _folder) = books(&events).await;
    for _ in 0..2 {
        assert!(matches!(books.audit().await, Err(BooksError::Undecodable { .. })));
    }
}
