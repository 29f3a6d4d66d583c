//! Whatever comes and goes, and whatever old picture each node acts on: in the end the work is shared and rests.

use super::*;
use crate::lease::{
    balance::{Load, moves, targets},
    sql::{NodeRow, Table},
};

const SEEDS: u64 = 2_000;
/// In how many rounds everything must be where it stays.
const ROUNDS_MAX: usize = 8;

/// Numbers that look random (xorshift, Marsaglia 2003) and are the same for the same seed.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("below a usize")
    }
}

/// Does what `me` decides over `picture` to the real table, with the guards that the statements have. How many moves.
fn act(me: Uuid, picture: &Table, table: &mut Table, names: &BTreeSet<String>) -> usize {
    let moves = moves(me, picture, names);
    let mut count = 0;
    for name in moves.give {
        let owner = table.leases.get_mut(&name).expect("it is there");
        if *owner == Some(me) {
            *owner = None;
            count += 1;
        }
    }
    let mut gained = 0;
    for name in moves.free {
        if gained == moves.claim {
            break;
        }
        let owner = table.leases.get_mut(&name).expect("it is there");
        if owner.is_none() {
            *owner = Some(me);
            gained += 1;
        }
    }
    count + gained
}

fn held(table: &Table) -> Vec<Load> {
    let load = |(id, node): (&Uuid, &NodeRow)| Load { id: *id, max: node.leases_max, held: table.held_by(*id).len() };
    table.nodes.iter().map(load).collect()
}

/// That nobody holds more than it may, that everything is held that can be, and that two differ by more than one only
/// if the smaller may hold no more.
#[track_caller]
fn is_fair(table: &Table, seed: u64) {
    let loads = held(table);
    assert!(loads.iter().all(|load| load.held <= load.max), "seed {seed}: over the cap: {loads:?}");
    let capacity = loads.iter().fold(0_usize, |sum, load| sum.saturating_add(load.max));
    let held: usize = loads.iter().map(|load| load.held).sum();
    assert_eq!(held, table.leases.len().min(capacity), "seed {seed}: {loads:?}");
    let most = loads.iter().map(|load| load.held).max().unwrap_or(0);
    assert!(loads.iter().all(|load| load.held == load.max || load.held + 1 >= most), "seed {seed}: {loads:?}");
}

#[test]
fn after_any_coming_and_going_the_work_is_shared_and_rests() {
    let mut moved = 0;
    for seed in 0..SEEDS {
        let mut numbers = Numbers::new(seed);
        let names: BTreeSet<_> = names(1 + numbers.below(40)).into_iter().collect();
        let mut table = Table { leases: names.iter().map(|name| (name.clone(), None)).collect(), ..Table::default() };
        let mut old = table.clone();
        for _ in 0..30 {
            // Somebody comes, somebody goes, or somebody acts on what it saw some time ago.
            match numbers.below(6) {
                0 => {
                    let leases_max = if numbers.below(2) == 0 { usize::MAX } else { numbers.below(8) };
                    let id = Uuid::from_u128(numbers.below(1 << 30) as u128);
                    table.nodes.insert(id, NodeRow { name: String::new(), beat: 0, leases_max });
                }
                1 => {
                    let ids: Vec<_> = table.nodes.keys().copied().collect();
                    if !ids.is_empty() {
                        table.forget(ids[numbers.below(ids.len())]);
                    }
                }
                2 => old = table.clone(),
                _ => {
                    let ids: Vec<_> = old.nodes.keys().filter(|id| table.nodes.contains_key(id)).copied().collect();
                    if !ids.is_empty() {
                        moved += act(ids[numbers.below(ids.len())], &old.clone(), &mut table, &names);
                    }
                }
            }
        }
        // From here on nobody comes or goes. All act on the same picture, then on the next.
        let ids: Vec<_> = table.nodes.keys().copied().collect();
        let rounds = (0..).take_while(|_| {
            let picture = table.clone();
            ids.iter().map(|id| act(*id, &picture, &mut table, &names)).sum::<usize>() > 0
        });
        let rounds = rounds.take(ROUNDS_MAX + 1).count();
        assert!(rounds <= ROUNDS_MAX, "seed {seed}: not at rest after {ROUNDS_MAX} rounds: {:?}", held(&table));
        is_fair(&table, seed);
    }
    assert!(moved > 10_000, "the simulation simulates nothing: {moved} moves");
}

