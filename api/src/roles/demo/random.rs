//! Numbers that a seed reproduces.

/// SplitMix64: small, and good enough to choose with.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The numbers that belong to all of these together.
    pub(super) fn of(seeds: &[u64]) -> Self {
        seeds.iter().fold(Self(0), |mut mixed, seed| Self(mixed.next() ^ seed))
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).expect("it is less than a u32")
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of these, which are not none.
    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let count = u32::try_from(all.len()).expect("lists here are short");
        &all[self.below(count) as usize]
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
