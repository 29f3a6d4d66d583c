//! Events that cannot be read: whose key can be told waits alone; one that may be anybody's holds everything up.

use std::sync::atomic::AtomicU64;

use domain::Process as _;

use super::*;
use crate::{
    codec::DecodeCode,
    event_store::{AllPage, Revision, lens::Lens},
    read_store::Statement,
};

impl Bench {
    /// The log, of which the event at this position cannot be read until it says another one; 0: all can.
    fn damaged_at(&self, position: u64) -> (Arc<dyn EventStore>, Arc<AtomicU64>) {
        let at = Arc::new(AtomicU64::new(position));
        let damaged = Arc::clone(&at);
        let show = move |mut page: AllPage| {
            let at = Position::new(damaged.load(Ordering::SeqCst));
            for event in page.events.iter_mut().filter(|event| event.position == at) {
                event.data = "{".to_owned();
            }
            Ok(page)
        };
        (Arc::new(Lens { events: Arc::clone(&self.events), show }), at)
    }

    /// Somebody appends an event that no build of ours has written, as the second of its stream.
    async fn append_foreign(&self, stream: Uuid, expected: ExpectedRevision, data: &str) {
        let (id, at) = (Uuid::new_v5(&stream, b"foreign"), self.clock.now());
        let (metadata, data) = ("{}".to_owned(), data.to_owned());
        let event = NewEvent { id, type_name: "order.teleported.v1".into(), at, metadata, data };
        let append = Append { stream: StreamId::new(Order::CATEGORY, stream), expected, events: vec![event].into() };
        self.events.append(append).await.unwrap();
    }

    /// A customer gives an order up.
    async fn cancel(&self, order: Uuid) {
        let (events, clock): (Arc<dyn EventStore>, Arc<dyn Clock>) =
            (Arc::clone(&self.events) as _, Arc::new(self.clock.clone()));
        let lifecycle = Lifecycle::new();
        let orders = Executor::<Order>::new(events, clock, lifecycle.clone(), ExecutorOptions::default());
        let command = OrderCommand::Cancel { by: Party::Operator, reason: CancelReason::OutOfStock };
        orders.execute(request(order, command, Uuid::from_u128(0xcace1))).await.unwrap();
        assert!(lifecycle.stop(Duration::from_secs(10)).await);
    }

