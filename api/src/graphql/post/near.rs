//! What posts of one answer name: people, products and other posts, each kind looked up together.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Error};
use domain::{
    post::{PostState, PublishedPost},
    values::{PostId, ProductId},
};
use projections::{
    ReadModels, Served,
    post_board::{PostBoard, PostRow},
    profile_directory::ProfileRow,
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{PostObject, visible::may_see};
use crate::graphql::{
    call::viewer,
    product::ProductsTogether,
    profile::ProfilesTogether,
    social_graph::FactsTogether,
    together::{Named, Together},
};

impl Named for PostBoard {
    fn among(models: &ReadModels) -> &Served<Self> {
        &models.post_board
    }

    fn key_of(row: &PostRow) -> Uuid {
        row.post.uuid()
    }
}

/// What is known already, from the aggregates' own states.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) people: Vec<ProfileRow>,
    pub(super) posts: Vec<PostRow>,
}

/// What posts of one answer name.
#[derive(Debug)]
pub(super) struct Near {
    pub(super) people: ProfilesTogether,
    pub(super) products: ProductsTogether,
    pub(super) posts: PostsTogether,
    /// How the posts themselves are received.
    pub(super) facts: FactsTogether,
}

impl Near {
    pub(super) fn new(rows: &[PostRow], known: Known) -> Self {
        let published = || rows.iter().filter_map(published);
        let mentioned = published().flat_map(|post| &post.content.mentions).map(|mention| mention.user);
        let people = rows.iter().map(|row| row.author).chain(mentioned);
        let products: Vec<ProductId> = published().filter_map(|post| post.content.product).collect();
        Self {
            people: ProfilesTogether::new(people, known.people),
            products: ProductsTogether::new(products),
            posts: PostsTogether::new(rows.iter().flat_map(posts_of), known.posts),
            facts: FactsTogether::new(rows.iter().map(|row| row.post).collect()),
        }
    }
}

/// The post, if it is there and has words of its own.
pub(super) const fn published(row: &PostRow) -> Option<&PublishedPost> {
    match &row.state {
        PostState::Published(post) => Some(post),
        PostState::Unpublished | PostState::Reposted(_) | PostState::Deleted(_) => None,
    }
}

/// The posts that a post names.
fn posts_of(row: &PostRow) -> Vec<PostId> {
    match &row.state {
        PostState::Published(PublishedPost { reply, quoted, .. }) => {
            let thread = reply.iter().flat_map(|reply| [reply.parent, reply.root]);
            thread.chain(quoted.iter().map(|quoted| quoted.post)).collect()
        }
        PostState::Reposted(repost) => vec![repost.of],
        PostState::Unpublished | PostState::Deleted(_) => vec![],
    }
}

/// Posts of one answer, looked up at most once, for whoever asks.
#[derive(Debug)]
pub(in crate::graphql) struct PostsTogether {
    rows: Together<PostBoard>,
    shown: OnceCell<Result<HashMap<PostId, PostObject>, Error>>,
}

impl PostsTogether {
    pub(in crate::graphql) fn new(wanted: impl IntoIterator<Item = PostId>, known: Vec<PostRow>) -> Self {
        let rows = Together::new(wanted.into_iter().map(PostId::uuid)).knowing(known);
        Self { rows, shown: OnceCell::new() }
    }

    /// One of them; none if it is not there, or not for the caller.
    pub(in crate::graphql) async fn get(
        &self,
        context: &Context<'_>,
        post: PostId,
    ) -> Result<Option<PostObject>, Error> {
        // One that is not shown because of an event that cannot be applied says so.
        self.rows.get(context, post.uuid()).await?;
        let shown = self.shown.get_or_init(|| self.look(context)).await;
        Ok(shown.as_ref().map_err(Error::clone)?.get(&post).cloned())
    }

    async fn look(&self, context: &Context<'_>) -> Result<HashMap<PostId, PostObject>, Error> {
        let rows = self.rows.all(context).await?;
        let viewer = viewer(context)?.user();
        let may_see = may_see(context, viewer, &rows).await?;
        let rows = rows.into_iter().zip(may_see).filter(|(_, may_see)| *may_see).map(|(row, _)| row.clone());
        let objects = PostObject::all(rows.collect());
        Ok(objects.into_iter().map(|object| (object.post(), object)).collect())
    }
}

/// The people a post is of or mentions are looked up with those of its whole page.
pub(super) fn near(rows: &[PostRow], known: Known) -> Arc<Near> {
    Arc::new(Near::new(rows, known))
}
