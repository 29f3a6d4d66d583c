//! The rebuild: fills next generations beside those that serve, fast.
//!
//! The log is scanned and decoded once for all models that are being built; rows are folded in memory, written in bulk
//! with the checkpoint, indexed and verified at the end. When a new generation is where the old one is, the worker
//! switches. Until then nothing that serves is touched. Each chunk is durable with its checkpoint, so a rebuild that was
//! killed goes on where it was; one that fails leaves no trace.

mod affected;
mod estimate;
mod member;
mod pipeline;
mod progress;
mod throttle;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use infrastructure::{
    event_store::{Position, StoreError},
    read_store::{ReadStoreError, Statement},
    telemetry::with_causes,
};
use tokio::sync::mpsc;

use self::{member::show, throttle::Throttle};
use crate::{
    bookkeeping::{self, Generation},
    context::Context,
    shape::{ApplyError, CheckError},
    slot::TakenSlot,
    standby::Standby,
    track::{FollowError, TrackError},
    worker::Order,
};

pub use estimate::{EstimateBasis, RebuildEstimate};
pub(crate) use estimate::{EstimateError, estimate};
pub(crate) use member::{Member, Purpose, abandoned, discard};
pub use progress::{RebuildPhase, RebuildProgress};

/// The first and the longest pause before another try.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often a rebuild goes on after a store was away, when another generation serves meanwhile.
const RETRIES_MAX: u32 = 8;
/// A generation this close behind the serving one is handed over; the worker applies the rest.
const HANDOVER_POSITIONS_MAX: u64 = 2_048;
/// From so many events on, the indexes of a system with live traffic are kept from the start: sorting them in one go
/// would keep live batches waiting for long.
const EARLY_INDEX_POSITIONS: u64 = 2_000_000;

/// Why a rebuild failed. The old generation serves on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RebuildError {
    /// An event cannot be applied.
    #[error("event {place} cannot be applied: {error}")]
    Event {
        /// Which one.
        place: Position,
        /// Why.
        error: String,
    },
    /// Something cannot be written.
    #[error(transparent)]
    Apply(ApplyError),
    /// The look at the new generation found something wrong, or could not be taken.
    #[error("the new generation was not verified")]
    Verification(#[source] CheckError),
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
    #[error("the server stops; the next start goes on with it")]
    Stopping,
}

impl RebuildError {
    /// Whether going on from the last checkpoint may succeed without anybody doing anything.
    const fn is_passing(&self, is_first: bool) -> bool {
        match self {
            Self::Events(StoreError::Unavailable(_)) | Self::Rows(ReadStoreError::Unavailable(_)) => true,
            // Half a generation must not keep a full device full, unless nothing else serves.
            Self::Events(StoreError::Full) | Self::Rows(ReadStoreError::Full) => is_first,
            Self::Events(StoreError::Stopped(_) | StoreError::Corrupt(_) | StoreError::Format(_))
            | Self::Rows(
                ReadStoreError::Guard { .. }
                | ReadStoreError::Refused(_)
                | ReadStoreError::Corrupt(_)
                | ReadStoreError::Column { .. },
            )
            | Self::Event { .. }
            | Self::Apply(_)
            | Self::Verification(_)
            | Self::Switch(_)
            | Self::Stopping => false,
        }
    }
}

impl From<ApplyError> for RebuildError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Batch(_) => Self::Apply(error),
            ApplyError::Store(error) => Self::Rows(error),
        }
    }
}

impl From<CheckError> for RebuildError {
    fn from(error: CheckError) -> Self {
        match error {
            // A store that is away says nothing about the generation.
            CheckError::Events(error) => Self::Events(error),
            CheckError::Rows(error) => Self::Rows(error),
            CheckError::NotByKey | CheckError::Missing(_) | CheckError::Unfoldable { .. } | CheckError::Finding(_) => {
                Self::Verification(error)
            }
        }
    }
}

impl From<FollowError> for RebuildError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Events(error) => Self::Events(error),
            FollowError::Track(error) => error.into(),
        }
    }
}

impl From<TrackError> for RebuildError {
    fn from(error: TrackError) -> Self {
        let text = error.to_string();
        match error {
            TrackError::Apply(error) => error.into(),
            TrackError::TooManyParked { event, .. } => Self::Event { place: event.position, error: text },
        }
    }
}

/// A model to build: what it takes to begin.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) context: Context,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) standby: Standby,
    pub(crate) slot: TakenSlot,
    /// The generation to fill.
    pub(crate) number: i64,
    /// What an earlier process has of it.
    pub(crate) resumed: Option<Generation>,
    /// Only the rows that events from here on have changed are folded anew; the others are copied.
    pub(crate) from: Option<Position>,
}

impl Plan {
    /// Says that it is about to start, so that whoever watches sees this rebuild and not the last one.
    pub(crate) fn announce(&self) {
        show(&self.context, self.blank(RebuildPhase::Filling));
    }

