//! A read store and the logs it is started with.

use infrastructure::event_store::{Append, ExpectedRevision, MemoryEventStore, NewEvent, StreamId};

use super::*;
use crate::tests::temp_rows;

/// Appends events with these ids.
async fn grow(log: &MemoryEventStore, ids: impl IntoIterator<Item = u128>) {
    for id in ids {
        let event = NewEvent {
            id: Uuid::from_u128(id),
            type_name: "order.placed.v2".into(),
            at: domain::testing::now(),
            metadata: "{}".to_owned(),
            data: "{}".to_owned(),
        };
        let stream = StreamId::new("order", Uuid::from_u128(id));
        log.append(Append { stream, expected: ExpectedRevision::NoStream, events: vec![event].into() }).await.unwrap();
    }
}

async fn log(id: u128) -> MemoryEventStore {
    let log = MemoryEventStore::new();
    grow(&log, [id]).await;
    log
}

#[tokio::test]
async fn a_read_store_is_of_the_first_log_that_it_sees_an_event_of() {
    let (_folder, rows) = temp_rows();
    let empty = MemoryEventStore::new();
    crate::bookkeeping::prepare(&*rows).await.unwrap();
    check(&empty, &*rows).await.expect("there is nothing to be told by yet");
    let (ours, other) = (log(1).await, log(2).await);
    for _ in 0..2 {
        check(&ours, &*rows).await.expect("it is its log");
    }
    grow(&ours, [3]).await;
    check(&ours, &*rows).await.expect("it has grown");
    for wrong in [&other, &empty] {
        let refused = check(wrong, &*rows).await;
        assert!(matches!(refused, Err(ManagerError::Log(LogFault::Other))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_log_that_was_empty_at_the_start_is_remembered_as_soon_as_it_has_an_event() {
    let (_folder, rows) = temp_rows();
    crate::bookkeeping::prepare(&*rows).await.unwrap();
    let ours = MemoryEventStore::new();
    keep_up(&ours, &*rows).await.expect("there is nothing to be told by yet");
    grow(&ours, [1]).await;
    keep_up(&ours, &*rows).await.expect("it is its log now");
    let refused = keep_up(&log(2).await, &*rows).await;
    assert!(matches!(refused, Err(ManagerError::Log(LogFault::Other))), "{refused:?}");
}

#[tokio::test]
async fn a_log_that_was_set_back_is_known_even_when_it_has_grown_since() {
    let (_folder, rows) = temp_rows();
    crate::bookkeeping::prepare(&*rows).await.unwrap();
    let (ours, backup) = (log(1).await, log(1).await);
    grow(&ours, 2..5).await;
    keep_up(&ours, &*rows).await.expect("it is its log");
    let is_set_back = |refused: Result<(), ManagerError>| {
        assert!(
            matches!(refused, Err(ManagerError::Log(LogFault::SetBack { position, .. })) if position.value() == 4),
            "{refused:?}"
        );
    };
    is_set_back(check(&backup, &*rows).await);
    grow(&backup, 5..20).await;
    is_set_back(check(&backup, &*rows).await);
    is_set_back(keep_up(&backup, &*rows).await);
    check(&ours, &*rows).await.expect("nothing was forgotten");
}

#[tokio::test]
async fn who_looks_late_does_not_take_the_mark_back() {
    let (_folder, rows) = temp_rows();
    crate::bookkeeping::prepare(&*rows).await.unwrap();
    let mark = |n| Mark { position: Position::new(n), event: Uuid::from_u128(n.into()) };
    for (moved, expected) in [(7, 7), (5, 7), (9, 9)] {
        rows.transaction(vec![sql::move_latest(mark(moved))]).await.unwrap();
        assert_eq!(sql::read(&*rows).await.unwrap().latest, Some(mark(expected)));
    }
}

#[tokio::test]
async fn a_copy_takes_the_place_of_the_log_as_long_as_that_is_the_one_that_is_known() {
    let (_folder, rows) = temp_rows();
    crate::bookkeeping::prepare(&*rows).await.unwrap();
    let ours = log(1).await;
    grow(&ours, [2]).await;
    keep_up(&ours, &*rows).await.unwrap();
    let known = sql::read(&*rows).await.unwrap();
    let copy = Mark { position: Position::new(70), event: Uuid::from_u128(1) };
    let replaced = rows.transaction(sql::replace(Some(copy), copy).into()).await;
    assert!(matches!(replaced, Err(ReadStoreError::Guard { .. })), "{replaced:?}");
    assert_eq!(sql::read(&*rows).await.unwrap(), known);
    rows.transaction(sql::replace(known.first, copy).into()).await.unwrap();
    assert_eq!(sql::read(&*rows).await.unwrap(), Marks { first: Some(copy), latest: None });
}
