//! Every kind of poison at random places of random histories: nothing but its own key is kept back.
//!
//! Each case prints nothing unless it fails, and then the seed it can be played again with: `MILLRACE_PROPERTY_SEED`.
//! `MILLRACE_PROPERTY_CASES` says how many cases there are.

use std::collections::{BTreeMap, BTreeSet};

use infrastructure::event_store::{EVENT_BYTES_MAX, Name};

use super::{kit::*, parking::pause, *};
use crate::{ParkedState, tests::number_from};

const CASES: u64 = 4;
const ORDERS: u64 = 17;

/// What an event of a kind of poison is read as, and a part of what its failure says.
enum Poison {
    /// The data as they are, made into something else, under this type.
    Stored(&'static str, fn(&str) -> String, &'static str),
    /// A sound event that the models are told to fail at.
    Told(&'static str, &'static str),
}

const SHIPPED: &str = "order.shipped.v2";

fn poisons() -> Vec<(&'static str, Poison)> {
    use Poison::{Stored, Told};
    fn order_of(data: &str) -> &str {
        data.split('"').nth(3).unwrap()
    }
    vec![
        ("an unknown type", Stored("order.melted.v1", str::to_owned, "unknown variant")),
        ("an unknown version", Stored("order.shipped.v99", str::to_owned, "unknown variant")),
        ("broken JSON", Stored(SHIPPED, |data| data.replace(':', ";"), "expected `:`")),
        ("truncated JSON", Stored(SHIPPED, |data| data[..data.len() / 2].to_owned(), "does not decode")),
        ("no data", Stored(SHIPPED, |_| String::new(), "expected value")),
        ("data that are no object", Stored(SHIPPED, |_| "42".to_owned(), "invalid type: integer")),
        ("an array instead of an object", Stored(SHIPPED, |data| format!("[{data}]"), "does not decode")),
        ("null", Stored(SHIPPED, |_| "null".to_owned(), "does not decode")),
        ("a missing field", Stored(SHIPPED, |data| data.replace("\"at\"", "\"when\""), "missing field `at`")),
        ("a field of the wrong type", Stored(SHIPPED, |data| data.replace("\"fine\"", "17"), "invalid type")),
        ("trailing data", Stored(SHIPPED, |data| format!("{data}}} ,"), "does not decode")),
        ("an invalid id", Stored(SHIPPED, |data| data.replace("0190", "zzzz"), "does not decode")),
        ("an impossible moment", Stored(SHIPPED, |data| data.replace("2026-01", "2026-77"), "does not decode")),
        ("text that is too deep", Stored(SHIPPED, |_| "[".repeat(10_000), "does not decode")),
        (
            "a name that occurs twice",
            Stored(SHIPPED, |data| data.replacen('{', "{\"at\":null,\"at\":null,", 1), "decode"),
        ),
        ("an event of another order's type", Stored("order.placed.v2", str::to_owned, "missing field")),
        (
            "a negative amount",
            Stored(
                "order.placed.v1",
                |data| {
                    format!(
                        r#"{{"order":"{0}","customer":"{0}","lines":[],"total":{{"minor":-5,"currency":"EUR"}},"at":"2026-01-02T03:04:05Z"}}"#,
                        order_of(data)
                    )
                },
                "does not decode",
            ),
        ),
        (
            "a number that is too large",
            Stored(
                "order.placed.v1",
                |data| {
                    format!(
                        r#"{{"order":"{0}","customer":"{0}","lines":[],"total":{{"minor":{1},"currency":"EUR"}},"at":"2026-01-02T03:04:05Z"}}"#,
                        order_of(data),
                        "9".repeat(40)
                    )
                },
                "does not decode",
            ),
        ),
        (
            "an unknown word",
            Stored(
                "order.cancelled.v2",
                |data| format!(r#"{{"order":"{}","reason":"boredom","at":"2026-01-02T03:04:05Z"}}"#, order_of(data)),
                "does not decode",
            ),
        ),
        ("an oversized event", Stored(SHIPPED, |data| format!("{}{data}", " ".repeat(EVENT_BYTES_MAX)), "bytes")),
        ("a fold that panics", Told("fold", "panicked")),
        ("a key that panics", Told("key", "panicked")),
        ("writing that panics", Told("write", "panicked")),
        ("a fold that is slow", Told("slow", "allowed")),
        ("a statement that is refused", Told("refuse", "constraint")),
    ]
}

/// SplitMix64 (Steele, Lea and Flood, 2014): a seed is a whole run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) const fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// The seeds of a property's cases: as many as are asked for, or the one that is to be played again.
pub(super) fn seeds(cases: u64) -> Vec<u64> {
    if let Some(seed) = number_from("MILLRACE_PROPERTY_SEED") {
        return vec![seed];
    }
    (0..number_from("MILLRACE_PROPERTY_CASES").unwrap_or(cases)).map(|case| 0xa11_ce00 + case).collect()
}

/// Says how a case is played again, should it fail.
pub(super) struct Replay(pub(super) u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed) = self;
            let mut error = std::io::stderr().lock();
            let _ = std::io::Write::write_fmt(&mut error, format_args!("again: MILLRACE_PROPERTY_SEED={seed}\n"));
        }
    }
}

