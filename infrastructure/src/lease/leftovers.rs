//! Leases that nobody takes, although somebody's share has room for them.
//!
//! That is so while nodes run different versions of the program: the one whose turn it is may not know the name. A
//! node that sees a lease lie free for long takes it beyond its share and leaves it out of the balance, until nodes
//! come or go: otherwise it would give it back at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::sql::Table;

/// What lies free, and what was picked up.
#[derive(Debug)]
pub(super) struct Leftovers {
    /// For how long a lease must have been free. Longer than it takes to bury a node that does not claim its share.
    patience: Duration,
    nodes: BTreeSet<Uuid>,
    free_since: BTreeMap<String, Instant>,
    picked: BTreeSet<String>,
}

impl Leftovers {
    pub(super) const fn new(patience: Duration) -> Self {
        Self { patience, nodes: BTreeSet::new(), free_since: BTreeMap::new(), picked: BTreeSet::new() }
    }

    /// Notes a look at the tables. `was_here`: whether the look before is recent enough to tell what lay free between.
    pub(super) fn saw(&mut self, me: Uuid, table: &Table, names: &BTreeSet<String>, now: Instant, was_here: bool) {
        if !was_here || !table.nodes.keys().eq(&self.nodes) {
            self.nodes = table.nodes.keys().copied().collect();
            self.free_since.clear();
            self.picked.clear();
        }
        let owner = |name: &String| table.leases.get(name).copied();
        self.picked.retain(|name| owner(name) == Some(Some(me)));
        self.free_since.retain(|name, _| owner(name) == Some(None));
        for name in names.iter().filter(|name| owner(name) == Some(None)) {
            self.free_since.entry(name.clone()).or_insert(now);
        }
    }

    /// The names that the balance is about.
    pub(super) fn in_play(&self, names: &BTreeSet<String>) -> BTreeSet<String> {
        names.difference(&self.picked).cloned().collect()
    }

    /// What has been free for too long, in the order in which `me` should try it; and how many are its part.
    pub(super) fn due(&self, me: Uuid, now: Instant) -> (Vec<String>, usize) {
        let is_due = |since: &Instant| now.saturating_duration_since(*since) >= self.patience;
        let mut due: Vec<_> =
            self.free_since.iter().filter(|(_, since)| is_due(since)).map(|(name, _)| name.clone()).collect();
        let part = due.len().div_ceil(self.nodes.len().max(1));
        let rank = self.nodes.iter().position(|id| *id == me).unwrap_or(0);
        let start = (rank * part).checked_rem(due.len()).unwrap_or(0);
        due.rotate_left(start);
        (due, part)
    }

    /// Notes what was picked up.
    pub(super) fn pick(&mut self, names: Vec<String>) {
        self.picked.extend(names);
    }
}