    fn blank(&self, phase: RebuildPhase) -> RebuildProgress {
        let (done, events) =
            self.resumed.as_ref().map_or((0, 0), |resumed| (resumed.position.value(), resumed.built.events));
        RebuildProgress { done, total: done, resumed_at: done, events, ..RebuildProgress::blank(self.number, phase) }
    }

    /// `fence` holds as long as what was built is this plan's own; without it nothing was.
    async fn fail(self, error: &RebuildError, last: RebuildProgress, fence: Option<Statement>) {
        let (text, name) = (with_causes(error), self.context.name());
        if matches!(error, RebuildError::Stopping) {
            // What is written is gone on with by the next start.
            tracing::info!(projection.name = name, "the rebuild of {name} stops; the next start goes on with it");
        } else {
            tracing::error!(projection.name = name, error = %text, "the rebuild of {name} failed: {text}");
            if fence.is_some() {
                discard(&self.context, self.number, fence).await;
            }
            if let RebuildError::Event { place, error } = error {
                member::stand_at(&self.context, *place, error).await;
            }
        }
        self.slot.release(|| show(&self.context, RebuildProgress { phase: RebuildPhase::Failed(text), ..last }));
    }
}

/// Builds models together, from one scan of the log. Each serves as soon as it is ready; one that fails does not keep the
/// others back.
pub(crate) async fn run(plans: Vec<Plan>, share: u32) {
    let Some(lifecycle) = plans.first().map(|plan| plan.context.lifecycle.clone()) else { return };
    let mut work: Vec<Work> = Vec::new();
    for plan in plans {
        match begin(&plan).await {
            Ok(member) => work.push(Work { plan, member }),
            Err(error) => {
                let last = plan.blank(RebuildPhase::Filling);
                if error.is_passing(plan.context.monitor.status().generation.is_none()) {
                    lifecycle.spawn(begin_again(plan, share));
                } else {
                    plan.fail(&error, last, None).await;
                }
            }
        }
    }
    let stopped = tokio::select! {
        biased;
        () = lifecycle.stopping() => true,
        () = fill_together(&mut work, share) => false,
    };
    if stopped {
        for Work { plan, member, .. } in work {
            let last = member.progress(RebuildPhase::Filling, member.track.position, member.track.position);
            plan.fail(&RebuildError::Stopping, last, None).await;
        }
        return;
    }
    futures_util::future::join_all(work.into_iter().map(|work| complete(work, share))).await;
}

/// A model being built.
struct Work {
    plan: Plan,
    member: Member,
}

async fn begin(plan: &Plan) -> Result<Member, RebuildError> {
    Member::begin(plan.context.clone(), plan.number, plan.resumed.as_ref(), Purpose::Serve).await
}

/// A store was away before there was anything to go on with.
fn begin_again(mut plan: Plan, share: u32) -> futures_util::future::BoxFuture<'static, ()> {
    Box::pin(async move {
        let lifecycle = plan.context.lifecycle.clone();
        tokio::select! {
            biased;
            () = lifecycle.stopping() => {
                let last = plan.blank(RebuildPhase::Filling);
                return plan.fail(&RebuildError::Stopping, last, None).await;
            }
            () = tokio::time::sleep(RETRY_PAUSE_MIN) => {}
        }
        if plan.resumed.is_none() {
            // What was entered before the store went away holds nothing yet.
            discard(&plan.context, plan.number, Some(bookkeeping::is_untouched(plan.context.name(), plan.number)))
                .await;
        }
        let generations = bookkeeping::generations(&*plan.context.rows, plan.context.name()).await;
        plan.resumed = generations.ok().and_then(|all| all.into_iter().find(|known| known.number == plan.number));
        run(vec![plan], share).await;
    })
}

/// Fills all of them to where the first of them has to be, from one scan. Those that fail are filled alone afterwards.
async fn fill_together(work: &mut [Work], share: u32) {
    let mut members: Vec<&mut Member> =
        work.iter_mut().filter(|work| work.plan.from.is_none()).map(|work| &mut work.member).collect();
    if members.len() < 2 {
        return;
    }
    let mut target: Option<Position> = None;
    for member in &members {
        let Ok(own) = member.target().await else { return };
        target = Some(target.map_or(own, |target| target.min(own)));
    }
    if let Err(error) = fill(&mut members, target.unwrap_or_default(), share).await {
        tracing::info!(error = %with_causes(&error), "models that were being built together go on alone");
    }
}

