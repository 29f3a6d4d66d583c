//! The worker: follows the log and keeps one projection up to date.
//!
//! It reads a batch, decodes it, applies it with the checkpoint in one transaction, then announces the changes. An event
//! that fails parks its key, or stops the projection, whatever its policy says; none is ever passed without a trace.
//! The worker also makes the switch to another generation, so that nothing else ever changes what serves.

mod feed;
mod held;
mod order;
mod orders;

use infrastructure::{
    event_store::{Batch, Position, RecordedEvent, StoreError},
    read_store::ReadStoreError,
    telemetry::{self, with_causes},
};
use tokio::{sync::mpsc, time::Instant};
use tracing::Instrument as _;
use uuid::Uuid;

use self::feed::{Feed, Next};
pub(crate) use self::held::{Frozen, Held};
pub(crate) use self::order::{CompareError, Compared, Order, SwitchError, Which, ask};
use crate::{
    Pause, ProjectionState, StopCause, StoppedAt,
    context::Context,
    shape::{ApplyError, Audience, CheckError, Look},
    track::{ReleaseError, TrackError},
};

/// How many keys are tried again between two batches.
const RETRIES_AT_ONCE: usize = 16;

#[derive(Debug)]
pub(crate) struct Worker {
    context: Context,
    held: Held,
    orders: mpsc::Receiver<Order>,
    pause: Option<Pause>,
    stopped: Option<StoppedAt>,
    /// The event that is being tried, where a failure is to stop the projection, and how often it was.
    failing: Option<(Position, u32)>,
    feed: Feed,
    /// Of which generation what is parked was shown last, and after how many changes.
    shown: (i64, u64),
    /// Somebody else has what it holds, and goes on with it.
    is_lost: bool,
}

/// Why a worker follows the log no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The process stops.
    Stopping,
    /// It is to hold something else.
    Recalled,
    /// Somebody else has what it held.
    Lost,
}

/// Why a batch did not get through.
enum Trouble {
    /// A store is away, or an event is to be tried again.
    Again { error: String, attempts: u32 },
    /// An operator is needed.
    Stop(Box<StoppedAt>),
}

impl Worker {
    pub(crate) fn new(context: Context, held: Held, orders: mpsc::Receiver<Order>, pause: Option<Pause>) -> Self {
        Self {
            context,
            held,
            orders,
            pause,
            stopped: None,
            failing: None,
            feed: Feed::default(),
            shown: (0, 0),
            is_lost: false,
        }
    }

    /// Serves what it holds, before anybody asks.
    pub(crate) fn begin(&mut self) {
        if !matches!(self.held, Held::Nothing) {
            self.serve(false);
        }
        self.show();
    }

    pub(crate) async fn run(mut self) {
        // Nobody shares its work: it is told of a loss, and waits for an operator.
        self.follow(std::future::pending()).await;
        self.leave().await;
    }

    /// Follows the log with what it holds, until the process stops, it is recalled, or somebody else has what it holds.
    pub(crate) async fn follow(&mut self, recalled: impl Future<Output = ()>) -> Ended {
        let lifecycle = self.context.lifecycle.clone();
        let mut recalled = std::pin::pin!(recalled);
        loop {
            if self.is_lost {
                return Ended::Lost;
            }
            let is_halted = self.is_halted();
            let next = tokio::select! {
                biased;
                () = lifecycle.stopping() => return Ended::Stopping,
                () = &mut recalled => return Ended::Recalled,
                Some(order) = self.orders.recv() => Next::Order(order),
                next = self.feed.next(&self.context, &self.held, is_halted) => next,
            };
            match next {
                Next::Order(order) => self.obey(order).await,
                Next::Retries => {
                    self.retry_due().await;
                }
                Next::Batch(batch) => self.take(batch).await,
            }
        }
    }

    /// Holds something else from now on.
    pub(crate) fn hold(&mut self, held: Held) {
        self.held = held;
        self.is_lost = false;
        self.feed = Feed::default();
        if matches!(self.held, Held::Track(_)) {
            self.serve(false);
            self.show();
        }
    }

    /// Gives what it holds.
    pub(crate) fn let_go(&mut self) -> Held {
        std::mem::replace(&mut self.held, Held::Nothing)
    }

    /// Carries out the next order while there is nothing to follow.
    pub(crate) async fn obey_next(&mut self) {
        match self.orders.recv().await {
            Some(order) => self.obey(order).await,
            None => std::future::pending().await,
        }
    }

