//! Random operations while events come in, some of them poison: nobody ever reads anything but a fold of the log.
//!
//! A failing case prints the seed it can be played again with, `MILLRACE_PROPERTY_SEED`; `MILLRACE_PROPERTY_CASES` says
//! how many cases there are.

use std::collections::{BTreeMap, BTreeSet};

use infrastructure::clock::ManualClock;

use super::{
    kit::*,
    parking::pause,
    poison::{Dice, Replay, seeds},
    *,
};

const CASES: u64 = 10;
const STEPS: u64 = 70;
const ORDERS: u64 = 9;
const NAMES: [&str; 2] = ["notes", "ledger"];

/// What the test itself remembers.
#[derive(Default)]
struct Journal {
    placed: BTreeSet<u64>,
    /// Orders that have or had an event that cannot be read, and those events that cannot be read still.
    poisoned: BTreeMap<u64, Vec<Position>>,
    /// What was skipped, by projection.
    skipped: BTreeMap<&'static str, BTreeSet<u64>>,
    /// What was read last, by projection.
    read: BTreeMap<&'static str, Trails>,
    /// How often each operation did what it was meant to.
    done: BTreeMap<&'static str, u32>,
}

impl Journal {
    fn did(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    async fn append(&mut self, hall: &Hall, dice: &mut Dice) {
        let n = dice.roll(ORDERS);
        if self.placed.insert(n) {
            hall.place(n).await;
            return;
        }
        // Orders 0 to 3 are never poisoned.
        if n > 3 && dice.roll(12) == 0 {
            let at = hall.ship_unreadable(n, "order.shipped.v2", "{").await;
            self.poisoned.entry(n).or_default().push(at);
            self.did("poison");
        } else {
            hall.ship(n, "fine").await;
        }
    }

    /// The log as a projection has to see it once nothing waits.
    async fn reference(&self, hall: &Hall, name: &str) -> Trails {
        let mut reference = hall.reference().await;
        if let Some(skipped) = self.skipped.get(name) {
            for trail in reference.values_mut() {
                trail.retain(|at| !skipped.contains(at));
            }
        }
        reference
    }

    /// Reads everything and compares it with the log.
    async fn read(&mut self, hall: &Hall, open: &Open<1, 0>) {
        let before = [open.notes.position(), open.ledger.position()];
        let found = [open.trails().await, open.lines().await];
        for ((name, before), found) in NAMES.into_iter().zip(before).zip(found) {
            let reference = self.reference(hall, name).await;
            let healthy = |n: &u64| !self.poisoned.contains_key(n);
            let keys: Vec<Uuid> = self.placed.iter().filter(|n| healthy(n)).map(|n| hall.key(*n)).collect();
            let none = Vec::new();
            let seen = |key: &Uuid| found.get(key).unwrap_or(&none);
            let up_to = keys.iter().flat_map(seen).copied().max().unwrap_or(0).max(before.value());
            for key in &keys {
                let expected: Vec<u64> = reference[key].iter().copied().filter(|at| *at <= up_to).collect();
                assert_eq!(seen(key), &expected, "{name} shows no state that ever was, at {up_to}");
            }
            for (key, trail) in &found {
                assert!(reference[key].starts_with(trail), "{name}: {key} has {trail:?} of {:?}", reference[key]);
                let earlier = self.read.get(name).and_then(|last| last.get(key)).map_or(0, Vec::len);
                assert!(trail.len() >= earlier, "{name}: {key} fell from {earlier} events to {}", trail.len());
            }
            if let Some(last) = self.read.insert(name, found) {
                let now = &self.read[name];
                assert!(last.keys().all(|key| now.contains_key(key)), "{name}: a row went away");
            }
        }
    }

    /// One operation. What makes no sense just then is refused, and changes nothing.
    async fn operate(&mut self, hall: &Hall, open: &Open<1, 0>, dice: &mut Dice) {
        let name = NAMES[usize::try_from(dice.roll(2)).unwrap()];
        let n = dice.roll(ORDERS);
        let key = hall.key(n);
        let manager = &open.manager;
        match dice.roll(14) {
            0 | 1 => self.note("rebuild", manager.rebuild(name).await),
            2 => self.note("rebuild together", manager.rebuild_together(&NAMES, None).await),
            3 => {
                let head = hall.events.head().await.unwrap();
                let from = Position::new(1 + dice.roll(head.value().max(1)));
                self.note("rebuild from", manager.rebuild_together(&["notes"], Some(from.min(head))).await);
            }
            4 => {
                let at = open.status(name).position.value() + dice.roll(9);
                let at = (dice.roll(2) == 0).then(|| Position::new(at));
                self.note("pause", manager.pause(name, pause(at)).await);
            }
            5 | 6 => {
                if manager.can_resume(name).is_ok() {
                    self.note("resume", manager.resume(name).await);
                }
            }
            7 => self.note("rollback", manager.roll_back(name).await),
            8 => {
                let standby = open.status(name).standby.map_or(0, |standby| standby.generation);
                self.note("discard", manager.discard_generation(name, standby).await);
            }
            9 => {
                // A rebuild that began before a skip does not know of it: what is skipped stays as it is meanwhile.
                let is_skipped = |at: &Position| self.skipped.values().any(|skipped| skipped.contains(&at.value()));
                if let Some(known) = self.poisoned.get_mut(&n) {
                    for at in known.extract_if(.., |at| !is_skipped(at)) {
                        hall.events.is_true(at);
                    }
                }
                self.note("retry", manager.retry(name, key).await);
            }
            10 => self.note("retry all", manager.retry_all(name).await),
            11 => {
                let waits_for = open.status(name).first_parked.map(|(key, behind)| (key, behind.position));
                let ill = |at: &Position| self.poisoned.values().any(|known| known.contains(at));
                if let Some((key, at)) = waits_for.filter(|(_, at)| ill(at))
                    && manager.skip(name, key, at, "it is of no use").await.is_ok()
                {
                    // It must not come back as sound later.
                    self.skipped.entry(name).or_default().insert(at.value());
                    self.did("skip");
                }
            }
            12 => {
                let repaired = manager.repair("notes", &[key]).await;
                if let Ok(repaired) = &repaired {
                    assert!(repaired.iter().all(|row| row.before == row.after), "nothing was wrong: {repaired:?}");
                }
                self.note("repair", repaired);
            }
            _ => {
                let report = manager.verify(name).await;
                if let Ok(report) = &report {
                    // What could be read again meanwhile but was not tried yet is a difference.
                    let known: Vec<Uuid> = self.poisoned.keys().map(|n| hall.key(*n)).collect();
                    let differs = |key| !known.contains(&key);
                    let wrong: Vec<_> = report.differences.iter().filter(|found| differs(found.key)).collect();
                    assert!(wrong.is_empty(), "{name}: {wrong:?}");
                }
                self.note("verify", report);
            }
        }
    }

    fn note<T>(&mut self, what: &'static str, outcome: Result<T, ManagerError>) {
        match outcome {
            Ok(_) => self.did(what),
            Err(
                ManagerError::AlreadyRebuilding(_)
                | ManagerError::NoStandby(_)
                | ManagerError::UnknownGeneration { .. }
                | ManagerError::AlreadyPaused(_)
                | ManagerError::NotParked { .. }
                | ManagerError::UnknownKeys(_)
                | ManagerError::NotServing(_)
                | ManagerError::NotFromPosition { .. },
            ) => {}
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}

/// Plays until the server is to stop or to die.
async fn live(
    (hall, clock): (&Hall, &ManualClock),
    open: &Open<1, 0>,
    journal: &mut Journal,
    dice: &mut Dice,
    left: &mut u64,
) {
    while *left > 0 {
        *left -= 1;
        // Whoever began to read a generation that is to go has long finished.
        clock.advance(chrono::TimeDelta::seconds(10));
        for _ in 0..dice.roll(6) {
            journal.append(hall, dice).await;
        }
        journal.read(hall, open).await;
        let operation = tokio::time::timeout(LONG, journal.operate(hall, open, dice));
        operation.await.expect("an operation hangs");
        journal.read(hall, open).await;
        if dice.roll(12) == 0 {
            return;
        }
        if dice.roll(3) == 0 {
            tokio::time::sleep(Duration::from_micros(dice.roll(5_000))).await;
        }
    }
}

/// Ends everything that was begun, and compares with the log.
async fn conclude(hall: &Hall, open: &Open<1, 0>, journal: &mut Journal) {
    for name in NAMES {
        open.settle(name).await;
    }
    hall.events.is_true_again();
    for name in NAMES {
        if open.manager.can_resume(name).is_ok() {
            open.manager.resume(name).await.unwrap();
        }
    }
    open.catch_up(hall).await;
    for is_rebuilt in [false, true] {
        for name in NAMES {
            if is_rebuilt {
                assert_eq!(open.rebuilt(name).await.phase, RebuildPhase::Done);
            }
            open.manager.retry_all(name).await.unwrap();
        }
        open.is_released().await;
        assert_eq!(open.trails().await, journal.reference(hall, "notes").await, "{is_rebuilt}");
        assert_eq!(open.lines().await, journal.reference(hall, "ledger").await, "{is_rebuilt}");
    }
    let tables = hall.tables().await;
    let mut known = Vec::new();
    for name in NAMES {
        known.extend(crate::bookkeeping::generations(&*hall.rows, name).await.unwrap());
    }
    assert_eq!(tables.len(), 4, "one that serves and one that stands by, each: {tables:?}, {known:?}");
}

fn play(seed: u64, journal: &mut Journal) {
    let _replay = Replay(seed);
    let mut dice = Dice(seed);
    let mut hall = Hall::patient();
    hall.options.batch_events_max = usize::try_from(1 + dice.roll(20)).unwrap();
    let clock = ManualClock::at(domain::testing::now());
    hall.clock = Arc::new(clock.clone());
    let mut left = STEPS;
    while left > 0 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let dies = runtime.block_on(async {
            // Each life has its own connections, as a process has.
            let rows = Arc::new(open_rows(&hall.folder.path().join("read.db")));
            let open = hall.try_open::<1, 0>(rows).await.unwrap();
            let there = hall.events.head().await.unwrap().min(Position::new(1));
            open.notes.wait(there, LONG).await.ok();
            open.ledger.wait(there, LONG).await.ok();
            if open.status("notes").generation.is_some() && open.status("ledger").generation.is_some() {
                live((&hall, &clock), &open, journal, &mut dice, &mut left).await;
            }
            let dies = dice.roll(2) == 0;
            if !dies {
                assert!(open.lifecycle.stop(LONG).await, "it does not stop");
            }
            dies
        });
        journal.did(if dies { "crash" } else { "stop" });
        runtime.shutdown_background();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let open = hall.open_as::<1, 0>().await;
        conclude(&hall, &open, journal).await;
        open.stop().await;
    });
}

#[test]
fn whatever_operators_do_meanwhile_readers_see_a_fold_of_the_log_and_nothing_is_lost() {
    let mut done: BTreeMap<&'static str, u32> = BTreeMap::new();
    let seeds = seeds(CASES);
    let is_whole = seeds.len() as u64 >= CASES;
    for seed in seeds {
        let mut journal = Journal::default();
        play(seed, &mut journal);
        for (what, count) in journal.done {
            *done.entry(what).or_default() += count;
        }
    }
    let all = [
        "crash",
        "discard",
        "pause",
        "poison",
        "rebuild",
        "rebuild from",
        "rebuild together",
        "repair",
        "resume",
        "retry",
        "retry all",
        "rollback",
        "skip",
        "stop",
        "verify",
    ];
    if is_whole {
        assert_eq!(done.keys().copied().collect::<Vec<_>>(), all, "not everything came up: {done:?}");
    }
}
