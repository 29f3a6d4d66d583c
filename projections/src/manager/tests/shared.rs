//! Several processes on one read store: shared work, one view of it, takeovers, orders from anywhere.

use std::num::NonZeroU32;

use domain::operator::{OperatorAction, OperatorEvent};
use infrastructure::clock::{IdSource as _, SystemIds};

use super::*;
use crate::{Change, ClusterOptions, ParkedFilter, ParkedPage};

const LEASE: Duration = Duration::from_millis(400);

/// Processes of their own, as far as one process can have them: each has its runtime.
struct Node {
    runtime: tokio::runtime::Runtime,
    running: Arc<Running>,
}

impl Node {
    /// One that works, or only serves.
    fn start(world: &World, name: &str, works: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let running = runtime.block_on(try_start(world, name, works)).unwrap();
        Self { runtime, running: Arc::new(running) }
    }

    fn run<T: Send + 'static>(&self, work: impl AsyncFnOnce(&Running) -> T) -> T {
        self.runtime.block_on(work(&self.running))
    }

    fn stop(self) {
        let running = Arc::into_inner(self.running).expect("nobody else has it");
        self.runtime.block_on(running.stop());
    }

    /// It is gone, without a word.
    fn dies(self) {
        self.runtime.shutdown_background();
    }

    fn catches_up(&self, world: &World) {
        let events = Arc::clone(&world.events);
        self.run(async move |running| running.catch_up(events.head().await.unwrap()).await);
    }
}

async fn try_start(world: &World, name: &str, works: bool) -> Result<Running, ManagerError> {
    let cluster = ClusterOptions {
        id: SystemIds.fresh(),
        ids: Arc::new(SystemIds),
        node: name.to_owned(),
        lease: LEASE,
        works,
        serves: true,
        leases_max: None,
        also: vec![],
    };
    let options = ProjectionOptions {
        slices: NonZeroU32::new(4).unwrap(),
        cluster: Some(cluster),
        ..ProjectionOptions::default()
    };
    let lifecycle = Lifecycle::new();
    let (models, manager) = ReadModels::start(
        Arc::clone(&world.events) as Arc<dyn EventStore>,
        Arc::clone(&world.rows) as Arc<dyn ReadStore>,
        Arc::new(SystemClock),
        lifecycle.clone(),
        options,
    )
    .await?;
    Ok(Running { models, manager, lifecycle })
}

/// Orders it again when its lead is lost, as a busy machine may have it with leases as short as here.
fn led<T>(order: impl Fn() -> Result<T, ManagerError>) -> T {
    loop {
        match order() {
            Err(ManagerError::NoLead(_)) => {}
            answer => return answer.unwrap(),
        }
    }
}

fn block<T>(work: impl Future<Output = T>) -> T {
    crate::tests::block_on(work)
}

/// Waits for something that is looked at from outside.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LONG, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn place(world: &World, orders: std::ops::Range<u128>) {
    block(async {
        for n in orders {
            world.append(placed(n, 1, &[("TEA", 1)])).await;
        }
    });
}

/// What everybody reads is the fold of the log.
fn everything_is_right(world: &World, nodes: &[&Node]) {
    let reference = block(world.reference());
    let kept = reference.iter().filter(|row| row.placed.cancel_reason.is_none()).count() as u64;
    for node in nodes {
        node.catches_up(world);
        assert_eq!(node.run(async |running| running.orders().await), reference);
        assert_eq!(node.run(async |running| running.sales("TEA").await), (kept, kept));
    }
}

/// How often slices were claimed: each takeover shows.
fn epochs(world: &World) -> i64 {
    block(world.number("SELECT sum(epoch) FROM projection_slices"))
}

#[test]
fn workers_share_the_slices_and_whoever_serves_sees_all_of_it() {
    let world = World::new();
    let (one, two) = (Node::start(&world, "one", true), Node::start(&world, "two", true));
    let api = Node::start(&world, "api", false);
    place(&world, 0..200);
    everything_is_right(&world, &[&api, &one, &two]);
    until("a fair share", || {
        let owners = "SELECT count(*) FROM leases WHERE owner IS NOT NULL";
        let most = "SELECT max(held) FROM (SELECT count(*) AS held FROM leases GROUP BY owner) AS nodes";
        // Of nine projections: five times four slices, four times one slice, and nine leads.
        block(world.number(owners)) == 33 && block(world.number(most)) == 17
    });
    place(&world, 200..400);
    block(async {
        for n in 0..400 {
            if n % 3 == 0 {
                world.append(cancelled(n)).await;
            }
        }
    });
    everything_is_right(&world, &[&api, &one, &two]);
    for node in [&api, &one, &two] {
        for name in NAMES {
            until("running", || node.running.state(name) == ProjectionState::Running);
        }
    }
    let positions = "SELECT count(DISTINCT slice) FROM projection_slices WHERE name = 'order_summary' AND position > 0";
    assert_eq!(block(world.number(positions)), 4);
    for node in [api, one, two] {
        node.stop();
    }
}

