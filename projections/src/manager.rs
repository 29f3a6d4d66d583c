//! Starts the workers, and takes an operator's orders.

mod carry_out;
mod orders;
mod shared;
mod start;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use infrastructure::{
    clock::Clock,
    event_store::{EventStore, Position, StoreError, Window},
    lease::Leases,
    lifecycle::Lifecycle,
    read_store::ReadStore,
};
use tokio::sync::{mpsc, watch as channel};

use crate::{
    ClusterOptions, KeyedFold, LogFault, ManagerError, OnFailure, Pause, ProjectionStatus, RebuildProgress, SetChange,
    cluster::{Leading, Mailbox},
    context::Context,
    decoder::Decoder,
    shape::{KeyedShape, SetChangeShape, Shape},
    slot::RebuildSlot,
    standby::Standby,
    status::Monitor,
    worker::Order,
};

pub use orders::{Checkup, VerifyReport};

/// The workers' limits, and how they start.
#[derive(Clone, Debug)]
pub struct ProjectionOptions {
    /// How many events are applied in one transaction.
    pub batch_events_max: usize,
    /// How many slices the keys of a model are divided into, so that several workers can share it. Holds for generations
    /// that are built from now on. A model of set changes has one.
    pub slices: NonZeroU32,
    /// How long applying one event may take before it counts as failed.
    pub event_limit: Duration,
    /// The share of the time, in percent, that a rebuild works while there is live traffic.
    pub rebuild_share: u32,
    /// How long a generation is kept after another one has taken its place.
    pub keep_generation: Duration,
    /// How often some rows are folded anew and compared; none: never.
    pub drift_interval: Option<Duration>,
    /// How many rows that are.
    pub drift_rows: usize,
    /// How often it is looked whether the log is still the one that the read models are of.
    pub log_look_interval: Duration,
    /// How long a projection may stand although it is behind before it is called stalled.
    pub stall_after: Duration,
    /// The projections that an operator has paused.
    pub paused: BTreeMap<String, Pause>,
    /// Why all projections start paused, if they do.
    pub all_paused: Option<Pause>,
    /// How this process shares the work with others on the same read store; none: it has everything to itself.
    pub cluster: Option<ClusterOptions>,
}

impl Default for ProjectionOptions {
    fn default() -> Self {
        Self {
            batch_events_max: 512,
            slices: NonZeroU32::MIN,
            event_limit: Duration::from_secs(5),
            rebuild_share: 30,
            keep_generation: Duration::from_secs(24 * 60 * 60),
            drift_interval: None,
            drift_rows: 16,
            log_look_interval: Duration::from_secs(5),
            stall_after: Duration::from_secs(10),
            paused: BTreeMap::new(),
            all_paused: None,
            cluster: None,
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    context: Context,
    orders: mpsc::Sender<Order>,
    rebuilding: RebuildSlot,
    standby: Standby,
    /// Whether orders are carried out here, and not by another process.
    leading: Leading,
}

/// All projections of this process.
#[derive(Clone, Debug)]
pub struct ProjectionManager {
    entries: Arc<[Entry]>,
    events: Arc<dyn EventStore>,
    log: Arc<Window>,
    rows: Arc<dyn ReadStore>,
    options: Arc<ProjectionOptions>,
    /// The way to the processes that lead projections, where there are several.
    mailbox: Option<Mailbox>,
    /// Why the log cannot be followed any more.
    log_fault: channel::Sender<Option<LogFault>>,
}

/// What every projection works with.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) events: Arc<dyn EventStore>,
    /// The same, read and decoded once for all who follow it.
    pub(crate) log: Arc<Window>,
    pub(crate) decoder: Arc<Decoder>,
    pub(crate) rows: Arc<dyn ReadStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) options: ProjectionOptions,
}

impl Surroundings {
    pub(crate) fn new(
        events: Arc<dyn EventStore>,
        rows: Arc<dyn ReadStore>,
        clock: Arc<dyn Clock>,
        lifecycle: Lifecycle,
        options: ProjectionOptions,
    ) -> Self {
        let log = Arc::new(Window::new(Arc::clone(&events)));
        Self { events, log, decoder: Arc::default(), rows, clock, lifecycle, options }
    }
}

/// A projection as the registry declares it.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) shape: Arc<dyn Shape>,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) on_failure: OnFailure,
    /// Another one of the same shape, that nobody reads through.
    anew: fn() -> Arc<dyn Shape>,
}

