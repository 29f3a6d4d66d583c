//! What an operator sees of a projection, and what a query waits for.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{Timestamp, operator::PausedProjection};
use infrastructure::event_store::{Name, Position, Revision, StreamId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Difference, RebuildProgress};

/// How many rows that differ from their events a projection remembers.
const DIFFERENCES_MAX: usize = 100;

/// What a projection is doing, and if it does not move, why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProjectionState {
    /// It has no generation to serve yet; a rebuild is making one.
    Building,
    /// It follows the log.
    Running,
    /// It cannot go on for a moment, and tries again.
    Retrying {
        /// What went wrong.
        error: String,
        /// How often it was tried.
        attempts: u32,
        /// When it tries again.
        next: Timestamp,
    },
    /// An operator paused it.
    Paused(Pause),
    /// It serves a generation that this build cannot carry on, as it stood: the build's own is being made, or an
    /// operator rolled back to it.
    Frozen {
        /// The version of the code that made the generation.
        version: i64,
    },
    /// It waits for an operator. Everything else goes on.
    Stopped(StoppedAt),
    /// No process works on some of its slices: none is there, or those that are have enough of their own.
    Unattended {
        /// How many slices.
        slices: u32,
    },
}

/// Why a projection is paused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// By whom.
    pub by: String,
    /// What for, if they said so.
    pub reason: Option<String>,
    /// Since when it was ordered.
    pub since: Timestamp,
    /// It goes on to this position and pauses there; none: at once.
    pub at: Option<Position>,
}

impl Pause {
    /// What a projection is told of a pause that was written down.
    pub fn of(paused: &PausedProjection) -> Self {
        Self {
            by: paused.by.to_string(),
            reason: paused.reason.as_ref().map(ToString::to_string),
            since: paused.since,
            at: paused.at.map(Position::new),
        }
    }
}

/// The event a projection cannot get past, and the way out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoppedAt {
    /// The event's position.
    pub position: Position,
    /// Its type.
    pub type_name: Name,
    /// Its stream.
    pub stream: StreamId,
    /// Its place there.
    pub revision: Revision,
    /// What went wrong, with its causes.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it stands.
    pub since: Timestamp,
    /// What kind of stop it is.
    pub cause: StopCause,
}

/// What made a projection stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCause {
    /// The event cannot be applied, and the projection's policy is to stop there.
    Event,
    /// So many events are parked that one more would be too many.
    TooManyParked,
    /// Another process has taken the projection over.
    Fenced,
}

impl StoppedAt {
    /// What an operator can do.
    pub fn way_out(&self, projection: &str) -> String {
        match self.cause {
            StopCause::Event => format!(
                "deploy a build that can apply event {} ({} of {}), then restart the server or run \
                 `millrace projections rebuild {projection}`; every other projection goes on meanwhile",
                self.position, self.type_name, self.stream
            ),
            StopCause::TooManyParked => format!(
                "look at what is parked with `millrace projections parked list {projection}`, then deploy a build that \
                 can apply it, or skip what is not worth it; every other projection goes on meanwhile"
            ),
            StopCause::Fenced => format!(
                "the process that took it over serves {projection} now; stop this one, or restart it to take it back"
            ),
        }
    }
}

/// How much of a projection is parked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParkedCount {
    /// Keys that wait.
    pub keys: u64,
    /// Events that wait, the failing ones and those behind them.
    pub events: u64,
}

/// A key that waits behind an event that cannot be applied: its row is as it was before that event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The event that fails.
    pub position: Position,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again by itself; none: by an operator's order, or by a new build.
    pub next_retry: Option<Timestamp>,
}

/// A generation beside the serving one, ready to serve again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandbyStatus {
    /// Its number.
    pub generation: i64,
    /// The version of the code that made it.
    pub version: i64,
    /// Everything up to here is applied to it.
    pub position: Position,
    /// Whether this build keeps it up to date.
    pub is_followed: bool,
    /// When it stopped serving.
    pub since: Timestamp,
}

/// No progress although there is something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Since when.
    pub since: Timestamp,
    /// Why, as far as can be told.
    pub reason: String,
}

