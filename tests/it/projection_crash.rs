//! Kill -9 at any moment of what operators do with projections: nothing is lost, doubled, left over or half done.
//!
//! A server dies at a named place of the code (`failpoints`), or is killed at a random moment while customers order and
//! operators rebuild, roll back, pause, repair, retry and skip (`chaos`). What it leaves is held against the log as it
//! lies there, then the next server is: it serves the old or the new generation, complete; a rebuild goes on where it
//! was or says that it was given up; what is parked is parked still; no table belongs to nobody.
//!
//! `MILLRACE_PROJECTION_CRASH_CYCLES` says how often the second one kills (50), `MILLRACE_PROJECTION_CRASH_SEED`
//! repeats the schedule of an earlier run. `MILLRACE_PROJECTION_CRASH_PLACE` names one failpoint to die at.

mod cases;
mod chaos;
mod load;
mod settle;
mod social;
mod world;

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tests::{
    binary,
    faults::say,
    random::Random,
    server::{Server, Start},
};
use tokio::runtime::Runtime;

use self::{
    cases::{CASES, die_and_recover},
    chaos::Chaos,
    settle::{Promises, Seen, examine, recover},
    world::World,
};

const CYCLES: u64 = 50;
/// How many servers die at a time.
const CASES_AT_ONCE: usize = 2;

