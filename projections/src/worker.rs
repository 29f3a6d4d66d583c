//! The worker: follows the log and keeps one projection up to date.
//!
//! It reads a batch, decodes it, applies it with the checkpoint in one transaction, then announces the changes. An event
//! that fails is tried again with growing pauses, then the projection stops there and says why; it never skips one.
//! The worker also makes the switch to a new generation, so that nothing else ever changes what serves.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use infrastructure::{
    clock::Clock,
    event_store::{Batch, EventStore, Position, RecordedEvent, StoreError, Subscription},
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError},
    telemetry,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    Decoded, ProjectionState, StoppedAt,
    bookkeeping::{self, checkpoint},
    shape::{ApplyError, Shape},
    status::Monitor,
};

/// How often one event is tried before its projection stops.
pub(crate) const EVENT_ATTEMPTS_MAX: u32 = 5;
/// The first and the longest pause between two tries.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long after the start of one batch the next one starts, unless the worker is behind. The first event after a quiet
/// moment is applied at once; a busy log is applied in batches that are worth their transaction, instead of one for each
/// commit of the event store.
const BATCH_INTERVAL_MIN: Duration = Duration::from_millis(3);
/// How many positions without an event of ours are passed before the checkpoint follows.
const CHECKPOINT_EVERY_POSITIONS: u64 = 10_000;

/// What the worker, the rebuild and the manager all need.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) shape: Arc<dyn Shape>,
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) rows: Arc<dyn ReadStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) batch_events_max: usize,
}

/// A generation in somebody's hands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) generation: i64,
    pub(crate) epoch: i64,
    pub(crate) position: Position,
}

/// A filled generation, to be made the serving one.
#[derive(Debug)]
pub(crate) struct Adopt {
    pub(crate) held: Held,
    pub(crate) done: oneshot::Sender<Result<(), String>>,
}

/// Why a batch did not get through.
enum Blocked {
    /// Somebody asked to stop.
    Stopping,
    /// The event cannot be applied.
    At(Box<StoppedAt>),
    /// A new generation waits, which may not have the problem.
    Adopt(Adopt),
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) context: Context,
    pub(crate) held: Option<Held>,
    pub(crate) adoptions: mpsc::Receiver<Adopt>,
    /// The position that is stored; the one in `held` may be further where no event was ours.
    pub(crate) stored: Position,
}

impl Worker {
    pub(crate) async fn run(mut self) {
        if let Some(held) = self.held {
            self.serve(held, false);
        }
        let lifecycle = self.context.lifecycle.clone();
        loop {
            let blocked = tokio::select! {
                biased;
                () = lifecycle.stopping() => Blocked::Stopping,
                blocked = self.follow() => blocked,
            };
            match blocked {
                Blocked::Stopping => break,
                Blocked::Adopt(adopt) => self.adopt(adopt).await,
                Blocked::At(stopped) => {
                    report_stop(&self.context, *stopped);
                    tokio::select! {
                        biased;
                        () = lifecycle.stopping() => break,
                        Some(adopt) = self.adoptions.recv() => self.adopt(adopt).await,
                    }
                }
            }
        }
        self.context.shape.close();
        if let Err(error) = self.store_position().await {
            // The next start does a little again, which changes nothing.
            tracing::warn!(projection.name = self.name(), error = %error, "the last checkpoint was not stored");
        }
    }

