//! What becomes of stored positions, for logs whose positions overlap in every way.

use std::sync::Arc;

use infrastructure::{
    event_store::{Revision, StreamId},
    read_store::{Cost, Query, Statement, Value},
    snapshot_store::{ReadStoreSnapshots, Snapshot, SnapshotStore as _, Tip},
};
use uuid::Uuid;

use super::*;
use crate::{slices, tests::temp_rows};

const FIRST: Uuid = Uuid::from_u128(1);

fn at(position: u64) -> Position {
    Position::new(position)
}

async fn column(rows: &dyn ReadStore, sql: &str) -> Vec<i64> {
    let found = rows.query(Query { sql: sql.into(), params: vec![], cost: Cost::Point }).await.unwrap();
    found.iter().map(|row| row.int(0).unwrap()).collect()
}

/// A read store of the log that begins at `first`, with slices of `some` at these positions and events parked at those.
async fn prepared(rows: &dyn ReadStore, first: u64, checkpoints: &[u64], parked: &[u64]) {
    let bookmarks = Bookmarks::read(rows).await.unwrap();
    assert_eq!((bookmarks.origin(), bookmarks.furthest()), (None, Position::START));
    let mut statements = Vec::from(origin::sql::replace(None, Mark { position: at(first), event: FIRST }));
    statements.push(slices::sql::insert("some", 1, u32::try_from(checkpoints.len()).unwrap(), at(0)));
    for (slice, position) in (0_i64..).zip(checkpoints) {
        let params = vec![Value::Int(slice), Value::Int(position.cast_signed())];
        let sql = "UPDATE projection_slices SET position = $2, epoch = 7 WHERE slice = $1";
        statements.push(Statement::once(sql, params).must_change(1));
    }
    for position in parked {
        let sql = "INSERT INTO projection_parked (projection, generation, parked_key, position, category, stream_id, \
                   revision, event_type, state, attempts, first_at, last_at, version, build) \
                   VALUES ('some', 1, $1, $2, 'order', $1, 0, 'order.placed.v1', 'failed', 1, $3, $3, 1, '')";
        let now = Value::Timestamp(domain::testing::now());
        statements.push(Statement::once(sql, vec![Value::Uuid(FIRST), Value::Int(position.cast_signed()), now]));
    }
    rows.transaction(statements).await.unwrap();
}

const SLICES: &str = "SELECT position FROM projection_slices ORDER BY slice";
const EPOCHS: &str = "SELECT epoch FROM projection_slices ORDER BY slice";
const PARKED: &str = "SELECT position FROM projection_parked ORDER BY position";

#[tokio::test]
async fn every_position_becomes_that_of_the_same_event_and_no_worker_of_before_can_write() {
    let (_folder, rows) = temp_rows();
    prepared(&*rows, 1, &[0, 1, 2, 3, 4, 3], &[2, 3]).await;
    let mut bookmarks = Bookmarks::read(&*rows).await.unwrap();
    assert_eq!((bookmarks.origin().unwrap().position, bookmarks.furthest()), (at(1), at(4)));
    // The second is where the first was, and so on.
    for (from, to) in [(1, 2), (2, 3), (3, 4), (4, 900)] {
        bookmarks.see(at(from), at(to));
    }
    let copy = Mark { position: at(2), event: FIRST };
    bookmarks.carry_over(&*rows, copy).await.unwrap();
    assert_eq!(column(&*rows, SLICES).await, [0, 2, 3, 4, 900, 4]);
    assert_eq!(column(&*rows, EPOCHS).await, [7, 8, 8, 8, 8, 8]);
    assert_eq!(column(&*rows, PARKED).await, [3, 4]);
    assert_eq!(Bookmarks::read(&*rows).await.unwrap().origin(), Some(copy));
}

#[tokio::test]
async fn snapshots_do_not_come_along() {
    let (_folder, rows) = temp_rows();
    prepared(&*rows, 1, &[1], &[]).await;
    let (snapshots, stream) =
        (ReadStoreSnapshots::open(Arc::clone(&rows)).await.unwrap(), StreamId::new("some", FIRST));
    let tip = Tip { revision: Revision::FIRST, position: at(1), id: FIRST, recorded_at: 0 };
    let snapshot = Snapshot { version: 1, tip, state: "{}".to_owned(), receipts: String::new() };
    snapshots.save(&stream, snapshot.clone()).await.unwrap();
    let mut bookmarks = Bookmarks::read(&*rows).await.unwrap();
    bookmarks.see(at(1), at(50));
    assert_eq!(snapshots.load(&stream).await, Ok(Some(snapshot)));
    bookmarks.carry_over(&*rows, Mark { position: at(50), event: FIRST }).await.unwrap();
    assert_eq!(snapshots.load(&stream).await, Ok(None));
}

#[tokio::test]
async fn a_checkpoint_between_events_becomes_the_event_before() {
    let (_folder, rows) = temp_rows();
    prepared(&*rows, 500, &[300, 500, 510, 777, 9_000], &[500]).await;
    let mut bookmarks = Bookmarks::read(&*rows).await.unwrap();
    for (from, to) in [(500, 1), (600, 2), (800, 3)] {
        bookmarks.see(at(from), at(to));
    }
    bookmarks.carry_over(&*rows, Mark { position: at(1), event: FIRST }).await.unwrap();
    assert_eq!(column(&*rows, SLICES).await, [0, 1, 1, 2, 3]);
    assert_eq!(column(&*rows, PARKED).await, [1]);
}

#[tokio::test]
async fn what_does_not_fit_changes_nothing() {
    let (_folder, rows) = temp_rows();
    prepared(&*rows, 1, &[1, 2], &[2]).await;
    let copy = Mark { position: at(50), event: FIRST };
    let mut bookmarks = Bookmarks::read(&*rows).await.unwrap();
    bookmarks.see(at(1), at(50));
    let refused = bookmarks.carry_over(&*rows, copy).await;
    assert!(matches!(refused, Err(MoveError::NoEvent(position)) if position == at(2)), "{refused:?}");

    // A worker moves on, or another one carries over, between the look and the change.
    let seen = async || {
        let mut bookmarks = Bookmarks::read(&*rows).await.unwrap();
        for (from, to) in [(1, 50), (2, 60)] {
            bookmarks.see(at(from), at(to));
        }
        bookmarks
    };
    for sql in
        ["UPDATE projection_slices SET position = 3 WHERE slice = 1", "UPDATE projection_origin SET position = 9"]
    {
        let bookmarks = seen().await;
        rows.transaction(vec![Statement::once(sql, vec![])]).await.unwrap();
        let refused = bookmarks.carry_over(&*rows, copy).await;
        assert!(matches!(refused, Err(MoveError::Store(ReadStoreError::Guard { .. }))), "{refused:?}");
        let undo =
            ["UPDATE projection_slices SET position = 2 WHERE slice = 1", "UPDATE projection_origin SET position = 1"];
        assert_eq!(column(&*rows, PARKED).await, [2]);
        rows.transaction(undo.map(|sql| Statement::once(sql, vec![])).to_vec()).await.unwrap();
    }
    assert_eq!(column(&*rows, SLICES).await, [1, 2]);
    seen().await.carry_over(&*rows, copy).await.unwrap();
    assert_eq!(column(&*rows, SLICES).await, [50, 60]);
}