    /// What it would follow cannot be had for now.
    pub(crate) fn cannot_begin(&self, error: &ReadStoreError, pause: std::time::Duration) {
        let name = self.context.name();
        let error = with_causes(error);
        tracing::warn!(projection.name = name, error, "projection {name} cannot begin: {error}");
        let next = self.context.clock.now() + pause;
        self.context.monitor.is_in(ProjectionState::Retrying { error, attempts: 1, next });
    }

    /// Stores how far it is.
    pub(crate) async fn leave(&mut self) {
        self.context.shape.close();
        if let Held::Track(track) = &mut self.held
            && let Err(error) = track.store_position(&self.context).await
        {
            // The next start does a little again, which changes nothing.
            tracing::warn!(projection.name = self.context.name(), error = %error, "the last checkpoint was not stored");
        }
    }

    /// Whether it stands still until somebody orders otherwise.
    fn is_halted(&self) -> bool {
        self.stopped.is_some() || self.is_paused()
    }

    fn is_paused(&self) -> bool {
        let position = self.held.position().unwrap_or_default();
        self.pause.as_ref().is_some_and(|pause| pause.at.is_none_or(|at| position >= at))
    }

    /// Makes what it is doing visible.
    fn show(&self) {
        self.context.monitor.is_to_pause(self.pause.clone());
        let state = match (&self.stopped, &self.pause, &self.held) {
            (Some(stopped), ..) => ProjectionState::Stopped(stopped.clone()),
            (None, Some(pause), _) if self.is_paused() => ProjectionState::Paused(pause.clone()),
            (None, _, Held::Frozen(frozen)) if frozen.is_readable => {
                ProjectionState::Frozen { version: frozen.version }
            }
            (None, _, Held::Nothing | Held::Frozen(_)) => ProjectionState::Building,
            (None, _, Held::Track(_)) => ProjectionState::Running,
        };
        self.context.monitor.is_in(state);
    }

    /// Shows what is parked.
    fn show_parked(&mut self) {
        let Held::Track(track) = &self.held else { return };
        let now = (track.generation, track.parked.changes());
        if std::mem::replace(&mut self.shown, now) != now {
            self.context.monitor.parks(track.parked.count(), track.parked.behind());
        }
    }

    /// Takes one batch as far as it goes.
    async fn take(&mut self, batch: Result<Batch, StoreError>) {
        let started = Instant::now();
        let mut batch = match batch {
            Ok(batch) => batch,
            Err(error) => return self.again(error.to_string(), 1),
        };
        let is_caught_up = batch.is_caught_up;
        if let Some(at) = self.pause.as_ref().and_then(|pause| pause.at)
            && let Err(error) = self.end_at(at, &mut batch).await
        {
            return self.again(error.to_string(), 1);
        }
        match self.apply(&batch).await {
            Ok(()) => self.feed.is_well(),
            Err(_) if self.is_lost => return,
            Err(Trouble::Again { error, attempts }) => return self.again(error, attempts),
            Err(Trouble::Stop(stopped)) => return self.stop(*stopped),
        }
        self.show();
        if is_caught_up {
            self.feed.pace(started);
        }
    }

    async fn apply(&mut self, batch: &Batch) -> Result<(), Trouble> {
        if !batch.events.is_empty() {
            let outcome = self.try_apply(&batch.events, batch.scanned_to).await;
            let is_of_one = match &outcome {
                Ok(()) => false,
                Err(TrackError::Apply(error)) => error.is_of_event(),
                Err(TrackError::TooManyParked { .. }) => true,
            };
            if is_of_one {
                // One by one, so that everything before it is applied and it is known.
                for event in &batch.events {
                    self.apply_one(event).await?;
                }
            } else {
                self.explained(batch.events.first(), outcome).await?;
            }
        }
        let Held::Track(track) = &mut self.held else { return Ok(()) };
        match track.pass(&self.context, batch.scanned_to).await {
            Ok(()) => self.context.monitor.moved_to(track.position),
            Err(error @ ReadStoreError::Guard { .. }) => return self.denied(batch.events.last(), error).await,
            Err(error) => return Err(Trouble::Again { error: error.to_string(), attempts: 1 }),
        }
        Ok(())
    }

