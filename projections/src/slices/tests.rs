//! Who may move a slice on, and who may not.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use infrastructure::read_store::{Query, ReadStore, ReadStoreError, Row};
use tokio::sync::watch;

use super::*;
use crate::tests::temp_rows;

const NAME: &str = "some";
const DENIED: ReadStoreError = ReadStoreError::Guard { expected: 1, changed: 0 };

/// Somebody else's transaction comes right before the next one.
#[derive(Debug)]
struct Overtaken<'a> {
    store: &'a dyn ReadStore,
    first: Mutex<Vec<Statement>>,
}

#[async_trait]
impl ReadStore for Overtaken<'_> {
    async fn query(&self, query: Query) -> Result<Vec<Row>, ReadStoreError> {
        self.store.query(query).await
    }

    async fn transaction(&self, statements: Vec<Statement>) -> Result<(), ReadStoreError> {
        let first = std::mem::take(&mut *self.first.lock().unwrap());
        self.store.transaction(first).await.expect("the other one is first");
        self.store.transaction(statements).await
    }

    fn nudge(&self) {
        self.store.nudge();
    }

    fn nudges(&self) -> watch::Receiver<u64> {
        self.store.nudges()
    }
}

async fn generation_1(store: &dyn ReadStore, slices: u32) {
    store.transaction(vec![sql::create(), sql::insert(NAME, 1, slices, Position::START)]).await.unwrap();
}

async fn move_to(store: &dyn ReadStore, slices: &Slices, to: u64) -> Result<(), ReadStoreError> {
    let held = slices.held.iter();
    store.transaction(vec![sql::checkpoint(NAME, 1, held, Position::new(to))]).await
}

async fn positions(store: &dyn ReadStore) -> Vec<u64> {
    let standing = sql::standing(store, NAME, 1).await.unwrap();
    standing.iter().map(|held| held.stored.value()).collect()
}

/// A key of this slice among so many.
fn key_of(slice: u32, count: u32) -> Uuid {
    (0..10_000).map(Uuid::from_u128).find(|key| slice_of(*key, count) == slice).expect("there are enough keys")
}

#[test]
fn keys_are_divided_evenly_and_always_alike() {
    for count in [1, 2, 3, 8] {
        let mut found = BTreeMap::<u32, u32>::new();
        for number in 0..8_000 {
            *found.entry(slice_of(Uuid::from_u128(number << 3), count)).or_default() += 1;
        }
        assert!(found.keys().copied().eq(0..count), "{count}: {found:?}");
        let fair = 8_000 / count;
        assert!(found.values().all(|keys| keys.abs_diff(fair) < fair / 5), "{count}: {found:?}");
    }
    // What is stored depends on these: they are never to change.
    let some: Vec<u32> = (0..8).map(|number| slice_of(Uuid::from_u128(number), 4)).collect();
    assert_eq!(some, [0, 3, 3, 3, 0, 1, 3, 0]);
}

#[test]
fn an_event_is_taken_by_whoever_holds_its_slice_and_has_not_applied_it() {
    let held = |slice, stored| Held { slice, epoch: 1, stored: Position::new(stored) };
    let slices = Slices::new(4, vec![held(1, 10), held(3, 20)]);
    let takes = |slice, at| slices.takes(key_of(slice, 4), Position::new(at));
    assert_eq!([takes(1, 10), takes(1, 11), takes(3, 20), takes(3, 21)], [false, true, false, true]);
    assert_eq!([takes(0, 99), takes(2, 99)], [false, false], "they are somebody else's");
    assert_eq!(slices.stored(), Position::new(10));
}

#[tokio::test]
async fn a_slice_moves_on_only_from_where_it_is_known_to_be() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, 1).await;
    let slices = sql::claim(&*rows, NAME, 1, None).await.unwrap();
    assert_eq!(slices.stored(), Position::START);
    move_to(&*rows, &slices, 5).await.unwrap();
    for twice in [5, 4, 6] {
        assert_eq!(move_to(&*rows, &slices, twice).await, Err(DENIED), "it is not where it was");
    }
    assert_eq!(positions(&*rows).await, [5]);
    let mut slices = slices;
    slices.are_stored_to(Position::new(5));
    move_to(&*rows, &slices, 6).await.unwrap();
    // A server that was replaced by a copy of itself may have forgotten the last commits.
    slices.are_stored_to(Position::new(6));
    rows.transaction(vec![Statement::once("UPDATE projection_slices SET position = 3", vec![])]).await.unwrap();
    assert_eq!(move_to(&*rows, &slices, 7).await, Err(DENIED));
}

