//! What an operator sees of a projection, and what a query waits for.

use std::sync::{Mutex, PoisonError};

use domain::Timestamp;
use infrastructure::event_store::{Name, Position, Revision, StreamId};
use tokio::sync::watch;

use crate::RebuildProgress;

/// What a projection is doing, and if it does not move, why.
#[derive(Clone, Debug, PartialEq)]
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
    },
    /// It waits for an operator. Everything else goes on.
    Stopped(StoppedAt),
}

/// The event a projection cannot apply, and the way out.
#[derive(Clone, Debug, PartialEq)]
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
}

impl StoppedAt {
    /// What an operator can do.
    pub fn way_out(&self, projection: &str) -> String {
        format!(
            "deploy a build that can apply event {} ({} of {}), then restart the server or run \
             `millrace rebuild {projection}`; every other projection goes on meanwhile",
            self.position, self.type_name, self.stream
        )
    }
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
    /// Everything up to here is applied.
    pub position: Position,
    /// What it is doing.
    pub state: ProjectionState,
    /// The rebuild that is going on, or how the last one ended.
    pub rebuild: Option<RebuildProgress>,
}

/// Where a projection keeps its status.
#[derive(Debug)]
pub(crate) struct Monitor {
    name: &'static str,
    version: u32,
    position: watch::Sender<Position>,
    /// Whether waiting for a position makes sense.
    is_stopped: watch::Sender<bool>,
    rest: Mutex<(Option<i64>, ProjectionState)>,
    rebuild: watch::Sender<Option<RebuildProgress>>,
}

impl Monitor {
    pub(crate) fn new(name: &'static str, version: u32) -> Self {
        Self {
            name,
            version,
            position: watch::Sender::new(Position::START),
            is_stopped: watch::Sender::new(false),
            rest: Mutex::new((None, ProjectionState::Building)),
            rebuild: watch::Sender::new(None),
        }
    }

    pub(crate) fn status(&self) -> ProjectionStatus {
        let (generation, state) = self.rest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ProjectionStatus {
            name: self.name,
            version: self.version,
            generation,
            position: self.position(),
            state,
            rebuild: self.rebuild.borrow().clone(),
        }
    }

    pub(crate) fn position(&self) -> Position {
        *self.position.borrow()
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

    pub(crate) fn moved_to(&self, position: Position) {
        self.position.send_replace(position);
    }

    pub(crate) fn serves(&self, generation: i64) {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(generation);
    }

    pub(crate) fn is_in(&self, state: ProjectionState) {
        let is_stopped = matches!(state, ProjectionState::Stopped(_));
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).1 = state;
        self.is_stopped.send_if_modified(|current| std::mem::replace(current, is_stopped) != is_stopped);
    }

    pub(crate) fn rebuilds(&self, progress: RebuildProgress) {
        self.rebuild.send_replace(Some(progress));
    }
}
