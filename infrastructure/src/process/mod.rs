//! Runs processes: what a pure [`Process`] wants done is done, whatever fails in between.
//!
//! The runner follows the log on a cursor of its own, keeps the state of each key in memory as long as there is something to
//! do or to wait for, and carries out what is to be done, many keys at a time. What it knows it writes down now and then, state
//! and cursor in one transaction. The notes save time, nothing hangs on them: what they have missed is folded from the log
//! again, and what was done meanwhile is seen there before anything is done anew.
//!
//! Timers are part of a state: the moment at which it has to be looked at again stands beside it in the notes. So they survive
//! a restart, and a clock that jumps makes them fire sooner or later, not never and not twice.
//!
//! **Invariant:** nothing is done before the state has seen the whole log as it was when the runner took over. So whatever was
//! done before is known.
//!
//! What does not move is seen from outside: with the notes the runner writes down how it is ([`ProcessWatch`]). An operator who
//! wants a step tried again says so in the operators' log, which every runner reads: so whoever asked need not know where it
//! runs.
//!
//! An event that this build cannot read makes a hole in what is known of its key: nothing is done for that key until it is
//! folded anew, by another build or when an operator wants it tried again. All others go on. Only where nobody can tell whose
//! the event is, everything waits for it.
//!
//! One runner at a time works on a process: who takes over raises the epoch of the notes, and the one before can write no
//! more. For moments both may act; that is harmless, because each step has an id by which a repeat is recognised.

mod desk;
mod notes;
mod outlook;
mod parked;
mod reader;
mod runner;
mod sql;
mod status;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Process;
use tokio::sync::watch;
use uuid::Uuid;

pub use self::{
    outlook::{ProcessWatch, Through, prepare},
    parked::ParkedKey,
    runner::ProcessRunner,
    sql::forget,
    status::{Concern, ProcessStatus, Trouble},
};
use crate::event_store::EventStore;

/// A step on its way.
#[derive(Clone, Debug)]
pub struct Todo<P: Process> {
    /// Whose.
    pub key: Uuid,
    /// The state from which it follows.
    pub state: Arc<P::State>,
    /// What is to be done.
    pub step: P::Step,
    /// The last event of the state: what caused it.
    pub cause: Option<Uuid>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Performed {
    /// It is done; the log shows it, or is about to.
    Done,
    /// It is not wanted any more, or not yet: what has changed is on its way here.
    Wait,
    /// It is under way, and whoever does it tells by himself when it is done.
    Later,
    /// It will not work until somebody sees to it. For people: what is wrong.
    Stuck(String),
    /// It did not work this time. For people: why.
    Failed(String),
}

/// Carries out the steps of a process.
#[async_trait]
pub trait Perform<P: Process>: Send + Sync + fmt::Debug {
    /// Carries out one step. It may be asked for the same step again, with the same id.
    async fn perform(&self, todo: &Todo<P>) -> Performed;
}

/// How a process is run.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// How many events are looked at in one go.
    pub batch_events_max: usize,
    /// How many steps are under way at the same time.
    pub steps_max: usize,
    /// How many steps may wait for their turn before no more events are looked at.
    pub waiting_max: usize,
    /// How often what is known is written down.
    pub note_interval: Duration,
    /// How far ahead timers are kept in memory; later ones wait in the notes.
    pub horizon: Duration,
    /// How soon a step that did not work is tried again; each further time after twice as long.
    pub retry_first: Duration,
    /// The longest pause between two tries.
    pub retry_max: Duration,
    /// Whose turn it is; none: always this node's.
    pub turn: Option<Turn>,
    /// The event store as it is followed together with others, such as a [`crate::event_store::Window`]; none: alone.
    pub log: Option<Arc<dyn EventStore>>,
}

/// It is this node's turn while it holds a lease.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What this node holds.
    pub held: watch::Receiver<Arc<BTreeSet<String>>>,
    /// The lease of the process: see [`lease_of`].
    pub lease: String,
}

/// What the lease of the process with this name is called.
pub fn lease_of(process: &str) -> String {
    format!("process/{process}")
}

impl Turn {
    /// Resolves once it is this node's turn, or is not. False: nobody will ever know.
    async fn comes(&mut self, is_mine: bool) -> bool {
        self.held.wait_for(|held| held.contains(&self.lease) == is_mine).await.is_ok()
    }
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            batch_events_max: 1_024,
            steps_max: 256,
            waiting_max: 10_000,
            note_interval: Duration::from_millis(500),
            horizon: Duration::from_secs(60),
            retry_first: Duration::from_millis(100),
            retry_max: Duration::from_secs(30),
            turn: None,
            log: None,
        }
    }
}
