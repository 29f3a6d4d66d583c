//! Starting where several processes share a read store: everybody looks at what serves, those that work take part.

use std::sync::Arc;

use async_trait::async_trait;
use infrastructure::codec;
use tokio::sync::{mpsc, watch};

use super::{
    Declared, Entry, ProjectionManager, Surroundings,
    start::{begin_lead, is_within_log},
};
use crate::{
    ClusterOptions, ManagerError, RebuildPhase, RebuildProgress,
    bookkeeping::{self, GenerationState},
    cluster::{
        self, Lead, Leading, Mailbox, Membership, Names, Observer, Observers, Refusal, Reporting, Said, SliceWorker,
        Term, names_of,
    },
    context::Context,
    slot::RebuildSlot,
    standby::Standby,
    status::Monitor,
    worker::{Held, Order, Worker},
};

/// A projection, before the process takes part in the work on it.
struct Prepared {
    entry: Entry,
    names: Names,
    /// What the worker works with, and what the lead does: nobody else reads through their shapes.
    work: Context,
    lead: Context,
    orders: mpsc::Receiver<Order>,
}

impl ProjectionManager {
    /// Joins the others.
    pub(super) async fn start_shared(
        declared: Vec<Declared>,
        surroundings: Surroundings,
        options: ClusterOptions,
    ) -> Result<Self, ManagerError> {
        let build = codec::fingerprint::<domain::Event>().into();
        let prepare = |declared| prepare(declared, &surroundings, &build);
        let prepared: Vec<Prepared> = declared.into_iter().map(prepare).collect();
        for Prepared { entry, .. } in &prepared {
            let generations = bookkeeping::generations(&*entry.context.rows, entry.context.name()).await?;
            for serving in generations.iter().filter(|known| known.state == GenerationState::Serving) {
                is_within_log(&entry.context, serving.furthest).await?;
            }
        }
        let (ids, serves) = (Arc::clone(&options.ids), options.serves);
        let Surroundings { events, rows, lifecycle, .. } = &surroundings;
        let names = names_of(prepared.iter().map(|prepared| &prepared.names));
        let membership = cluster::join(rows, options, names, lifecycle).await?;
        let mailbox = Mailbox { rows: Arc::clone(rows), ids, membership: membership.clone() };
        let observers: Vec<Observer> =
            prepared.iter().map(|prepared| Observer::new(prepared.entry.context.clone())).collect();
        let serving: Vec<_> = observers.iter().map(Observer::serving).collect();
        let mut observers = Observers::new(Arc::clone(rows), observers, serves);
        observers.begin().await?;
        lifecycle.spawn(observers.run());
        let manager = Self {
            entries: prepared.iter().map(|prepared| prepared.entry.clone()).collect(),
            events: Arc::clone(events),
            log: Arc::clone(&surroundings.log),
            rows: Arc::clone(rows),
            options: Arc::new(surroundings.options.clone()),
            mailbox: Some(mailbox),
            log_fault: watch::Sender::new(None),
        };
        let (mut reporting, mut workers) = (Vec::new(), Vec::new());
        for (prepared, serving) in prepared.into_iter().zip(serving) {
            let Prepared { entry, names, work, lead, orders } = prepared;
            let shown = Arc::clone(&entry.context.monitor);
            let pause = surroundings.pause_of(entry.context.name());
            let worker = SliceWorker::new(work.clone(), names.clone(), &membership, serving);
            let at_work = worker.map(|slices| {
                let (to_worker, received) = mpsc::channel(16);
                workers.push((entry.context.name(), to_worker));
                let working = slices.working();
                lifecycle.spawn(slices.run(Worker::new(work.clone(), Held::Nothing, received, pause)));
                (Arc::clone(&work.monitor), working)
            });
            let leading = entry.leading.clone();
            reporting.push(Reporting { names: names.clone(), monitor: Arc::clone(&shown), leading, work: at_work });
            let lead = Lead::new(lead, names, membership.clone(), entry.leading.clone());
            lifecycle.spawn(lead.run(ProjectionTerm { manager: manager.clone(), entry }, orders));
        }
        // Whoever asks at once is told what is, too. A read that fails is tried again soon, and shown if it goes on.
        let _ = cluster::read_reports(&**rows, &membership, &reporting).await;
        manager.take_part(membership, reporting, workers, &surroundings);
        Ok(manager)
    }