#[test]
fn a_server_that_dies_at_any_failpoint_of_a_projection_is_followed_by_one_that_goes_on() {
    let began = Instant::now();
    let base = runtime().block_on(World::create());
    let cases = CASES.iter().flat_map(|(place, deed, counts)| counts.iter().map(|count| (*place, *deed, *count)));
    let only = binary::variable("MILLRACE_PROJECTION_CRASH_PLACE");
    let waiting = Mutex::new(cases.filter(|(place, ..)| only.as_ref().is_none_or(|only| place == only)));
    let total = Mutex::new((Seen::default(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..CASES_AT_ONCE {
            scope.spawn(|| {
                let runtime = runtime();
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((place, deed, count)) = next else { return };
                    let case = AssertUnwindSafe(|| runtime.block_on(die_and_recover(&base, place, deed, count)));
                    let seen = catch_unwind(case);
                    let mut total = total.lock().expect("nobody panicked");
                    match seen {
                        Ok(seen) => total.0.add(seen),
                        // What went wrong was printed where it did.
                        Err(_) => total.1.push(format!("{place}:{count} of {deed:?}")),
                    }
                }
            });
        }
    });
    let (total, failed) = total.into_inner().expect("nobody panicked");
    cases::report(CASES);
    say(&format!("crash test: projections, {:.1?} at failpoints: {total:?}", began.elapsed()));
    assert!(failed.is_empty(), "{} of them went wrong: {failed:#?}", failed.len());
    // What never happened was not tested.
    assert!(only.is_some() || total.resumed >= 10 && total.abandoned >= 5 && total.parked >= 50, "{total:?}");
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn every_failpoint_of_the_projections_is_died_at() {
    let mut there = BTreeSet::new();
    collect(&binary::workspace().join("projections/src"), &mut there);
    let tested: BTreeSet<String> = CASES.iter().map(|(place, ..)| (*place).to_owned()).collect();
    assert_eq!(there, tested, "failpoints in the code, and those that are tested");
}

#[test]
fn an_audit_finds_whatever_is_wrong_with_a_read_store() {
    let tampering = [
        ("UPDATE order_summary_g2 SET status = 'shipped' WHERE status = 'cancelled'", "differs from the log"),
        ("DELETE FROM product_catalog_g2 WHERE sku = 'POT-3'", "differs from the log"),
        ("UPDATE product_sales_g1_counters SET orders = orders + 1 WHERE units > 0", "differs from the log"),
        ("UPDATE social_graph_g2_people SET followers = followers + 1 WHERE posts > 1", "differs from the log"),
        ("DELETE FROM social_graph_g1_entries WHERE position % 2 = 0", "differs from the log"),
        ("UPDATE social_graph_g2_state SET filled = filled + 64", "differs from the log"),
        ("UPDATE notifications_g2_groups SET shown = shown + 1 WHERE kind = 'like'", "differs from the log"),
        ("UPDATE notifications_g1_items SET is_shown = 1 WHERE is_shown = 0", "differs from the log"),
        // The generation that serves is at the end of the log; the one on standby may not be there yet.
        ("UPDATE projection_slices SET position = position - 1000 WHERE generation = 2", "which is not at it"),
        (
            "DELETE FROM projection_parked WHERE generation = 2;
             UPDATE projection_slices SET position = position - 1000 WHERE generation = 2",
            "differs from the log",
        ),
        ("UPDATE projection_slices SET position = position + 9999", "ahead of the log"),
        ("UPDATE projection_generations SET state = 'serving'", "two generations serve"),
        ("DELETE FROM projection_generations WHERE name = 'order_summary' AND state = 'serving'", ": gone"),
        ("CREATE TABLE order_summary_g7 (order_id UUID)", "tables of no generation"),
        ("DROP TABLE product_sales_g1_lines", "tables are missing"),
        ("DELETE FROM projection_parked WHERE state = 'failed'", "is not parked in"),
        ("DELETE FROM projection_parked WHERE state = 'queued'", "overtook an event that waits"),
        ("UPDATE projection_parked SET position = position - 1 WHERE state = 'failed'", "for no reason"),
    ];
    let base = runtime().block_on(World::create());
    for (sql, finding) in tampering {
        let mut world = base.copy();
        let read_db = Connection::open(world.path().join("read.db")).expect("the read store's file");
        read_db.execute_batch(sql).expect("it can be changed");
        drop(read_db);
        let found = catch_unwind(AssertUnwindSafe(|| world.audit())).expect_err(sql);
        let found = found.downcast_ref::<String>().expect("a message");
        assert!(found.contains(finding), "{sql}: {found}");
    }
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            collect(&path, names);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let calls = text.split("failpoint!(\"").skip(1);
        names.extend(calls.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kills_at_random_moments_of_projection_operations_every_row_is_what_the_log_says() {
    let cycles = binary::variable("MILLRACE_PROJECTION_CRASH_CYCLES")
        .map_or(CYCLES, |text| text.parse().expect("MILLRACE_PROJECTION_CRASH_CYCLES is a number"));
    let start = Random::seed("MILLRACE_PROJECTION_CRASH_SEED");
    say(&format!("crash test: projections, {cycles} cycles, MILLRACE_PROJECTION_CRASH_SEED={start}"));
    let began = Instant::now();
    let mut random = Random::new(start);
    let mut world = World::create().await;
    let (mut promises, mut seen) = (Promises::default(), Seen::default());
    let mut chaos = Chaos::default();
    let mut server = Some(Server::start_in(world.path(), Start::default()).await);
    for _ in 0..cycles {
        let random = &mut random;
        match server.take() {
            // The one before recovered and goes on; now and then the next one dies while it starts.
            Some(running) if random.below(6) == 0 => {
                running.kill9();
                chaos::kill_while_it_starts(world.path(), Duration::from_millis(random.below(300))).await;
            }
            running => {
                let running = running.expect("a server runs");
                chaos.run_and_kill(running, &world, random, &mut promises).await;
            }
        }
        let left = examine(&mut world);
        seen.deaths += 1;
        seen.parked += u32::from(left.generations.iter().any(|generation| !generation.parked.is_empty()));
        if random.below(8) == 0 {
            world.poison();
        }
        if random.below(8) == 0 {
            world.mend(random);
        }
        server = Some(recover(&mut world, &left, &mut promises, &mut seen).await);
    }
    if let Some(server) = server {
        server.stop().await;
    }
    let findings = world.audit();
    let took = began.elapsed();
    let events = world.log.head();
    say(&format!("crash test: projections, {cycles} kills in {took:.1?}, {events} events: {seen:?}, {chaos:?}"));
    assert!(findings.rows > 0, "{findings:?}");
    // A kill that hit nothing proves nothing.
    assert!(u64::from(seen.resumed + seen.abandoned) * 10 >= cycles, "too few rebuilds were hit: {seen:?}");
    assert!(u64::from(seen.parked) * 10 >= cycles * 9, "nothing was parked: {seen:?}");
    assert!(chaos.done * 2 >= cycles, "too few orders were carried out: {chaos:?}");
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.deaths += other.deaths;
        self.resumed += other.resumed;
        self.abandoned += other.abandoned;
        self.rows += other.rows;
        self.parked += other.parked;
    }
}
