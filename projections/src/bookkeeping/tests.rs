//! Who may move a checkpoint, and who may not.

use std::sync::Mutex;

use async_trait::async_trait;

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

    fn nudges(&self) -> tokio::sync::watch::Receiver<u64> {
        self.store.nudges()
    }
}

async fn generation_1(store: &dyn ReadStore, state: GenerationState) {
    prepare(store).await.unwrap();
    crate::parking::sql::prepare(store).await.unwrap();
    store.transaction(vec![insert(NAME, 1, 1, "", state, domain::testing::now())]).await.unwrap();
}

async fn move_to(store: &dyn ReadStore, epoch: i64, to: u64) -> Result<(), ReadStoreError> {
    store.transaction(vec![checkpoint(NAME, 1, epoch, Position::new(to))]).await
}

#[tokio::test]
async fn a_checkpoint_moves_forwards_only() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Serving).await;
    let (epoch, start) = claim(&*rows, NAME, 1).await.unwrap();
    assert_eq!(start, Position::START);
    move_to(&*rows, epoch, 5).await.unwrap();
    for not_further in [5, 4, 0] {
        assert_eq!(move_to(&*rows, epoch, not_further).await, Err(DENIED));
    }
    assert_eq!(generations(&*rows, NAME).await.unwrap()[0].position, Position::new(5));
}

#[tokio::test]
async fn whoever_claims_a_generation_shuts_out_the_one_before() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Serving).await;
    let (old, _) = claim(&*rows, NAME, 1).await.unwrap();
    move_to(&*rows, old, 5).await.unwrap();
    let (new, position) = claim(&*rows, NAME, 1).await.unwrap();
    assert_eq!(position, Position::new(5));
    assert_eq!(move_to(&*rows, old, 6).await, Err(DENIED));
    move_to(&*rows, new, 6).await.unwrap();
}

#[tokio::test]
async fn a_claim_gives_the_position_that_the_one_before_has_left_even_at_the_last_moment() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Serving).await;
    let (old, _) = claim(&*rows, NAME, 1).await.unwrap();
    let last_write = vec![checkpoint(NAME, 1, old, Position::new(7))];
    let overtaken = Overtaken { store: &*rows, first: Mutex::new(last_write) };
    assert_eq!(claim(&overtaken, NAME, 1).await, Ok((old + 1, Position::new(7))));
}

#[tokio::test]
async fn of_two_claims_at_the_same_time_one_is_denied() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Serving).await;
    let other = "UPDATE projection_generations SET epoch = epoch + 1";
    let overtaken = Overtaken { store: &*rows, first: Mutex::new(vec![Statement::once(other, vec![])]) };
    assert_eq!(claim(&overtaken, NAME, 1).await, Err(DENIED));
    assert_eq!(claim(&overtaken, NAME, 1).await.unwrap().0, 2);
    assert_eq!(claim(&*rows, NAME, 9).await, Err(DENIED), "there is no such generation");
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

    rows.transaction(vec![insert(NAME, 2, 1, "", GenerationState::Building, domain::testing::now())]).await.unwrap();
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
    let writes: [fn(i64) -> Statement; 2] =
        [|epoch| checkpoint(NAME, 1, epoch, Position::new(5)), |epoch| guard(NAME, 1, epoch)];
    for write in writes {
        let (_folder, rows) = temp_rows();
        generation_1(&*rows, GenerationState::Building).await;
        let (epoch, _) = claim(&*rows, NAME, 1).await.unwrap();
        let counted = built(NAME, 1, epoch, Position::new(4), Some(tally), Built::default());
        rows.transaction(vec![counted]).await.unwrap();
        assert_eq!(generations(&*rows, NAME).await.unwrap()[0].tally, Some(tally));
        rows.transaction(vec![write(epoch)]).await.unwrap();
        assert_eq!(generations(&*rows, NAME).await.unwrap()[0].tally, None);
    }
}

#[tokio::test]
async fn a_number_is_given_out_once_even_if_its_generation_is_gone() {
    let (_folder, rows) = temp_rows();
    generation_1(&*rows, GenerationState::Serving).await;
    assert_eq!(last_number(&*rows, NAME).await, Ok(1), "an earlier release wrote no numbers down");
    let second = insert(NAME, 2, 1, "", GenerationState::Building, domain::testing::now());
    rows.transaction(vec![give_number(NAME, 2), second]).await.unwrap();
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
    assert_eq!(claim(&*rows, NAME, 3).await, Ok((5, Position::new(70))));
}
