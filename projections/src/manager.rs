//! Starts the workers, and takes an operator's orders.

use std::sync::{Arc, Mutex, PoisonError};

use infrastructure::{
    clock::Clock,
    event_store::{EventStore, Position, StoreError},
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError},
    telemetry,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    ProjectionStatus, RebuildProgress,
    bookkeeping::{self, Generation, GenerationState},
    rebuild::Rebuild,
    shape::Shape,
    status::Monitor,
    worker::{Adopt, Context, Held, Worker},
};

/// The workers' limits.
#[derive(Clone, Debug)]
pub struct ProjectionOptions {
    /// How many events are applied in one transaction.
    pub batch_events_max: usize,
}

impl Default for ProjectionOptions {
    fn default() -> Self {
        Self { batch_events_max: 512 }
    }
}

/// Why an operator's order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// There is no such projection.
    #[error("there is no projection {name}; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is, comma-separated.
        known: String,
    },
    /// One rebuild of a projection at a time.
    #[error("projection {0} is being rebuilt already")]
    AlreadyRebuilding(&'static str),
    /// The log is behind the read models: it is another one, or an older backup.
    #[error(
        "projection {name} has applied events up to {checkpoint}, but the log ends at {head}: the read store belongs to \
         another event store or to a newer copy of it. Restore the matching event store, or delete the read store; it is \
         rebuilt from the events"
    )]
    AheadOfLog {
        /// Which projection.
        name: &'static str,
        /// Its checkpoint.
        checkpoint: Position,
        /// The end of the log.
        head: Position,
    },
    /// The read store failed.
    #[error("the read store failed")]
    Rows(#[from] ReadStoreError),
    /// The event store failed.
    #[error("the event store failed")]
    Events(#[from] StoreError),
}

#[derive(Debug)]
struct Entry {
    context: Context,
    adoptions: mpsc::Sender<Adopt>,
    rebuilding: RebuildSlot,
}

/// All projections of this process.
#[derive(Debug)]
pub struct ProjectionManager {
    entries: Vec<Entry>,
    events: Arc<dyn EventStore>,
}

/// What every projection works with.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) rows: Arc<dyn ReadStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) options: ProjectionOptions,
}

impl ProjectionManager {
    /// Starts a worker for each projection. One that has no generation of its version yet gets one built.
    pub(crate) async fn start(
        shapes: Vec<(Arc<dyn Shape>, Arc<Monitor>)>,
        surroundings: Surroundings,
    ) -> Result<Self, ManagerError> {
        bookkeeping::prepare(&*surroundings.rows).await?;
        let mut manager = Self { entries: Vec::new(), events: Arc::clone(&surroundings.events) };
        for (shape, monitor) in shapes {
            let context = Context {
                shape,
                events: Arc::clone(&surroundings.events),
                rows: Arc::clone(&surroundings.rows),
                clock: Arc::clone(&surroundings.clock),
                lifecycle: surroundings.lifecycle.clone(),
                monitor,
                batch_events_max: surroundings.options.batch_events_max,
            };
            let held = claim_serving(&context).await?;
            let (adoptions, orders) = mpsc::channel(1);
            let stored = held.map_or(Position::START, |held| held.position);
            let worker = Worker { context: context.clone(), held, adoptions: orders, stored };
            surroundings.lifecycle.spawn(worker.run());
            manager.entries.push(Entry { context, adoptions, rebuilding: RebuildSlot::default() });
            if held.is_none() {
                manager.rebuild(manager.entries[manager.entries.len() - 1].context.shape.name()).await?;
            }
        }
        Ok(manager)
    }

    /// Every projection as it is now.
    pub fn statuses(&self) -> Vec<ProjectionStatus> {
        self.entries.iter().map(|entry| entry.context.monitor.status()).collect()
    }

    /// The end of the log.
    pub async fn head(&self) -> Result<Position, StoreError> {
        self.events.head().await
    }

    /// How far a projection is behind, in events and in seconds: how long the first event that it has not applied has
    /// been waiting.
    pub async fn lag(&self, status: &ProjectionStatus) -> Result<(u64, f64), StoreError> {
        let head = self.events.head().await?;
        let behind = self.events.distance(status.position, head);
        let Some(entry) = self.entries.iter().find(|entry| entry.context.shape.name() == status.name) else {
            return Ok((behind, 0.0));
        };
        let page = self.events.read_all(status.position, &entry.context.shape.filter(), 1).await?;
        let waiting = page.events.first().map_or(0.0, |event| {
            let age = entry.context.clock.now() - event.recorded_at;
            age.to_std().map_or(0.0, |age| age.as_secs_f64())
        });
        // Events of other projections are passed, not worked on: without one of ours there is no lag.
        Ok(if page.events.is_empty() { (0, 0.0) } else { (behind, waiting) })
    }

