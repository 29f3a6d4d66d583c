//! The home feed, and the posts with a hashtag.

use async_graphql::{Context, Error, Object};
use domain::values::Hashtag;
use projections::social_graph::FeedPage;

use super::{PostConnection, lists::List};
use crate::graphql::{PositionToken, connection::Cursor};

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
        let list = List::asked(context, "homeFeed", (first, after), min_position).await?;
        list.posts(context, list.graph.home_feed(list.viewer, list.after, list.first).await).await
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
        // What is no hashtag is on no post.
        let Ok(tag) = Hashtag::parse(tag.strip_prefix('#').unwrap_or(&tag)) else {
            let list = List::asked(context, "hashtag", (first, None), min_position).await?;
            let nothing = FeedPage { as_of: list.graph.position(), ..FeedPage::default() };
            return list.posts(context, Ok(nothing)).await;
        };
        let list = List::asked(context, format!("hashtag:{tag}"), (first, after), min_position).await?;
        list.posts(context, list.graph.tagged(&tag, list.viewer, list.after, list.first).await).await
    }
}
