//! Writing an operator's action down, on behalf of whoever calls.

use async_graphql::{Context, Error};
use domain::operator::{OperatorAction, OperatorCommand, OperatorRejection, OperatorState};
use infrastructure::{
    event_store::{Position, Revision},
    execute::{ExecuteError, Executed, Request},
};

use crate::{
    error_code::ErrorCode,
    graphql::call::{CommandIdentity, execute_error, operator, services},
    operator as log,
};

/// Writes down what the caller does to a projection. Call it once the projection says that the action makes sense, and
/// carry the action out only if this returns a position: then it is durable.
pub(in crate::graphql) async fn record(
    context: &Context<'_>,
    projection: &str,
    action: OperatorAction,
    reason: Option<String>,
) -> Result<Result<Position, OperatorRejection>, Error> {
    let identity = CommandIdentity::fresh(context)?;
    let recorded = record_once(context, identity, projection, action, reason).await?;
    Ok(recorded.map(|executed| executed.position))
}

/// The same for a mutation with an idempotency key. If it `is_repeat`, the action was written down before.
pub(in crate::graphql) async fn record_once(
    context: &Context<'_>,
    identity: CommandIdentity,
    projection: &str,
    action: OperatorAction,
    reason: Option<String>,
) -> Result<Result<Executed<OperatorState>, OperatorRejection>, Error> {
    let command = command(context, projection, action, reason.as_deref())?;
    match services(context).operator.execute(log::request(command, identity.metadata)).await {
        Ok(executed) => Ok(Ok(executed)),
        Err(ExecuteError::Rejected(rejection)) => Ok(Err(rejection)),
        Err(error) => Err(execute_error(error)),
    }
}

/// What was written down with the same idempotency key before; none if nothing was. Nothing new is written. For mutations
/// that no longer make sense once they took effect: a repeat is to get the first one's outcome all the same.
pub(in crate::graphql) async fn recorded_before(
    context: &Context<'_>,
    identity: CommandIdentity,
    projection: &str,
    action: OperatorAction,
    reason: Option<String>,
) -> Result<Option<Executed<OperatorState>>, Error> {
    let command = command(context, projection, action, reason.as_deref())?;
    if !identity.is_keyed {
        return Ok(None);
    }
    // The log never gets to this revision: a repeat is known before that is looked at, and everything else is refused.
    let request = Request { expected: Some(Revision::MAX), ..log::request(command, identity.metadata) };
    match services(context).operator.execute(request).await {
        Ok(executed) => Ok(Some(executed)),
        Err(ExecuteError::VersionConflict { .. }) => Ok(None),
        Err(error) => Err(execute_error(error)),
    }
}

fn command(
    context: &Context<'_>,
    projection: &str,
    action: OperatorAction,
    reason: Option<&str>,
) -> Result<OperatorCommand, Error> {
    let actor = operator(context)?;
    log::command(&actor.subject, projection, action, reason)
        .map_err(|error| ErrorCode::BadUserInput.error(error.to_string()))
}
