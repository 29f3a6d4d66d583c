//! Who is there beside the customers' orders: what people are called, whom they follow, and what they do next.
//!
//! Followers are distributed by a power law: every choice of somebody to follow falls on the person with number `n` with a
//! weight of 1 in `n + 2` (the law of Zipf and Mandelbrot). So the number of people with at least `k` followers falls about
//! as `1/k`, as it does in large networks: a few are followed by most, most by a few. Preferential attachment would give the
//! same shape, but each of its choices depends on all before it; here each person's follow from the seed alone, and stay
//! what they are when a request fails, the demonstration is stopped in between, or somebody real takes part.
//!
//! **Invariant:** pure. The same seed gives the same people, the same follows and the same acts; the driver takes them.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::{random::Random, words};

/// The weight of a choice that falls on number 1 in whole numbers, times three: shares of a million.
const WEIGHT: u32 = 1_000_000;
/// How much flatter than Zipf's law the top is: without it nearly everybody follows the first.
const FLATTER: u32 = 2;
/// How many people everybody follows at least, where there are so many.
const FOLLOWS_MIN: u32 = 3;
/// How often somebody is looked for whom one does not follow yet, for each who is wanted.
const TRIES: u32 = 8;
/// How many posts of a feed somebody may react to.
pub(super) const READ_AT_ONCE: u32 = 20;
/// Keep the choices of people apart from those of visits.
const FOLLOWS: u64 = 0x666f_6c6c_6f77;
const ACTS: u64 = 0x6163_7473;

/// How well known each is: choices of somebody to follow or to mention.
#[derive(Clone, Debug)]
pub(super) struct Fame {
    /// The weight of everybody up to each, by number less one.
    up_to: Vec<u32>,
}

impl Fame {
    /// Of so many people, the best known first.
    pub(super) fn of(people: u32) -> Self {
        let weights = (1..=people).map(|number| (WEIGHT / (number + FLATTER)).max(1));
        let up_to = weights.scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { up_to: up_to.collect() }
    }

    /// Somebody's number, counted from 1.
    fn draw(&self, random: &mut Random) -> u32 {
        let all = self.up_to.last().copied().unwrap_or(1);
        let drawn = random.below(all);
        1 + u32::try_from(self.up_to.partition_point(|up_to| *up_to <= drawn)).expect("at most as many as there are")
    }

    fn people(&self) -> u32 {
        u32::try_from(self.up_to.len()).expect("they were counted in a u32")
    }
}

/// Whom somebody follows from the start, by number.
pub(super) fn follows(seed: u64, person: u32, fame: &Fame) -> BTreeSet<u32> {
    let mut random = Random::of(&[seed, FOLLOWS, person.into()]);
    // Most follow a few, some many.
    let more = 2 << random.below(5);
    let wanted = (FOLLOWS_MIN + random.below(more)).min(fame.people().saturating_sub(1));
    let mut follows = BTreeSet::new();
    for _ in 0..wanted * TRIES {
        if follows.len() == wanted as usize {
            break;
        }
        let whom = fame.draw(&mut random);
        if whom != person {
            follows.insert(whom);
        }
    }
    follows
}

/// Everybody in the order in which they come, each with the follows that are there once they are: theirs of those who came
/// before, and those of the others who have waited for them.
pub(super) fn arrivals(seed: u64, fame: &Fame) -> Vec<Vec<(u32, u32)>> {
    let mut arrivals = vec![Vec::new(); fame.people() as usize];
    for by in 1..=fame.people() {
        for whom in follows(seed, by, fame) {
            arrivals[by.max(whom) as usize - 1].push((by, whom));
        }
    }
    arrivals
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// They say something.
    Say {
        /// What.
        text: String,
        /// The product it is about, by place in the catalogue.
        product: Option<u32>,
        /// Whether only their followers may see it.
        is_for_followers: bool,
    },
    /// They answer a post of their feed.
    Reply {
        /// Which of them, beginning anew where there are fewer.
        nth: u32,
        /// What.
        text: String,
    },
    /// They like a post of their feed.
    Like {
        /// Which of them.
        nth: u32,
    },
    /// They show a post of their feed to their followers.
    Repost {
        /// Which of them.
        nth: u32,
    },
    /// They follow somebody.
    Follow {
        /// Whom.
        whom: u32,
    },
    /// They follow one of those whom they follow no longer.
    Unfollow {
        /// Which of them.
        nth: u32,
    },
    /// They do not want to hear of somebody for a while.
    Mute {
        /// Of whom.
        whom: u32,
    },
    /// They want nothing to do with somebody for a while.
    Block {
        /// With whom.
        whom: u32,
    },
}

/// Somebody does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Act {
    /// Who, by number.
    pub(super) by: u32,
    /// What.
    pub(super) deed: Deed,
}

/// The `number`-th act of the `run`-th start, while so many people are there; at least two.
pub(super) fn act(seed: u64, run: u64, number: u64, there: u32, products: u32) -> Act {
    let mut random = Random::of(&[seed, ACTS, run, number]);
    // The well-known talk more.
    let fame = Fame::of(there);
    let by = if random.chance(50) { fame.draw(&mut random) } else { 1 + random.below(there) };
    let nth = random.below(READ_AT_ONCE);
    let somebody = |drawn: u32| if drawn == by { by % there + 1 } else { drawn };
    let deed = match random.below(100) {
        0..30 => {
            let mentioned = random.chance(20).then(|| somebody(fame.draw(&mut random)));
            let text = words::post(&mut random, mentioned);
            let product = random.chance(25).then(|| random.below(products));
            Deed::Say { text, product, is_for_followers: random.chance(10) }
        }
        30..45 => Deed::Reply { nth, text: words::reply(&mut random) },
        45..78 => Deed::Like { nth },
        78..86 => Deed::Repost { nth },
        86..93 => Deed::Follow { whom: somebody(fame.draw(&mut random)) },
        93..96 => Deed::Unfollow { nth },
        96..98 => Deed::Mute { whom: somebody(1 + random.below(there)) },
        _ => Deed::Block { whom: somebody(1 + random.below(there)) },
    };
    Act { by, deed }
}
