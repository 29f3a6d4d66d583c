//! A projection as operators see it.

use async_graphql::{Enum, Error, SimpleObject};
use domain::Timestamp;
use infrastructure::event_store::Position;
use projections::{
    Behind, Pause, ProjectionManager, ProjectionState, ProjectionStatus, Stall, StandbyStatus, StoppedAt,
};
use uuid::Uuid;

use super::{rebuild::ProjectionRebuild, rows::ProjectionDifference};
use crate::graphql::{PositionToken, call, read::event_store_error};

/// What a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProjectionStateKind {
    /// It has no generation to serve yet; one is being built.
    Building,
    /// It follows the log.
    Running,
    /// Something failed; it tries again at `nextRetry`.
    Retrying,
    /// An operator paused it. It serves what it has.
    Paused,
    /// It serves a generation of another version as it stood. A build of that version carries it on.
    Frozen,
    /// It waits for an operator; `stoppedAt` says where and what to do. Everything else goes on.
    Stopped,
    /// No process works on some of its slices. It serves what it has.
    Unattended,
}

/// A projection: what turns events into a read model.
#[derive(Clone, Debug, PartialEq, SimpleObject)]
#[graphql(name = "Projection")]
pub(super) struct ProjectionObject {
    /// Its name.
    name: String,
    /// The version of its code.
    version: u32,
    /// The generation queries read; null while the first is being built.
    generation: Option<i64>,
    /// The version of the code that made this generation. If it is another than `version`, the generation stays as it
    /// stood.
    generation_version: Option<i64>,
    /// Everything up to here is applied, except what is parked.
    position: PositionToken,
    /// The number of `position` in the log, as `millrace events` shows it.
    number: u64,
    /// The end of the log.
    head: PositionToken,
    /// The number of `head`.
    head_number: u64,
    /// How many events it is behind.
    lag_events: u64,
    /// How long the first event it has not applied has been waiting, in seconds.
    lag_seconds: f64,
    /// Events per second that it applied over the last seconds.
    rate: f64,
    /// Events that it applied since the process started.
    applied: u64,
    /// What it is doing.
    state: ProjectionStateKind,
    /// Why it does not move, if it does not.
    error: Option<String>,
    /// The event it stands at, and the way out.
    stopped_at: Option<StoppedEvent>,
    /// Who paused it. It stands if `state` says so; else it will, at `atNumber`.
    paused_by: Option<ProjectionPause>,
    /// When it tries again.
    next_retry: Option<Timestamp>,
    /// It is behind and does not move: since when, and why.
    stall: Option<ProjectionStall>,
    /// Keys that wait for an event that cannot be applied; their rows are as they were before it.
    parked_keys: u64,
    /// Events that wait, those that cannot be applied and those behind them. `parkedEvents` lists them.
    parked_events: u64,
    /// The key that waits for the earliest event.
    first_parked: Option<ProjectionParkedKey>,
    /// The generation that a rollback would serve.
    standby: Option<ProjectionStandby>,
    /// Rows that were found not to be what their events make of them, and were not repaired since; at most 100, the
    /// newest last.
    differences: Vec<ProjectionDifference>,
    /// The rebuild that is going on, or how the last one ended.
    rebuild: Option<ProjectionRebuild>,
}

/// Who paused a projection, and why.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionPause {
    /// Who.
    by: String,
    /// Why, if they said so.
    reason: Option<String>,
    /// When they ordered it.
    since: Timestamp,
    /// It goes on to this number in the log and stands there; null: it stands where it was.
    at_number: Option<u64>,
}

/// No progress although there is something to do.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionStall {
    /// Since when.
    since: Timestamp,
    /// Why, as far as can be told.
    reason: String,
}

/// A key that waits for an event that cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionParkedKey {
    /// The key.
    key: Uuid,
    /// The number of the event in the log.
    number: u64,
    /// Since when.
    since: Timestamp,
    /// Why it cannot be applied.
    error: String,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried again by itself; null: not before an operator orders it or a new build starts.
    next_retry: Option<Timestamp>,
}

/// A generation beside the serving one, ready to serve.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub(super) struct ProjectionStandby {
    /// Its number.
    generation: i64,
    /// The version of the code that made it.
    version: i64,
    /// Everything up to here is applied to it.
    position: PositionToken,
    /// The number of `position` in the log.
    number: u64,
    /// Whether it is kept up to date. If not, it is as it stood.
    is_followed: bool,
    /// When it stopped serving.
    since: Timestamp,
}