#[test]
fn live_changes_reach_a_process_that_applies_nothing_each_once_and_as_they_were() {
    let world = World::new();
    let work = Node::start(&world, "work", true);
    let api = Node::start(&world, "api", false);
    place(&world, 0..20);
    api.catches_up(&world);
    let head = block(world.events.head()).unwrap();
    let mut listener = api.running.models.order_summary.hub().subscribe_all();
    assert_eq!(listener.position, head);
    block(async {
        for n in 20..120 {
            world.append(placed(n, 1, &[("TEA", 1)])).await;
            world.append(shipped(n - 20)).await;
            world.append(delivered(n - 20)).await;
        }
    });
    let changes: Vec<Arc<Change<OrderRow>>> = api.run(async move |_| {
        let mut changes = Vec::new();
        while changes.len() < 300 {
            let message = tokio::time::timeout(LONG, listener.next()).await.expect("in time").expect("not closed");
            let HubMessage::Change(change) = message else { panic!("a gap: {message:?}") };
            changes.push(change);
        }
        changes
    });
    let expected: Vec<u64> = (head.value() + 1..=head.value() + 300).collect();
    assert_eq!(changes.iter().map(|change| change.position.value()).collect::<Vec<_>>(), expected);
    // Each row is as it was right after its event, whatever has come since.
    let events = block(world.events.read_all(Position::START, &TypeFilter::All, 10_000)).unwrap().events;
    for change in &changes {
        let up_to = events.iter().filter(|event| event.position <= change.position);
        let decoded = up_to.map(|event| Decoded::decode(event).unwrap());
        let its = decoded.filter(|event| OrderSummary::key(event) == Some(change.key));
        assert_eq!(change.row, its.fold(None, |row, event| OrderSummary::fold(row, &event)));
    }
    everything_is_right(&world, &[&api]);
    api.stop();
    work.stop();
}

#[test]
fn the_slices_of_a_process_that_dies_are_taken_over_and_nothing_is_lost_or_applied_twice() {
    let world = World::new();
    let api = Node::start(&world, "api", false);
    let mut workers = vec![Node::start(&world, "w0", true), Node::start(&world, "w1", true)];
    let mut placed_so_far = 0;
    for round in 0..6 {
        place(&world, placed_so_far..placed_so_far + 150);
        placed_so_far += 150;
        // In the middle of the work, sometimes; an even one leaves as it should.
        let leaves = workers.remove(0);
        if round % 2 == 0 {
            leaves.dies();
        } else {
            leaves.stop();
        }
        everything_is_right(&world, &[&api]);
        workers.push(Node::start(&world, &format!("w{}", round + 2), true));
    }
    everything_is_right(&world, &[&api, &workers[0], &workers[1]]);
    for node in workers.into_iter().chain([api]) {
        node.stop();
    }
}

#[test]
fn without_a_process_that_works_it_is_said_and_a_new_one_goes_on() {
    let world = World::new();
    let work = Node::start(&world, "work", true);
    place(&world, 0..50);
    work.catches_up(&world);
    let api = Node::start(&world, "api", false);
    api.catches_up(&world);
    work.stop();
    until("nobody works", || matches!(api.running.state("order_summary"), ProjectionState::Unattended { slices: 4 }));
    place(&world, 50..60);
    let head = block(world.events.head()).unwrap();
    let late = api.run(async move |running| running.models.order_summary.wait(head, Duration::from_millis(300)).await);
    assert!(matches!(late, Err(QueryError::Timeout { .. })), "{late:?}");
    let nobody = api.run(async |running| running.manager.can_rebuild(&["order_summary"], None).await);
    nobody.unwrap();
    let work = Node::start(&world, "new", true);
    everything_is_right(&world, &[&api]);
    until("running", || api.running.state("order_summary") == ProjectionState::Running);
    work.stop();
    api.stop();
}

#[test]
fn a_process_that_cannot_see_the_others_says_so_until_it_does() {
    let world = World::new();
    let work = Node::start(&world, "work", true);
    place(&world, 0..5);
    let api = Node::start(&world, "api", false);
    everything_is_right(&world, &[&api]);
    let errors = vec![ReadStoreError::Unavailable("cut".into()); 1_000_000];
    world.rows.fail_queries(&errors);
    let says_why = |error: &str| error.contains("what others report") && error.ends_with(": cut");
    until(
        "it does not know",
        || matches!(api.running.state("order_summary"), ProjectionState::Retrying { error, .. } if says_why(&error)),
    );
    world.rows.is_well();
    until("running", || api.running.state("order_summary") == ProjectionState::Running);
    work.stop();
    api.stop();
}