/// A projection at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: &'static str,
    /// The version of its code.
    pub version: u32,
    /// The generation that serves; none while the first is being built.
    pub generation: Option<i64>,
    /// The version of the code that made it, if this build cannot carry it on: paused or not, it stays as it stood.
    pub frozen: Option<i64>,
    /// Everything up to here is applied, except what is parked.
    pub position: Position,
    /// What it is doing.
    pub state: ProjectionState,
    /// The pause that is in force, or will be at a position.
    pub pause: Option<Pause>,
    /// Events that it applied since the start.
    pub applied: u64,
    /// Events per second, over the last seconds.
    pub rate: f64,
    /// How much is parked.
    pub parked: ParkedCount,
    /// The key that has been waiting longest, and why.
    pub first_parked: Option<(Uuid, Behind)>,
    /// The generation that a rollback would serve.
    pub standby: Option<StandbyStatus>,
    /// No progress although behind, and why.
    pub stall: Option<Stall>,
    /// Rows that were found to differ from their events, the newest last, and were not repaired since.
    pub differences: Vec<Difference>,
    /// The rebuild that is going on, or how the last one ended.
    pub rebuild: Option<RebuildProgress>,
}

/// What only the process that leads a projection knows.
#[derive(Clone, Debug)]
pub(crate) struct LeadStatus {
    pub(crate) standby: Option<StandbyStatus>,
    pub(crate) differences: Vec<Difference>,
    pub(crate) rebuild: Option<RebuildProgress>,
}

/// The keys that are behind, shared with queries.
pub(crate) type BehindKeys = Arc<HashMap<Uuid, Behind>>;

/// Where a projection keeps its status.
#[derive(Debug)]
pub(crate) struct Monitor {
    name: &'static str,
    version: u32,
    position: watch::Sender<Position>,
    /// Whether waiting for a position makes sense.
    is_stopped: watch::Sender<bool>,
    behind: watch::Sender<BehindKeys>,
    rest: Mutex<Rest>,
    applied: AtomicU64,
    rebuild: watch::Sender<Option<RebuildProgress>>,
    /// Counts up with every change that is worth showing.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Rest {
    generation: Option<i64>,
    frozen: Option<i64>,
    state: ProjectionState,
    pause: Option<Pause>,
    rate: f64,
    parked: ParkedCount,
    standby: Option<StandbyStatus>,
    stall: Option<Stall>,
    differences: Vec<Difference>,
}

impl Monitor {
    pub(crate) fn new(name: &'static str, version: u32) -> Self {
        let rest = Rest {
            generation: None,
            frozen: None,
            state: ProjectionState::Building,
            pause: None,
            rate: 0.0,
            parked: ParkedCount::default(),
            standby: None,
            stall: None,
            differences: Vec::new(),
        };
        Self {
            name,
            version,
            position: watch::Sender::new(Position::START),
            is_stopped: watch::Sender::new(false),
            behind: watch::Sender::new(BehindKeys::default()),
            rest: Mutex::new(rest),
            applied: AtomicU64::new(0),
            rebuild: watch::Sender::new(None),
            changes: watch::Sender::new(0),
        }
    }

