//! A process as it is seen from outside, and one more try when an operator says so.

use domain::{
    operator::{OPERATOR_LOG, OperatorAction},
    testing::action_taken,
};

use super::*;
use crate::event_store::Revision;

/// How long nothing may be tried again by itself: longer than any test.
const LONG: Duration = Duration::from_secs(600);

impl Bench {
    pub(super) fn outlook(&self) -> ProcessWatch {
        ProcessWatch::of::<GiveUp>(Arc::clone(&self.rows))
    }

    /// An operator wants the steps of this key to be tried again.
    pub(super) async fn ask_to_retry(&self, process: &str, key: Uuid, nth: u128) {
        let taken = action_taken(process, OperatorAction::RetrySteps { key }, None);
        let (type_name, data) = crate::codec::encode(&taken);
        let id = Uuid::from_u128(0xf000 + nth);
        let event = NewEvent { id, type_name, at: self.clock.now(), metadata: "{}".to_owned(), data };
        let stream = StreamId::new(domain::operator::Operator::CATEGORY, OPERATOR_LOG.uuid());
        // The first is the first of its stream, the others follow it.
        let last = (nth > 1).then(|| Revision::new(u64::try_from(nth).unwrap() - 2));
        let append = Append { stream, expected: ExpectedRevision::after(last), events: vec![event].into() };
        self.events.append(append).await.unwrap();
    }

    /// What is written down, once it is so.
    async fn told(&self, what: &str, mut holds: impl FnMut(&ProcessStatus) -> bool) -> ProcessStatus {
        let outlook = self.outlook();
        for _ in 0..2_000 {
            let status = outlook.status().await.unwrap();
            if holds(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}: {:?}", outlook.status().await)
    }
}

#[tokio::test]
async fn what_is_stuck_is_tried_again_when_an_operator_says_so() {
    let bench = Bench::new();
    let life = bench.start(0, [Performed::Stuck("no".to_owned())], quick());
    let key = bench.place(1).await;
    life.until("it is stuck", |status| status.stuck == 1 && status.in_trouble == 1).await;
    // Another process, another key: not meant.
    bench.ask_to_retry("payments", key, 1).await;
    bench.ask_to_retry("give_up", Uuid::from_u128(7), 2).await;
    life.until("these are seen", |status| status.position.value() >= 3).await;
    assert_eq!((life.runner.status().stuck, life.calls()), (1, 1));
    bench.ask_to_retry("give_up", key, 3).await;
    life.until("it is done", |status| status.done == 1 && status.in_trouble == 0).await;
    assert_eq!((bench.cancelled().await, life.calls()), (1, 2));
    life.stop().await;
}

#[tokio::test]
async fn what_failed_is_tried_again_at_once_when_an_operator_says_so() {
    let bench = Bench::new();
    let options = ProcessOptions { retry_first: LONG, retry_max: LONG, ..quick() };
    let life = bench.start(0, [Performed::Failed("away".to_owned())], options);
    let key = bench.place(1).await;
    life.until("it failed", |status| status.in_trouble == 1).await;
    assert_eq!(life.runner.status().stuck, 0);
    bench.ask_to_retry("give_up", key, 1).await;
    life.until("it is done", |status| status.done == 1).await;
    life.stop().await;
}

#[tokio::test]
async fn what_does_not_move_is_seen_from_outside_and_after_the_runner_is_gone() {
    let bench = Bench::new();
    prepare(&*bench.rows).await.unwrap();
    assert_eq!(bench.outlook().status().await.unwrap(), ProcessStatus { name: "give_up", ..ProcessStatus::default() });
    let life = bench.start(0, [Performed::Stuck("no room".to_owned())], quick());
    let key = bench.place(1).await;
    let told = bench.told("it is stuck", |status| status.stuck == 1).await;
    assert!(told.is_caught_up && !told.is_running && told.name == "give_up", "{told:?}");
    assert_eq!((told.troubles[0].key, told.troubles[0].reason.as_str()), (key, "no room"));
    life.stop().await;
    let told = bench.outlook().status().await.unwrap();
    assert_eq!((told.stuck, told.troubles.len(), told.position), (1, 1, Position::new(1)));
    assert_eq!(bench.outlook().concerned().await.unwrap(), 0);

    let life = bench.start(0, [], quick());
    life.until("it is done", |status| status.done == 1 && status.keys == 0).await;
    bench.told("nothing is in trouble any more", |status| status.in_trouble == 0 && status.done == 1).await;
    life.stop().await;
    let outlook = bench.outlook();
    assert_eq!((outlook.concerned().await.unwrap(), outlook.concerns(5).await.unwrap().len()), (1, 1));
    // Another log, another beginning.
    bench.rows.transaction(forget()).await.unwrap();
    assert_eq!(bench.outlook().status().await.unwrap(), ProcessStatus { name: "give_up", ..ProcessStatus::default() });
}

#[tokio::test]
async fn events_of_others_are_no_lag() {
    let bench = Bench::new();
    prepare(&*bench.rows).await.unwrap();
    bench.ask_to_retry("payments", Uuid::from_u128(7), 1).await;
    let (events, outlook): (&dyn EventStore, _) = (&*bench.events, bench.outlook());
    assert_eq!(outlook.lag(events, Position::START).await.unwrap(), 0);
    bench.place(1).await;
    assert_eq!(outlook.lag(events, Position::START).await.unwrap(), 2);
    assert_eq!(outlook.lag(events, Position::new(2)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_key_is_settled_once_everything_of_it_is_in_the_notes_and_nothing_is_left_to_do() {
    let bench = Bench::new();
    let first = bench.place(1).await;
    let life = bench.start(0, [Performed::Stuck("no".to_owned())], quick());
    life.until("it is stuck", |status| status.stuck == 1).await;
    life.stop().await;
    let through = bench.outlook().through().await.unwrap();
    assert!(!through.is_settled(first, Position::new(1)), "it is to be given up yet");
    assert!(through.is_settled(Uuid::from_u128(7), Position::new(1)));
    assert!(!through.is_settled(Uuid::from_u128(7), Position::new(2)), "nobody has seen that event");

    let life = bench.start(0, [], quick());
    life.until("it is done", |status| status.done == 1 && status.keys == 0).await;
    life.stop().await;
    assert!(bench.outlook().through().await.unwrap().is_settled(first, Position::new(2)));
}

#[tokio::test]
async fn all_that_a_process_is_at_is_known_however_much_it_is() {
    let bench = Bench::new();
    let mut keys = Vec::new();
    for n in 1..=450 {
        keys.push(bench.place(n).await);
    }
    let life = bench.start(0, (0..450).map(|_| Performed::Stuck("no".to_owned())), quick());
    life.until("all are stuck", |status| status.stuck == 450).await;
    assert_eq!(life.runner.status().troubles.len(), 20);
    life.stop().await;
    let through = bench.outlook().through().await.unwrap();
    assert!(keys.iter().all(|key| !through.is_settled(*key, Position::new(1))));
}
