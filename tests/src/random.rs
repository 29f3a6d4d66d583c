//! Random numbers that a seed reproduces.

use infrastructure::clock::{IdSource as _, SystemIds};

/// SplitMix64: small, and good enough to choose with.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed in the variable `name`, or else a fresh one.
    pub fn seed(name: &str) -> u64 {
        crate::binary::variable(name).map_or_else(
            || SystemIds.fresh().as_u64_pair().1,
            |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")),
        )
    }

    /// A source of its own, for somebody who must not depend on the order in which others ask.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number from 0 to `end`, without it.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An index of a list with so many entries.
    pub fn index(&mut self, entries: usize) -> usize {
        usize::try_from(self.below(entries as u64)).expect("less than a length")
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