    async fn apply_one(&mut self, event: &RecordedEvent) -> Result<(), Trouble> {
        let error = match self.try_apply(std::slice::from_ref(event), event.position).await {
            Err(TrackError::Apply(error)) if error.is_of_event() => error.to_string(),
            outcome => return self.explained(Some(event), outcome).await,
        };
        if self.context.on_failure.parks {
            let Held::Track(track) = &mut self.held else { return Ok(()) };
            let parked = track.park(&self.context, event, error).await;
            if parked.is_ok() {
                // In this order: whoever sees the position sees also what is behind.
                self.show_parked();
                self.context.monitor.moved_to(event.position);
            }
            return self.explained(Some(event), parked).await;
        }
        let attempts = match self.failing {
            Some((position, attempts)) if position == event.position => attempts + 1,
            Some(_) | None => 1,
        };
        self.failing = Some((event.position, attempts));
        let name = self.context.name();
        metrics::counter!(telemetry::PROJECTION_FAILURES, "projection" => name).increment(1);
        if attempts >= self.context.on_failure.attempts_max {
            return Err(Trouble::Stop(Box::new(self.stopped_at(event, error, attempts, StopCause::Event))));
        }
        Err(Trouble::Again { error, attempts })
    }

    async fn try_apply(&mut self, events: &[RecordedEvent], scanned_to: Position) -> Result<(), TrackError> {
        let Held::Track(track) = &mut self.held else { return Ok(()) };
        let span =
            tracing::debug_span!("projection.batch", projection.name = self.context.name(), events = events.len());
        track.apply(&self.context, events, scanned_to, Audience::Live).instrument(span).await?;
        // In this order: whoever sees the position sees also what is behind.
        self.show_parked();
        self.context.monitor.moved_to(scanned_to);
        Ok(())
    }

    /// What a failure that is not an event's fault means.
    async fn explained(
        &mut self,
        event: Option<&RecordedEvent>,
        outcome: Result<(), TrackError>,
    ) -> Result<(), Trouble> {
        let again = |error: String| Err(Trouble::Again { error, attempts: 1 });
        match outcome {
            Ok(()) => Ok(()),
            Err(TrackError::TooManyParked { event, parked }) => {
                let error = format!("{parked} events are parked, and more fail");
                let stopped = self.stopped_at(&event, error, 1, StopCause::TooManyParked);
                Err(Trouble::Stop(Box::new(stopped)))
            }
            Err(TrackError::Apply(ApplyError::Store(error @ ReadStoreError::Guard { .. }))) => {
                self.denied(event, error).await
            }
            Err(error) => again(error.to_string()),
        }
    }

    /// The checkpoint did not move: somebody else has the generation, or an earlier write came through after all.
    async fn denied(&mut self, event: Option<&RecordedEvent>, denial: ReadStoreError) -> Result<(), Trouble> {
        let Held::Track(track) = &mut self.held else { return Ok(()) };
        match track.is_still_ours(&self.context).await {
            Err(error) => Err(Trouble::Again { error: error.to_string(), attempts: 1 }),
            Ok(true) => {
                // What was written was not announced.
                self.serve(true);
                Err(Trouble::Again { error: "an earlier write came through after all".to_owned(), attempts: 1 })
            }
            Ok(false) if self.context.is_shared => {
                self.is_lost = true;
                Err(Trouble::Again { error: "another process has taken some of its slices".to_owned(), attempts: 1 })
            }
            Ok(false) => {
                let error = "another process has taken the projection over; this one writes no more".to_owned();
                let Some(event) = event else {
                    return Err(Trouble::Again { error: format!("{error}: {denial}"), attempts: 1 });
                };
                Err(Trouble::Stop(Box::new(self.stopped_at(event, error, 1, StopCause::Fenced))))
            }
        }
    }

    /// Tries some of the keys whose time has come. False if a store was away.
    async fn retry_due(&mut self) -> bool {
        let Held::Track(track) = &mut self.held else { return true };
        let due = track.parked.due(self.context.clock.now());
        let mut failed = None;
        for key in due.into_iter().take(RETRIES_AT_ONCE) {
            if let Err(error) = track.release(&self.context, key, Audience::Late).await {
                failed = Some(error);
                break;
            }
        }
        let failed = match failed {
            Some(ReleaseError::Rows(denial @ ReadStoreError::Guard { .. })) if self.context.is_shared => {
                let _ = self.denied(None, denial).await;
                Some("somebody else was at a parked key".to_owned())
            }
            failed => failed.map(|error| format!("a parked key could not be tried: {}", with_causes(&error))),
        };
        if self.is_lost {
            return false;
        }
        self.room_again();
        self.show_parked();
        let is_well = failed.is_none();
        match failed {
            // One that stands still says why it does, and is asked again by whoever wants it to go on.
            Some(error) if self.stopped.is_some() => {
                tracing::warn!(projection.name = self.context.name(), error, "parked keys were not tried");
            }
            Some(error) => self.again(error, 1),
            None => {
                self.feed.is_well();
                self.show();
            }
        }
        is_well
    }

