//! The home feed, and the posts with a hashtag.

use async_graphql::{Context, Error, Object};
use domain::values::Hashtag;
use projections::social_graph::FeedPage;

use super::{
    PostConnection,
    lists::{Part, posts},
};
use crate::graphql::{
    PositionToken,
    call::{services, viewer},
    connection::Cursor,
    read::{query_error, ready_tables},
};

/// `homeFeed` and `hashtag`.
#[derive(Debug, Default)]
pub(crate) struct SocialGraphQuery;

#[Object]
impl SocialGraphQuery {
    /// What those whom the caller follows posted and reposted, and their own posts, newest first. Replies are in it where the
    /// caller follows both sides. Give `position` as `after` to `homeFeedUpdates` to hear of what comes next.
    #[graphql(complexity = "first.clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn home_feed(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] first: i32,
        after: Option<Cursor>,
        min_position: Option<PositionToken>,
    ) -> Result<PostConnection, Error> {
        const LIST: &str = "homeFeed";
        let reader = viewer(context)?.user();
        let part = Part::of(LIST, first, after)?;
        let graph = ready_tables(context, &services(context).read_models.social_graph, min_position).await?;
        let page = graph.home_feed(reader, part.after, part.first).await.map_err(query_error)?;
        posts(context, LIST, part, page).await
    }

    /// The posts with this hashtag (with or without `#`, in whatever case) that everybody may see, newest first.
    #[graphql(complexity = "first.clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn hashtag(
        &self,
        context: &Context<'_>,
        tag: String,
        #[graphql(default = 20)] first: i32,
        after: Option<Cursor>,
        min_position: Option<PositionToken>,
    ) -> Result<PostConnection, Error> {
        let viewer = viewer(context)?.user();
        // What is no hashtag is on no post.
        let Ok(tag) = Hashtag::parse(tag.strip_prefix('#').unwrap_or(&tag)) else {
            return posts(context, "hashtag", Part::of("hashtag", first, None)?, FeedPage::default()).await;
        };
        let list = format!("hashtag:{tag}");
        let part = Part::of(&list, first, after)?;
        let graph = ready_tables(context, &services(context).read_models.social_graph, min_position).await?;
        let page = graph.tagged(&tag, viewer, part.after, part.first).await.map_err(query_error)?;
        posts(context, &list, part, page).await
    }
}
