//! The smallest aggregate there is: a sum that is never below zero.

use domain::{Decider, EventPayload, SnapshotForm, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

/// An addend that the fold of a broken build panics at.
pub(super) const POISON: i64 = i64::MIN;

/// A sum that weighs ten megabytes.
pub(super) const HEAVY: i64 = 1 << 40;

#[derive(Debug)]
pub(super) enum Counter {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    pub(super) sum: i64,
    pub(super) events: u64,
}

#[derive(Clone, Debug)]
pub(super) enum CountCommand {
    Add(i64),
    /// So many events at once, each adding one.
    AddOnes(usize),
    /// Adds one, with so many bytes of text beside it.
    AddWithText(usize),
    /// Changes nothing.
    Nothing,
    /// Refused if there is less.
    Take(i64),
    /// A defect of the rule.
    Panic,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum CountEvent {
    #[serde(rename = "counter.added.v1")]
    Added { by: i64, text: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotEnough;

impl EventPayload for CountEvent {
    fn types() -> Vec<&'static str> {
        vec!["counter.added.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}

impl Decider for Counter {
    const CATEGORY: &'static str = "counter";
    type State = Count;
    type Command = CountCommand;
    type Event = CountEvent;
    type Rejection = NotEnough;
    const SNAPSHOT: Option<SnapshotForm<Count>> = Some(SnapshotForm::json(3));

    fn decide(state: &Count, command: CountCommand, _now: Timestamp) -> Result<Vec<CountEvent>, NotEnough> {
        match command {
            CountCommand::Add(by) => Ok(vec![added(by)]),
            CountCommand::AddOnes(events) => Ok(vec![added(1); events]),
            CountCommand::AddWithText(bytes) => Ok(vec![CountEvent::Added { by: 1, text: "x".repeat(bytes) }]),
            CountCommand::Nothing => Ok(vec![]),
            CountCommand::Take(units) if units > state.sum => Err(NotEnough),
            CountCommand::Take(units) => Ok(vec![added(-units)]),
            CountCommand::Panic => panic!("the rule is defective, on purpose"),
        }
    }

    fn evolve(state: Count, event: &CountEvent) -> Count {
        let CountEvent::Added { by, .. } = event;
        assert!(*by != POISON, "the fold is defective, on purpose");
        Count { sum: state.sum + by, events: state.events + 1 }
    }

    fn weight(state: &Count) -> usize {
        if state.sum == HEAVY { 10_000_000 } else { size_of::<Count>() }
    }
}

pub(super) fn added(by: i64) -> CountEvent {
    CountEvent::Added { by, text: String::new() }
}
