//! A server that dies at a named place, each place several times.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use tests::{
    audit::{Findings, MODELS},
    client::Client,
    faults::say,
    operations::{Order, Outcome, statuses},
    random::Random,
    server::{Server, Start, eventually},
};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    load,
    settle::{Promises, Seen, examine, recover},
    world::World,
};

/// `SIGABRT`: how a process ends at a failpoint, and no other way.
const ABORTED: i32 = 6;
/// Between two orders of the same operator.
const PAUSE: Duration = Duration::from_millis(10);

/// What goes on while the server dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Every read model is built from nothing.
    FirstStart,
    /// Customers order; whatever stands by follows.
    Load,
    /// The log has new events that nobody understands.
    Poison,
    /// An event that nobody understood can be understood by now, and is tried again.
    Retry,
    /// Events that nobody understands are passed over.
    Skip,
    /// This projection is rebuilt again and again.
    Rebuild(&'static str),
    /// Two are, together.
    Together,
    /// This one is, from a position on.
    RebuildFrom(&'static str),
    /// All of them are rolled back, and back again.
    Rollback,
    /// One is rolled back and rebuilt.
    RollbackAndRebuild,
    /// Generations on standby are removed, and made anew.
    Discard,
    /// Everything is folded anew and compared.
    Verify,
    /// Rows are written anew.
    Repair,
    /// Projections pause and go on.
    Pause,
    /// The server is asked to end.
    Stop,
}

/// A place at which the server dies, what makes it come there, and at which of its visits.
pub(super) type Case = (&'static str, Deed, &'static [u32]);

const ORDERS: &str = "order_summary";
const PRODUCTS: &str = "product_catalog";
const SALES: &str = "product_sales";

/// Every place there is.
pub(super) const CASES: &[Case] = &[
    ("start.sorted", Deed::Load, &[1, 2, 3]),
    ("start.sorted", Deed::FirstStart, &[1, 3]),
    ("start.claimed", Deed::Load, &[1, 2, 4, 6]),
    ("track.apply", Deed::Load, &[1, 10, 60]),
    ("track.applied", Deed::Load, &[1, 10, 60]),
    ("track.park", Deed::Poison, &[1, 2, 3, 4]),
    ("track.parked", Deed::Poison, &[1, 2, 3, 4]),
    ("track.store", Deed::Stop, &[1, 2, 3]),
    ("release.write", Deed::Retry, &[1, 2, 4]),
    ("release.written", Deed::Retry, &[1, 2, 4]),
    ("skip.write", Deed::Skip, &[1, 2, 3]),
    ("skip.written", Deed::Skip, &[1, 2, 3, 4]),
    ("release.written", Deed::Skip, &[1, 2, 4]),
    ("follow.step", Deed::Load, &[1, 4]),
    ("follow.stepped", Deed::Load, &[1, 4]),
    ("repair.write", Deed::Repair, &[1, 5]),
    ("repair.written", Deed::Repair, &[1, 5]),
    ("worker.pause", Deed::Pause, &[1, 4]),
    ("worker.resume", Deed::Pause, &[1, 4]),
    ("drift.check", Deed::Load, &[1, 3]),
    ("rebuild.begun", Deed::FirstStart, &[1, 2, 3]),
    ("rebuild.begun", Deed::Rebuild(ORDERS), &[1, 2]),
    ("rebuild.begun", Deed::Together, &[1, 2]),
    ("rebuild.write", Deed::FirstStart, &[1, 2, 3]),
    ("rebuild.write", Deed::Rebuild(ORDERS), &[1, 2, 3]),
    ("rebuild.write", Deed::Rebuild(SALES), &[1, 2, 4, 6]),
    ("rebuild.write", Deed::Together, &[2, 4]),
    ("rebuild.written", Deed::FirstStart, &[1, 2, 3]),
    ("rebuild.written", Deed::Rebuild(ORDERS), &[1, 2]),
    ("rebuild.written", Deed::Rebuild(PRODUCTS), &[1]),
    ("rebuild.written", Deed::Rebuild(SALES), &[1, 2, 4]),
    ("rebuild.written", Deed::Together, &[1, 3]),
    ("rebuild.indexed", Deed::FirstStart, &[1, 3, 6]),
    ("rebuild.indexed", Deed::Rebuild(ORDERS), &[1, 4]),
    ("rebuild.indexed", Deed::Rebuild(PRODUCTS), &[2]),
    ("rebuild.verified", Deed::FirstStart, &[1, 2, 3]),
    ("rebuild.verified", Deed::Rebuild(SALES), &[1, 2]),
    ("rebuild.copied", Deed::RebuildFrom(ORDERS), &[1, 2, 3]),
    ("rebuild.refolded", Deed::RebuildFrom(ORDERS), &[1, 2]),
    ("rebuild.refolded", Deed::RebuildFrom(PRODUCTS), &[1]),
    ("rebuild.written", Deed::RebuildFrom(PRODUCTS), &[1]),
    ("switch.before", Deed::FirstStart, &[1, 2, 3]),
    ("switch.before", Deed::Rebuild(ORDERS), &[1, 2]),
    ("switch.before", Deed::Rebuild(PRODUCTS), &[1, 2]),
    ("switch.before", Deed::Rollback, &[1, 2]),
    ("switch.after", Deed::FirstStart, &[1, 2, 3]),
    ("switch.after", Deed::Rebuild(ORDERS), &[1, 2]),
    ("switch.after", Deed::Rollback, &[1, 2, 5]),
    ("standby.keep", Deed::Load, &[1, 3]),
    ("standby.keep", Deed::Rebuild(SALES), &[4, 5]),
    ("standby.keep", Deed::RollbackAndRebuild, &[4, 5]),
    ("rollback.before", Deed::Rollback, &[1, 4]),
    ("rollback.after", Deed::Rollback, &[1, 4]),
    ("discard.before", Deed::Rebuild(PRODUCTS), &[1, 2]),
    ("discard.before", Deed::Verify, &[1, 2]),
    ("discard.before", Deed::Discard, &[1]),
    ("discard.after", Deed::Rebuild(PRODUCTS), &[1, 2]),
    ("discard.after", Deed::Verify, &[1, 2]),
    ("discard.after", Deed::Discard, &[1]),
    ("verify.filled", Deed::Verify, &[1, 2]),
];

/// Lets a server die at the `count`th visit to this place, and sees the next one recover. Gives what was seen.
pub(super) async fn die_and_recover(base: &World, place: &str, deed: Deed, count: u32) -> Seen {
    let mut world = base.copy();
    let mut random = Random::new(u64::from(count));
    prepare(&mut world, deed, &mut random);
    let mut promises = Promises::default();
    let stderr = die(&world, (place, deed, count), &mut random, &mut promises).await;

    let left = examine(&mut world);
    let mut seen = Seen { deaths: 1, parked: parked(&left), ..Seen::default() };
    if deed != Deed::FirstStart {
        for model in MODELS {
            assert!(left.serving(model.name).is_some(), "{} serves nothing:\n{stderr}", model.name);
        }
    }
    recover(&mut world, &left, &mut promises, &mut seen).await.kill9();
    seen
}

fn parked(left: &Findings) -> u32 {
    let waiting = left.generations.iter().filter(|generation| !generation.parked.is_empty()).count();
    u32::try_from(waiting).expect("a few generations")
}

fn prepare(world: &mut World, deed: Deed, random: &mut Random) {
    match deed {
        Deed::FirstStart => world.forget_read_models(),
        Deed::Poison => world.poison(),
        Deed::Retry => while world.mend(random) {},
        Deed::Load
        | Deed::Skip
        | Deed::Rebuild(_)
        | Deed::Together
        | Deed::RebuildFrom(_)
        | Deed::Rollback
        | Deed::RollbackAndRebuild
        | Deed::Discard
        | Deed::Verify
        | Deed::Repair
        | Deed::Pause
        | Deed::Stop => {}
    }
}

/// Runs a server until it dies at the place, which it must. Gives what it has logged.
async fn die(world: &World, case: (&str, Deed, u32), random: &mut Random, promises: &mut Promises) -> String {
    let (place, deed, count) = case;
    let variable = |name: &str, value: String| (name.to_owned(), value);
    let environment = vec![
        variable("MILLRACE_FAILPOINT", format!("{place}:{count}")),
        variable("MILLRACE_PROJECTIONS__DRIFT_INTERVAL_S", "1".to_owned()),
    ];
    let (status, stderr) = match Server::try_start_in(world.path(), Start { environment, ..Start::default() }).await {
        Err(ended) => (ended.status, ended.stderr),
        Ok(server) => {
            let operator = world.people.operator.at(&server.url);
            let mut load = if deed == Deed::Stop {
                stop_behind_events_of_nobody(&server, &operator).await;
                JoinSet::new()
            } else {
                load::start(&world.people, &server.url, random)
            };
            let deeds = perform(&operator, world, deed, random, promises);
            // Whoever gives the orders notices that nobody answers; where nobody does, the clients do.
            let (ended, ()) = tokio::join!(server.ended(), deeds);
            while load.join_next().await.is_some() {}
            ended
        }
    };
    assert_eq!(status.signal(), Some(ABORTED), "{place}:{count} was not reached by {deed:?}: {status}\n{stderr}");
    stderr
}

/// Asks a server to stop whose projections have all passed events that none of them reads.
async fn stop_behind_events_of_nobody(server: &Server, operator: &Client) {
    for order in [Order::Pause, Order::Resume] {
        let outcome = order.give(operator, SALES).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    eventually("every projection has passed them", async || {
        let statuses = statuses(operator).await.expect("the server runs");
        statuses.iter().all(|status| status["number"] == status["headNumber"]).then_some(())
    })
    .await;
    server.ask_to_stop();
}

/// Does it again and again until nobody answers.
async fn perform(operator: &Client, world: &World, deed: Deed, random: &mut Random, promises: &mut Promises) {
    loop {
        let orders: Vec<(&str, Order)> = match deed {
            Deed::FirstStart | Deed::Load | Deed::Poison | Deed::Stop => return,
            Deed::Retry => MODELS.iter().map(|model| (model.name, Order::Retry(None))).collect(),
            Deed::Skip => skips(world),
            Deed::Rebuild(name) => vec![(name, Order::Rebuild)],
            Deed::Together => vec![(ORDERS, Order::RebuildWith(SALES))],
            Deed::RebuildFrom(name) => vec![(name, Order::RebuildFrom(1 + random.below(world.log.head())))],
            Deed::Rollback => MODELS.iter().map(|model| (model.name, Order::Rollback)).collect(),
            Deed::RollbackAndRebuild => vec![(SALES, Order::Rollback), (SALES, Order::Rebuild)],
            Deed::Discard => vec![(SALES, Order::Discard(1)), (SALES, Order::Discard(2)), (SALES, Order::Rebuild)],
            Deed::Verify => vec![(ORDERS, Order::Verify), (SALES, Order::Verify)],
            Deed::Repair => vec![(ORDERS, Order::Repair(keys(world, "order", random)))],
            Deed::Pause => {
                [ORDERS, SALES].iter().flat_map(|name| [(*name, Order::Pause), (*name, Order::Resume)]).collect()
            }
        };
        for (name, order) in orders {
            promises.is_ordered(name, &order);
            let outcome = order.give(operator, name).await;
            promises.is_answered(name, &order, &outcome);
            if outcome == Outcome::Gone {
                return;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn skips(world: &World) -> Vec<(&'static str, Order)> {
    let each = world
        .poison
        .iter()
        .flat_map(|poison| poison.projections.iter().map(|name| (*name, Order::Skip(poison.key, poison.position))));
    each.collect()
}

/// Some keys of rows that can be folded.
pub(super) fn keys(world: &World, category: &str, random: &mut Random) -> Vec<Uuid> {
    let events = &world.log.events;
    let mut keys: Vec<Uuid> = (0..20)
        .map(|_| &events[random.index(events.len())])
        .filter(|event| &*event.category == category)
        .map(|event| event.key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| world.poison.iter().all(|poison| poison.key != *key));
    keys
}

/// Says how often the server died at which place.
pub(super) fn report(cases: &[Case]) {
    let mut places: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for (place, _, counts) in cases {
        *places.entry(place).or_default() += counts.len();
    }
    let places: Vec<String> = places.into_iter().map(|(place, count)| format!("{place} {count}")).collect();
    say(&format!("crash test: projections died at {}", places.join(", ")));
}
