//! A small process, run over real stores: orders are given up some time after they were placed.

mod outlook;
mod parked;
mod simulation;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use chrono::TimeDelta;
use domain::{
    Decider as _, Event, Owner, Process, Timestamp, Unread,
    fulfilment::Fulfilment,
    order::{CancelReason, Order, OrderCommand, OrderEvent, Party},
    testing::{id, now, order_placed},
    values::OrderId,
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{notes::Notes, *};
use crate::{
    clock::{Clock, ManualClock},
    event_store::{Append, EventStore, ExpectedRevision, MemoryEventStore, NewEvent, Position, StreamId},
    execute::{CommandMetadata, ExecuteError, Executor, ExecutorOptions, Request},
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError, SqliteReadStore, SqliteReadStoreOptions},
};

/// Gives every order up so many minutes after it was placed.
#[derive(Clone, Copy, Debug)]
struct GiveUp {
    minutes: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    placed_at: Option<Timestamp>,
    is_over: bool,
}

impl Process for GiveUp {
    const NAME: &'static str = "give_up";
    const VERSION: u32 = 1;
    const EVENTS: &'static [&'static str] = &["order."];
    type State = Seen;
    type Step = Uuid;

    fn key(event: &Event) -> Option<Uuid> {
        match event {
            Event::Order(event) => Some(event.order().uuid()),
            Event::Product(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Follow(_)
            | Event::Post(_)
            | Event::Reaction(_)
            | Event::Inbox(_)
            | Event::Operator(_) => None,
        }
    }

    fn owner(unread: &Unread<'_>) -> Owner {
        match unread.id("nobody") {
            Some(_) => Owner::Nobody,
            None if unread.stream.is_nil() => Owner::Unknown,
            None => Owner::Key(unread.stream),
        }
    }

    fn starts(event: &Event) -> bool {
        matches!(event, Event::Order(OrderEvent::Placed { .. }))
    }

    fn evolve(state: Seen, event: &Event) -> Seen {
        match event {
            Event::Order(OrderEvent::Placed { at, .. }) => Seen { placed_at: Some(*at), is_over: false },
            Event::Order(OrderEvent::Cancelled { .. }) => Seen { is_over: true, ..state },
            Event::Order(_)
            | Event::Product(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Follow(_)
            | Event::Post(_)
            | Event::Reaction(_)
            | Event::Inbox(_)
            | Event::Operator(_) => state,
        }
    }

    fn next(&self, state: &Seen, now: Timestamp) -> Vec<Uuid> {
        let is_due = state.placed_at.is_some_and(|at| at + TimeDelta::minutes(self.minutes) <= now);
        let step = state.placed_at.map(|at| Uuid::new_v5(&Uuid::NAMESPACE_OID, at.to_string().as_bytes()));
        step.filter(|_| is_due && !state.is_over).into_iter().collect()
    }

    fn step_id(step: &Uuid) -> Uuid {
        *step
    }

    fn wake_at(&self, state: &Seen, now: Timestamp) -> Option<Timestamp> {
        let timer = state.placed_at.filter(|_| !state.is_over)? + TimeDelta::minutes(self.minutes);
        (timer > now).then_some(timer)
    }

    fn concern(state: &Seen) -> Option<String> {
        state.is_over.then(|| "it was given up".to_owned())
    }
}

/// Cancels orders; as often as told, it does something else.
#[derive(Debug)]
struct Cancels {
    orders: Executor<Order>,
    odd: Mutex<Vec<Performed>>,
    tried: Mutex<BTreeMap<Uuid, Vec<Uuid>>>,
    calls: AtomicU32,
}

#[async_trait]
impl Perform<GiveUp> for Cancels {
    async fn perform(&self, todo: &Todo<GiveUp>) -> Performed {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.tried.lock().unwrap().entry(todo.key).or_default().push(todo.step);
        let odd = self.odd.lock().unwrap().pop();
        if let Some(odd) = odd.filter(|odd| *odd != Performed::Done) {
            assert_ne!(odd, panics(), "it panics, as it was told");
            return odd;
        }
        let command = OrderCommand::Cancel { by: Party::Process, reason: CancelReason::Unpaid };
        match self.orders.execute(request(todo.key, command, todo.step)).await {
            Ok(_) => Performed::Done,
            Err(ExecuteError::Rejected(_)) => Performed::Wait,
            Err(error) => Performed::Failed(error.to_string()),
        }
    }
}

/// Tells whoever carries out a step to panic.
fn panics() -> Performed {
    Performed::Failed("panics".to_owned())
}

fn request(stream: Uuid, command: OrderCommand, id: Uuid) -> Request<OrderCommand> {
    let metadata = CommandMetadata {
        command_id: id,
        actor: "test".into(),
        correlation_id: id,
        causation_id: None,
        input_hash: None,
    };
    Request { stream, command, metadata, expected: None, is_fresh: false }
}

struct Bench {
    events: Arc<MemoryEventStore>,
    rows: Arc<dyn ReadStore>,
    clock: ManualClock,
    _folder: tempfile::TempDir,
}

/// One life of the process.
struct Life {
    runner: ProcessRunner,
    cancels: Arc<Cancels>,
    lifecycle: Lifecycle,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows = SqliteReadStore::open(&folder.path().join("read.db"), SqliteReadStoreOptions::default()).unwrap();
        let (events, clock) = (Arc::new(MemoryEventStore::default()), ManualClock::at(now()));
        Self { events, rows: Arc::new(rows), clock, _folder: folder }
    }

    fn start(&self, minutes: i64, odd: impl IntoIterator<Item = Performed>, options: ProcessOptions) -> Life {
        self.start_on(Arc::clone(&self.events) as _, minutes, odd, options)
    }

    fn start_on(
        &self,
        events: Arc<dyn EventStore>,
        minutes: i64,
        odd: impl IntoIterator<Item = Performed>,
        options: ProcessOptions,
    ) -> Life {
        let lifecycle = Lifecycle::new();
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let orders =
            Executor::new(Arc::clone(&events), Arc::clone(&clock), lifecycle.clone(), ExecutorOptions::default());
        let mut odd: Vec<_> = odd.into_iter().collect();
        odd.reverse();
        let (odd, tried) = (Mutex::new(odd), Mutex::default());
        let cancels = Arc::new(Cancels { orders, odd, tried, calls: AtomicU32::new(0) });
        let perform: Arc<dyn Perform<GiveUp>> = Arc::clone(&cancels) as _;
        let rows = Arc::clone(&self.rows);
        let runner = ProcessRunner::start(GiveUp { minutes }, perform, events, rows, clock, &lifecycle, options);
        Life { runner, cancels, lifecycle }
    }

    async fn place(&self, n: u128) -> Uuid {
        let order: OrderId = id(n);
        let OrderEvent::Placed { customer, lines, total, warehouse, payment, .. } = order_placed() else {
            unreachable!("it is a placement")
        };
        let at = self.clock.now();
        let placed = OrderEvent::Placed { order, customer, lines, total, warehouse, payment, at };
        let (type_name, data) = crate::codec::encode(&placed);
        let event =
            NewEvent { id: Uuid::new_v5(&order.uuid(), b"placed"), type_name, at, metadata: "{}".to_owned(), data };
        let stream = StreamId::new(Order::CATEGORY, order.uuid());
        let append = Append { stream, expected: ExpectedRevision::NoStream, events: vec![event].into() };
        self.events.append(append).await.unwrap();
        order.uuid()
    }

    async fn cancelled(&self) -> usize {
        let all = self.events.read_all(Position::START, &crate::event_store::TypeFilter::All, 8_000).await.unwrap();
        all.events.iter().filter(|event| event.type_name.starts_with("order.cancelled")).count()
    }
}