    /// Writes position and lag of every projection to the metrics.
    pub async fn observe(&self) {
        for status in self.statuses() {
            let Ok((events, seconds)) = self.lag(&status).await else { continue };
            metrics::gauge!(telemetry::PROJECTION_LAG_EVENTS, "projection" => status.name).set(as_gauge(events));
            metrics::gauge!(telemetry::PROJECTION_LAG_SECONDS, "projection" => status.name).set(seconds);
            let position = as_gauge(status.position.value());
            metrics::gauge!(telemetry::PROJECTION_POSITION, "projection" => status.name).set(position);
        }
    }

    /// The progress of a projection's rebuild that is going on, or of its last one.
    pub fn watch_rebuild(&self, name: &str) -> Result<watch::Receiver<Option<RebuildProgress>>, ManagerError> {
        Ok(self.entry(name)?.context.monitor.watch_rebuild())
    }

    /// Starts to build the next generation of a projection. Gives its progress.
    pub async fn rebuild(&self, name: &str) -> Result<watch::Receiver<Option<RebuildProgress>>, ManagerError> {
        let entry = self.entry(name)?;
        let context = &entry.context;
        let Some(taken) = entry.rebuilding.take() else {
            return Err(ManagerError::AlreadyRebuilding(context.shape.name()));
        };
        let generations = tidy(context).await?;
        let generation = generations.last().map_or(1, |last| last.number + 1);
        let rebuild = Rebuild {
            context: context.clone(),
            adoptions: entry.adoptions.clone(),
            generation,
            started: Instant::now(),
            events: 0,
        };
        rebuild.announce();
        let progress = context.monitor.watch_rebuild();
        context.lifecycle.spawn(rebuild.run(taken));
        Ok(progress)
    }

    fn entry(&self, name: &str) -> Result<&Entry, ManagerError> {
        self.entries.iter().find(|entry| entry.context.shape.name() == name).ok_or_else(|| {
            let known: Vec<&str> = self.entries.iter().map(|entry| entry.context.shape.name()).collect();
            ManagerError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

/// The one rebuild of a projection that may run.
#[derive(Clone, Debug, Default)]
struct RebuildSlot(Arc<Mutex<bool>>);

/// Lets the next rebuild start when it is dropped, however this one ends.
#[derive(Debug)]
pub(crate) struct TakenSlot(Option<Arc<Mutex<bool>>>);

impl RebuildSlot {
    fn take(&self) -> Option<TakenSlot> {
        let mut is_taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!std::mem::replace(&mut *is_taken, true)).then(|| TakenSlot(Some(Arc::clone(&self.0))))
    }
}

impl TakenSlot {
    /// Says that the rebuild is over, and lets the next one start, as one step: whoever hears the one can rely on the
    /// other.
    pub(crate) fn release(mut self, say: impl FnOnce()) {
        if let Some(slot) = self.0.take() {
            let mut is_taken = slot.lock().unwrap_or_else(PoisonError::into_inner);
            say();
            *is_taken = false;
        }
    }
}

impl Drop for TakenSlot {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = false;
        }
    }
}

/// Takes over the generation that serves, if there is one of this build's version.
async fn claim_serving(context: &Context) -> Result<Option<Held>, ManagerError> {
    let Context { shape, rows, events, .. } = context;
    let generations = tidy(context).await?;
    let serving = generations.into_iter().find(|generation| generation.state == GenerationState::Serving);
    let Some(Generation { number, position, version, .. }) = serving else { return Ok(None) };
    if version != i64::from(shape.version()) {
        return Ok(None);
    }
    // Before the claim: whoever comes with the wrong log must not drive away the worker that has the right one.
    let head = events.head().await?;
    if position > head {
        return Err(ManagerError::AheadOfLog { name: shape.name(), checkpoint: position, head });
    }
    let (epoch, position) = bookkeeping::claim(&**rows, shape.name(), number).await?;
    Ok(Some(Held { generation: number, epoch, position }))
}

/// Removes generations that nobody reads or fills any more; gives those that stay.
async fn tidy(context: &Context) -> Result<Vec<Generation>, ManagerError> {
    let Context { shape, rows, .. } = context;
    let (stay, go): (Vec<_>, Vec<_>) = bookkeeping::generations(&**rows, shape.name())
        .await?
        .into_iter()
        .partition(|generation| generation.state == GenerationState::Serving);
    for generation in go {
        let tables = shape.tables(generation.number);
        match rows.transaction(bookkeeping::discard(shape.name(), generation.number, &tables)).await {
            // Somebody else was faster.
            Ok(()) | Err(ReadStoreError::Guard { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(stay)
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
const fn as_gauge(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