    /// The keys that wait, once there are so many.
    async fn waiting(&self, count: usize) -> Vec<ParkedKey> {
        prepare(&*self.rows).await.unwrap();
        let outlook = self.outlook();
        for _ in 0..2_000 {
            let parked = outlook.parked(10).await.unwrap();
            if parked.len() == count {
                assert_eq!(outlook.parked_count().await.unwrap(), count as u64);
                return parked;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never so many keys wait: {count}")
    }
}

/// The clock jumps here: timers are looked for again and again.
fn near() -> ProcessOptions {
    ProcessOptions { horizon: Duration::from_millis(100), ..quick() }
}

fn after_the_first() -> ExpectedRevision {
    ExpectedRevision::after(Some(Revision::FIRST))
}

#[tokio::test]
async fn a_key_whose_event_cannot_be_read_waits_alone_also_after_a_restart() {
    let bench = Bench::new();
    let (held, other) = (bench.place(1).await, bench.place(2).await);
    bench.append_foreign(held, after_the_first(), "{}").await;
    let life = bench.start(30, [], near());
    let parked = bench.waiting(1).await.remove(0);
    assert_eq!((parked.key, parked.position, parked.code), (held, Position::new(3), DecodeCode::Unknown));
    assert_eq!(&*parked.type_name, "order.teleported.v1");
    bench.clock.advance(TimeDelta::minutes(30));
    life.until("the other one is given up", |status| status.done == 1).await;
    assert!(life.cancels.tried.lock().unwrap().keys().eq([&other]), "nothing follows from a state with a hole");
    assert_eq!(life.runner.status().error, None);
    life.stop().await;
    let outlook = bench.outlook();
    assert!(outlook.is_parked(held).await.unwrap() && !outlook.is_parked(other).await.unwrap());
    let through = outlook.through().await.unwrap();
    assert!(!through.is_settled(held, Position::new(3)) && through.is_settled(other, Position::new(2)));

    let next = bench.start(30, [], near());
    next.until("it is caught up", |status| status.is_caught_up).await;
    bench.ask_to_retry(GiveUp::NAME, held, 1).await;
    let third = bench.place(3).await;
    bench.clock.advance(TimeDelta::minutes(30));
    next.until("another one is given up", |status| status.done == 1).await;
    assert!(next.cancels.tried.lock().unwrap().keys().eq([&third]), "it cannot be read now, either");
    assert_eq!(bench.waiting(1).await, [parked]);
    next.stop().await;
}

#[tokio::test]
async fn a_key_is_folded_anew_when_an_operator_says_so_and_its_event_can_be_read() {
    let bench = Bench::new();
    let (held, other) = (bench.place(1).await, bench.place(2).await);
    let (damaged, at) = bench.damaged_at(1);
    let life = bench.start_on(Arc::clone(&damaged), 0, [], quick());
    assert_eq!(bench.waiting(1).await[0].code, DecodeCode::Malformed);
    life.until("the other one is given up", |status| status.done == 1 && status.keys == 0).await;
    assert!(life.cancels.tried.lock().unwrap().keys().eq([&other]));
    at.store(0, Ordering::SeqCst);
    bench.ask_to_retry(GiveUp::NAME, held, 1).await;
    life.until("it is given up", |status| status.done == 2 && status.keys == 0).await;
    bench.waiting(0).await;
    assert_eq!((bench.cancelled().await, life.calls()), (2, 2));
    assert!(bench.outlook().through().await.unwrap().is_settled(held, Position::new(1)));
    life.stop().await;
}

#[tokio::test]
async fn what_happened_while_a_key_waited_is_seen_before_anything_is_done_for_it() {
    let bench = Bench::new();
    let held = bench.place(1).await;
    bench.cancel(held).await;
    let (damaged, at) = bench.damaged_at(2);
    let life = bench.start_on(Arc::clone(&damaged), 30, [], near());
    bench.waiting(1).await;
    bench.clock.advance(TimeDelta::minutes(31));
    life.stop().await;

    let next = bench.start_on(Arc::clone(&damaged), 30, [], near());
    let marker = bench.place(2).await;
    bench.clock.advance(TimeDelta::minutes(31));
    next.until("all others are done", |status| status.done == 1).await;
    at.store(0, Ordering::SeqCst);
    bench.ask_to_retry(GiveUp::NAME, held, 1).await;
    bench.waiting(0).await;
    next.until("there is nothing to do", |status| status.keys == 0).await;
    assert!(next.cancels.tried.lock().unwrap().keys().eq([&marker]), "it had been given up already");
    assert_eq!(bench.outlook().concerned().await.unwrap(), 2, "its state is the one of the whole log");
    next.stop().await;
}

#[tokio::test]
async fn a_build_of_other_events_tries_by_itself() {
    let bench = Bench::new();
    let held = bench.place(1).await;
    let (damaged, at) = bench.damaged_at(1);
    let life = bench.start_on(Arc::clone(&damaged), 0, [], quick());
    bench.waiting(1).await;
    life.stop().await;
    at.store(0, Ordering::SeqCst);

    let same = bench.start_on(Arc::clone(&damaged), 0, [], quick());
    same.until("it is caught up", |status| status.is_caught_up).await;
    same.stop().await;
    assert_eq!(bench.waiting(1).await[0].key, held, "the same build would say the same");

    let other = "UPDATE process_parked SET build = 'another one'";
    bench.rows.transaction(vec![Statement::once(other, vec![])]).await.unwrap();
    let next = bench.start_on(damaged, 0, [], quick());
    next.until("it is given up", |status| status.done == 1 && status.keys == 0).await;
    bench.waiting(0).await;
    next.stop().await;
}

#[tokio::test]
async fn an_event_of_which_nobody_can_tell_whose_it_is_holds_everything_up_and_one_that_is_nobodys_does_not() {
    let bench = Bench::new();
    bench
        .append_foreign(Uuid::from_u128(7), ExpectedRevision::NoStream, &format!(r#"{{"nobody":"{}"}}"#, Uuid::nil()))
        .await;
    bench.place(1).await;
    let life = bench.start(0, [], quick());
    life.until("what is nobody's is passed over", |status| status.done == 1 && status.keys == 0).await;
    bench.append_foreign(Uuid::nil(), ExpectedRevision::NoStream, "{}").await;
    bench.place(2).await;
    life.until("it stands", |status| status.error.is_some()).await;
    let status = life.runner.status();
    let error = status.error.unwrap();
    assert!(error.contains("order.teleported.v1") && error.contains("UNKNOWN") && error.contains("whose"), "{error}");
    assert!(status.position < Position::new(4));
    assert_eq!(life.calls(), 1);
    assert!(bench.outlook().parked(10).await.unwrap().is_empty());
    life.stop().await;
}