impl Life {
    async fn until(&self, what: &str, mut holds: impl FnMut(&ProcessStatus) -> bool) {
        let mut status = self.runner.watch();
        let waiting = timeout(Duration::from_secs(20), status.wait_for(|status| holds(status))).await;
        waiting.unwrap_or_else(|_| panic!("never: {what}: {:?}", self.runner.status())).unwrap();
    }

    async fn stop(self) {
        assert!(self.lifecycle.stop(Duration::from_secs(10)).await);
    }

    fn calls(&self) -> u32 {
        self.cancels.calls.load(Ordering::SeqCst)
    }
}

fn quick() -> ProcessOptions {
    ProcessOptions { note_interval: Duration::from_millis(20), ..ProcessOptions::default() }
}

#[tokio::test]
async fn what_is_to_be_done_is_done_once() {
    let bench = Bench::new();
    let life = bench.start(0, [], quick());
    for n in 0..50 {
        bench.place(n).await;
    }
    life.until("all are given up", |status| status.done == 50 && status.keys == 0).await;
    assert_eq!((bench.cancelled().await, life.calls()), (50, 50));
    assert_eq!(notes::concerns(&*bench.rows, GiveUp::NAME, 3).await.unwrap().len(), 3);
    life.stop().await;

    let next = bench.start(0, [], quick());
    next.until("it is caught up", |status| status.is_caught_up).await;
    bench.place(99).await;
    next.until("the next one is given up", |status| status.done == 1).await;
    assert_eq!((bench.cancelled().await, next.calls()), (51, 1), "what was done is known");
    next.stop().await;
}

