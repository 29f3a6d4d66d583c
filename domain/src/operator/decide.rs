//! The rules that the log of operators' actions keeps.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{
    OperatorAction, OperatorCommand, OperatorEvent, OperatorRejection, OperatorState, PausedProjection, REPAIR_KEYS_MAX,
};
use crate::{
    Timestamp,
    values::{Label, ProjectionName},
};

pub(super) fn decide(
    state: &OperatorState,
    command: OperatorCommand,
    now: Timestamp,
) -> Result<Vec<OperatorEvent>, OperatorRejection> {
    match command {
        OperatorCommand::TakeAction { actor, projection, action, reason } => {
            check(state, &projection, &action, reason.as_ref())?;
            Ok(vec![OperatorEvent::ActionTaken { actor, projection, action, reason, at: now }])
        }
    }
}

fn check(
    state: &OperatorState,
    projection: &ProjectionName,
    action: &OperatorAction,
    reason: Option<&Label>,
) -> Result<(), OperatorRejection> {
    match action {
        OperatorAction::Pause { .. } => running(state, projection),
        OperatorAction::SkipParked { .. } => reason.map(|_| ()).ok_or(OperatorRejection::ReasonMissing),
        OperatorAction::Repair { keys } => repairable(keys),
        // Whether there is such a generation or anything parked is not known here; nor whether a projection stands
        // still for another reason than a pause, from which it is resumed as well.
        OperatorAction::Resume
        | OperatorAction::Rebuild { .. }
        | OperatorAction::Rollback
        | OperatorAction::DiscardGeneration { .. }
        | OperatorAction::RetryParked { .. }
        | OperatorAction::RetrySteps { .. } => Ok(()),
    }
}

fn running(state: &OperatorState, projection: &ProjectionName) -> Result<(), OperatorRejection> {
    match state.paused.get(projection) {
        None => Ok(()),
        Some(PausedProjection { by, since, .. }) => {
            Err(OperatorRejection::AlreadyPaused { by: by.clone(), since: *since })
        }
    }
}

fn repairable(keys: &[Uuid]) -> Result<(), OperatorRejection> {
    if keys.is_empty() {
        return Err(OperatorRejection::NoKeys);
    }
    if keys.len() > REPAIR_KEYS_MAX {
        return Err(OperatorRejection::TooManyKeys(keys.len()));
    }
    let mut seen = BTreeSet::new();
    match keys.iter().find(|key| !seen.insert(**key)) {
        None => Ok(()),
        Some(key) => Err(OperatorRejection::RepeatedKey(*key)),
    }
}
