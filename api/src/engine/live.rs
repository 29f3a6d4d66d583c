//! What a subscription's resolver and the engine tell each other.
//!
//! A subscription is executed twice: once for its own subscriber, to replay what happened after the cursor it brings
//! (`Replay`), and once for all equal subscribers together, for what happens from now on (`Live`). The resolver learns
//! here which of the two it serves, and reports positions, which the engine cannot see in GraphQL data.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use infrastructure::event_store::Position;
use tokio::sync::watch;

/// Which part of a subscription an execution delivers.
#[derive(Clone, Debug)]
pub enum LivePhase {
    /// What happens from now on, the same for every equal subscriber. The argument `after` does not count.
    Live,
    /// What happened after the subscriber's cursor up to here, inclusive; then `CaughtUp`, and the end.
    Replay {
        /// Where the live part begins.
        until: Position,
    },
}

/// One execution of a subscription: what it is for, and where its resolver reports to. In the request's data.
#[derive(Clone, Debug)]
pub struct LiveReporter {
    phase: LivePhase,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    positions: Mutex<VecDeque<Position>>,
    starts: watch::Sender<Option<Position>>,
}

impl LiveReporter {
    pub(super) fn new(phase: LivePhase) -> Self {
        let shared = Shared { positions: Mutex::default(), starts: watch::Sender::new(None) };
        Self { phase, shared: Arc::new(shared) }
    }

    /// What the execution is for.
    pub const fn phase(&self) -> &LivePhase {
        &self.phase
    }

    /// The resolver is set up. `Live`: every message after this position will come. `Replay`: the subscriber knows
    /// everything up to this position.
    pub fn starts_after(&self, position: Position) {
        self.shared.starts.send_replace(Some(position));
    }

    /// The resolver is about to deliver the message with this cursor.
    pub fn delivers(&self, cursor: Position) {
        self.positions().push_back(cursor);
    }

    /// The cursor of the message that came out next; none if it was an error.
    pub(super) fn next_cursor(&self) -> Option<Position> {
        self.positions().pop_front()
    }

    pub(super) fn started_after(&self) -> Option<Position> {
        *self.shared.starts.borrow()
    }

    pub(super) fn watch_start(&self) -> watch::Receiver<Option<Position>> {
        self.shared.starts.subscribe()
    }

    fn positions(&self) -> MutexGuard<'_, VecDeque<Position>> {
        self.shared.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