#[tokio::test]
async fn without_its_notes_a_process_sees_in_the_log_what_was_done() {
    let bench = Bench::new();
    let life = bench.start(0, [], quick());
    for n in 0..20 {
        bench.place(n).await;
    }
    life.until("all are given up", |status| status.done == 20).await;
    life.stop().await;
    bench.rows.transaction(forget()).await.unwrap();
    let next = bench.start(0, [], quick());
    next.until("it is caught up and has nothing to do", |status| status.is_caught_up && status.keys == 0).await;
    assert_eq!(next.calls(), 0);
    next.stop().await;
}

#[tokio::test]
async fn a_step_that_fails_is_tried_again_under_the_same_id() {
    let bench = Bench::new();
    let odd = [Performed::Failed("no".to_owned()), Performed::Failed("no".to_owned()), Performed::Wait];
    let life = bench.start(0, odd, quick());
    let key = bench.place(1).await;
    life.until("it is in trouble", |status| status.troubles.iter().any(|trouble| trouble.tries == 2)).await;
    // A refusal is looked into after five seconds at the latest.
    life.until("it is given up", |status| status.done == 1).await;
    assert_eq!(bench.cancelled().await, 1);
    let tried = life.cancels.tried.lock().unwrap().get(&key).cloned().unwrap();
    assert_eq!(tried.len(), 4);
    assert!(tried.iter().all(|step| *step == tried[0]));
    life.stop().await;
}

