//! The rebuild: fills the next generation beside the serving one, fast.
//!
//! Scan, decode and fold run as a pipeline; rows are folded in memory, written in bulk with the checkpoint, and indexed
//! at the end. When the new generation is where the old one is, the worker switches. Until then nothing that serves
//! is touched; a rebuild that fails leaves no trace.

use std::{sync::Arc, time::Duration};

use infrastructure::{
    event_store::{EventStore, Position, RecordedEvent, StoreError, TypeFilter},
    read_store::{ReadStoreError, Statement},
    telemetry::with_causes,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use crate::{
    Decoded, StoppedAt,
    bookkeeping::{self, GenerationState},
    manager::TakenSlot,
    shape::{ApplyError, Builder},
    worker::{Adopt, Context, Held, decode_all, report_stop},
};

/// How many events one page of the scan holds.
const SCAN_PAGE_EVENTS: usize = 2_048;
/// How many pages may wait between two stages of the pipeline.
const PIPELINE_PAGES: usize = 4;
/// The first and the longest pause before a first build begins anew.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// A generation this close behind the serving one is handed over; the worker applies the rest.
const HANDOVER_POSITIONS_MAX: u64 = 2_048;

/// What a rebuild is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebuildPhase {
    /// It reads the log and fills the new generation.
    Filling,
    /// It sorts the indexes.
    Indexing,
    /// It waits for the worker to switch.
    Switching,
    /// The new generation serves.
    Done,
    /// It gave up; the old generation serves on.
    Failed(String),
}

/// How far a rebuild is.
#[derive(Clone, Debug, PartialEq)]
pub struct RebuildProgress {
    /// The generation it fills.
    pub generation: i64,
    /// What it is at.
    pub phase: RebuildPhase,
    /// How much of the log it has looked at, in positions.
    pub done: u64,
    /// How much there is.
    pub total: u64,
    /// How many events of this projection it has applied.
    pub events: u64,
    /// How long it has been at it.
    pub elapsed: Duration,
}

impl RebuildProgress {
    /// Positions per second so far.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        let done = u32::try_from(self.done).map_or(f64::from(u32::MAX), f64::from);
        if seconds > 0.0 { done / seconds } else { 0.0 }
    }

    /// How long it will take still, at this rate.
    pub fn remaining(&self) -> Option<Duration> {
        let left = u32::try_from(self.total.saturating_sub(self.done)).ok()?;
        let rate = self.rate();
        (rate > 0.0).then(|| Duration::from_secs_f64(f64::from(left) / rate))
    }

    /// Whether it is over, one way or the other.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, RebuildPhase::Done | RebuildPhase::Failed(_))
    }
}

/// Why a rebuild failed. The old generation serves on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RebuildError {
    /// An event cannot be applied.
    #[error("event {position} cannot be applied: {error}")]
    Event {
        /// Which one.
        position: Position,
        /// Why.
        error: String,
    },
    /// The event store failed.
    #[error("the event store failed during the rebuild")]
    Events(#[from] StoreError),
    /// The read store failed.
    #[error("the read store failed during the rebuild")]
    Rows(#[from] ReadStoreError),
    /// The worker did not switch.
    #[error("the new generation was not adopted: {0}")]
    Switch(String),
    /// The server stops.
    #[error("the server stops")]
    Stopping,
}

impl RebuildError {
    /// Whether another try may succeed without anybody doing anything.
    const fn is_passing(&self) -> bool {
        match self {
            Self::Events(StoreError::Full | StoreError::Unavailable(_))
            | Self::Rows(ReadStoreError::Full | ReadStoreError::Unavailable(_)) => true,
            Self::Events(StoreError::Stopped(_) | StoreError::Corrupt(_) | StoreError::Format(_))
            | Self::Rows(
                ReadStoreError::Guard { .. }
                | ReadStoreError::Refused(_)
                | ReadStoreError::Corrupt(_)
                | ReadStoreError::Column { .. },
            )
            | Self::Event { .. }
            | Self::Switch(_)
            | Self::Stopping => false,
        }
    }
}

impl From<ApplyError> for RebuildError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Event { position, error } => Self::Event { position, error },
            ApplyError::Store(error) => Self::Rows(error),
        }
    }
}

/// One rebuild of one projection.
#[derive(Debug)]
pub(crate) struct Rebuild {
    pub(crate) context: Context,
    pub(crate) adoptions: mpsc::Sender<Adopt>,
    /// The generation it fills.
    pub(crate) generation: i64,
    pub(crate) started: Instant,
    pub(crate) events: u64,
}