/// What was appended in a case.
#[derive(Default)]
struct History {
    /// By order, the position of its poison and which kind it is.
    poisoned: BTreeMap<u64, (Position, usize)>,
    placed: BTreeSet<u64>,
}

impl History {
    /// Appends one event of a random order; maybe it is poison.
    async fn append(&mut self, hall: &Hall, dice: &mut Dice, due: &mut Vec<usize>) {
        let n = dice.roll(ORDERS);
        if self.placed.insert(n) {
            hall.place(n).await;
        } else if n > 1 && !due.is_empty() && !self.poisoned.contains_key(&n) && dice.roll(3) == 0 {
            // Orders 0 and 1 are never poisoned.
            let kind = due.swap_remove(usize::try_from(dice.roll(due.len() as u64)).unwrap());
            let at = match &poisons()[kind].1 {
                Poison::Told(told, _) => hall.ship(n, told).await,
                Poison::Stored(type_name, spoil, _) => {
                    let (_, data): (Name, String) = hall.harmless(n);
                    hall.ship_unreadable(n, type_name, &spoil(&data)).await
                }
            };
            self.poisoned.insert(n, (at, kind));
        } else {
            hall.ship(n, "fine").await;
        }
    }

    /// What is to be parked: every poison, and every later event of its key.
    async fn waiting(&self, hall: &Hall) -> Vec<(Uuid, u64, ParkedState)> {
        let reference = hall.reference().await;
        let mut waiting = Vec::new();
        for (n, (at, _)) in &self.poisoned {
            let key = hall.key(*n);
            for position in reference[&key].iter().filter(|position| **position >= at.value()) {
                let is_poison = *position == at.value();
                waiting.push((key, *position, if is_poison { ParkedState::Failed } else { ParkedState::Queued }));
            }
        }
        waiting.sort_by_key(|(_, position, _)| *position);
        waiting
    }

    async fn check(&self, hall: &Hall, open: &Open<1, 0>) {
        let poisoned: Vec<(u64, Position)> = self.poisoned.iter().map(|(n, (at, _))| (*n, *at)).collect();
        let kept = hall.reference_before(&poisoned).await;
        for (n, (at, kind)) in &self.poisoned {
            let behind = open.notes.behind(hall.key(*n)).map(|behind| behind.position);
            assert_eq!(behind, Some(*at), "{} of order {n}", poisons()[*kind].0);
        }
        assert_eq!(open.trails().await, kept, "every row is the fold of what came before its poison");
        assert_eq!(open.lines().await, kept);
        let waiting = self.waiting(hall).await;
        for name in ["notes", "ledger"] {
            assert_eq!(open.parked(name).await, waiting, "{name}");
            assert_eq!(open.state(name), ProjectionState::Running, "{name}");
            let parked = open.status(name).parked;
            assert_eq!((parked.keys, parked.events), (poisoned.len() as u64, waiting.len() as u64), "{name}");
        }
        for (n, (_, kind)) in &self.poisoned {
            let behind = open.notes.behind(hall.key(*n)).expect("its row is behind");
            let (name, Poison::Told(_, says) | Poison::Stored(_, _, says)) = &poisons()[*kind];
            assert!(behind.error.contains(says), "{name}: {}", behind.error);
        }
    }
}

