//! Writing an operator's action down, on behalf of whoever calls.

use async_graphql::{Context, Error};
use domain::operator::{OperatorAction, OperatorRejection, OperatorState};
use infrastructure::{
    event_store::Position,
    execute::{ExecuteError, Executed},
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
    let actor = operator(context)?;
    let command = log::command(&actor.subject, projection, action, reason.as_deref())
        .map_err(|error| ErrorCode::BadUserInput.error(error.to_string()))?;
    match services(context).operator.execute(log::request(command, identity.metadata)).await {
        Ok(executed) => Ok(Ok(executed)),
        Err(ExecuteError::Rejected(rejection)) => Ok(Err(rejection)),
        Err(error) => Err(execute_error(error)),
    }
}
