//! Which fault comes next, where, and for how long: chosen from decks, so that none is left out.

use std::{collections::BTreeMap, time::Duration};

use tests::{
    cluster::LEASE_MS,
    proxy::{Direction, Fault, FaultKind, Way},
    random::Random,
};

use super::bench::{CALL_TIMEOUT_MS, Link, Store};

/// One fault in so many is an outage of a store: it lasts until readiness is red.
const OUTAGE_EVERY: usize = 12;
/// One outage in so many lasts so much longer, in milliseconds, that all pauses have become as long as they get. An odd
/// number, so that each store has its turn.
const LONG_OUTAGE_EVERY: usize = 3;
const LONG_OUTAGE_MS: u64 = 8_000;
/// Ways in which a store can be away altogether.
const OUTAGES: [Fault; 4] = [Fault::Refuse, Fault::Hang(Way::Both), Fault::Hang(Way::ToClient), Fault::TurnAway];

/// How long a fault lasts.
#[derive(Clone, Copy, Debug)]
enum Length {
    Moment,
    WithinLease,
    BeyondLease,
}

/// A fault that is to happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) fault: Fault,
    pub(super) link: Link,
    /// Which of the processes, by a number to be reduced to how many there are; all if none.
    pub(super) process: Option<usize>,
    pub(super) lasts: Duration,
    /// Before that, it lasts until every process that it cuts off from this store says so.
    pub(super) until_not_ready: Option<Store>,
}

/// A pack of cards that is shuffled whenever it is used up.
#[derive(Debug)]
struct Deck<T> {
    cards: Vec<T>,
    left: Vec<T>,
}

impl<T: Copy> Deck<T> {
    fn new(cards: impl IntoIterator<Item = T>) -> Self {
        Self { cards: cards.into_iter().collect(), left: Vec::new() }
    }

    fn draw(&mut self, random: &mut Random) -> T {
        if self.left.is_empty() {
            self.left.clone_from(&self.cards);
        }
        let index = random.index(self.left.len());
        self.left.swap_remove(index)
    }
}

/// The faults of a run.
#[derive(Debug)]
pub(super) struct Schedule {
    random: Random,
    number: usize,
    kinds: Deck<FaultKind>,
    /// For each kind.
    links: BTreeMap<FaultKind, Deck<Link>>,
    is_everywhere: Deck<bool>,
    lengths: Deck<Length>,
    outages: [(Link, Store, Deck<Fault>); 2],
}

impl Schedule {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            number: 0,
            kinds: Deck::new(FaultKind::ALL),
            links: FaultKind::ALL.into_iter().map(|kind| (kind, Deck::new(Link::ALL))).collect(),
            is_everywhere: Deck::new([true, false]),
            lengths: Deck::new([
                Length::Moment,
                Length::Moment,
                Length::Moment,
                Length::WithinLease,
                Length::BeyondLease,
            ]),
            outages: [(Link::Events, Store::Events, Deck::new(OUTAGES)), (Link::Rows, Store::Rows, Deck::new(OUTAGES))],
        }
    }

    pub(super) fn next(&mut self) -> Planned {
        self.number += 1;
        let random = &mut self.random;
        if self.number.is_multiple_of(OUTAGE_EVERY) {
            let outage = self.number / OUTAGE_EVERY;
            let (link, store, faults) = &mut self.outages[outage % 2];
            let fault = faults.draw(random);
            let is_long = outage.is_multiple_of(LONG_OUTAGE_EVERY);
            let more = if is_long { LONG_OUTAGE_MS + random.below(LONG_OUTAGE_MS / 2) } else { 0 };
            return Planned {
                fault,
                link: *link,
                process: None,
                lasts: Duration::from_millis(more),
                until_not_ready: Some(*store),
            };
        }
        let kind = self.kinds.draw(random);
        let links = self.links.get_mut(&kind).expect("there is a deck for each kind");
        let link = links.draw(random);
        let process = (!self.is_everywhere.draw(random)).then(|| random.index(64));
        let lasts = Duration::from_millis(match self.lengths.draw(random) {
            Length::Moment => 50 + random.below(350),
            Length::WithinLease => 400 + random.below(LEASE_MS - 500),
            Length::BeyondLease => LEASE_MS.max(CALL_TIMEOUT_MS) + 100 + random.below(1_000),
        });
        Planned { fault: fault(kind, random), link, process, lasts, until_not_ready: None }
    }
}

/// A fault of this kind.
fn fault(kind: FaultKind, random: &mut Random) -> Fault {
    match kind {
        FaultKind::Reset => Fault::Reset,
        FaultKind::Close => Fault::Close,
        FaultKind::HalfToServer => Fault::Half(Direction::ToServer),
        FaultKind::HalfToClient => Fault::Half(Direction::ToClient),
        FaultKind::Refuse => Fault::Refuse,
        FaultKind::TurnAway => Fault::TurnAway,
        FaultKind::Hang => Fault::Hang(Way::Both),
        FaultKind::HangToServer => Fault::Hang(Way::ToServer),
        FaultKind::HangToClient => Fault::Hang(Way::ToClient),
        FaultKind::Lose => Fault::Lose,
        FaultKind::TornToServer => Fault::Torn { direction: Direction::ToServer, bytes: random.index(64) },
        FaultKind::TornToClient => Fault::Torn { direction: Direction::ToClient, bytes: random.index(64) },
        FaultKind::Slow => Fault::Slow(Duration::from_millis(20 + random.below(180))),
        FaultKind::Trickle => Fault::Trickle { bytes: 1 + random.index(32), pause: Duration::from_millis(10) },
    }
}