    pub(crate) fn status(&self) -> ProjectionStatus {
        let behind = self.behind();
        let first_parked = behind.iter().min_by_key(|(_, behind)| behind.position);
        let rest = self.rest();
        ProjectionStatus {
            name: self.name,
            version: self.version,
            generation: rest.generation,
            frozen: rest.frozen,
            position: self.position(),
            state: rest.state.clone(),
            pause: rest.pause.clone(),
            applied: self.applied(),
            rate: rest.rate,
            parked: rest.parked,
            first_parked: first_parked.map(|(key, behind)| (*key, behind.clone())),
            standby: rest.standby.clone(),
            stall: rest.stall.clone(),
            differences: rest.differences.clone(),
            rebuild: self.rebuild.borrow().clone(),
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn position(&self) -> Position {
        *self.position.borrow()
    }

    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    pub(crate) fn behind(&self) -> BehindKeys {
        self.behind.borrow().clone()
    }

    /// What is known of a key that is behind. Cheap when none is.
    pub(crate) fn behind_of(&self, key: Uuid) -> Option<Behind> {
        self.behind.borrow().get(&key).cloned()
    }

    pub(crate) fn watch_position(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    pub(crate) fn watch_stopped(&self) -> watch::Receiver<bool> {
        self.is_stopped.subscribe()
    }

    pub(crate) fn watch_rebuild(&self) -> watch::Receiver<Option<RebuildProgress>> {
        self.rebuild.subscribe()
    }

    pub(crate) fn watch_changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn moved_to(&self, position: Position) {
        self.position.send_replace(position);
        self.changed();
    }

    pub(crate) fn applies(&self, events: u64) {
        self.applied.fetch_add(events, Ordering::Relaxed);
    }

    /// How many events all who work on it have applied.
    pub(crate) fn has_applied(&self, events: u64) {
        self.applied.store(events, Ordering::Relaxed);
    }

    /// Whether somebody waits for a position.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.position.receiver_count() > 0
    }

    /// What the process that leads the projection says of it.
    pub(crate) fn is_led(&self, lead: LeadStatus) {
        let LeadStatus { standby, differences, rebuild } = lead;
        {
            let mut rest = self.rest();
            if rest.standby == standby && rest.differences == differences && *self.rebuild.borrow() == rebuild {
                return;
            }
            (rest.standby, rest.differences) = (standby, differences);
        }
        self.rebuild.send_replace(rebuild);
        self.changed();
    }

    pub(crate) fn serves(&self, generation: i64, frozen: Option<i64>) {
        {
            let mut rest = self.rest();
            (rest.generation, rest.frozen) = (Some(generation), frozen);
        }
        self.changed();
    }

    pub(crate) fn is_in(&self, state: ProjectionState) {
        let is_stopped = matches!(state, ProjectionState::Stopped(_));
        {
            let mut rest = self.rest();
            if rest.state == state {
                return;
            }
            rest.state = state;
        }
        self.is_stopped.send_if_modified(|current| std::mem::replace(current, is_stopped) != is_stopped);
        self.changed();
    }

    pub(crate) fn is_to_pause(&self, pause: Option<Pause>) {
        {
            let mut rest = self.rest();
            if rest.pause == pause {
                return;
            }
            rest.pause = pause;
        }
        self.changed();
    }

    pub(crate) fn parks(&self, count: ParkedCount, behind: HashMap<Uuid, Behind>) {
        self.rest().parked = count;
        self.behind.send_replace(Arc::new(behind));
        self.changed();
    }

    pub(crate) fn stands_by(&self, standby: Option<StandbyStatus>) {
        self.rest().standby = standby;
        self.changed();
    }

    pub(crate) fn has_rate(&self, rate: f64) {
        self.rest().rate = rate;
    }

    /// Sets or clears the stall; true if it was not like that before.
    pub(crate) fn stalls(&self, stall: Option<Stall>) -> bool {
        let is_news = {
            let mut rest = self.rest();
            let is_news = rest.stall.as_ref().map(|stall| &stall.reason) != stall.as_ref().map(|stall| &stall.reason);
            if is_news {
                rest.stall = stall;
            }
            is_news
        };
        if is_news {
            self.changed();
        }
        is_news
    }

    pub(crate) fn differs(&self, found: Vec<Difference>) {
        if found.is_empty() {
            return;
        }
        {
            let mut rest = self.rest();
            for difference in found {
                rest.differences.retain(|known| known.key != difference.key);
                rest.differences.push(difference);
            }
            let surplus = rest.differences.len().saturating_sub(DIFFERENCES_MAX);
            rest.differences.drain(..surplus);
        }
        self.changed();
    }

    /// Forgets the differences of these keys; of all without keys.
    pub(crate) fn is_repaired(&self, keys: Option<&[Uuid]>) {
        self.rest().differences.retain(|known| keys.is_some_and(|keys| !keys.contains(&known.key)));
        self.changed();
    }

    pub(crate) fn rebuilds(&self, progress: RebuildProgress) {
        self.rebuild.send_replace(Some(progress));
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