/// One case: random orders, live in batches of random size; then rebuilt; then mended. Gives which kinds there were.
async fn play(seed: u64, kinds: &[usize]) -> BTreeSet<usize> {
    let _replay = Replay(seed);
    let mut dice = Dice(seed);
    let mut hall = Hall::patient();
    hall.options.batch_events_max = usize::try_from(1 + dice.roll(9)).unwrap();
    if kinds.iter().any(|kind| matches!(poisons()[*kind].1, Poison::Told("slow", _))) {
        hall.options.event_limit = LIMIT;
    }
    let (mut history, mut due) = (History::default(), kinds.to_vec());
    for _ in 0..dice.roll(40) {
        history.append(&hall, &mut dice, &mut due).await;
    }
    let open = hall.open().await;
    let rounds = 2 + dice.roll(4);
    for round in 1..=rounds {
        let is_one_batch = dice.roll(2) == 0;
        if is_one_batch {
            open.manager.pause("notes", pause(None)).await.unwrap();
            open.manager.pause("ledger", pause(None)).await.unwrap();
        }
        for _ in 0..10 + dice.roll(20) {
            history.append(&hall, &mut dice, &mut due).await;
        }
        while round == rounds && !due.is_empty() {
            history.append(&hall, &mut dice, &mut due).await;
        }
        if is_one_batch {
            open.manager.resume("notes").await.unwrap();
            open.manager.resume("ledger").await.unwrap();
        }
        open.catch_up(&hall).await;
        history.check(&hall, &open).await;
    }
    open.manager.rebuild_together(&["notes", "ledger"], None).await.unwrap();
    for name in ["notes", "ledger"] {
        assert_eq!(open.settle(name).await.unwrap().phase, RebuildPhase::Done);
        assert_eq!(open.status(name).generation, Some(2));
    }
    history.check(&hall, &open).await;
    open.stop().await;
    let open = hall.open().await;
    history.check(&hall, &open).await;

    hall.mend();
    hall.events.is_true_again();
    let keys = history.poisoned.len() as u64;
    for name in ["notes", "ledger"] {
        assert_eq!(open.manager.retry_all(name).await.unwrap(), keys);
    }
    open.is_released().await;
    assert_eq!((open.parked("notes").await, open.parked("ledger").await), (vec![], vec![]));
    assert_eq!((open.trails().await, open.lines().await), (hall.reference().await, hall.reference().await));
    open.stop().await;
    history.poisoned.values().map(|(_, kind)| *kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_of_every_kind_at_any_place_keeps_back_its_own_key_alone() {
    let count = poisons().len();
    assert!(count >= 20, "there are {count} kinds");
    let mut fired = BTreeSet::new();
    for seed in seeds(CASES) {
        // Half of the kinds in each case, another half in the next one.
        let kinds: Vec<usize> =
            (0..count).filter(|kind| (kind + usize::try_from(seed % 7).unwrap()) % 2 == 0).collect();
        fired.extend(play(seed, &kinds).await);
    }
    if seeds(CASES).len() as u64 >= CASES {
        let missing: Vec<&str> =
            poisons().iter().enumerate().filter(|(kind, _)| !fired.contains(kind)).map(|(_, kind)| kind.0).collect();
        assert!(missing.is_empty(), "these never came up: {missing:?}");
    }
}