/// A part of the log, scanned.
type Page = (Vec<RecordedEvent>, Position);
type DecodedPage = (Vec<Decoded>, Position);

impl Rebuild {
    /// Says that it is about to start, so that whoever watches sees this rebuild and not the last one.
    pub(crate) fn announce(&self) {
        self.report(RebuildPhase::Filling, Position::START, Position::START);
    }

    /// Rebuilds, reporting progress to the monitor.
    pub(crate) async fn run(mut self, slot: TakenSlot) {
        let lifecycle = self.context.lifecycle.clone();
        let built = tokio::select! {
            biased;
            () = lifecycle.stopping() => Err(RebuildError::Stopping),
            built = self.insist() => built,
        };
        // From here on the worker decides: a stop must not remove what it is just making the serving one.
        let result = match built {
            Ok(held) => self.hand_over(held).await,
            Err(error) => Err(error),
        };
        let name = self.context.shape.name();
        match result {
            Ok(position) => {
                tracing::info!(projection.name = name, "projection {name} serves generation {}", self.generation);
                slot.release(|| self.report(RebuildPhase::Done, position, position));
            }
            Err(error) => {
                let text = with_causes(&error);
                tracing::error!(projection.name = name, error = %text, "the rebuild of {name} failed: {text}");
                self.discard().await;
                if let RebuildError::Event { position, error } = &error {
                    self.stand_at(*position, error).await;
                }
                slot.release(|| self.report(RebuildPhase::Failed(text), Position::START, Position::START));
            }
        }
    }

