//! Leases: who works on what, among processes that share a read store.
//!
//! Each process is a node. A node beats: it raises a counter in its row. The others watch the counter; if it stands
//! still for the length of a lease, they free what the node held and share it out. Nobody's clock is compared with
//! another's: each measures on its own monotonic clock, and the store is asked for no time.
//!
//! **This is about liveness, not safety.** For moments two nodes may both believe that they hold a lease: one that was
//! frozen learns of it only when it wakes up, and a machine suspended to RAM does not even know how long it slept,
//! because its monotonic clock stood still too. What a lease guards must be guarded by an epoch in its own data, so
//! that whoever came first can write no more. Then it is harmless, too, that a lease is given back before its work has
//! quite ended.
//!
//! It deliberately does not know what the names of leases stand for.

mod balance;
mod cluster_view;
mod contender;
mod leftovers;
mod silence;
mod sql;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::sync::watch;
use uuid::Uuid;

pub use self::cluster_view::{ClusterView, ClusterWatch, NodeView};
use self::contender::Contender;
use crate::{
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError},
};

/// A shorter lease would be lost to a store that takes a breath.
const LEASE_MIN: Duration = Duration::from_millis(100);
/// The longest time between two beats.
const ROUND_MAX: Duration = Duration::from_secs(1);

/// How a node takes part.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// What operators see of the node.
    pub node: String,
    /// After how long a silence a node counts as dead: the same for all nodes. At least 100 ms; 5 s is a good value. A
    /// store that takes a fifth of it for every answer is as good as away.
    pub lease: Duration,
    /// How many leases this node holds at most; none: any number.
    pub leases_max: Option<NonZeroUsize>,
}

/// The tables of nodes and leases are made if they are not there. Once, before anybody starts.
pub async fn prepare(store: &dyn ReadStore) -> Result<(), ReadStoreError> {
    store.transaction(sql::create()).await
}

/// The names of the nodes that were seen to beat within `watched`, which takes that long. A node that was killed is not
/// among them, one that beats once in a while only if `watched` is longer than that.
pub async fn beating(store: &dyn ReadStore, watched: Duration) -> Result<Vec<String>, ReadStoreError> {
    prepare(store).await?;
    let before = sql::Table::of(&store.query(sql::read()).await?)?.nodes;
    if before.is_empty() {
        return Ok(Vec::new());
    }
    tokio::time::sleep(watched).await;
    let after = sql::Table::of(&store.query(sql::read()).await?)?.nodes;
    let beats = |(id, node): (Uuid, sql::NodeRow)| {
        let stands_still = before.get(&id).is_some_and(|before| before.beat == node.beat);
        (!stands_still).then_some(node.name)
    };
    Ok(after.into_iter().filter_map(beats).collect())
}

/// This process's part in the work.
#[derive(Clone, Debug)]
pub struct Leases {
    held: watch::Receiver<Arc<BTreeSet<String>>>,
    view: watch::Receiver<Arc<ClusterView>>,
}

impl Leases {
    /// Joins, and holds its fair share of `names` until `lifecycle` stops. `id` is this process's, fresh for each
    /// start. Needs [`prepare`].
    ///
    /// Other nodes may know other names: those are left to them.
    pub async fn start(
        store: Arc<dyn ReadStore>,
        id: Uuid,
        names: Vec<String>,
        options: LeaseOptions,
        lifecycle: &Lifecycle,
    ) -> Result<Self, ReadStoreError> {
        let (mut contender, leases) = Contender::new(store, id, names.into_iter().collect(), options);
        contender.join().await?;
        let until = lifecycle.clone();
        lifecycle.spawn(async move { contender.run(&until).await });
        Ok(leases)
    }

    /// What this node holds now, as far as it can know: nothing once it could not beat for two thirds of a lease, and
    /// nothing once it stops.
    pub fn held(&self) -> watch::Receiver<Arc<BTreeSet<String>>> {
        self.held.clone()
    }

    /// Every live node with what it holds, as this one saw it last.
    pub fn view(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.view.clone()
    }
}

/// What follows from the length of a lease.
#[derive(Clone, Copy, Debug)]
struct Timing {
    lease: Duration,
    /// From one beat to the next.
    round: Duration,
    /// How long after its last beat a node believes in what it holds: well before anybody buries it.
    trust: Duration,
    /// How long the store may take for one answer.
    answer: Duration,
    /// How long a lease lies free before somebody takes it beyond its share.
    patience: Duration,
}

impl Timing {
    fn of(lease: Duration) -> Self {
        let lease = lease.max(LEASE_MIN);
        Self { lease, round: (lease / 5).min(ROUND_MAX), trust: lease * 2 / 3, answer: lease / 3, patience: lease * 2 }
    }
}