    fn name(&self) -> &'static str {
        self.context.shape.name()
    }

    /// Applies batch after batch until something else is to be done.
    async fn follow(&mut self) -> Blocked {
        let Some(held) = self.held else {
            return match self.adoptions.recv().await {
                Some(adopt) => Blocked::Adopt(adopt),
                None => Blocked::Stopping,
            };
        };
        let filter = self.context.shape.filter();
        let mut subscription = Subscription::new(Arc::clone(&self.context.events), held.position, filter);
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            let batch = tokio::select! {
                biased;
                Some(adopt) = self.adoptions.recv() => return Blocked::Adopt(adopt),
                batch = subscription.next(self.context.batch_events_max) => batch,
            };
            let started = Instant::now();
            match batch {
                Ok(batch) => {
                    pause = RETRY_PAUSE_MIN;
                    let is_caught_up = batch.is_caught_up;
                    if let Err(blocked) = self.take(batch).await {
                        return blocked;
                    }
                    if is_caught_up {
                        tokio::time::sleep_until(started + BATCH_INTERVAL_MIN).await;
                    }
                }
                Err(error) => {
                    self.report_retry(&error, 1);
                    if let Some(adopt) = self.pause(&mut pause).await {
                        return Blocked::Adopt(adopt);
                    }
                }
            }
        }
    }

    /// Applies one batch, however often it takes.
    async fn take(&mut self, batch: Batch) -> Result<(), Blocked> {
        if batch.events.is_empty() {
            self.context.monitor.is_in(ProjectionState::Running);
            self.pass(batch.scanned_to).await;
            return Ok(());
        }
        if self.try_apply(&batch.events, batch.scanned_to).await.is_err() {
            // Something in there fails: one by one, so that everything before it is applied and it is known.
            for event in &batch.events {
                self.insist(event).await?;
            }
            self.pass(batch.scanned_to).await;
        }
        self.context.monitor.is_in(ProjectionState::Running);
        Ok(())
    }

    /// Moves past positions without events of ours.
    async fn pass(&mut self, to: Position) {
        self.moved_to(to);
        if to.value() - self.stored.value() >= CHECKPOINT_EVERY_POSITIONS
            && let Err(error) = self.store_position().await
        {
            self.report_retry(&error, 1);
        }
    }

    /// Applies one event, with growing pauses between the tries.
    async fn insist(&mut self, event: &RecordedEvent) -> Result<(), Blocked> {
        let mut pause = RETRY_PAUSE_MIN;
        let mut attempts = 0;
        loop {
            let error = match self.try_apply(std::slice::from_ref(event), event.position).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // Only the event itself, or its statements, can be at fault for good; a store comes back.
            let is_its_fault = match &error {
                ApplyError::Event { .. } => true,
                ApplyError::Store(error) => match error {
                    ReadStoreError::Refused(_) | ReadStoreError::Column { .. } | ReadStoreError::Guard { .. } => true,
                    ReadStoreError::Full | ReadStoreError::Unavailable(_) | ReadStoreError::Corrupt(_) => false,
                },
            };
            attempts += 1;
            if is_its_fault && attempts >= EVENT_ATTEMPTS_MAX {
                return Err(Blocked::At(Box::new(self.stopped_at(event, &error, attempts))));
            }
            self.report_retry(&error, attempts);
            if let Some(adopt) = self.pause(&mut pause).await {
                return Err(Blocked::Adopt(adopt));
            }
        }
    }

    async fn try_apply(&mut self, events: &[RecordedEvent], scanned_to: Position) -> Result<(), ApplyError> {
        let held = self.held.expect("a worker without a generation applies nothing");
        let decoded = decode_all(events)?;
        let Context { shape, rows, .. } = &self.context;
        let checkpoint = checkpoint(shape.name(), held.generation, held.epoch, scanned_to);
        let apply = shape.apply(&**rows, held.generation, &decoded, scanned_to, checkpoint, true);
        // A model that panics must not take its worker with it: the projection would stand still and not say so.
        AssertUnwindSafe(apply).catch_unwind().await.unwrap_or_else(|_| Err(panicked(events)))?;
        self.stored = scanned_to;
        self.moved_to(scanned_to);
        Ok(())
    }

    /// Waits a little, longer each time. Gives the generation that arrives meanwhile.
    async fn pause(&mut self, pause: &mut Duration) -> Option<Adopt> {
        let wait = *pause;
        *pause = (*pause * 2).min(RETRY_PAUSE_MAX);
        tokio::select! {
            biased;
            Some(adopt) = self.adoptions.recv() => Some(adopt),
            () = tokio::time::sleep(wait) => None,
        }
    }

    fn moved_to(&mut self, position: Position) {
        if let Some(held) = &mut self.held {
            held.position = position;
        }
        self.context.monitor.moved_to(position);
    }

    async fn store_position(&mut self) -> Result<(), ReadStoreError> {
        let Some(held) = self.held else { return Ok(()) };
        if held.position > self.stored {
            let statement = checkpoint(self.name(), held.generation, held.epoch, held.position);
            self.context.rows.transaction(vec![statement]).await?;
            self.stored = held.position;
        }
        Ok(())
    }

    /// Makes a filled generation the serving one, once it is where the old one is.
    async fn adopt(&mut self, adopt: Adopt) {
        let result = self.try_adopt(adopt.held).await;
        if let Err(error) = &result {
            tracing::error!(projection.name = self.name(), error = %error, "the new generation was not adopted");
        }
        let _ = adopt.done.send(result.map_err(|error| error.to_string()));
    }

    async fn try_adopt(&mut self, mut new: Held) -> Result<(), AdoptError> {
        let old = self.held.map_or(Position::START, |held| held.position);
        let Context { shape, events, rows, batch_events_max, .. } = &self.context;
        while new.position < old {
            let page = events.read_all(new.position, &shape.filter(), *batch_events_max).await?;
            // Not beyond the old generation: what comes after it is still to be announced.
            let within: Vec<RecordedEvent> =
                page.events.into_iter().take_while(|event| event.position <= old).collect();
            let to = page.scanned_to.min(old);
            let statement = checkpoint(shape.name(), new.generation, new.epoch, to);
            shape.apply(&**rows, new.generation, &decode_all(&within)?, to, statement, false).await?;
            new.position = to;
        }
        rows.transaction(bookkeeping::switch(shape.name(), new.generation)).await?;
        let has_gap = self.held.is_some() && new.position > old;
        self.held = Some(new);
        self.stored = new.position;
        self.serve(new, has_gap);
        Ok(())
    }

    fn serve(&self, held: Held, has_gap: bool) {
        let Context { shape, monitor, .. } = &self.context;
        shape.serve(held.generation, held.position, has_gap);
        monitor.serves(held.generation);
        monitor.moved_to(held.position);
        monitor.is_in(ProjectionState::Running);
        metrics::gauge!(telemetry::PROJECTION_STOPPED, "projection" => shape.name()).set(0.0);
    }

    fn stopped_at(&self, event: &RecordedEvent, error: &ApplyError, attempts: u32) -> StoppedAt {
        let error = match error {
            // The one guarded statement is the checkpoint.
            ApplyError::Store(ReadStoreError::Guard { .. }) => {
                "another process has taken the projection over, or moved it on; this one writes no more".to_owned()
            }
            ApplyError::Event { .. } | ApplyError::Store(_) => error.to_string(),
        };
        StoppedAt {
            position: event.position,
            type_name: event.type_name.clone(),
            stream: event.stream.clone(),
            revision: event.revision,
            error,
            attempts,
            since: self.context.clock.now(),
        }
    }

    fn report_retry(&self, error: &dyn std::error::Error, attempts: u32) {
        let name = self.name();
        tracing::warn!(projection.name = name, error = %error, "projection {name} tries again: {error}");
        self.context.monitor.is_in(ProjectionState::Retrying { error: error.to_string(), attempts });
    }
}