/// The event a projection cannot apply.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
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

impl ProjectionObject {
    /// The projection of this status, held against the log.
    pub(super) async fn of(manager: &ProjectionManager, status: &ProjectionStatus) -> Result<Self, Error> {
        let head = manager.head().await.map_err(event_store_error)?;
        let lag = manager.lag(status).await.map_err(event_store_error)?;
        Ok(Self::new(status, head, lag))
    }

    pub(super) fn new(status: &ProjectionStatus, head: Position, lag: (u64, f64)) -> Self {
        let Shown { state, error, stopped_at, next_retry } = Shown::of(status);
        Self {
            name: status.name.to_owned(),
            version: status.version,
            generation: status.generation,
            generation_version: status.generation.map(|_| status.frozen.unwrap_or_else(|| status.version.into())),
            position: PositionToken(status.position),
            number: status.position.value(),
            head: PositionToken(head),
            head_number: head.value(),
            lag_events: lag.0,
            lag_seconds: lag.1,
            rate: status.rate,
            applied: status.applied,
            state,
            error,
            stopped_at,
            paused_by: status.pause.as_ref().map(ProjectionPause::new),
            next_retry,
            stall: status.stall.as_ref().map(ProjectionStall::new),
            parked_keys: status.parked.keys,
            parked_events: status.parked.events,
            first_parked: status.first_parked.as_ref().map(|(key, behind)| ProjectionParkedKey::new(*key, behind)),
            standby: status.standby.as_ref().map(ProjectionStandby::new),
            differences: ProjectionDifference::all(&status.differences),
            rebuild: status.rebuild.as_ref().map(|progress| ProjectionRebuild::new(status.name, progress)),
        }
    }
}

/// What is shown of a state.
struct Shown {
    state: ProjectionStateKind,
    error: Option<String>,
    stopped_at: Option<StoppedEvent>,
    next_retry: Option<Timestamp>,
}

impl Shown {
    fn of(status: &ProjectionStatus) -> Self {
        let is = |state| Self { state, error: None, stopped_at: None, next_retry: None };
        match &status.state {
            ProjectionState::Building => is(ProjectionStateKind::Building),
            ProjectionState::Running => is(ProjectionStateKind::Running),
            ProjectionState::Retrying { error, next, .. } => {
                Self { error: Some(error.clone()), next_retry: Some(*next), ..is(ProjectionStateKind::Retrying) }
            }
            ProjectionState::Paused(_) => is(ProjectionStateKind::Paused),
            ProjectionState::Frozen { .. } => is(ProjectionStateKind::Frozen),
            ProjectionState::Unattended { .. } => is(ProjectionStateKind::Unattended),
            ProjectionState::Stopped(stopped) => Self {
                error: Some(stopped.error.clone()),
                stopped_at: Some(StoppedEvent::new(stopped, status.name)),
                ..is(ProjectionStateKind::Stopped)
            },
        }
    }
}

impl ProjectionPause {
    fn new(pause: &Pause) -> Self {
        let Pause { by, reason, since, at } = pause;
        Self { by: by.clone(), reason: reason.clone(), since: *since, at_number: at.map(Position::value) }
    }
}

impl ProjectionStall {
    fn new(stall: &Stall) -> Self {
        Self { since: stall.since, reason: stall.reason.clone() }
    }
}

impl ProjectionParkedKey {
    fn new(key: Uuid, behind: &Behind) -> Self {
        let Behind { position, since, error, attempts, next_retry } = behind;
        let (number, error) = (position.value(), error.clone());
        Self { key, number, since: *since, error, attempts: *attempts, next_retry: *next_retry }
    }
}

impl ProjectionStandby {
    fn new(standby: &StandbyStatus) -> Self {
        let StandbyStatus { generation, version, position, is_followed, since } = *standby;
        Self { generation, version, position: PositionToken(position), number: position.value(), is_followed, since }
    }
}

impl StoppedEvent {
    fn new(stopped: &StoppedAt, projection: &str) -> Self {
        Self {
            position: PositionToken(stopped.position),
            number: stopped.position.value(),
            event_type: stopped.type_name.to_string(),
            stream: stopped.stream.to_string(),
            version: call::version(stopped.revision),
            error: stopped.error.clone(),
            attempts: stopped.attempts,
            since: stopped.since,
            way_out: stopped.way_out(projection),
        }
    }
}
