//! What a post is at this moment, and to whom: from the aggregates' own states, which never lag. For commands that have to
//! know.

use std::collections::BTreeMap;

use async_graphql::{Context, Error};
use domain::{
    post::{Draft, Entities, PostState, Seen},
    values::{Handle, PostId, UserId},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use projections::{post_board::PostRow, profile_directory::ProfileRow};

use super::inputs::Said;
use crate::graphql::{
    call::{execute_error, services},
    follow, profile,
};

/// Handles that are looked up at the same time: in a cluster, each look may be round trips to the event store.
const LOOKS_AT_ONCE: usize = 16;

/// A post, as somebody sees it.
#[derive(Clone, Debug, Default)]
pub(in crate::graphql) struct Looked {
    /// What the rules are told of it.
    pub(in crate::graphql) seen: Seen,
    row: Option<PostRow>,
}

impl Looked {
    /// The post, if `viewer` sees it.
    pub(in crate::graphql) fn shown(self, viewer: UserId) -> Option<PostRow> {
        self.row.filter(|_| self.seen.by(viewer).is_ok())
    }
}

/// Looks at a post for `viewer`.
pub(in crate::graphql) async fn look(context: &Context<'_>, post: PostId, viewer: UserId) -> Result<Looked, Error> {
    let current = services(context).posts.current(post.uuid()).await.map_err(execute_error)?;
    let row = current.revision.and_then(|revision| PostRow::of(post, PostState::clone(&current.state), revision));
    let Some(row) = row else { return Ok(Looked::default()) };
    let pair = follow::pair(context, viewer, row.author).await?;
    Ok(Looked { seen: Seen { post: row.state.clone(), pair }, row: Some(row) })
}

/// What somebody wrote with what the rules have to know of it, and the people it mentions.
pub(super) async fn draft(context: &Context<'_>, said: Said) -> Result<(Draft, Vec<ProfileRow>), Error> {
    let Said { text, media, product } = said;
    let product = match product {
        None => None,
        Some(product) => {
            let current = services(context).products.current(product.uuid()).await.map_err(execute_error)?;
            Some((product, current.state.as_ref().clone()))
        }
    };
    // A flood of mentions is refused anyway; it must not cost a look at each of them.
    let handles = text.as_ref().and_then(|text| Entities::of(text).ok()).unwrap_or_default().handles;
    let people = holders(context, handles).await?;
    let mentioned: BTreeMap<Handle, UserId> =
        people.iter().map(|row| (row.person.handle.clone(), row.person.user)).collect();
    Ok((Draft { text, media, product, mentioned }, people))
}

/// Those who have these handles.
async fn holders(context: &Context<'_>, handles: Vec<Handle>) -> Result<Vec<ProfileRow>, Error> {
    let looks = stream::iter(handles).map(async |handle| profile::holder(context, &handle).await);
    let found: Vec<Option<ProfileRow>> = looks.buffer_unordered(LOOKS_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
