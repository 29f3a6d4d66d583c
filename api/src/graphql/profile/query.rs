//! Questions about people.

use async_graphql::{Context, Error, ID, Object};
use domain::values::{Handle, UserId};

use super::ProfileObject;
use crate::{
    error_code::ErrorCode,
    graphql::{
        PositionToken,
        behind::refuse_if_stale,
        call::{services, viewer},
        node::local,
        read::{query_error, ready},
    },
};

/// `me` and `profile`.
#[derive(Debug, Default)]
pub(crate) struct ProfileQuery;

#[Object]
impl ProfileQuery {
    /// The caller's own profile; null if they have none (`profileCreate` makes it).
    async fn me(
        &self,
        context: &Context<'_>,
        min_position: Option<PositionToken>,
    ) -> Result<Option<ProfileObject>, Error> {
        find(context, viewer(context)?.user(), min_position).await
    }

    /// The profile with this id or handle (give one of the two), the handle in whatever case, with or without `@`; null if
    /// there is none.
    async fn profile(
        &self,
        context: &Context<'_>,
        id: Option<ID>,
        handle: Option<String>,
        min_position: Option<PositionToken>,
    ) -> Result<Option<ProfileObject>, Error> {
        viewer(context)?;
        match (id, handle) {
            (Some(id), None) => match local(&id) {
                Some(user) => find(context, user, min_position).await,
                None => Ok(None),
            },
            (None, Some(handle)) => by_handle(context, &handle, min_position).await,
            (None, None) | (Some(_), Some(_)) => {
                Err(ErrorCode::BadUserInput.error("give exactly one of `id` and `handle`"))
            }
        }
    }
}

async fn by_handle(
    context: &Context<'_>,
    text: &str,
    min_position: Option<PositionToken>,
) -> Result<Option<ProfileObject>, Error> {
    // What is no handle is nobody's.
    let Ok(handle) = Handle::parse(text.strip_prefix('@').unwrap_or(text)) else { return Ok(None) };
    let directory = ready(context, &services(context).read_models.profile_directory, min_position).await?;
    let Some(row) = directory.by_handle(&handle).await.map_err(query_error)? else { return Ok(None) };
    refuse_if_stale(directory.behind(row.person.user.uuid()).as_ref(), true, min_position)?;
    Ok(Some(ProfileObject::of(row)))
}

/// The profile of this person, for everybody who is signed in.
pub(in crate::graphql) async fn find(
    context: &Context<'_>,
    user: UserId,
    min_position: Option<PositionToken>,
) -> Result<Option<ProfileObject>, Error> {
    viewer(context)?;
    let directory = ready(context, &services(context).read_models.profile_directory, min_position).await?;
    // Asked for first: what is released meanwhile shows in the row.
    let behind = directory.behind(user.uuid());
    let row = directory.row(user.uuid()).await.map_err(query_error)?;
    refuse_if_stale(behind.as_ref(), row.is_some(), min_position)?;
    Ok(row.map(ProfileObject::of))
}