impl Declared {
    pub(crate) fn keyed<M: KeyedFold>(shape: Arc<KeyedShape<M>>, monitor: Arc<Monitor>, on_failure: OnFailure) -> Self {
        Self { shape, monitor, on_failure, anew: || Arc::new(KeyedShape::<M>::new()) }
    }

    pub(crate) fn set_change<M: SetChange>(
        shape: Arc<SetChangeShape<M>>,
        monitor: Arc<Monitor>,
        on_failure: OnFailure,
    ) -> Self {
        Self { shape, monitor, on_failure, anew: || Arc::new(SetChangeShape::<M>::new()) }
    }
}

impl ProjectionManager {
    /// The event store as projections follow it: what is new is read once for all who do.
    pub fn log(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.log) as Arc<dyn EventStore>
    }

    /// The leases that this process holds, those of its [`crate::ClusterOptions::also`] too; none if it shares no work.
    pub fn held(&self) -> Option<channel::Receiver<Arc<BTreeSet<String>>>> {
        self.mailbox.as_ref().and_then(|mailbox| mailbox.membership.leases.as_ref()).map(Leases::held)
    }

    /// The name of the node that holds this lease; none if no live one does, or if this process shares no work.
    pub fn holder(&self, lease: &str) -> Option<String> {
        let view = self.mailbox.as_ref()?.membership.view.borrow().clone();
        view.nodes.values().find(|node| node.held.contains(lease)).map(|node| node.name.clone())
    }

    /// Whether work is shared with other processes.
    pub const fn is_shared(&self) -> bool {
        self.mailbox.is_some()
    }

    /// Every projection as it is now.
    pub fn statuses(&self) -> Vec<ProjectionStatus> {
        self.entries.iter().map(|entry| entry.context.monitor.status()).collect()
    }

    /// One projection as it is now.
    pub fn status(&self, name: &str) -> Result<ProjectionStatus, ManagerError> {
        Ok(self.entry(name)?.context.monitor.status())
    }

    /// Wakes up with every change of a projection's status.
    pub fn watch(&self, name: &str) -> Result<channel::Receiver<u64>, ManagerError> {
        Ok(self.entry(name)?.context.monitor.watch_changes())
    }

    /// The progress of a projection's rebuild that is going on, or of its last one.
    pub fn watch_rebuild(&self, name: &str) -> Result<channel::Receiver<Option<RebuildProgress>>, ManagerError> {
        Ok(self.entry(name)?.context.monitor.watch_rebuild())
    }

    /// The end of the log.
    pub async fn head(&self) -> Result<Position, StoreError> {
        self.events.head().await
    }

    /// Resolves once the log turns out not to be the one that the read models are of. Nothing that is served from then on is
    /// to be trusted: the process had better end.
    pub async fn log_fault(&self) -> LogFault {
        let mut faults = self.log_fault.subscribe();
        let found = faults.wait_for(Option::is_some).await.ok().and_then(|fault| fault.clone());
        match found {
            Some(fault) => fault,
            // Never: the sender is here.
            None => std::future::pending().await,
        }
    }

    /// How far a projection is behind, in events and in seconds: how long the first event that it has not applied has
    /// been waiting.
    pub async fn lag(&self, status: &ProjectionStatus) -> Result<(u64, f64), StoreError> {
        let head = self.events.head().await?;
        let behind = self.events.distance(status.position, head);
        let Some(entry) = self.entries.iter().find(|entry| entry.context.name() == status.name) else {
            return Ok((behind, 0.0));
        };
        let page = self.events.read_all(status.position, &entry.context.shape.filter(), 1).await?;
        let waiting = page.events.first().map_or(0.0, |event| {
            let age = entry.context.clock.now() - event.recorded_at;
            age.to_std().map_or(0.0, |age| age.as_secs_f64())
        });
        // Events of other projections are passed, not worked on: without one of ours there is no lag.
        Ok(if page.events.is_empty() && page.is_end { (0, 0.0) } else { (behind, waiting) })
    }

    fn entry(&self, name: &str) -> Result<&Entry, ManagerError> {
        self.entries.iter().find(|entry| entry.context.name() == name).ok_or_else(|| {
            let known: Vec<&str> = self.entries.iter().map(|entry| entry.context.name()).collect();
            ManagerError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

#[cfg(test)]
mod tests;