#[tokio::test]
async fn slices_that_are_at_different_places_move_on_together_from_there() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, 3).await;
    let second = sql::claim(&*rows, NAME, 1, Some(&[1])).await.unwrap();
    move_to(&*rows, &second, 7).await.unwrap();
    let mut all = sql::claim(&*rows, NAME, 1, None).await.unwrap();
    assert_eq!((all.stored(), positions(&*rows).await), (Position::START, vec![0, 7, 0]));
    for (to, expected) in [(5, [5, 7, 5]), (9, [9, 9, 9])] {
        rows.transaction(vec![all.checkpoint(NAME, 1, Position::new(to))]).await.unwrap();
        all.are_stored_to(Position::new(to));
        assert_eq!(positions(&*rows).await, expected);
    }
}

#[tokio::test]
async fn whoever_claims_a_slice_shuts_out_the_one_before_and_nobody_else() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, 2).await;
    let first = sql::claim(&*rows, NAME, 1, Some(&[0])).await.unwrap();
    let old = sql::claim(&*rows, NAME, 1, Some(&[1])).await.unwrap();
    move_to(&*rows, &old, 5).await.unwrap();
    let new = sql::claim(&*rows, NAME, 1, Some(&[1])).await.unwrap();
    assert_eq!(new.stored(), Position::new(5));
    assert_eq!(move_to(&*rows, &old, 6).await, Err(DENIED));
    assert_eq!(rows.transaction(vec![old.guard(NAME, 1)]).await, Err(DENIED));
    for slices in [&first, &new] {
        rows.transaction(vec![slices.guard(NAME, 1)]).await.unwrap();
        move_to(&*rows, slices, 6).await.unwrap();
    }
    let standing = sql::standing(&*rows, NAME, 1).await.unwrap();
    assert_eq!(old.still_at(&standing), None);
    assert_eq!(new.still_at(&standing).unwrap().stored(), Position::new(6), "where a lost answer has left it");
}

#[tokio::test]
async fn a_claim_gives_the_position_that_the_one_before_has_left_even_at_the_last_moment() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, 1).await;
    let old = sql::claim(&*rows, NAME, 1, None).await.unwrap();
    let last_write = vec![old.checkpoint(NAME, 1, Position::new(7))];
    let overtaken = Overtaken { store: &*rows, first: Mutex::new(last_write) };
    let new = sql::claim(&overtaken, NAME, 1, None).await.unwrap();
    assert_eq!(new.held, [Held { slice: 0, epoch: 2, stored: Position::new(7) }]);
}

#[tokio::test]
async fn of_two_claims_at_the_same_time_one_is_denied() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, 2).await;
    let other = "UPDATE projection_slices SET epoch = epoch + 1 WHERE slice = 1";
    let overtaken = Overtaken { store: &*rows, first: Mutex::new(vec![Statement::once(other, vec![])]) };
    assert_eq!(sql::claim(&overtaken, NAME, 1, None).await, Err(DENIED));
    let epochs: Vec<i64> = sql::standing(&*rows, NAME, 1).await.unwrap().iter().map(|held| held.epoch).collect();
    assert_eq!(epochs, [0, 1], "all of them or none");
    assert_eq!(sql::claim(&*rows, NAME, 9, None).await, Err(DENIED), "there is no such generation");
    assert_eq!(sql::claim(&*rows, NAME, 1, Some(&[0, 2])).await.map(drop), Err(sql_denied(2, 1)), "nor such a slice");
}

const fn sql_denied(expected: u64, changed: u64) -> ReadStoreError {
    ReadStoreError::Guard { expected, changed }
}
