//! The shape of every process: what follows, across aggregates, from what happened.
//!
//! A process looks at what is the case, not at what has just happened: its state is folded from the log, and from the state
//! follows what is still to be done. So nothing is lost when a step fails, a process dies, or its notes are gone: whatever the
//! log does not show as done is done (again), under the id it had the first time. The runner of the infrastructure crate is
//! the only caller in production.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Event, Timestamp,
    operator::{OperatorAction, OperatorEvent},
};

/// How the names of the events begin that may say that something is to be tried again, for every process.
pub const RETRIES: &str = "operator.";

/// The key whose steps somebody wants the process of this name to try again, if the event says so.
pub fn retried(process: &str, event: &Event) -> Option<Uuid> {
    let Event::Operator(OperatorEvent::ActionTaken { projection, action, .. }) = event else { return None };
    match action {
        OperatorAction::RetrySteps { key } => (projection.as_str() == process).then_some(*key),
        OperatorAction::Pause { .. }
        | OperatorAction::Resume
        | OperatorAction::Rebuild { .. }
        | OperatorAction::Rollback
        | OperatorAction::DiscardGeneration { .. }
        | OperatorAction::RetryParked { .. }
        | OperatorAction::SkipParked { .. }
        | OperatorAction::Repair { .. } => None,
    }
}

/// An event that this build cannot read, as far as it can be seen from outside.
#[derive(Clone, Copy, Debug)]
pub struct Unread<'a> {
    /// What kind of thing its stream is about.
    pub category: &'a str,
    /// Which one.
    pub stream: Uuid,
    /// Its stored name.
    pub type_name: &'a str,
    /// Its fields, if they are JSON at all.
    pub fields: Option<&'a Value>,
}

impl Unread<'_> {
    /// The id in this field.
    pub fn id(&self, field: &str) -> Option<Uuid> {
        self.fields?.get(field)?.as_str()?.parse().ok()
    }
}

/// Whose an event is that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This key's. What is known of it has a hole, so nothing may follow from it.
    Key(Uuid),
    /// None of the process's: such an event changes nothing for it.
    Nobody,
    /// It may be any key's.
    Unknown,
}

/// A process, or a process manager: one state for each key, folded from the events of several streams.
pub trait Process: Send + Sync + 'static {
    /// Its name, for good: of its notes and its metrics.
    const NAME: &'static str;
    /// Raised with every change of `State` or `evolve`: the notes are then written anew from the log.
    const VERSION: u32;
    /// How the stored names of the events begin that it has to see.
    const EVENTS: &'static [&'static str];
    /// What it remembers for one key; `Default` is "nothing has happened, or nothing is left to do".
    type State: Default + Clone + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Something to be done outside.
    type Step: Clone + std::fmt::Debug + Send + Sync + 'static;

    /// Which of its states the event belongs to.
    fn key(event: &Event) -> Option<Uuid>;

    /// Whose an event is that this build cannot read.
    fn owner(unread: &Unread<'_>) -> Owner;

    /// Whether nothing of this key can have happened before: saves looking it up.
    fn starts(event: &Event) -> bool;

    /// The state after `event`. Total: an old event must never break a new build.
    fn evolve(state: Self::State, event: &Event) -> Self::State;

    /// What is to be done as things stand. Steps that were done are gone from it once the log shows it; until then they may be
    /// asked for again, so each has to be harmless when repeated under the same id.
    fn next(&self, state: &Self::State, now: Timestamp) -> Vec<Self::Step>;

    /// The step's id: the same whenever it is asked for, another for everything else.
    fn step_id(step: &Self::Step) -> Uuid;

    /// When `next` has to be asked again although nothing happens: a timer. Later than `now`.
    fn wake_at(&self, state: &Self::State, now: Timestamp) -> Option<Timestamp>;

    /// What somebody has to look at, because the process cannot go on by itself; for people.
    fn concern(state: &Self::State) -> Option<String>;
}