    /// Builds; again after a pause if a store was away and nothing serves yet, because a first generation has to come
    /// without an operator.
    async fn insist(&mut self) -> Result<Held, RebuildError> {
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            let error = match self.build().await {
                Err(error) if error.is_passing() && self.context.monitor.status().generation.is_none() => error,
                built => return built,
            };
            let name = self.context.shape.name();
            tracing::warn!(projection.name = name, error = %with_causes(&error), "the first build of {name} begins anew");
            self.discard().await;
            self.events = 0;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    /// Fills and indexes the generation until it is close behind the serving one.
    async fn build(&mut self) -> Result<Held, RebuildError> {
        let mut held = self.begin().await?;
        held.position = self.fill(held).await?;
        self.report(RebuildPhase::Indexing, held.position, held.position);
        let Context { shape, rows, .. } = &self.context;
        let finish = shape.finish(self.generation);
        if !finish.is_empty() {
            rows.transaction(finish).await?;
        }
        // Live traffic went on while the indexes were sorted.
        while self.target().await?.value() > held.position.value() + HANDOVER_POSITIONS_MAX {
            held.position = self.fill(held).await?;
        }
        Ok(held)
    }

    /// Lets the worker switch, and waits until it has. A worker that stops answers by going away.
    async fn hand_over(&self, held: Held) -> Result<Position, RebuildError> {
        self.report(RebuildPhase::Switching, held.position, held.position);
        let (done, switched) = oneshot::channel();
        self.adoptions.send(Adopt { held, done }).await.map_err(|_| RebuildError::Stopping)?;
        switched.await.map_err(|_| RebuildError::Stopping)?.map_err(RebuildError::Switch)?;
        Ok(held.position)
    }

    async fn begin(&self) -> Result<Held, RebuildError> {
        let Context { shape, rows, .. } = &self.context;
        let mut statements = shape.create(self.generation);
        let building = GenerationState::Building;
        statements.push(bookkeeping::insert(shape.name(), self.generation, shape.version(), building));
        rows.transaction(statements).await?;
        let (epoch, position) = bookkeeping::claim(&**rows, shape.name(), self.generation).await?;
        Ok(Held { generation: self.generation, epoch, position })
    }

    /// Where the filling ends: at the serving generation, or at the head if none serves or it stands still.
    async fn target(&self) -> Result<Position, RebuildError> {
        let status = self.context.monitor.status();
        if status.generation.is_some() && !matches!(status.state, crate::ProjectionState::Stopped(_)) {
            return Ok(status.position);
        }
        Ok(self.context.events.head().await?)
    }

    /// Applies everything from the held position to the target. Gives the position reached.
    async fn fill(&mut self, held: Held) -> Result<Position, RebuildError> {
        let target = self.target().await?;
        let Context { shape, events, rows, lifecycle, .. } = self.context.clone();
        let (page_sender, pages) = mpsc::channel(PIPELINE_PAGES);
        let (decoded_sender, mut decoded) = mpsc::channel(PIPELINE_PAGES);
        lifecycle.spawn(scan(events, shape.filter(), held.position, target, page_sender));
        tokio::task::spawn_blocking(move || decode(pages, &decoded_sender));
        let mut builder = shape.builder(self.generation);
        let (mut written, mut reached) = (held.position, held.position);
        let mut writing = Writing::default();
        while let Some(page) = decoded.recv().await {
            let (page, scanned_to) = page?;
            self.events += page.len() as u64;
            builder.apply(&*rows, &page).await?;
            reached = scanned_to;
            if builder.is_full() {
                writing.finish().await?;
                writing.start(&self.context, self.statements(&mut *builder, held, reached));
                written = reached;
            }
            self.report(RebuildPhase::Filling, reached, target);
        }
        writing.finish().await?;
        if reached > written {
            self.context.rows.transaction(self.statements(&mut *builder, held, reached)).await?;
        }
        Ok(reached)
    }

    /// What the builder holds back, with the checkpoint.
    fn statements(&self, builder: &mut dyn Builder, held: Held, to: Position) -> Vec<Statement> {
        let mut statements = builder.flush();
        statements.push(bookkeeping::checkpoint(self.context.shape.name(), held.generation, held.epoch, to));
        statements
    }

    /// Where no generation serves, the projection stands at the event that kept its first one from being built.
    async fn stand_at(&self, position: Position, error: &str) {
        let Context { events, clock, monitor, .. } = &self.context;
        if monitor.status().generation.is_some() {
            return;
        }
        let before = Position::new(position.value().saturating_sub(1));
        let page = events.read_all(before, &TypeFilter::All, 1).await;
        let Some(event) = page.ok().and_then(|page| page.events.into_iter().next()) else { return };
        let stopped = StoppedAt {
            position,
            type_name: event.type_name,
            stream: event.stream,
            revision: event.revision,
            error: error.to_owned(),
            attempts: 1,
            since: clock.now(),
        };
        report_stop(&self.context, stopped);
    }

    async fn discard(&self) {
        let Context { shape, rows, .. } = &self.context;
        let statements = bookkeeping::discard(shape.name(), self.generation, &shape.tables(self.generation));
        match rows.transaction(statements).await {
            // There is nothing of it left, or it serves after all.
            Ok(()) | Err(ReadStoreError::Guard { .. }) => {}
            // The next start removes it.
            Err(error) => {
                tracing::warn!(projection.name = shape.name(), error = %error, "a failed rebuild was not removed yet");
            }
        }
    }

    fn report(&self, phase: RebuildPhase, done: Position, total: Position) {
        self.context.monitor.rebuilds(RebuildProgress {
            generation: self.generation,
            phase,
            done: done.value(),
            total: total.value(),
            events: self.events,
            elapsed: self.started.elapsed(),
        });
    }
}

/// The last stage: one chunk is written while the next one is folded.
#[derive(Debug, Default)]
struct Writing(Option<JoinHandle<Result<(), ReadStoreError>>>);

impl Writing {
    fn start(&mut self, context: &Context, statements: Vec<Statement>) {
        let rows = Arc::clone(&context.rows);
        self.0 = Some(context.lifecycle.spawn(async move { rows.transaction(statements).await }));
    }

    /// Waits until the chunk is written.
    async fn finish(&mut self) -> Result<(), RebuildError> {
        let Some(writing) = self.0.take() else { return Ok(()) };
        Ok(writing.await.map_err(|_| RebuildError::Stopping)??)
    }
}

/// First stage: reads the log.
async fn scan(
    events: Arc<dyn EventStore>,
    filter: TypeFilter,
    mut after: Position,
    target: Position,
    pages: mpsc::Sender<Result<Page, RebuildError>>,
) {
    while after < target {
        let page = events.read_all(after, &filter, SCAN_PAGE_EVENTS).await;
        let page = page.map_err(RebuildError::from).map(|mut page| {
            page.events.retain(|event| event.position <= target);
            after = page.scanned_to.min(target);
            (page.events, after)
        });
        let is_over = page.is_err();
        if pages.send(page).await.is_err() || is_over {
            return;
        }
    }
}

/// Second stage: decodes, on a thread of its own.
fn decode(
    mut pages: mpsc::Receiver<Result<Page, RebuildError>>,
    decoded: &mpsc::Sender<Result<DecodedPage, RebuildError>>,
) {
    while let Some(page) = pages.blocking_recv() {
        let page = page.and_then(|(events, scanned_to)| Ok((decode_all(&events)?, scanned_to)));
        let is_over = page.is_err();
        if decoded.blocking_send(page).is_err() || is_over {
            return;
        }
    }
}
