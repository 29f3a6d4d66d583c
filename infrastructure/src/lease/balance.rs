//! Who should hold how many leases: pure, and the same answer for everybody who sees the same table.
//!
//! Every node gets the same number, or as many as it may hold; what does not divide goes, one each, to those who hold
//! more already. So a cluster that is balanced stays as it is: nobody claims and nobody gives.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::sql::Table;

/// What a node should do about its leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// Leases to give back: others should have them.
    pub(super) give: Vec<String>,
    /// Free leases to try in turn. Nodes with the same table begin at different places.
    pub(super) free: Vec<String>,
    /// How many of those to claim.
    pub(super) claim: usize,
}

/// What `me` should do. Leases not `in_play` count for nobody: their names are unknown here, or they lie apart.
pub(super) fn moves(me: Uuid, table: &Table, in_play: &BTreeSet<String>) -> Moves {
    let mut held: BTreeMap<Uuid, usize> = table.nodes.keys().map(|id| (*id, 0)).collect();
    let mut free = Vec::new();
    let mut mine = Vec::new();
    for (name, owner) in table.leases.iter().filter(|(name, _)| in_play.contains(*name)) {
        match owner {
            None => free.push(name.clone()),
            Some(owner) => {
                if *owner == me {
                    mine.push(name.clone());
                }
                // One who has no row is taken for dead soon; until then its leases are neither free nor somebody's.
                if let Some(count) = held.get_mut(owner) {
                    *count += 1;
                }
            }
        }
    }
    let ours = free.len() + held.values().sum::<usize>();
    let loads: Vec<_> = table
        .nodes
        .iter()
        .zip(held.values())
        .map(|((id, node), held)| Load { id: *id, max: node.leases_max, held: *held })
        .collect();
    let targets = targets(&loads, ours);
    let Some(rank) = loads.iter().position(|load| load.id == me) else { return Moves::default() };

    let missing = |index: usize| targets[index].saturating_sub(loads[index].held);
    if !free.is_empty() {
        // Behind what those before me will take.
        let before: usize = (0..rank).map(missing).sum();
        let start = before % free.len();
        free.rotate_left(start);
    }
    let give = mine.split_off(targets[rank].min(mine.len()));
    Moves { give, claim: missing(rank).min(free.len()), free }
}

/// A node, as the balance sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) id: Uuid,
    pub(super) max: usize,
    pub(super) held: usize,
}

/// How many of `leases` each node should hold, in the order of `loads`: all of them together, if they may.
pub(super) fn targets(loads: &[Load], leases: usize) -> Vec<usize> {
    let sum_at = |level: usize| loads.iter().map(|load| load.max.min(level)).sum::<usize>();
    let has_room_above = |level: usize| loads.iter().any(|load| load.max > level);
    let mut level = 0;
    while has_room_above(level) && sum_at(level + 1) <= leases {
        level += 1;
    }
    let mut targets: Vec<_> = loads.iter().map(|load| load.max.min(level)).collect();
    let left = leases.saturating_sub(sum_at(level));
    // Those who hold more than the level already keep it, so that nothing moves without need.
    let mut takers: Vec<_> = (0..loads.len()).filter(|index| loads[*index].max > level).collect();
    takers.sort_by_key(|index| (loads[*index].held <= level, loads[*index].id));
    for index in takers.into_iter().take(left) {
        targets[index] += 1;
    }
    targets
}
