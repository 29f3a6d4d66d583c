//! Slices: the keys of a generation, divided by hash. Each slice has a checkpoint of its own, and an epoch that says who
//! may move it.
//!
//! **Invariant:** a slice is at one position, and whoever claimed it last is the only one that can move it on.

pub(crate) mod sql;

use infrastructure::{event_store::Position, read_store::Statement};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// The slice of a key among so many. The same in every process and every release: what is stored depends on it.
pub(crate) fn slice_of(key: Uuid, count: u32) -> u32 {
    if count <= 1 {
        return 0;
    }
    let slice = xxh3_64(key.as_bytes()) % u64::from(count);
    u32::try_from(slice).expect("less than a u32")
}

/// A slice in somebody's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) slice: u32,
    /// What the claim raised it to.
    pub(crate) epoch: i64,
    /// Everything of the slice up to here is applied and stored.
    pub(crate) stored: Position,
}

/// Slices of one generation in somebody's hands: all of them, or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slices {
    /// How many the generation has.
    count: u32,
    /// Those that are held, by number.
    held: Vec<Held>,
}

impl Slices {
    pub(crate) const fn new(count: u32, held: Vec<Held>) -> Self {
        Self { count, held }
    }

    /// The position that all of them have reached; the beginning if there is none.
    pub(crate) fn stored(&self) -> Position {
        self.held.iter().map(|held| held.stored).min().unwrap_or_default()
    }

    /// The position that the first of them has reached.
    pub(crate) fn furthest(&self) -> Position {
        self.held.iter().map(|held| held.stored).max().unwrap_or_default()
    }

    /// Which ones they are.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.held.iter().map(|held| held.slice).collect()
    }

    /// Whether the key is in one of them.
    pub(crate) fn holds(&self, key: Uuid) -> bool {
        self.of(key).is_some()
    }

    /// Whether an event of this key at this position is still to be applied, and by whoever holds these.
    pub(crate) fn takes(&self, key: Uuid, at: Position) -> bool {
        self.of(key).is_some_and(|held| at > held.stored)
    }

    fn of(&self, key: Uuid) -> Option<&Held> {
        // All of them in order is the normal case, so the number is the index.
        let slice = slice_of(key, self.count);
        match self.held.get(slice as usize) {
            Some(held) if held.slice == slice => Some(held),
            Some(_) | None => self.held.iter().find(|held| held.slice == slice),
        }
    }

    /// The statement that moves those on that are behind `to`.
    pub(crate) fn checkpoint(&self, name: &str, generation: i64, to: Position) -> Statement {
        sql::checkpoint(name, generation, self.held.iter().filter(|held| held.stored < to), to)
    }

    /// The statement that rolls its transaction back if one of them is somebody else's by now.
    pub(crate) fn guard(&self, name: &str, generation: i64) -> Statement {
        sql::guard(name, generation, &self.held)
    }

    /// What a checkpoint to `to` has done.
    pub(crate) fn are_stored_to(&mut self, to: Position) {
        for held in &mut self.held {
            held.stored = held.stored.max(to);
        }
    }

    /// Whether all of these are still theirs whom this was given to, and where they are now.
    pub(crate) fn still_at(&self, standing: &[Held]) -> Option<Self> {
        let now =
            |held: &Held| standing.iter().find(|other| other.slice == held.slice && other.epoch == held.epoch).copied();
        let held: Option<Vec<Held>> = self.held.iter().map(now).collect();
        Some(Self { count: self.count, held: held? })
    }
}

#[cfg(test)]
mod tests;
