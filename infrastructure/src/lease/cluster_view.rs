//! Who works on what, for operators; also for a process that holds nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep, timeout},
};
use uuid::Uuid;

use super::{
    Timing,
    silence::Silence,
    sql::{self, Table},
};
use crate::{
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError},
    telemetry,
};

/// Every live node and every lease, as they stood at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// The live nodes.
    pub nodes: BTreeMap<Uuid, NodeView>,
    /// The leases that no live node holds.
    pub unheld: BTreeSet<String>,
}

/// A live node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// What operators call it; need not be unique.
    pub name: String,
    /// How many leases it holds at most; none: any number.
    pub leases_max: Option<usize>,
    /// What it holds.
    pub held: BTreeSet<String>,
}

impl ClusterView {
    /// What a table without dead nodes says.
    pub(super) fn of(table: &Table) -> Self {
        let mut view = Self::default();
        for (id, node) in &table.nodes {
            let leases_max = (node.leases_max < usize::MAX).then_some(node.leases_max);
            view.nodes.insert(*id, NodeView { name: node.name.clone(), leases_max, held: BTreeSet::new() });
        }
        for (name, owner) in &table.leases {
            let held = owner.and_then(|owner| view.nodes.get_mut(&owner)).map(|node| &mut node.held);
            held.unwrap_or(&mut view.unheld).insert(name.clone());
        }
        view
    }
}

/// Shows `value` if it is another one.
pub(super) fn show<T: PartialEq>(shown: &watch::Sender<Arc<T>>, value: T) {
    shown.send_if_modified(|shown| {
        let is_new = **shown != value;
        if is_new {
            *shown = Arc::new(value);
        }
        is_new
    });
}

/// The view of a process that holds nothing, such as one that only serves. Reads, never takes over.
#[derive(Clone, Debug)]
pub struct ClusterWatch {
    view: watch::Receiver<Arc<ClusterView>>,
}

impl ClusterWatch {
    /// Looks once, then watches until `lifecycle` stops. `lease` is what the nodes have. Shows nobody until the store has
    /// answered.
    pub async fn start(store: Arc<dyn ReadStore>, lease: Duration, lifecycle: &Lifecycle) -> Self {
        let (shown, view) = watch::channel(Arc::default());
        let timing = Timing::of(lease);
        let silence = Silence::new(timing.lease, timing.trust);
        let mut watching = Watching { store, timing, silence, shown, is_blind: false };
        watching.look_or_tell().await;
        let watching = async move { watching.run().await };
        let until = lifecycle.clone();
        lifecycle.spawn(async move {
            tokio::select! {
                biased;
                () = until.stopping() => {}
                () = watching => {}
            }
        });
        Self { view }
    }

    /// Every live node with what it holds, as last seen: while the store is away the view stays as it was.
    pub fn view(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.view.clone()
    }
}

struct Watching {
    store: Arc<dyn ReadStore>,
    timing: Timing,
    silence: Silence,
    shown: watch::Sender<Arc<ClusterView>>,
    is_blind: bool,
}

impl Watching {
    async fn run(mut self) {
        loop {
            sleep(self.timing.round).await;
            self.look_or_tell().await;
        }
    }

    async fn look_or_tell(&mut self) {
        let looked = self.look().await;
        if let Err(error) = &looked
            && !self.is_blind
        {
            tracing::warn!(error = telemetry::with_causes(error), "the nodes of the cluster cannot be watched");
        }
        self.is_blind = looked.is_err();
    }

    async fn look(&mut self) -> Result<(), ReadStoreError> {
        let asked = Instant::now();
        let rows = timeout(self.timing.answer, self.store.query(sql::read())).await;
        let mut table = Table::of(&rows.unwrap_or_else(|_| Err(no_answer(self.timing.answer)))?)?;
        self.silence.saw(&table, asked, Instant::now());
        for dead in self.silence.dead() {
            table.forget(dead.id);
        }
        show(&self.shown, ClusterView::of(&table));
        Ok(())
    }
}

/// The store took longer than it may.
pub(super) fn no_answer(limit: Duration) -> ReadStoreError {
    ReadStoreError::Unavailable(format!("no answer within {} ms", limit.as_millis()))
}
