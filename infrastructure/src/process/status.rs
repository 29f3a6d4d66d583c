//! What an operator sees of a process.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event_store::Position;

/// How a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its name.
    #[serde(skip)]
    pub name: &'static str,
    /// Whether it runs in this node.
    #[serde(skip)]
    pub is_running: bool,
    /// Whether it has seen the whole log as it was when it took over; before that it does nothing.
    pub is_caught_up: bool,
    /// Everything up to here was seen.
    #[serde(skip)]
    pub position: Position,
    /// How many keys are in memory.
    pub keys: usize,
    /// How many steps wait for their turn.
    pub waiting: usize,
    /// How many steps are under way.
    pub under_way: usize,
    /// How many steps were carried out since the start.
    pub done: u64,
    /// How many steps do not work.
    pub in_trouble: usize,
    /// How many of them are not tried again by themselves.
    pub stuck: usize,
    /// Steps that do not work; the worst first, some of them.
    pub troubles: Vec<Trouble>,
    /// Why it cannot follow the log or keep its notes, if it cannot.
    pub error: Option<String>,
}

/// A step that does not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Whose.
    pub key: Uuid,
    /// Which step.
    pub step: Uuid,
    /// What is wrong.
    pub reason: String,
    /// How often it was tried.
    pub tries: u32,
    /// Whether it is not tried again until somebody sees to it, or something happens.
    pub is_stuck: bool,
}

/// Something that somebody has to look at: a process cannot go on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Whose.
    pub key: Uuid,
    /// What.
    pub text: String,
}
