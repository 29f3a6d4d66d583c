//! Which generation serves, what is removed and what never is, and what an earlier release has left.

use super::*;
use crate::{
    slices::{Held, Slices},
    tests::temp_rows,
};

const NAME: &str = "some";
const DENIED: ReadStoreError = ReadStoreError::Guard { expected: 1, changed: 0 };

async fn generation_1(store: &dyn ReadStore, state: GenerationState) {
    prepare(store).await.unwrap();
    crate::parking::sql::prepare(store).await.unwrap();
    store.transaction(insert(NAME, 1, 1, (1, ""), state, domain::testing::now())).await.unwrap();
}

#[tokio::test]
async fn the_generation_that_serves_is_never_removed() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Building).await;
    rows.transaction(vec![Statement::once("CREATE TABLE some_g1 (id BIGINT)", vec![])]).await.unwrap();
    rows.transaction(switch(NAME, 1, GenerationState::Standby, domain::testing::now())).await.unwrap();
    let remove = || discard(NAME, 1, &["some_g1".to_owned()]);
    assert_eq!(rows.transaction(remove()).await, Err(DENIED));
    rows.transaction(vec![Statement::once("INSERT INTO some_g1 VALUES (1)", vec![])]).await.expect("it is still there");

    rows.transaction(insert(NAME, 2, 1, (1, ""), GenerationState::Building, domain::testing::now())).await.unwrap();
    rows.transaction(switch(NAME, 2, GenerationState::Standby, domain::testing::now())).await.unwrap();
    let states: Vec<_> = generations(&*rows, NAME).await.unwrap().into_iter().map(|found| found.state).collect();
    assert_eq!(states, [GenerationState::Standby, GenerationState::Serving]);
    rows.transaction(remove()).await.unwrap();
    assert_eq!(generations(&*rows, NAME).await.unwrap().len(), 1);
    assert_eq!(rows.transaction(remove()).await, Err(DENIED), "it is gone already");
}

#[tokio::test]
async fn only_a_generation_that_is_being_built_is_switched_to() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Serving).await;
    for number in [1, 2] {
        assert_eq!(
            rows.transaction(switch(NAME, number, GenerationState::Standby, domain::testing::now())).await,
            Err(DENIED)
        );
    }
    assert_eq!(generations(&*rows, NAME).await.unwrap()[0].state, GenerationState::Serving);
}

#[tokio::test]
async fn what_a_builder_has_counted_holds_until_somebody_else_writes() {
    let tally = Tally { rows: 3, checksum: -7 };
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Building).await;
    rows.transaction(vec![built(NAME, 1, Some(tally), Built::default())]).await.unwrap();
    assert_eq!(generations(&*rows, NAME).await.unwrap()[0].tally, Some(tally));
    for _ in 0..2 {
        rows.transaction(vec![uncount(NAME, 1)]).await.unwrap();
        assert_eq!(generations(&*rows, NAME).await.unwrap()[0].tally, None);
    }
}

#[tokio::test]
async fn a_number_is_given_out_once_even_if_its_generation_is_gone() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Serving).await;
    assert_eq!(last_number(&*rows, NAME).await, Ok(1), "an earlier release wrote no numbers down");
    let mut second = insert(NAME, 2, 1, (1, ""), GenerationState::Building, domain::testing::now());
    second.push(give_number(NAME, 2));
    rows.transaction(second).await.unwrap();
    rows.transaction(discard(NAME, 2, &[])).await.unwrap();
    assert_eq!(last_number(&*rows, NAME).await, Ok(2));
    assert_eq!(last_number(&*rows, "other").await, Ok(0));
}

#[tokio::test]
async fn a_read_store_of_an_earlier_release_is_brought_up_to_date() {
    let (_folder, rows) = temp_rows();
    let statement = |sql| Statement::once(sql, vec![]);
    let old = "CREATE TABLE projection_generations (name TEXT NOT NULL, generation BIGINT NOT NULL, \
               version BIGINT NOT NULL, position BIGINT NOT NULL, epoch BIGINT NOT NULL, state TEXT NOT NULL, \
               PRIMARY KEY (name, generation))";
    let serving = "INSERT INTO projection_generations VALUES ('some', 3, 1, 70, 4, 'serving')";
    rows.transaction(vec![statement(old), statement(serving)]).await.unwrap();
    for _ in 0..2 {
        prepare(&*rows).await.unwrap();
    }
    let known = generations(&*rows, NAME).await.unwrap();
    let [generation] = known.as_slice() else { panic!("{known:?}") };
    assert_eq!((generation.number, generation.position, generation.tally), (3, Position::new(70), None));
    assert_eq!((generation.form.as_str(), generation.since.timestamp()), ("", 0));
    let slices = sql::claim(&*rows, NAME, 3, None).await.unwrap();
    assert_eq!(slices, Slices::new(1, vec![Held { slice: 0, epoch: 5, stored: Position::new(70) }]));
}
