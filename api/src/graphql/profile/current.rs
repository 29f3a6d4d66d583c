//! Who somebody is at this moment: from the aggregates' own states, which never lag. For commands that have to know.

use async_graphql::{Context, Error};
use domain::{
    profile::handle::{HandleState, id_of},
    values::{Handle, UserId},
};
use projections::profile_directory::ProfileRow;

use crate::graphql::call::{execute_error, services};

/// The profile of this person, if they have one.
pub(in crate::graphql) async fn current(context: &Context<'_>, user: UserId) -> Result<Option<ProfileRow>, Error> {
    let current = services(context).profiles.current(user.uuid()).await.map_err(execute_error)?;
    Ok(current.revision.and_then(|revision| ProfileRow::of(&current.state, revision)))
}

/// The profile that has this handle. Nobody can have it but whoever claimed it last.
pub(in crate::graphql) async fn holder(context: &Context<'_>, handle: &Handle) -> Result<Option<ProfileRow>, Error> {
    let claimed = services(context).handles.current(id_of(handle).uuid()).await.map_err(execute_error)?;
    let HandleState::Claimed(claim) = &*claimed.state else { return Ok(None) };
    let holder = current(context, claim.by).await?;
    Ok(holder.filter(|row| row.person.handle == *handle))
}
