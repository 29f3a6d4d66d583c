//! Several processes on one read store: some serve, some work, some do both.
//!
//! Each slice of a projection is worked on by whoever holds its lease; each projection has one lead, which rebuilds it,
//! keeps a generation on standby and carries out operators' orders. Leases say who is to work (liveness); the epochs of
//! the slices say who can write (safety). Whoever serves looks at what is stored, and never at who stored it: so it makes
//! no difference which process applied a change.

mod holding;
mod lead;
mod mailbox;
mod names;
mod observer;
mod paused;
mod report;
mod slice_worker;
mod sql;
mod wire;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use infrastructure::{
    clock::IdSource,
    lease::{self, ClusterView, ClusterWatch, LeaseOptions, Leases},
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError},
};
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use self::{
    lead::{Lead, Leading, Term},
    mailbox::Mailbox,
    names::{Names, names_of},
    observer::{Observer, Observers},
    paused::follow_pauses,
    report::{Reporting, read_reports, report_regularly},
    slice_worker::SliceWorker,
    wire::{Ask, Refusal, Said},
};

/// How a process takes part.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// This process's id, fresh for each start.
    pub id: Uuid,
    /// Where the ids of orders come from.
    pub ids: Arc<dyn IdSource>,
    /// What operators see of it.
    pub node: String,
    /// After how long a silence a process counts as dead.
    pub lease: Duration,
    /// Whether it works on slices, or only serves.
    pub works: bool,
    /// Whether anybody asks it or listens to it. Who only works need not know at once what others have done.
    pub serves: bool,
    /// How many leases it holds at most.
    pub leases_max: Option<NonZeroUsize>,
    /// Leases of work that is none of a read model's, shared out with all others ([`crate::ProjectionManager::held`]).
    pub also: Vec<String>,
}

/// This process among the others.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) id: Uuid,
    /// What it holds; none if it only serves.
    pub(crate) leases: Option<Leases>,
    pub(crate) view: watch::Receiver<Arc<ClusterView>>,
}

impl Membership {
    /// Whether this process is alive, as far as it is known here. As long as nobody has been seen, anybody may be.
    pub(crate) fn is_alive(&self, node: Uuid) -> bool {
        let view = self.view.borrow();
        node == self.id || view.nodes.is_empty() || view.nodes.contains_key(&node)
    }
}

/// Makes the tables that processes meet in, if they are not there.
pub(crate) async fn prepare(rows: &dyn ReadStore) -> Result<(), ReadStoreError> {
    lease::prepare(rows).await?;
    rows.transaction(sql::create()).await
}

/// Makes the tables that processes meet in, and joins.
pub(crate) async fn join(
    rows: &Arc<dyn ReadStore>,
    options: ClusterOptions,
    mut names: Vec<String>,
    lifecycle: &Lifecycle,
) -> Result<Membership, ReadStoreError> {
    prepare(&**rows).await?;
    let ClusterOptions { id, node, lease, works, leases_max, also, .. } = options;
    names.extend(also);
    if !works {
        let view = ClusterWatch::start(Arc::clone(rows), lease, lifecycle).await.view();
        return Ok(Membership { id, leases: None, view });
    }
    let options = LeaseOptions { node, lease, leases_max };
    let leases = Leases::start(Arc::clone(rows), id, names, options, lifecycle).await?;
    Ok(Membership { id, view: leases.view(), leases: Some(leases) })
}