#[test]
fn orders_given_where_nobody_works_are_carried_out_where_the_projection_is_led() {
    let world = World::new();
    let (one, two) = (Node::start(&world, "one", true), Node::start(&world, "two", true));
    let api = Node::start(&world, "api", false);
    place(&world, 0..300);
    everything_is_right(&world, &[&api]);
    // The first one is built anew where the lead moves on before anything of it is stored.
    let serving = |name| api.running.status(name).generation.expect("one serves");
    let first = serving("order_summary");
    for name in NAMES {
        let before = serving(name);
        let over = api.run(async move |running| running.rebuilt(name).await);
        assert_eq!((over.generation, over.phase), (before + 1, RebuildPhase::Done), "{name}");
        until("it serves", || serving(name) == before + 1);
    }
    place(&world, 300..350);
    everything_is_right(&world, &[&api, &one, &two]);
    until("a standby", || api.running.status("order_summary").standby.is_some());
    let back = api.run(async |running| running.manager.roll_back("order_summary").await);
    assert_eq!(back.unwrap(), first);
    assert_eq!(serving("order_summary"), first);
    place(&world, 350..400);
    everything_is_right(&world, &[&api, &one, &two]);
    let report = led(|| api.run(async |running| running.manager.verify("order_summary").await));
    assert_eq!((report.rows, report.differences), (400, vec![]));
    block(world.sql(&format!(
        "UPDATE order_summary_g{first} SET status = 'shipped' \
         WHERE order_id IN (SELECT order_id FROM order_summary_g{first} ORDER BY order_id LIMIT 1)"
    )));
    let report = led(|| api.run(async |running| running.manager.verify("order_summary").await));
    let keys: Vec<Uuid> = report.differences.iter().map(|difference| difference.key).collect();
    assert_eq!(keys.len(), 1, "{report:?}");
    until("the difference is known here", || api.running.status("order_summary").differences.len() == 1);
    let repaired = led(|| api.run(async |running| running.manager.repair("order_summary", &keys).await));
    assert_eq!(repaired.len(), 1);
    everything_is_right(&world, &[&api, &one, &two]);
    api.run(async move |running| running.manager.discard_generation("order_summary", first + 1).await).unwrap();
    let refused = api.run(async |running| running.manager.roll_back("order_summary").await);
    assert!(matches!(refused, Err(ManagerError::NoStandby("order_summary"))), "{refused:?}");
    assert!(epochs(&world) > 0);
    for node in [one, two, api] {
        node.stop();
    }
}

#[test]
fn what_is_parked_is_seen_tried_again_and_passed_over_from_anywhere() {
    let world = World::new();
    let work = Node::start(&world, "work", true);
    let api = Node::start(&world, "api", false);
    place(&world, 0..10);
    let poison = block(world.append_broken(3, "order.shipped.v2"));
    block(world.append(cancelled(4)));
    let head = block(world.append(placed(10, 1, &[("TEA", 1)])));
    api.run(async move |running| running.catch_up(head).await);
    let key = order(3).uuid();
    let behind = api.running.models.order_summary.behind(key).expect("whoever sees the position sees what is behind");
    assert_eq!(behind.position, poison);
    let page = ParkedPage { filter: ParkedFilter::default(), limit: 10, ..ParkedPage::default() };
    let parked = api.run(async move |running| running.manager.parked(&page).await).unwrap();
    assert!(parked.iter().all(|entry| entry.position == poison) && !parked.is_empty(), "{parked:?}");
    let tried = api.run(async move |running| running.manager.retry("order_summary", key).await).unwrap();
    assert_eq!(tried.waits_at.map(|(position, _)| position), Some(poison));
    let skip = async move |running: &Running| running.manager.skip("order_summary", key, poison, "of no use").await;
    assert_eq!(api.run(skip).unwrap().waits_at, None);
    assert_eq!(api.running.models.order_summary.behind(key), None);
    let again = api.run(async move |running| running.manager.retry("order_summary", key).await);
    assert!(matches!(again, Err(ManagerError::NotParked { .. })), "{again:?}");
    work.stop();
    api.stop();
}

#[test]
fn a_pause_that_is_written_down_reaches_every_worker_and_those_that_come_later() {
    let world = World::new();
    let (one, api) = (Node::start(&world, "one", true), Node::start(&world, "api", false));
    place(&world, 0..30);
    everything_is_right(&world, &[&api]);
    let act = |action| {
        let event = OperatorEvent::ActionTaken {
            actor: domain::values::Actor::parse("ann").unwrap(),
            projection: domain::values::ProjectionName::parse("order_summary").unwrap(),
            action,
            reason: None,
            at: domain::testing::now(),
        };
        block(world.append(event));
    };
    act(OperatorAction::Pause { at: None });
    until("paused", || matches!(api.running.state("order_summary"), ProjectionState::Paused(_)));
    let (at, generation) = {
        let status = api.running.status("order_summary");
        (status.position, status.generation.expect("one serves"))
    };
    let two = Node::start(&world, "two", true);
    place(&world, 30..60);
    let head = block(world.events.head()).unwrap();
    api.run(async move |running| running.models.product_catalog.wait(head, LONG).await).unwrap();
    std::thread::sleep(LEASE * 2);
    assert!(api.running.status("order_summary").position < head && at.value() > 0);
    assert_eq!(block(world.number(&format!("SELECT count(*) FROM order_summary_g{generation}"))), 30, "nobody went on");
    act(OperatorAction::Resume);
    everything_is_right(&world, &[&api, &one, &two]);
    until("running", || api.running.state("order_summary") == ProjectionState::Running);
    for node in [one, two, api] {
        node.stop();
    }
}
