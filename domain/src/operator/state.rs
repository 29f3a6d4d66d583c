//! What the log remembers: the projections that stand still because somebody said so.

use std::collections::BTreeMap;

use super::{OperatorAction, OperatorEvent};
use crate::{
    Timestamp,
    values::{Actor, Label, ProjectionName},
};

/// The projections that are paused. Everything else in the log is history, so this stays small.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperatorState {
    /// Each with how it came about.
    pub paused: BTreeMap<ProjectionName, PausedProjection>,
}

/// Why a projection stands still.
#[derive(Clone, Debug, PartialEq)]
pub struct PausedProjection {
    /// Who paused it.
    pub by: Actor,
    /// Why, if they said so.
    pub reason: Option<Label>,
    /// When they did.
    pub since: Timestamp,
    /// It stands once it has applied everything up to here; none: where it was.
    pub at: Option<u64>,
}

impl OperatorState {
    /// Rough bytes.
    pub(super) fn weight(&self) -> usize {
        let texts = |name: &ProjectionName, paused: &PausedProjection| {
            name.as_str().len()
                + paused.by.as_str().len()
                + paused.reason.as_ref().map_or(0, |text| text.as_str().len())
        };
        let entries = self.paused.iter();
        let entry = size_of::<(ProjectionName, PausedProjection)>();
        size_of::<Self>() + entries.map(|(name, paused)| entry + texts(name, paused)).sum::<usize>()
    }
}

pub(super) fn evolve(mut state: OperatorState, event: &OperatorEvent) -> OperatorState {
    let OperatorEvent::ActionTaken { actor, projection, action, reason, at: since } = event;
    match action {
        OperatorAction::Pause { at } => {
            let paused = PausedProjection { by: actor.clone(), reason: reason.clone(), since: *since, at: *at };
            state.paused.insert(projection.clone(), paused);
        }
        OperatorAction::Resume => {
            state.paused.remove(projection);
        }
        OperatorAction::Rebuild { .. }
        | OperatorAction::Rollback
        | OperatorAction::DiscardGeneration { .. }
        | OperatorAction::RetryParked { .. }
        | OperatorAction::SkipParked { .. }
        | OperatorAction::Repair { .. }
        | OperatorAction::RetrySteps { .. } => {}
    }
    state
}