/// Why a generation did not become the serving one. The old one serves on.
#[derive(Debug, thiserror::Error)]
enum AdoptError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Events(#[from] StoreError),
    #[error(transparent)]
    Rows(#[from] ReadStoreError),
}

fn panicked(events: &[RecordedEvent]) -> ApplyError {
    let position = events.first().map_or(Position::START, |event| event.position);
    ApplyError::Event { position, error: "applying it panicked".to_owned() }
}

/// Says, everywhere an operator looks, that the projection stands at an event and what to do.
pub(crate) fn report_stop(context: &Context, stopped: StoppedAt) {
    let name = context.shape.name();
    tracing::error!(
        projection.name = name, event.position = %stopped.position, event.type = %stopped.type_name,
        stream.id = %stopped.stream, error = %stopped.error,
        "projection {name} stopped at event {}: {}. To go on, {}",
        stopped.position, stopped.error, stopped.way_out(name)
    );
    metrics::gauge!(telemetry::PROJECTION_STOPPED, "projection" => name).set(1.0);
    context.monitor.is_in(ProjectionState::Stopped(stopped));
}

/// Decodes events; the first that fails is at fault.
pub(crate) fn decode_all(events: &[RecordedEvent]) -> Result<Vec<Decoded>, ApplyError> {
    let decode = |event: &RecordedEvent| {
        Decoded::decode(event).map_err(|error| ApplyError::Event { position: event.position, error: error.to_string() })
    };
    events.iter().map(decode).collect()
}
