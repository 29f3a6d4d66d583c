//! A projection as operators see it.

use async_graphql::{Enum, SimpleObject};
use domain::Timestamp;
use projections::{ProjectionState, ProjectionStatus, RebuildPhase, RebuildProgress};

use crate::graphql::{PositionToken, call};

/// What a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProjectionStateKind {
    /// Its first generation is being built.
    Building,
    /// It follows the log.
    Running,
    /// Something failed; it tries again.
    Retrying,
    /// It stands at an event it cannot apply and waits for an operator. Everything else goes on.
    Stopped,
}

/// A projection: what turns events into a read model.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "Projection")]
pub(super) struct ProjectionObject {
    /// Its name.
    pub(super) name: String,
    /// The version of its code.
    version: u32,
    /// The generation queries read; null while the first is being built.
    generation: Option<i64>,
    /// Everything up to here is applied.
    position: PositionToken,
    /// The end of the log.
    head: PositionToken,
    /// How many events it is behind.
    lag_events: u64,
    /// How long the first event it has not applied has been waiting, in seconds.
    lag_seconds: f64,
    /// What it is doing.
    state: ProjectionStateKind,
    /// Why it does not move, if it does not.
    error: Option<String>,
    /// The event it stands at, and the way out.
    stopped_at: Option<StoppedEvent>,
    /// The rebuild that is going on, or how the last one ended.
    rebuild: Option<ProjectionRebuild>,
}

/// The event a projection cannot apply.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct StoppedEvent {
    /// Its position.
    position: PositionToken,
    /// Its number in the log, as `millrace events` shows it.
    number: u64,
    /// Its type.
    event_type: String,
    /// Its stream.
    stream: String,
    /// Its place in the stream.
    version: i32,
    /// What went wrong.
    error: String,
    /// How often it was tried.
    attempts: u32,
    /// Since when the projection stands there.
    since: Timestamp,
    /// What to do.
    way_out: String,
}

/// What a rebuild is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProjectionRebuildPhase {
    /// It reads the log and fills the new generation.
    Filling,
    /// It sorts the indexes.
    Indexing,
    /// It waits for the switch.
    Switching,
    /// The new generation serves.
    Done,
    /// It gave up; the old generation serves on.
    Failed,
}

/// How far a rebuild is.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct ProjectionRebuild {
    /// The generation it fills.
    generation: i64,
    /// What it is at.
    phase: ProjectionRebuildPhase,
    /// How much of the log it has looked at, in events.
    done: u64,
    /// How much there is.
    total: u64,
    /// How many events of this projection it has applied.
    events: u64,
    /// Events of the log per second.
    rate: f64,
    /// How long it has been at it, in seconds.
    elapsed_seconds: f64,
    /// How long it will take still at this rate, in seconds.
    remaining_seconds: Option<f64>,
    /// Why it gave up, if it did.
    error: Option<String>,
}

impl ProjectionObject {
    pub(super) fn new(status: &ProjectionStatus, head: PositionToken, lag: (u64, f64)) -> Self {
        let (state, error, stopped_at) = match &status.state {
            ProjectionState::Building => (ProjectionStateKind::Building, None, None),
            ProjectionState::Running => (ProjectionStateKind::Running, None, None),
            ProjectionState::Retrying { error, .. } => (ProjectionStateKind::Retrying, Some(error.clone()), None),
            ProjectionState::Stopped(stopped) => {
                let event = StoppedEvent {
                    position: PositionToken(stopped.position),
                    number: stopped.position.value(),
                    event_type: stopped.type_name.to_string(),
                    stream: stopped.stream.to_string(),
                    version: call::version(stopped.revision),
                    error: stopped.error.clone(),
                    attempts: stopped.attempts,
                    since: stopped.since,
                    way_out: stopped.way_out(status.name),
                };
                (ProjectionStateKind::Stopped, Some(stopped.error.clone()), Some(event))
            }
        };
        Self {
            name: status.name.to_owned(),
            version: status.version,
            generation: status.generation,
            position: PositionToken(status.position),
            head,
            lag_events: lag.0,
            lag_seconds: lag.1,
            state,
            error,
            stopped_at,
            rebuild: status.rebuild.as_ref().map(ProjectionRebuild::new),
        }
    }
}

impl ProjectionRebuild {
    pub(super) fn new(progress: &RebuildProgress) -> Self {
        let (phase, error) = match &progress.phase {
            RebuildPhase::Filling => (ProjectionRebuildPhase::Filling, None),
            RebuildPhase::Indexing => (ProjectionRebuildPhase::Indexing, None),
            RebuildPhase::Switching => (ProjectionRebuildPhase::Switching, None),
            RebuildPhase::Done => (ProjectionRebuildPhase::Done, None),
            RebuildPhase::Failed(error) => (ProjectionRebuildPhase::Failed, Some(error.clone())),
        };
        Self {
            generation: progress.generation,
            phase,
            done: progress.done,
            total: progress.total,
            events: progress.events,
            rate: progress.rate(),
            elapsed_seconds: progress.elapsed.as_secs_f64(),
            remaining_seconds: progress.remaining().map(|left| left.as_secs_f64()),
            error,
        }
    }
}
