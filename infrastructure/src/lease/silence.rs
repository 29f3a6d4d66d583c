//! Which nodes have been silent for so long that they count as dead.
//!
//! Silence is measured on this process's own monotonic clock, from when it saw a beat change to when it asked and
//! found it the same: no clocks are compared. Time in which this process could not look does not count, so that after
//! an outage of the store nobody is buried for having been cut off like everybody else.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::sql::Table;

/// When each node was last seen to live.
#[derive(Debug)]
pub(super) struct Silence {
    /// How long a silence means death.
    lease: Duration,
    /// After how long without a look everybody is watched anew.
    away: Duration,
    /// When the last look was asked for.
    asked: Option<Instant>,
    seen: BTreeMap<Uuid, Sighting>,
}

#[derive(Clone, Copy, Debug)]
struct Sighting {
    /// None: it holds leases, but has no row.
    beat: Option<i64>,
    /// When this beat was first seen.
    since: Instant,
}

/// A node that has been silent for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dead {
    pub(super) id: Uuid,
    /// What it was seen with; none if it has no row.
    pub(super) beat: Option<i64>,
    pub(super) silent: Duration,
}

impl Silence {
    pub(super) const fn new(lease: Duration, away: Duration) -> Self {
        Self { lease, away, asked: None, seen: BTreeMap::new() }
    }

    /// Notes a look at the tables, asked for and answered then. False if the one before was too long ago to compare.
    pub(super) fn saw(&mut self, table: &Table, asked: Instant, answered: Instant) -> bool {
        let was_here = self.asked.is_some_and(|before| asked - before < self.away);
        self.asked = Some(asked);
        if !was_here {
            self.seen.clear();
        }
        let rows = table.nodes.iter().map(|(id, node)| (*id, Some(node.beat)));
        let without_row = table.leases.values().flatten().filter(|owner| !table.nodes.contains_key(owner));
        let now: BTreeMap<_, _> = rows.chain(without_row.map(|owner| (*owner, None))).collect();
        self.seen.retain(|id, _| now.contains_key(id));
        for (id, beat) in now {
            let sighting = self.seen.entry(id).or_insert(Sighting { beat, since: answered });
            if sighting.beat != beat {
                *sighting = Sighting { beat, since: answered };
            }
        }
        was_here
    }

    /// Who was silent for too long at the last look.
    pub(super) fn dead(&self) -> Vec<Dead> {
        let Some(asked) = self.asked else { return Vec::new() };
        let dead = |(id, sighting): (&Uuid, &Sighting)| {
            let silent = asked.saturating_duration_since(sighting.since);
            (silent >= self.lease).then_some(Dead { id: *id, beat: sighting.beat, silent })
        };
        self.seen.iter().filter_map(dead).collect()
    }

    /// The next moment at which somebody may have been silent for too long.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        self.seen.values().map(|sighting| sighting.since + self.lease).filter(|due| *due > now).min()
    }
}