    fn take_part(
        &self,
        membership: Membership,
        reporting: Vec<Reporting>,
        workers: Vec<(&'static str, mpsc::Sender<Order>)>,
        surroundings: &Surroundings,
    ) {
        let Surroundings { events, rows, clock, lifecycle, options, .. } = surroundings;
        let (rows, clock) = (Arc::clone(rows), Arc::clone(clock));
        lifecycle.spawn(cluster::report_regularly(rows, membership, reporting, clock, lifecycle.clone()));
        // Who is to start paused whatever the log says is woken only by what is written from then on.
        let paused = options.all_paused.is_none().then(|| options.paused.clone());
        lifecycle.spawn(cluster::follow_pauses(Arc::clone(events), workers, paused, lifecycle.clone()));
        self.watch_over(lifecycle);
    }
}

fn prepare(declared: Declared, surroundings: &Surroundings, build: &Arc<str>) -> Prepared {
    let anew = declared.anew;
    let context = surroundings.context(declared, build);
    let own = || {
        let monitor = Arc::new(Monitor::new(context.name(), context.shape.version()));
        Context { shape: anew(), monitor, ..context.clone() }
    };
    let (work, lead) = (own(), own());
    let names = Names::new(context.name(), context.shape.version(), context.slices);
    let (orders, received) = mpsc::channel(16);
    let (rebuilding, standby) = (RebuildSlot::default(), Standby::default());
    let entry = Entry { context, orders, rebuilding, standby, leading: Leading::default() };
    Prepared { entry, names, work, lead, orders: received }
}

/// The times when this process leads a projection.
struct ProjectionTerm {
    manager: ProjectionManager,
    entry: Entry,
}

#[async_trait]
impl Term for ProjectionTerm {
    async fn begin(&self, is_outdated: bool) -> Result<(), ManagerError> {
        let Self { manager, entry } = self;
        if let Some(mailbox) = &manager.mailbox {
            mailbox.clear_away().await?;
        }
        if is_outdated {
            // The later version builds and serves its own.
            return Ok(());
        }
        let rest = begin_lead(&entry.context).await?;
        let is_paused = entry.context.monitor.status().pause.is_some() || manager.options.all_paused.is_some();
        let plan = entry.go_on(rest, is_paused).await;
        let before = entry.context.monitor.status().rebuild.filter(|rebuild| !rebuild.is_over());
        if let Some(before) = before.filter(|_| plan.is_none()) {
            let error = "the process that led it is gone; order it again".to_owned();
            let monitor = &entry.context.monitor;
            monitor.rebuilds(RebuildProgress { phase: RebuildPhase::Failed(error), ..before });
        }
        manager.run_rebuild(plan.into_iter().collect(), &entry.context.lifecycle);
        Ok(())
    }

    async fn end(&self) {
        // Whoever leads now keeps it, and has claimed what was being built.
        drop(self.entry.standby.take(&self.entry.context).await);
    }

    async fn attend(&self) {
        let Some(mailbox) = &self.manager.mailbox else { return };
        let context = &self.entry.context;
        loop {
            let (id, ask) = match mailbox.next((context.name(), context.shape.version())).await {
                Ok(Some(order)) => order,
                Ok(None) => return,
                Err(error) => {
                    return tracing::debug!(error = %error, "orders to {} cannot be read", context.name());
                }
            };
            let (manager, entry, mailbox) = (self.manager.clone(), self.entry.clone(), mailbox.clone());
            context.lifecycle.spawn(async move {
                let said = manager.carry_out(&entry, ask).await;
                mailbox.answer(id, &said.unwrap_or_else(|error| Said::Refused(Refusal::of(error)))).await;
            });
        }
    }
}
