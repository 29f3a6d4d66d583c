//! What somebody may want to be done and written down.

use super::OperatorAction;
use crate::values::{Actor, Label, ProjectionName};

/// A command to the one log.
#[derive(Clone, Debug, PartialEq)]
pub enum OperatorCommand {
    /// Do something to a projection, or to a process.
    TakeAction {
        /// Who does it.
        actor: Actor,
        /// To which projection, or process.
        projection: ProjectionName,
        /// What.
        action: OperatorAction,
        /// Why. Needed where an event is given up.
        reason: Option<Label>,
    },
}
