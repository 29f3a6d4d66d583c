//! The operators' log outside GraphQL: what the start and the roles of the command line read and write.
//!
//! Whoever carries an action out asks the projection first whether it makes sense, writes it down here, and does it
//! then: what was done can always be read.

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use domain::{
    operator::{OPERATOR_LOG, Operator, OperatorAction, OperatorCommand, OperatorRejection, OperatorState},
    values::{Actor, ActorError, Label, LabelError, ProjectionName, ProjectionNameError},
};
use infrastructure::execute::{CommandMetadata, ExecuteError, Executor, Request};

/// Text that is no part of an action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedAction {
    /// Nobody can be called this.
    #[error("the actor: {0}")]
    Actor(#[from] ActorError),
    /// No projection can be called this.
    #[error("the projection: {0}")]
    Projection(#[from] ProjectionNameError),
    /// It is empty, too long or has control characters.
    #[error("the reason: {0}")]
    Reason(#[from] LabelError),
}

/// The command that writes down what `actor` does to `projection`.
pub fn command(
    actor: &str,
    projection: &str,
    action: OperatorAction,
    reason: Option<&str>,
) -> Result<OperatorCommand, MalformedAction> {
    Ok(OperatorCommand::TakeAction {
        actor: Actor::parse(actor)?,
        projection: ProjectionName::parse(projection)?,
        action,
        reason: reason.map(Label::parse).transpose()?,
    })
}

/// What is paused, by whom and why, after everything that was written down before.
pub async fn paused(executor: &Executor<Operator>) -> Result<Arc<OperatorState>, ExecuteError<OperatorRejection>> {
    Ok(executor.current(OPERATOR_LOG.uuid()).await?.state)
}

/// The command on its way to the one log.
pub(crate) fn request(command: OperatorCommand, metadata: CommandMetadata) -> Request<OperatorCommand> {
    Request { stream: OPERATOR_LOG.uuid(), command, metadata, expected: None, is_fresh: false }
}
