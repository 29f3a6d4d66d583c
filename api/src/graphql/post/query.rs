//! Questions about single posts.

use async_graphql::{Context, Error, ID, Object};
use domain::values::PostId;

use super::{PostObject, visible::may_see};
use crate::graphql::{
    PositionToken,
    behind::refuse_if_stale,
    call::{services, viewer},
    node::local,
    read::{query_error, ready},
};

/// `post`.
#[derive(Debug, Default)]
pub(crate) struct PostQuery;

#[Object]
impl PostQuery {
    /// The post with this id; null if there is none, or none for the caller.
    async fn post(
        &self,
        context: &Context<'_>,
        id: ID,
        min_position: Option<PositionToken>,
    ) -> Result<Option<PostObject>, Error> {
        viewer(context)?;
        match local(&id) {
            Some(post) => find(context, post, min_position).await,
            None => Ok(None),
        }
    }
}

/// The post with this id, if the caller may see it.
pub(in crate::graphql) async fn find(
    context: &Context<'_>,
    post: PostId,
    min_position: Option<PositionToken>,
) -> Result<Option<PostObject>, Error> {
    let viewer = viewer(context)?.user();
    let board = ready(context, &services(context).read_models.post_board, min_position).await?;
    // Asked for first: what is released meanwhile shows in the row.
    let behind = board.behind(post.uuid());
    let row = board.row(post.uuid()).await.map_err(query_error)?;
    // Of what they may not see, nobody is told that it is behind.
    if let Some(row) = &row
        && may_see(context, viewer, &[row]).await? != [true]
    {
        return Ok(None);
    }
    refuse_if_stale(behind.as_ref(), row.is_some(), min_position)?;
    Ok(row.and_then(|row| PostObject::all(vec![row]).pop()))
}
