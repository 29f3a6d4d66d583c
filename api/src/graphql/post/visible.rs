//! Who sees which posts. Every way to a post goes through here; the rule is that of the domain (`Seen::by`).

use std::collections::{BTreeSet, HashMap};

use async_graphql::{Context, Error};
use domain::{
    follow::PairState,
    post::{Seen, Unseen},
    values::UserId,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use projections::post_board::PostRow;

use crate::graphql::follow;

/// Pairs that are looked at at the same time: in a cluster, each look may be a round trip to the event store.
const LOOKS_AT_ONCE: usize = 16;

/// Which of these posts `viewer` may see, in their order. What was deleted nobody sees.
pub(in crate::graphql) async fn may_see(
    context: &Context<'_>,
    viewer: UserId,
    posts: &[&PostRow],
) -> Result<Vec<bool>, Error> {
    let authors: BTreeSet<UserId> = posts.iter().map(|row| row.author).collect();
    let looks = stream::iter(authors)
        .map(async |author| Ok::<_, Error>((author, follow::pair(context, viewer, author).await?)));
    let pairs: HashMap<UserId, PairState> = looks.buffer_unordered(LOOKS_AT_ONCE).try_collect().await?;
    let is_seen = |row: &&PostRow| {
        let pair = pairs.get(&row.author).copied().unwrap_or_default();
        match (Seen { post: row.state.clone(), pair }).by(viewer) {
            // A repost is seen like any post; what it shows is looked at by itself.
            Ok(_) | Err(Unseen::Repost(_)) => true,
            Err(Unseen::NotFound | Unseen::Deleted) => false,
        }
    };
    Ok(posts.iter().map(is_seen).collect())
}
