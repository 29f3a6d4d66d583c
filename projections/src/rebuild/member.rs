//! One model that is being built.

use std::sync::Arc;

use infrastructure::{
    event_store::{Position, StoreError},
    read_store::{ReadStoreError, Statement, Value},
    telemetry::{self, with_causes},
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tracing::Instrument as _;

use super::{RebuildError, RebuildPhase, RebuildProgress, pipeline::DecodedEvents, throttle::Throttle};
use crate::{
    ParkedEvent, ParkedState, ProjectionState, StopCause, StoppedAt,
    bookkeeping::{self, Built, Generation, GenerationState},
    context::Context,
    parking::{ParkedKeys, sql},
    shape::{ApplyError, Builder, Verified},
    track::{ReleaseError, Track, waiting},
    worker::{Held, Order, ask, report_stop},
};

/// How many events are applied at once where they must be looked at one by one.
const SLOW_PAGE_EVENTS: usize = 256;

/// What a generation is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To serve.
    Serve,
    /// To be compared with the one that serves.
    Compare,
}

/// A model that is being built: its generation, what is held back in memory, what is on its way into the table.
pub(crate) struct Member {
    pub(crate) context: Context,
    pub(crate) generation: i64,
    pub(super) purpose: Purpose,
    pub(super) started: Instant,
    pub(super) track: Box<Track>,
    builder: Box<dyn Builder>,
    built: Built,
    /// How long earlier processes had been at it.
    earlier: u64,
    resumed_at: Position,
    /// What was parked since the last flush.
    entries: Vec<ParkedEvent>,
    writing: Option<JoinHandle<Result<(), ReadStoreError>>>,
    /// What `writing` brings the checkpoint to.
    writing_to: Position,
    /// What was written and what is remembered may differ since a step failed: it must begin again at its checkpoint.
    pub(super) is_spoiled: bool,
    pub(super) held_back: std::time::Duration,
    pub(super) verified: Option<Verified>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Member").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Member {
    /// Begins a generation, or goes on with one that an earlier process has begun.
    pub(super) async fn begin(
        context: Context,
        number: i64,
        resumed: Option<&Generation>,
        purpose: Purpose,
    ) -> Result<Self, RebuildError> {
        let shape = &context.shape;
        if resumed.is_none() {
            let mut statements = shape.create(number);
            let state = match purpose {
                Purpose::Serve => GenerationState::Building,
                Purpose::Compare => GenerationState::Scratch,
            };
            let (version, form, now) = (shape.version(), shape.form(), context.clock.now());
            statements.push(bookkeeping::give_number(shape.name(), number));
            statements.extend(bookkeeping::insert(shape.name(), number, context.slices, (version, &form), state, now));
            context.rows.transaction(statements).await?;
        }
        infrastructure::failpoint!("rebuild.begun");
        let generations = bookkeeping::generations(&*context.rows, shape.name()).await?;
        let gone = ReadStoreError::Guard { expected: 1, changed: 0 };
        let generation = generations.iter().find(|generation| generation.number == number).ok_or(gone)?;
        let track = Box::new(Track::claim(&context, number, None).await?);
        let builder = shape.builder(number, generation.tally, context.event_limit);
        let (resumed_at, built) = (track.position, generation.built);
        Ok(Self {
            generation: number,
            purpose,
            started: Instant::now(),
            builder,
            built,
            earlier: built.millis,
            resumed_at,
            entries: Vec::new(),
            writing: None,
            writing_to: resumed_at,
            is_spoiled: false,
            held_back: std::time::Duration::ZERO,
            verified: None,
            track,
            context,
        })
    }

    /// Takes the events of a page that are this model's, and writes when there is enough to write.
    pub(super) async fn step(
        &mut self,
        events: DecodedEvents,
        scanned_to: Position,
        throttle: &mut Throttle,
    ) -> Result<(), RebuildError> {
        // A step that fails, or that nobody waits for any more, leaves rows behind that are in no table.
        self.is_spoiled = true;
        self.take(events, scanned_to).await?;
        if throttle.is_full(self.builder.held()) {
            self.flush().await?;
        }
        self.is_spoiled = false;
        Ok(())
    }

