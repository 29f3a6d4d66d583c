//! Getting a handle: it is claimed on its own stream before a profile takes it (ADR 0024).

use async_graphql::{Context, Error};
use domain::{
    profile::handle::{CLAIM_MARGIN, Claim, HandleCommand, HandleRejection, HandleState, Vacancy, id_of},
    values::{Handle, UserId},
};

use crate::graphql::{
    call::{self, CommandIdentity, execute_error, services},
    read::internal,
};

/// Claims the handle for somebody. If whoever claimed it last does not have it, it is theirs no longer.
///
/// Each try is a command of its own: a claim that is repeated renews itself, and an old answer could be of one that is over.
pub(super) async fn claim(
    context: &Context<'_>,
    handle: &Handle,
    by: UserId,
) -> Result<Result<Claim, HandleRejection>, Error> {
    match once(context, handle, by, None).await? {
        Err(HandleRejection::Taken) => match vacancy(context, handle).await? {
            Some(vacancy) => once(context, handle, by, Some(vacancy)).await,
            None => Ok(Err(HandleRejection::Taken)),
        },
        claimed => Ok(claimed),
    }
}

async fn once(
    context: &Context<'_>,
    handle: &Handle,
    by: UserId,
    vacancy: Option<Vacancy>,
) -> Result<Result<Claim, HandleRejection>, Error> {
    let command = HandleCommand::Claim { handle: handle.clone(), by, vacancy };
    let identity = CommandIdentity::fresh(context)?;
    let handles = &services(context).handles;
    match call::execute_at_any_version(handles, id_of(handle).uuid(), command, &identity).await? {
        Ok(executed) => match &*executed.state {
            HandleState::Claimed(claim) => Ok(Ok(claim.clone())),
            HandleState::Unclaimed => Err(internal(Unclaimed)),
        },
        Err(rejection) => Ok(Err(rejection)),
    }
}

/// That whoever claimed the handle last does not have it, if it is so and can stay so.
async fn vacancy(context: &Context<'_>, handle: &Handle) -> Result<Option<Vacancy>, Error> {
    let services = services(context);
    let claimed = services.handles.current(id_of(handle).uuid()).await.map_err(execute_error)?;
    let HandleState::Claimed(claim) = &*claimed.state else { return Ok(None) };
    let seen_at = services.clock.now();
    if seen_at < claim.until + CLAIM_MARGIN {
        return Ok(None);
    }
    let holder = services.profiles.current(claim.by.uuid()).await.map_err(execute_error)?;
    Ok((!holder.state.has(handle)).then_some(Vacancy { holder: claim.by, seen_at }))
}

/// A claim was accepted, and there is none.
#[derive(Debug, thiserror::Error)]
#[error("a handle that was claimed has no claim")]
struct Unclaimed;
