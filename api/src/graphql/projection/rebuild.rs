//! A rebuild as operators see it: what it would take, how far it is, how it ended.

use async_graphql::{Enum, SimpleObject};
use projections::{EstimateBasis, RebuildEstimate, RebuildPhase, RebuildProgress, Verified};

/// What a rebuild is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProjectionRebuildPhase {
    /// It reads the log and fills the new generation.
    Filling,
    /// It sorts the indexes, and looks whether everything is there and right.
    Verifying,
    /// It waits for the switch.
    Switching,
    /// The new generation serves.
    Done,
    /// It gave up; the old generation serves on.
    Failed,
}

/// How far a rebuild is.
#[derive(Clone, Debug, PartialEq, SimpleObject)]
pub(super) struct ProjectionRebuild {
    /// The projection.
    projection: String,
    /// The generation it fills.
    generation: i64,
    /// What it is at.
    phase: ProjectionRebuildPhase,
    /// How much of the log it has looked at, in events.
    done: u64,
    /// How much there is.
    total: u64,
    /// How much an earlier process had done, which this one went on with.
    resumed_at: u64,
    /// How many events of this projection it has applied.
    events: u64,
    /// How many keys are parked in the new generation.
    parked_keys: u64,
    /// Events of the log per second.
    rate: f64,
    /// How long it has been at it, in seconds.
    elapsed_seconds: f64,
    /// How much of that it held back so that live traffic goes first, in seconds.
    held_back_seconds: f64,
    /// How long it will take still at this rate, in seconds.
    remaining_seconds: Option<f64>,
    /// What the look at the new generation found to be right; null before.
    verified: Option<ProjectionVerified>,
    /// Why it gave up, if it did.
    error: Option<String>,
}

/// What the look at a new generation found to be right.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionVerified {
    /// How many rows there are, in all its tables.
    rows: u64,
    /// The checksum of the rows, whatever their order; null for a model whose rows are not folded one by one.
    checksum: Option<String>,
    /// How many rows were folded anew from their events and are the same.
    sampled: u64,
    /// How many invariants of the model were asked for and hold.
    invariants: u64,
}

impl ProjectionVerified {
    fn new(verified: &Verified) -> Self {
        let Verified { rows, checksum, sampled, invariants } = *verified;
        Self { rows, checksum: checksum.map(|checksum| format!("{checksum:016x}")), sampled, invariants }
    }
}

impl ProjectionRebuild {
    pub(super) fn new(projection: &str, progress: &RebuildProgress) -> Self {
        let (phase, error) = match &progress.phase {
            RebuildPhase::Filling => (ProjectionRebuildPhase::Filling, None),
            RebuildPhase::Verifying => (ProjectionRebuildPhase::Verifying, None),
            RebuildPhase::Switching => (ProjectionRebuildPhase::Switching, None),
            RebuildPhase::Done => (ProjectionRebuildPhase::Done, None),
            RebuildPhase::Failed(error) => (ProjectionRebuildPhase::Failed, Some(error.clone())),
        };
        Self {
            projection: projection.to_owned(),
            generation: progress.generation,
            phase,
            done: progress.done,
            total: progress.total,
            resumed_at: progress.resumed_at,
            events: progress.events,
            parked_keys: progress.parked_keys,
            rate: progress.rate(),
            elapsed_seconds: progress.elapsed.as_secs_f64(),
            held_back_seconds: progress.held_back.as_secs_f64(),
            remaining_seconds: progress.remaining().map(|left| left.as_secs_f64()),
            verified: progress.verified.as_ref().map(ProjectionVerified::new),
            error,
        }
    }
}

/// What an estimate relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "EstimateBasis")]
pub enum ProjectionEstimateBasis {
    /// The last rebuild of the same model.
    LastBuild,
    /// A sample of its events.
    Sample,
}

/// What a rebuild would take, about.
#[derive(Clone, Debug, PartialEq, SimpleObject)]
pub(super) struct ProjectionRebuildEstimate {
    /// The projection.
    projection: String,
    /// Positions of the log to look at.
    positions: u64,
    /// Events to apply.
    events: u64,
    /// How long that takes without live traffic beside it, in seconds.
    seconds: f64,
    /// The room the new generation needs beside the old one, in bytes.
    bytes: u64,
    /// What it relies on.
    basis: ProjectionEstimateBasis,
}

impl ProjectionRebuildEstimate {
    pub(super) fn new(projection: &str, estimate: &RebuildEstimate) -> Self {
        let RebuildEstimate { positions, events, time, bytes, basis } = *estimate;
        Self {
            projection: projection.to_owned(),
            positions,
            events,
            seconds: time.as_secs_f64(),
            bytes,
            basis: basis.into(),
        }
    }
}