    /// Takes the events of a page that are this model's.
    async fn take(&mut self, events: DecodedEvents, scanned_to: Position) -> Result<(), RebuildError> {
        let count = events.len() as u64;
        let (ready, mut entries) = self.track.sort_in(&self.context, events);
        match self.builder.apply(&*self.context.rows, ready).await {
            Ok(failures) => {
                for failure in failures {
                    entries.push(self.track.entry_at(&self.context, failure.place, failure.key, failure.error));
                }
            }
            Err(error) if error.is_of_event() => {
                self.built.events += count;
                return self.slowly(scanned_to).await;
            }
            Err(error) => return Err(error.into()),
        }
        self.built.events += count;
        self.park(entries)?;
        self.track.position = scanned_to;
        Ok(())
    }

    fn park(&mut self, mut entries: Vec<ParkedEvent>) -> Result<(), RebuildError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.track.settle(&mut entries);
        let first = entries.iter().find(|entry| entry.state == ParkedState::Failed);
        let policy = &self.context.on_failure;
        let is_too_many = self.track.is_too_many(&self.context, waiting(&entries));
        if let Some(first) = first.filter(|_| !policy.parks || is_too_many) {
            return Err(RebuildError::Event { place: first.position, error: first.error.clone().unwrap_or_default() });
        }
        self.track.has_parked(self.context.name(), &entries);
        self.entries.extend(entries);
        Ok(())
    }

    /// Writes what is held back, while the next events are taken.
    async fn flush(&mut self) -> Result<(), RebuildError> {
        if let Err(error) = self.written().await {
            return self.or_slowly(error).await;
        }
        if self.track.position == self.track.slices.stored() {
            return Ok(());
        }
        let statements = match self.statements() {
            Ok(statements) => statements,
            Err(error) => return self.or_slowly(error.into()).await,
        };
        let rows = Arc::clone(&self.context.rows);
        infrastructure::failpoint!("rebuild.write");
        self.writing_to = self.track.position;
        let span = tracing::debug_span!("projection.rebuild_chunk", projection.name = self.context.name());
        let write = async move {
            let written = rows.transaction(statements).await;
            infrastructure::failpoint!("rebuild.written");
            written
        };
        self.writing = Some(self.context.lifecycle.spawn(write.instrument(span)));
        Ok(())
    }

    /// Writes everything, and waits until it is there.
    pub(super) async fn flush_all(&mut self) -> Result<(), RebuildError> {
        self.is_spoiled = true;
        self.flush().await?;
        if let Err(error) = self.written().await {
            self.or_slowly(error).await?;
        }
        self.is_spoiled = false;
        Ok(())
    }

    /// Waits until what is on its way is written.
    async fn written(&mut self) -> Result<(), RebuildError> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        writing.await.map_err(|_| RebuildError::Stopping)??;
        self.track.slices.are_stored_to(self.writing_to);
        Ok(())
    }

    /// What the builder holds back and what was parked, with the checkpoint.
    fn statements(&mut self) -> Result<Vec<Statement>, ApplyError> {
        let mut statements = self.builder.flush()?;
        if !self.entries.is_empty() {
            statements.push(sql::put(&self.entries));
            self.entries.clear();
        }
        let (name, generation) = (self.context.name(), self.generation);
        statements.push(self.track.slices.checkpoint(name, generation, self.track.position));
        statements.push(bookkeeping::built(name, generation, self.builder.tally(), self.built()));
        Ok(statements)
    }

    fn built(&self) -> Built {
        let millis =
            u64::try_from(self.started.elapsed().saturating_sub(self.held_back).as_millis()).unwrap_or(u64::MAX);
        Built { millis: self.earlier + millis, ..self.built }
    }

    async fn or_slowly(&mut self, error: RebuildError) -> Result<(), RebuildError> {
        match error {
            RebuildError::Rows(ReadStoreError::Refused(_) | ReadStoreError::Column { .. }) | RebuildError::Apply(_) => {
                let to = self.track.position;
                self.slowly(to).await
            }
            RebuildError::Rows(_)
            | RebuildError::Event { .. }
            | RebuildError::Verification(_)
            | RebuildError::Events(_)
            | RebuildError::Switch(_)
            | RebuildError::Stopping => Err(error),
        }
    }

    /// Something since the last write cannot be written and it is not known what: goes over it again as the live worker
    /// would, which parks exactly that.
    async fn slowly(&mut self, to: Position) -> Result<(), RebuildError> {
        if !self.context.on_failure.parks {
            return self.find_the_one(to).await;
        }
        // What is still on its way may be the one that fails.
        let on_its_way = self.written().await;
        self.builder.reset();
        self.entries.clear();
        self.track.remember_parked(&self.context).await?;
        self.track.position = self.track.slices.stored();
        tracing::info!(
            projection.name = self.context.name(), outcome = ?on_its_way.err().map(|error| with_causes(&error)),
            "something between {} and {to} cannot be written in bulk; going over it one by one", self.track.position
        );
        while self.track.position < to {
            self.track.follow(&self.context, to, SLOW_PAGE_EVENTS).await?;
            self.track.store_position(&self.context).await?;
        }
        Ok(())
    }

    /// The projection is to stop at the event that fails: which one is it?
    async fn find_the_one(&mut self, to: Position) -> Result<(), RebuildError> {
        let filter = self.context.shape.filter();
        let (events, from) = (Arc::clone(&self.context.events), self.track.slices.stored());
        let mut after = from;
        while after < to {
            let page = events.read_all(after, &filter, SLOW_PAGE_EVENTS).await?;
            after = page.scanned_to;
            for event in &page.events {
                let one = std::slice::from_ref(event);
                let audience = crate::shape::Audience::Nobody;
                if let Err(error) = self.track.apply(&self.context, one, event.position, audience).await {
                    return Err(RebuildError::Event { place: event.position, error: error.to_string() });
                }
            }
        }
        Ok(())
    }

    /// What waits in the generation that its rows come from waits here too, and is tried as soon as this one serves.
    pub(super) async fn takes_over_parked(&mut self, mut entries: Vec<ParkedEvent>) -> Result<(), RebuildError> {
        let (name, now) = (self.context.name(), self.context.clock.now());
        for entry in &mut entries {
            entry.generation = self.generation;
            entry.next_retry = (entry.state == ParkedState::Failed).then_some(now);
        }
        let before = vec![Value::Text(name.to_owned()), Value::Int(self.generation)];
        let mut statements = self.track.guard(&self.context);
        statements.extend([crate::parking::forget(before), sql::put(&entries)]);
        self.context.rows.transaction(statements).await?;
        self.track.parked = ParkedKeys::of(&entries);
        Ok(())
    }

    /// Its rows were copied and folded anew up to here, so many of them.
    pub(super) async fn is_copied(&mut self, to: Position, rows: u64) -> Result<(), RebuildError> {
        self.builder.reset();
        self.built.events += rows;
        if to > self.track.position {
            self.track.position = to;
            self.flush_all().await?;
        }
        Ok(())
    }

    /// Where the filling ends: at the serving generation, or at the head if none serves or it does not move.
    pub(super) async fn target(&self) -> Result<Position, StoreError> {
        let status = self.context.monitor.status();
        let follows = match status.state {
            ProjectionState::Running | ProjectionState::Retrying { .. } | ProjectionState::Paused(_) => true,
            ProjectionState::Building
            | ProjectionState::Frozen { .. }
            | ProjectionState::Stopped(_)
            | ProjectionState::Unattended { .. } => false,
        };
        if follows && status.generation.is_some() {
            return Ok(status.position);
        }
        self.context.events.head().await
    }

    /// Sorts the indexes, one transaction each so that live batches come in between, and looks whether everything is
    /// there and right.
    pub(super) async fn index_and_verify(&mut self) -> Result<(), RebuildError> {
        self.report(RebuildPhase::Verifying, self.track.position, self.track.position);
        let expected = self.builder.tally();
        let this: &Self = self;
        let Context { shape, rows, .. } = &this.context;
        let indexing = async {
            for statement in shape.finish(this.generation) {
                rows.transaction(vec![statement]).await?;
                infrastructure::failpoint!("rebuild.indexed");
            }
            Ok::<(), RebuildError>(())
        };
        let verifying = async { Ok(shape.verify(this.track.look(&this.context), expected).await?) };
        let ((), verified) = tokio::try_join!(indexing, verifying)?;
        infrastructure::failpoint!("rebuild.verified");
        self.verified = Some(verified);
        Ok(())
    }

    /// Applies what only waits for its turn, such as the events behind one that is skipped.
    pub(super) async fn release_due(&mut self) -> Result<(), RebuildError> {
        for key in self.track.parked.due(self.context.clock.now()) {
            let audience = crate::shape::Audience::Nobody;
            self.track.release(&self.context, key, audience).await.map_err(|error| match error {
                ReleaseError::Events(error) => RebuildError::Events(error),
                ReleaseError::Rows(error) => RebuildError::Rows(error),
                error @ ReleaseError::NotWaiting { .. } => RebuildError::Switch(error.to_string()),
            })?;
        }
        Ok(())
    }

    /// Lets the worker switch, and waits until it has. Gives what served before. A worker that stops answers by going
    /// away.
    pub(super) async fn hand_over(self, orders: &mpsc::Sender<Order>) -> Result<(Held, RebuildProgress), RebuildError> {
        self.report(RebuildPhase::Switching, self.track.position, self.track.position);
        let done = self.progress(RebuildPhase::Done, self.track.position, self.track.position);
        let to = Held::Track(self.track);
        let switched = ask(orders, |answer| Order::Switch { to, before: GenerationState::Standby, answer }).await;
        let old = switched.ok_or(RebuildError::Stopping)?.map_err(|error| RebuildError::Switch(error.to_string()))?;
        Ok((old, done))
    }

    /// How many events it applied, and how many rows there are.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.built.events, self.verified.as_ref().map_or(0, |verified| verified.rows))
    }

    /// Only the generation.
    pub(crate) fn into_track(self) -> Box<Track> {
        self.track
    }

    pub(super) fn report(&self, phase: RebuildPhase, done: Position, total: Position) {
        if self.purpose == Purpose::Compare {
            return;
        }
        let progress = self.progress(phase, done, total);
        show(&self.context, progress);
    }

    pub(super) fn progress(&self, phase: RebuildPhase, done: Position, total: Position) -> RebuildProgress {
        RebuildProgress {
            generation: self.generation,
            phase,
            done: done.value(),
            total: total.value().max(done.value()),
            resumed_at: self.resumed_at.value(),
            events: self.built.events,
            parked_keys: self.track.parked.count().keys,
            elapsed: self.started.elapsed(),
            held_back: self.held_back,
            verified: self.verified.clone(),
        }
    }
}

