//! The contract of a snapshot store: the promises of `SnapshotStore`, by number.
//!
//! Each case gets an empty store. Promise 2 needs a way to do damage: tests/it/snapshots.rs has it.

use std::sync::Arc;

use infrastructure::{
    event_store::{Position, Revision, StreamId},
    snapshot_store::{Snapshot, SnapshotStore, Tip},
};
use uuid::Uuid;

/// The tests of this suite for one adapter.
#[macro_export]
macro_rules! snapshot_store_cases {
    ($adapter:ident => $factory:expr) => {
        $crate::contract_tests! {
            snapshot_store, $adapter => $factory, [
                where_nothing_was_saved_nothing_is_loaded,
                promise_1_what_is_loaded_is_what_was_saved_last,
                promise_1_a_snapshot_that_is_saved_meanwhile_is_loaded_whole_or_not_at_all,
                promise_3_streams_do_not_touch_each_other,
            ]
        }
    };
}
pub use crate::snapshot_store_cases as cases;

/// What the cases take.
pub type Store = Arc<dyn SnapshotStore>;

fn stream(category: &str, id: u128) -> StreamId {
    StreamId::new(category, Uuid::from_u128(id))
}

/// One whose every part says `number`, with so many bytes of text.
fn snapshot(number: u32, bytes: usize) -> Snapshot {
    let tip = Tip {
        revision: Revision::new(number.into()),
        position: Position::new(u64::from(number) + 7),
        id: Uuid::from_u128(number.into()),
        recorded_at: i64::from(number) - 1_000,
    };
    let text = |kind: char| format!("{kind}{number}é\"\\'{}", "x".repeat(bytes));
    Snapshot { version: number, tip, state: text('s'), receipts: text('r') }
}

/// A stream without one.
pub async fn where_nothing_was_saved_nothing_is_loaded(store: Store) {
    assert_eq!(store.load(&stream("some", 1)).await, Ok(None));
}

/// Promise 1: byte for byte; the one that was saved last, even if it is the older one.
pub async fn promise_1_what_is_loaded_is_what_was_saved_last(store: Store) {
    let largest = Snapshot {
        version: u32::MAX,
        tip: Tip {
            revision: Revision::MAX,
            position: Position::new(i64::MAX.cast_unsigned()),
            id: Uuid::max(),
            recorded_at: i64::MIN,
        },
        state: String::new(),
        receipts: String::new(),
    };
    for snapshot in [snapshot(3, 10), largest, snapshot(1, 3_000_000), snapshot(2, 0)] {
        store.save(&stream("some", 1), snapshot.clone()).await.expect("saved");
        let loaded = store.load(&stream("some", 1)).await.expect("loaded").expect("there is one");
        assert!(loaded == snapshot, "it was changed: version {}", snapshot.version);
    }
}

/// Promise 1: never parts of two.
pub async fn promise_1_a_snapshot_that_is_saved_meanwhile_is_loaded_whole_or_not_at_all(store: Store) {
    let (saves, looks) = (40, 200);
    let saving = async {
        for number in 0..saves {
            store.save(&stream("some", 1), snapshot(number, 10_000)).await.expect("saved");
        }
    };
    let looking = async {
        for _ in 0..looks {
            let found = store.load(&stream("some", 1)).await.expect("loaded");
            let is_whole = found.as_ref().is_none_or(|found| *found == snapshot(found.version, 10_000));
            assert!(is_whole, "{:?}", found.map(|found| found.tip));
        }
    };
    tokio::join!(saving, looking);
}

/// Promise 3: neither by id nor by category.
pub async fn promise_3_streams_do_not_touch_each_other(store: Store) {
    let streams = [stream("some", 1), stream("some", 2), stream("others", 1), stream("Some", 1)];
    for (number, stream) in (0..).zip(&streams) {
        store.save(stream, snapshot(number, 5)).await.expect("saved");
    }
    for (number, stream) in (0..).zip(&streams) {
        assert_eq!(store.load(stream).await, Ok(Some(snapshot(number, 5))), "{stream}");
    }
}