/// Applies everything up to the target to each of the members that are behind it. The first failure of one ends it.
pub(crate) async fn fill(members: &mut [&mut Member], target: Position, share: u32) -> Result<(), RebuildError> {
    let Some(after) = members.iter().map(|member| member.track.position).min() else { return Ok(()) };
    let Some(first) = members.first() else { return Ok(()) };
    let context = first.context.clone();
    let prefixes: BTreeSet<&str> = members.iter().flat_map(|member| member.context.shape.events()).copied().collect();
    let prefixes: Vec<&str> = prefixes.into_iter().collect();
    let events = Arc::clone(&context.events);
    let mut throttle = Throttle::new(events.tail(), share);
    let mut pages = pipeline::start(events, &context.lifecycle, &prefixes, (after, target));
    let rested = members.iter().map(|member| member.held_back).max().unwrap_or_default();
    while let Some(page) = pages.recv().await {
        let (mut page, scanned_to) = page?;
        let last = members.len() - 1;
        for (index, member) in members.iter_mut().enumerate() {
            if scanned_to <= member.track.position {
                continue;
            }
            let (position, prefixes) = (member.track.position, member.context.shape.events());
            let is_its = |event: &_| {
                pipeline::position(event) > position
                    && prefixes.iter().any(|prefix| pipeline::type_name(event).starts_with(prefix))
            };
            let events = if index == last {
                let mut events = std::mem::take(&mut page);
                events.retain(is_its);
                events
            } else {
                page.iter().filter(|event| is_its(event)).cloned().collect()
            };
            member.step(events, scanned_to, &mut throttle).await?;
            member.held_back = rested + throttle.held_back();
            member.report(RebuildPhase::Filling, scanned_to, target);
        }
        throttle.rest().await;
    }
    for member in members {
        member.flush_all().await?;
    }
    Ok(())
}

/// Brings one member to the end and hands it over; goes on from its last checkpoint after a store was away.
async fn complete(work: Work, share: u32) {
    let Work { plan, mut member } = work;
    let (mut retries, mut pause) = (0, RETRY_PAUSE_MIN);
    let lifecycle = plan.context.lifecycle.clone();
    let ready = loop {
        let built = tokio::select! {
            biased;
            () = lifecycle.stopping() => Err(RebuildError::Stopping),
            built = attempt(&plan, &mut member, share) => built,
        };
        let Err(error) = built else { break Ok(()) };
        let is_first = plan.context.monitor.status().generation.is_none();
        retries += 1;
        if !error.is_passing(is_first) || (!is_first && retries > RETRIES_MAX) {
            break Err(error);
        }
        let name = plan.context.name();
        tracing::warn!(projection.name = name, error = %with_causes(&error), "the rebuild of {name} goes on in a moment");
        member.is_spoiled = true;
        tokio::select! {
            biased;
            () = lifecycle.stopping() => break Err(RebuildError::Stopping),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    };
    let last = member.progress(RebuildPhase::Filling, member.track.position, member.track.position);
    let fence = member.track.fence(&plan.context);
    // From here on the worker decides: a stop must not remove what it is just making the serving one.
    let handed_over = match ready {
        Ok(()) => member.hand_over(&plan.orders).await,
        Err(error) => Err(error),
    };
    match handed_over {
        Err(error) => plan.fail(&error, last, Some(fence)).await,
        Ok((old, progress)) => {
            let Plan { context, standby, slot, number, .. } = plan;
            let name = context.name();
            context.monitor.is_repaired(None);
            tracing::info!(projection.name = name, "projection {name} serves generation {number}");
            standby.keep(&context, old).await;
            slot.release(|| show(&context, progress));
        }
    }
}

/// One try to bring a member to the end, from its last checkpoint if the try before has failed.
async fn attempt(plan: &Plan, member: &mut Member, share: u32) -> Result<(), RebuildError> {
    if member.is_spoiled {
        *member = again(plan).await?;
    }
    finish(plan, member, share).await
}

/// The same generation again, from its last checkpoint.
async fn again(plan: &Plan) -> Result<Member, RebuildError> {
    let generations = bookkeeping::generations(&*plan.context.rows, plan.context.name()).await?;
    let known = generations.into_iter().find(|generation| generation.number == plan.number);
    Member::begin(plan.context.clone(), plan.number, known.as_ref(), Purpose::Serve).await
}

/// Fills, indexes and verifies until the generation is close behind the serving one.
async fn finish(plan: &Plan, member: &mut Member, share: u32) -> Result<(), RebuildError> {
    if let Some(from) = plan.from {
        affected::fill(member, from, share).await?;
    }
    let target = member.target().await?;
    let is_large = target.value().saturating_sub(member.track.position.value()) > EARLY_INDEX_POSITIONS;
    if is_large && plan.context.monitor.status().generation.is_some() {
        for statement in plan.context.shape.finish(plan.number) {
            plan.context.rows.transaction(vec![statement]).await?;
        }
    }
    fill(&mut [&mut *member], target, share).await?;
    member.index_and_verify().await?;
    member.release_due().await?;
    // Live traffic went on meanwhile.
    loop {
        let target = member.target().await?;
        if target.value() <= member.track.position.value() + HANDOVER_POSITIONS_MAX {
            return Ok(());
        }
        fill(&mut [&mut *member], target, share).await?;
    }
}

/// Builds a generation to compare another one with. It is the caller's to discard.
pub(crate) async fn scratch(context: &Context, number: i64, share: u32) -> Result<Member, RebuildError> {
    let mut member = Member::begin(context.clone(), number, None, Purpose::Compare).await?;
    let target = member.target().await?;
    fill(&mut [&mut member], target, share).await?;
    member.index_and_verify().await?;
    member.release_due().await?;
    Ok(member)
}