#[test]
fn a_joining_node_takes_its_share_and_nothing_else_moves() {
    for seed in 0..200 {
        let mut numbers = Numbers::new(seed);
        let names: BTreeSet<_> = names(1 + numbers.below(40)).into_iter().collect();
        let mut table = Table { leases: names.iter().map(|name| (name.clone(), None)).collect(), ..Table::default() };
        for newcomer in 0..6 {
            let id = Uuid::from_u128(numbers.below(1 << 30) as u128);
            let before = table.clone();
            table.nodes.insert(id, NodeRow { name: String::new(), beat: 0, leases_max: usize::MAX });
            let ids: Vec<_> = table.nodes.keys().copied().collect();
            for _ in 0..ROUNDS_MAX {
                for id in &ids {
                    let picture = table.clone();
                    act(*id, &picture, &mut table, &names);
                }
            }
            let went_elsewhere = table.leases.iter().filter(|(name, owner)| {
                **owner != before.leases[*name] && **owner != Some(id) && before.leases[*name].is_some()
            });
            assert_eq!(went_elsewhere.count(), 0, "seed {seed}, newcomer {newcomer}");
            is_fair(&table, seed);
        }
    }
}

#[test]
fn what_does_not_divide_stays_with_those_who_have_it() {
    let load = |id, max, held| Load { id: Uuid::from_u128(id), max, held };
    let any = usize::MAX;
    assert_eq!(targets(&[load(1, any, 0), load(2, any, 0), load(3, any, 0)], 8), [3, 3, 2]);
    assert_eq!(targets(&[load(1, any, 2), load(2, any, 3), load(3, any, 3)], 8), [2, 3, 3]);
    assert_eq!(targets(&[load(1, 1, 0), load(2, any, 0), load(3, any, 0)], 8), [1, 4, 3]);
    assert_eq!(targets(&[load(1, 1, 0), load(2, 2, 0)], 8), [1, 2]);
    assert_eq!(targets(&[load(1, 0, 0), load(2, any, 0)], 8), [0, 8]);
    assert_eq!(targets(&[], 8), [0; 0]);
}

/// Nodes start, stop, die and come back over a real store; in the end the living share everything.
#[tokio::test(start_paused = true)]
async fn a_real_cluster_settles_after_any_coming_and_going() {
    for seed in 0..4 {
        let cluster = Cluster::new().await;
        let names = names(12);
        let mut numbers = Numbers::new(seed);
        let mut alive: Vec<Node> = Vec::new();
        let mut dead: Vec<Node> = Vec::new();
        for step in 0..10 {
            match numbers.below(4) {
                2 if alive.len() > 1 => {
                    let node = alive.remove(numbers.below(alive.len()));
                    assert!(node.lifecycle.stop(Duration::from_secs(3)).await, "seed {seed}: it does not stop");
                }
                3 if alive.len() > 1 => {
                    let node = alive.remove(numbers.below(alive.len()));
                    node.door.set(Way::Hangs);
                    dead.push(node);
                }
                _ => {
                    let max = (numbers.below(3) == 0).then(|| 1 + numbers.below(5));
                    alive.push(cluster.node(step + 1, &names, max).await);
                }
            }
            let all: Vec<_> = alive.iter().chain(&dead).collect();
            pass(Duration::from_millis(numbers.below(6_000) as u64), &all).await;
        }
        if let Some(node) = dead.pop() {
            node.door.set(Way::Open);
            alive.push(node);
        }
        let all: Vec<_> = alive.iter().chain(&dead).collect();
        pass(Duration::from_secs(15), &all).await;
        let rests = cluster.table().await;
        is_fair(&rests, seed);
        assert_eq!(rests.nodes.len(), alive.len(), "seed {seed}");
        for node in &alive {
            assert_eq!(node.held(), rests.held_by(node.id), "seed {seed}");
        }
        pass(Duration::from_secs(30), &all).await;
        assert_eq!(cluster.table().await.leases, rests.leases, "seed {seed}: something moves");
    }
}
