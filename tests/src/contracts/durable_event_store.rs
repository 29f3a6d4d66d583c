//! The contract of an event store that outlives its process: promise 5 of `EventStore`, and what else a restart must
//! not change.

#![expect(clippy::unwrap_used, reason = "a case fails by panicking")]

use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};
use infrastructure::event_store::{AppendError, EventStore, Position, TypeFilter};

use super::event_store::{append, event, events, stream, whole_log, whole_stream};

/// The tests of this suite for one adapter.
#[macro_export]
macro_rules! durable_event_store_cases {
    ($adapter:ident => $factory:expr) => {
        $crate::contract_tests! {
            durable_event_store, $adapter => $factory, [
                what_was_acknowledged_is_there_after_a_restart,
                expected_revisions_hold_across_a_restart,
                the_same_append_again_is_recognised_after_a_restart,
                positions_go_on_where_they_were,
                an_append_whose_caller_has_left_is_whole_or_not_there,
            ]
        }
    };
}
pub use crate::durable_event_store_cases as cases;

/// Opens the same store again and again; nobody has it open then.
pub type Opener = Box<dyn Fn() -> BoxFuture<'static, Arc<dyn EventStore>> + Send + Sync>;

pub async fn what_was_acknowledged_is_there_after_a_restart(open: Opener) {
    let store = open().await;
    let streams: Vec<_> = (0..50).map(|_| stream("order")).collect();
    join_all(streams.iter().map(|stream| store.append(append(stream, 0, events(3))))).await;
    let before = whole_log(&*store).await;
    assert_eq!(before.len(), 150);
    drop(store);

    let store = open().await;
    assert_eq!(whole_log(&*store).await, before);
    assert_eq!(store.head().await.unwrap(), before[149].position);
    assert_eq!(*store.tail().borrow(), before[149].position);
    assert_eq!(whole_stream(&*store, &streams[7]).await.len(), 3);
}

pub async fn expected_revisions_hold_across_a_restart(open: Opener) {
    let stream = stream("order");
    open().await.append(append(&stream, 0, events(2))).await.unwrap();
    let store = open().await;
    for wrong in [0, 1, 3] {
        let outcome = store.append(append(&stream, wrong, events(1))).await;
        assert!(matches!(outcome, Err(AppendError::WrongExpectedRevision { .. })), "{outcome:?}");
    }
    store.append(append(&stream, 2, events(1))).await.unwrap();
    assert_eq!(whole_stream(&*store, &stream).await.len(), 3);
}

pub async fn the_same_append_again_is_recognised_after_a_restart(open: Opener) {
    let sent = append(&stream("order"), 0, events(3));
    let first = open().await.append(sent.clone()).await.unwrap();
    let store = open().await;
    assert_eq!(store.append(sent).await.unwrap(), first);
    assert_eq!(whole_log(&*store).await.len(), 3);
}

pub async fn positions_go_on_where_they_were(open: Opener) {
    let mut last = Position::START;
    for round in 0..4 {
        let store = open().await;
        // A type of its own in each round: names too must go on where they were.
        let sent = vec![event(&format!("round-{round}.v1")), event("order.placed.v1")];
        let appended = store.append(append(&stream(&format!("category-{round}")), 0, sent)).await.unwrap();
        assert!(appended.positions[0] > last);
        last = appended.positions[1];
        let of_round = store.read_all(Position::START, &TypeFilter::prefixes(&["round-"]), 100).await.unwrap();
        assert_eq!(of_round.events.len(), round + 1);
    }
}

pub async fn an_append_whose_caller_has_left_is_whole_or_not_there(open: Opener) {
    let store = open().await;
    let streams: Vec<_> = (0..20).map(|_| stream("order")).collect();
    for stream in &streams {
        let mut left = Box::pin(store.append(append(stream, 0, events(5))));
        // Far enough to be on its way, wherever that is.
        let _ = futures_util::poll!(&mut left);
    }
    drop(store);
    let store = open().await;
    for stream in &streams {
        assert!([0, 5].contains(&whole_stream(&*store, stream).await.len()));
    }
}