    /// A projection that had too many parked events goes on when there are fewer.
    fn room_again(&mut self) {
        let Held::Track(track) = &self.held else { return };
        let is_full = self.stopped.as_ref().is_some_and(|stopped| stopped.cause == StopCause::TooManyParked);
        if is_full && track.parked.events() < self.context.on_failure.parked_max {
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        self.stopped = None;
        self.failing = None;
        self.feed = Feed::default();
        // It may have stood at an event that somebody has mended in the file.
        self.context.log.forget();
        metrics::gauge!(telemetry::PROJECTION_STOPPED, "projection" => self.context.name()).set(0.0);
        self.show();
    }

    fn again(&mut self, error: String, attempts: u32) {
        let name = self.context.name();
        let pause = self.feed.again();
        self.context.log.forget();
        tracing::warn!(projection.name = name, error = %error, "projection {name} tries again: {error}");
        let next = self.context.clock.now() + pause;
        self.context.monitor.is_in(ProjectionState::Retrying { error, attempts, next });
    }

    /// Says, everywhere an operator looks, that the projection stands at an event and what to do.
    fn stop(&mut self, stopped: StoppedAt) {
        report_stop(&self.context, &stopped);
        self.feed = Feed::default();
        self.stopped = Some(stopped);
        self.show();
    }

    fn serve(&mut self, has_gap: bool) {
        let Context { shape, monitor, .. } = &self.context;
        let name = self.context.name();
        let (generation, frozen, position) = match &self.held {
            Held::Nothing => return,
            Held::Track(track) => {
                shape.serve(track.generation, track.position, has_gap);
                (track.generation, None, track.position)
            }
            Held::Frozen(frozen) if !frozen.is_readable => return,
            Held::Frozen(frozen) => {
                shape.serve_frozen(frozen.generation, &frozen.form, frozen.position);
                (frozen.generation, Some(frozen.version), frozen.position)
            }
        };
        monitor.serves(generation, frozen);
        if frozen.is_some() {
            monitor.parks(crate::ParkedCount::default(), std::collections::HashMap::new());
        }
        // In this order: whoever sees the position sees also what is behind.
        self.show_parked();
        self.context.monitor.moved_to(position);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!(telemetry::PROJECTION_GENERATION, "projection" => name).set(generation as f64);
        metrics::gauge!(telemetry::PROJECTION_STOPPED, "projection" => name).set(0.0);
    }

    fn stopped_at(&self, event: &RecordedEvent, error: String, attempts: u32, cause: StopCause) -> StoppedAt {
        StoppedAt {
            position: event.position,
            type_name: event.type_name.clone(),
            stream: event.stream.clone(),
            revision: event.revision,
            error,
            attempts,
            since: self.context.clock.now(),
            cause,
        }
    }
}

/// Says in log and metrics that the projection stands at an event and what to do.
pub(crate) fn report_stop(context: &Context, stopped: &StoppedAt) {
    let name = context.name();
    tracing::error!(
        projection.name = name, event.position = %stopped.position, event.type = %stopped.type_name,
        stream.id = %stopped.stream, error = %stopped.error,
        "projection {name} stopped at event {}: {}. To go on, {}",
        stopped.position, stopped.error, stopped.way_out(name)
    );
    metrics::gauge!(telemetry::PROJECTION_STOPPED, "projection" => name).set(1.0);
}

/// The keys of some rows and of some events, which ones `dice` decides.
pub(crate) async fn some_keys(
    context: &Context,
    look: Look<'_>,
    dice: u64,
    count: usize,
) -> Result<Vec<Uuid>, CheckError> {
    let mut keys = context.shape.sample(look, dice, count.div_ceil(2)).await?;
    keys.extend(keys_of_some_events(context, look.position, dice, count / 2).await?);
    Ok(keys)
}

/// The keys of some events of the log, from a place on that `dice` chooses.
async fn keys_of_some_events(
    context: &Context,
    up_to: Position,
    dice: u64,
    count: usize,
) -> Result<Vec<Uuid>, StoreError> {
    if up_to == Position::START {
        return Ok(Vec::new());
    }
    let after = Position::new(dice % up_to.value());
    let page = match context.events.read_all(after, &context.shape.filter(), count).await {
        // Where positions are not counters, hardly any number is one: rows have to do.
        Err(StoreError::Format(_)) => return Ok(Vec::new()),
        page => page?,
    };
    let events = page.events.iter().filter(|event| event.position <= up_to);
    let decoded = events.filter_map(|event| crate::Decoded::decode(event).ok());
    let mut keys: Vec<Uuid> = decoded.filter_map(|event| context.shape.key(&event).ok().flatten()).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}