#[tokio::test]
async fn a_step_that_is_stuck_is_shown_and_tried_again_after_a_restart() {
    let bench = Bench::new();
    let life = bench.start(0, [Performed::Stuck("no money".to_owned())], quick());
    let key = bench.place(1).await;
    life.until("it is stuck", |status| status.troubles.first().is_some_and(|trouble| trouble.is_stuck)).await;
    let trouble = life.runner.status().troubles.remove(0);
    assert_eq!((trouble.key, trouble.reason.as_str()), (key, "no money"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(life.calls(), 1, "it is left alone");
    life.stop().await;
    let next = bench.start(0, [], quick());
    next.until("it is given up", |status| status.done == 1).await;
    next.stop().await;
}

#[tokio::test]
async fn a_timer_fires_after_a_restart_and_after_the_clock_was_set_back() {
    let bench = Bench::new();
    let options = || ProcessOptions { horizon: Duration::from_secs(2), ..quick() };
    let life = bench.start(30, [], options());
    bench.place(1).await;
    life.until("it is noted", |status| status.position.value() == 1 && status.keys == 0).await;
    bench.clock.advance(TimeDelta::seconds(30 * 60 - 1));
    life.stop().await;

    // The timer is near, so that it is on the desk from the start.
    let next = bench.start(30, [], options());
    next.until("its timer is near", |status| status.is_caught_up && status.keys == 1).await;
    bench.clock.advance(TimeDelta::minutes(-20));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(next.calls(), 0, "it is not yet time");
    bench.clock.advance(TimeDelta::days(3));
    next.until("it is given up", |status| status.done == 1).await;
    assert_eq!((bench.cancelled().await, next.calls()), (1, 1));
    next.stop().await;
}

#[tokio::test]
async fn timers_beyond_the_horizon_are_looked_up_in_time() {
    let bench = Bench::new();
    let options = ProcessOptions { horizon: Duration::from_millis(100), ..quick() };
    let life = bench.start(30, [], options);
    for n in 0..300 {
        bench.place(n).await;
    }
    life.until("they are noted", |status| status.position.value() == 300 && status.keys == 0).await;
    bench.clock.advance(TimeDelta::minutes(30));
    life.until("they are given up", |status| status.done == 300 && status.keys == 0).await;
    assert_eq!(life.calls(), 300);
    life.stop().await;
}

#[tokio::test]
async fn whoever_takes_over_shuts_out_the_one_before() {
    let bench = Bench::new();
    let lease = lease_of(GiveUp::NAME);
    let (mine, held) = watch::channel(Arc::new(BTreeSet::from([lease.clone()])));
    let turn = Turn { held, lease };
    let one = bench.start(0, [], ProcessOptions { turn: Some(turn), ..quick() });
    bench.place(1).await;
    one.until("it is given up", |status| status.done == 1).await;
    let two = bench.start(0, [], quick());
    two.until("it has taken over", |status| status.is_caught_up).await;
    // The one before learns it when it writes, and waits for its turn again.
    mine.send(Arc::default()).unwrap();
    bench.place(2).await;
    two.until("the next one is given up", |status| status.done >= 1).await;
    one.until("it has stopped", |status| !status.is_running).await;
    assert_eq!(bench.cancelled().await, 2);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn notes_of_another_version_are_thrown_away() {
    let bench = Bench::new();
    let life = bench.start(30, [], quick());
    bench.place(1).await;
    life.until("it is noted", |status| status.position.value() == 1 && status.keys == 0).await;
    life.stop().await;
    let rows = bench.rows.query(sql::cursor(GiveUp::NAME)).await.unwrap();
    let take_over = sql::take_over(GiveUp::NAME, GiveUp::VERSION + 1, rows[0].int(0).unwrap());
    bench.rows.transaction(take_over).await.unwrap();
    let rows = bench.rows.query(sql::cursor(GiveUp::NAME)).await.unwrap();
    assert_eq!(rows[0].int(1).unwrap(), 0);
    let key: OrderId = id(1);
    assert!(bench.rows.query(sql::of_keys(GiveUp::NAME, &[key.uuid()])).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_who_take_over_at_the_same_moment_one_does() {
    let bench = Bench::new();
    let (_, position) = Notes::take_over::<GiveUp>(Arc::clone(&bench.rows)).await.unwrap();
    assert_eq!(position, Position::START);
    let rows = bench.rows.query(sql::cursor(GiveUp::NAME)).await.unwrap();
    let seen_by_both = rows[0].int(0).unwrap();
    let take_over = || bench.rows.transaction(sql::take_over(GiveUp::NAME, GiveUp::VERSION, seen_by_both));
    take_over().await.unwrap();
    assert!(matches!(take_over().await.unwrap_err(), ReadStoreError::Guard { .. }));
}

#[tokio::test]
async fn a_panic_is_shown_and_the_process_is_taken_up_again() {
    let bench = Bench::new();
    let life = bench.start(0, [panics()], quick());
    bench.place(1).await;
    life.until("it is said", |status| {
        !status.is_running && status.error.as_ref().is_some_and(|error| error.contains("panicked"))
    })
    .await;
    life.until("it is given up", |status| status.done == 1 && status.is_running && status.error.is_none()).await;
    assert_eq!(bench.cancelled().await, 1);
    life.stop().await;
}

#[tokio::test]
async fn more_work_than_has_room_is_no_reason_not_to_catch_up() {
    let bench = Bench::new();
    let options = || ProcessOptions { waiting_max: 5, steps_max: 2, ..quick() };
    let life = bench.start(0, vec![Performed::Stuck("closed".to_owned()); 30], options());
    for n in 0..30 {
        bench.place(n).await;
    }
    life.until("all are stuck", |status| status.stuck == 30).await;
    life.until("they are noted", |status| status.position.value() == 30).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    life.stop().await;
    bench.place(99).await;
    let next = bench.start(0, [], options());
    next.until("all are given up", |status| status.done == 31).await;
    next.stop().await;
    // The same for whoever has no notes, and a long way to go.
    bench.rows.transaction(forget()).await.unwrap();
    bench.place(100).await;
    let last = bench.start(0, [], options());
    last.until("only what is left is done", |status| status.is_caught_up && status.done == 1).await;
    assert_eq!((bench.cancelled().await, last.calls()), (32, 1));
    last.stop().await;
}

#[test]
fn what_is_noted_while_its_end_comes_in_is_taken_out_of_the_notes_again() {
    let rules = Fulfilment { unpaid_after: TimeDelta::minutes(30), overdue_after: TimeDelta::hours(1) };
    let (mut desk, instant) = (desk::Desk::new(Arc::new(rules), quick()), tokio::time::Instant::now());
    let OrderEvent::Placed { order, customer, mut lines, total, warehouse, payment, at } = order_placed() else {
        unreachable!("it is a placement")
    };
    lines[0].is_stocked = true;
    let placed = OrderEvent::Placed { order, customer, lines, total, warehouse, payment, at };
    desk.take_in(order.uuid(), &placed.into(), Uuid::from_u128(1));
    desk.look(order.uuid(), now(), instant);
    let under_way = desk.to_note();
    assert!(under_way[0].state.is_some() && !under_way[0].is_known);
    let cancelled = OrderEvent::Cancelled { order, reason: CancelReason::CustomerRequest, at };
    desk.take_in(order.uuid(), &cancelled.into(), Uuid::from_u128(2));
    desk.look(order.uuid(), now(), instant);
    desk.noted(&under_way, now());
    let next = desk.to_note();
    assert!(next[0].state.is_none() && next[0].is_known, "the row that was written is to be removed");
    desk.noted(&next, now());
    assert_eq!((desk.len(), desk.unnoted()), (0, 0));
}
