//! Which fault comes next, where, and for how long: chosen from decks, so that none is left out.

use std::time::Duration;

use tests::{
    cluster::LEASE_MS,
    proxy::{Direction, Fault, FaultKind, Way},
    random::Random,
};

use super::bench::{CALL_TIMEOUT_MS, Link, Store};

/// One fault in so many lasts until readiness is red.
const OUTAGE_EVERY: usize = 6;
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
    /// It lasts until every process that it cuts off from this store says so, instead.
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
    places: Deck<(Link, bool)>,
    lengths: Deck<Length>,
    outages: Deck<(Fault, Store)>,
}

impl Schedule {
    pub(super) fn new(random: Random) -> Self {
        let stores = [Store::Events, Store::Rows];
        Self {
            random,
            number: 0,
            kinds: Deck::new(FaultKind::ALL),
            places: Deck::new(Link::ALL.into_iter().flat_map(|link| [(link, true), (link, false)])),
            lengths: Deck::new([Length::Moment, Length::Moment, Length::WithinLease, Length::BeyondLease]),
            outages: Deck::new(OUTAGES.into_iter().flat_map(|fault| stores.map(|store| (fault, store)))),
        }
    }

    pub(super) fn next(&mut self) -> Planned {
        self.number += 1;
        let random = &mut self.random;
        if self.number.is_multiple_of(OUTAGE_EVERY) {
            let (fault, store) = self.outages.draw(random);
            let link = match store {
                Store::Events => Link::Events,
                Store::Rows => Link::Rows,
            };
            return Planned { fault, link, process: None, lasts: Duration::ZERO, until_not_ready: Some(store) };
        }
        let (link, is_everywhere) = self.places.draw(random);
        let process = (!is_everywhere).then(|| random.index(64));
        let lasts = Duration::from_millis(match self.lengths.draw(random) {
            Length::Moment => 50 + random.below(350),
            Length::WithinLease => 400 + random.below(LEASE_MS - 500),
            Length::BeyondLease => LEASE_MS.max(CALL_TIMEOUT_MS) + 100 + random.below(1_000),
        });
        let fault = fault(self.kinds.draw(random), random);
        Planned { fault, link, process, lasts, until_not_ready: None }
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
        FaultKind::TornToServer => Fault::Torn { direction: Direction::ToServer, bytes: random.index(64) },
        FaultKind::TornToClient => Fault::Torn { direction: Direction::ToClient, bytes: random.index(64) },
        FaultKind::Slow => Fault::Slow(Duration::from_millis(20 + random.below(180))),
        FaultKind::Trickle => Fault::Trickle { bytes: 1 + random.index(32), pause: Duration::from_millis(10) },
    }
}