/// Shows how far a rebuild is.
pub(super) fn show(context: &Context, progress: RebuildProgress) {
    let name = context.name();
    let is_running = if progress.is_over() { 0.0 } else { 1.0 };
    metrics::gauge!(telemetry::REBUILD_RUNNING, "projection" => name).set(is_running);
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let (done, total) = (progress.done as f64, progress.total as f64);
    metrics::gauge!(telemetry::REBUILD_DONE, "projection" => name).set(done);
    metrics::gauge!(telemetry::REBUILD_TOTAL, "projection" => name).set(total);
    metrics::counter!(telemetry::REBUILD_EVENTS, "projection" => name).absolute(progress.events);
    context.monitor.rebuilds(progress);
}

/// Says that what an earlier process began to build is gone: there was nothing of it to go on with.
pub(crate) fn abandoned(context: &Context, generation: i64) {
    let name = context.name();
    let error = "the process ended before anything of the new generation was stored; order it again".to_owned();
    tracing::warn!(projection.name = name, "the rebuild of {name} into generation {generation} was given up: {error}");
    show(context, RebuildProgress::blank(generation, RebuildPhase::Failed(error)));
}

/// Removes a generation that is not to serve; where it is known whose it is, only if it is so still.
pub(crate) async fn discard(context: &Context, generation: i64, fence: Option<Statement>) {
    let Context { shape, rows, .. } = context;
    let mut statements: Vec<Statement> = fence.into_iter().collect();
    statements.extend(bookkeeping::discard(shape.name(), generation, &shape.tables(generation)));
    infrastructure::failpoint!("discard.before");
    let discarded = rows.transaction(statements).await;
    infrastructure::failpoint!("discard.after");
    match discarded {
        // There is nothing of it left, it serves after all, or it is somebody else's by now.
        Ok(()) | Err(ReadStoreError::Guard { .. }) => {}
        // The next start removes it.
        Err(error) => {
            tracing::warn!(
                projection.name = shape.name(), error = %error,
                "generation {generation} was not removed yet; the next start does"
            );
        }
    }
}

/// Where no generation serves, the projection stands at the event that kept its first one from being built.
pub(super) async fn stand_at(context: &Context, position: Position, error: &str) {
    let Context { events, clock, monitor, .. } = context;
    if monitor.status().generation.is_some() {
        return;
    }
    let Ok(Some(event)) = events.event_at(position).await else { return };
    let stopped = StoppedAt {
        position,
        type_name: event.type_name,
        stream: event.stream,
        revision: event.revision,
        error: error.to_owned(),
        attempts: 1,
        since: clock.now(),
        cause: StopCause::Event,
    };
    report_stop(context, &stopped);
    monitor.is_in(ProjectionState::Stopped(stopped));
}
