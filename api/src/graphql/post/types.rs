//! A post as clients see it.

use std::sync::Arc;

use async_graphql::{Context, Error, ID, Object, SimpleObject};
use domain::{
    Timestamp,
    post::{Media, Mention, PostState, PublishedPost, Reply, Visibility},
    values::{Hashtag, PostId, PostText},
};
use projections::{post_board::PostRow, profile_directory::ProfileRow, social_graph::PostFacts};

use super::{
    inputs::PostVisibility,
    near::{Known, Near, near, published},
};
use crate::graphql::{
    PositionToken,
    behind::RowBehind,
    call::{services, version},
    connection::Cursor,
    node::global,
    product::ProductObject,
    profile::ProfileObject,
    social_graph::{self, PostConnection},
};

/// A post or repost that is there, and that whoever asks may see.
#[derive(Clone, Debug)]
pub(crate) struct PostObject {
    row: Arc<PostRow>,
    published_at: Timestamp,
    near: Arc<Near>,
}

/// A picture or a film.
#[derive(Clone, Debug, SimpleObject)]
struct PostMedia {
    /// Where it is.
    url: String,
    /// What it shows, for whoever does not see it.
    alt: Option<String>,
}

impl From<&Media> for PostMedia {
    fn from(Media { url, alt }: &Media) -> Self {
        Self { url: url.to_string(), alt: alt.as_ref().map(ToString::to_string) }
    }
}

/// Somebody who is mentioned in a post.
#[derive(Debug)]
struct PostMention {
    mention: Mention,
    near: Arc<Near>,
}

/// Somebody who is mentioned in a post.
#[Object]
impl PostMention {
    /// The handle they had when it was written, as it stands behind an `@` in the text, folded.
    async fn handle(&self) -> &str {
        self.mention.handle.as_str()
    }

    /// Who they are.
    #[graphql(complexity = "5 + child_complexity")]
    async fn profile(&self, context: &Context<'_>) -> Result<Option<ProfileObject>, Error> {
        self.near.people.get(context, self.mention.user).await
    }
}

impl PostObject {
    /// Posts that whoever asks may see; what they name is looked up together. What was deleted is left out.
    pub(in crate::graphql) fn all(rows: Vec<PostRow>) -> Vec<Self> {
        let near = near(&rows, Known::default());
        rows.into_iter().filter_map(|row| Self::shown(row, Arc::clone(&near))).collect()
    }

    /// A post, and its author if they are known already; none if it is deleted.
    pub(in crate::graphql) fn by(row: PostRow, author: Option<ProfileRow>) -> Option<Self> {
        Self::written(row, Known { people: author.into_iter().collect(), ..Known::default() })
    }

    /// A post as a command left it; none if it is deleted.
    pub(super) fn written(row: PostRow, known: Known) -> Option<Self> {
        let near = near(std::slice::from_ref(&row), known);
        Self::shown(row, near)
    }

    fn shown(row: PostRow, near: Arc<Near>) -> Option<Self> {
        let published_at = match &row.state {
            PostState::Published(post) => post.published_at,
            PostState::Reposted(repost) => repost.at,
            PostState::Unpublished | PostState::Deleted(_) => return None,
        };
        Some(Self { row: Arc::new(row), published_at, near })
    }

    /// Which one it is.
    pub(in crate::graphql) fn post(&self) -> PostId {
        self.row.post
    }

    fn published(&self) -> Option<&PublishedPost> {
        published(&self.row)
    }

    fn reply(&self) -> Option<Reply> {
        self.published().and_then(|post| post.reply)
    }

    async fn fact(&self, context: &Context<'_>) -> Result<Option<PostFacts>, Error> {
        self.near.facts.fact(context, self.row.post).await
    }

    async fn other(&self, context: &Context<'_>, post: Option<PostId>) -> Result<Option<Self>, Error> {
        match post {
            Some(post) => self.near.posts.get(context, post).await,
            None => Ok(None),
        }
    }
}

/// Something that somebody said, or passed on. A repost has no words of its own: `repostOf` is the post that it shows.
#[Object(name = "Post")]
impl PostObject {
    /// The global id, opaque.
    pub(in crate::graphql) async fn id(&self) -> ID {
        global(self.row.post)
    }

    /// Who said it, or passed it on; null if the read model does not show them yet.
    #[graphql(complexity = "5 + child_complexity")]
    async fn author(&self, context: &Context<'_>) -> Result<Option<ProfileObject>, Error> {
        self.near.people.get(context, self.row.author).await
    }

    /// The words; null if there are none. Mentions and hashtags stand in it as they were written.
    async fn text(&self) -> Option<&str> {
        self.published()?.content.text.as_ref().map(PostText::as_str)
    }

    /// Pictures and films, in order.
    async fn media(&self) -> Vec<PostMedia> {
        self.published().map_or_else(Vec::new, |post| post.content.media.iter().map(PostMedia::from).collect())
    }

    /// The product it is about.
    #[graphql(complexity = "5 + child_complexity")]
    async fn product(&self, context: &Context<'_>) -> Result<Option<ProductObject>, Error> {
        match self.published().and_then(|post| post.content.product) {
            Some(product) => self.near.products.get(context, product).await,
            None => Ok(None),
        }
    }

    /// The people it mentions, in order, each once.
    #[graphql(complexity = "5 + child_complexity")]
    async fn mentions(&self) -> Vec<PostMention> {
        let mentions = self.published().map_or(&[][..], |post| &post.content.mentions);
        let near = |mention: &Mention| PostMention { mention: mention.clone(), near: Arc::clone(&self.near) };
        mentions.iter().map(near).collect()
    }

    /// The words it is found under, without the `#`, folded, in order, each once.
    async fn hashtags(&self) -> Vec<&str> {
        let hashtags = self.published().map_or(&[][..], |post| &post.content.hashtags);
        hashtags.iter().map(Hashtag::as_str).collect()
    }

    /// Who may see it, beside its author.
    async fn visibility(&self) -> PostVisibility {
        self.published().map_or(Visibility::Public, |post| post.visibility).into()
    }

    /// Whether it answers a post, also if the caller does not see that one.
    async fn is_reply(&self) -> bool {
        self.reply().is_some()
    }

    /// The post that it answers; null if it answers none, or one that the caller does not see.
    #[graphql(complexity = "5 + child_complexity")]
    async fn reply_to(&self, context: &Context<'_>) -> Result<Option<Self>, Error> {
        self.other(context, self.reply().map(|reply| reply.parent)).await
    }

    /// The post that began the thread; null if that is this one, or one that the caller does not see.
    #[graphql(complexity = "5 + child_complexity")]
    async fn thread_root(&self, context: &Context<'_>) -> Result<Option<Self>, Error> {
        self.other(context, self.reply().map(|reply| reply.root)).await
    }

    /// How many answers it is below the post that began the thread.
    async fn depth(&self) -> u32 {
        self.reply().map_or(0, |reply| reply.depth)
    }

    /// Whether it quotes a post, also if the caller does not see that one.
    async fn is_quote(&self) -> bool {
        self.published().is_some_and(|post| post.quoted.is_some())
    }

    /// The post that it quotes; null if it quotes none, or one that the caller does not see.
    #[graphql(complexity = "5 + child_complexity")]
    async fn quoted(&self, context: &Context<'_>) -> Result<Option<Self>, Error> {
        let quoted = self.published().and_then(|post| post.quoted);
        self.other(context, quoted.map(|quoted| quoted.post)).await
    }

    /// Whether it is a repost, also if the caller does not see the post that it shows.
    async fn is_repost(&self) -> bool {
        self.published().is_none()
    }

    /// The post that it shows; null if it is no repost, or of a post that the caller does not see.
    #[graphql(complexity = "5 + child_complexity")]
    async fn repost_of(&self, context: &Context<'_>) -> Result<Option<Self>, Error> {
        let of = match &self.row.state {
            PostState::Reposted(repost) => Some(repost.of),
            PostState::Unpublished | PostState::Published(_) | PostState::Deleted(_) => None,
        };
        self.other(context, of).await
    }

    /// How many people like it.
    #[graphql(complexity = "2 + child_complexity")]
    async fn like_count(&self, context: &Context<'_>) -> Result<u64, Error> {
        Ok(self.fact(context).await?.map_or(0, |fact| fact.likes))
    }

    /// How many people repost it.
    #[graphql(complexity = "2 + child_complexity")]
    async fn repost_count(&self, context: &Context<'_>) -> Result<u64, Error> {
        Ok(self.fact(context).await?.map_or(0, |fact| fact.reposts))
    }

    /// How many posts answer it directly.
    #[graphql(complexity = "2 + child_complexity")]
    async fn reply_count(&self, context: &Context<'_>) -> Result<u64, Error> {
        Ok(self.fact(context).await?.map_or(0, |fact| fact.replies))
    }

    /// Whether the caller likes it.
    #[graphql(complexity = "2 + child_complexity")]
    async fn viewer_has_liked(&self, context: &Context<'_>) -> Result<bool, Error> {
        Ok(self.fact(context).await?.is_some_and(|fact| fact.viewer_likes))
    }

    /// Whether the caller reposts it.
    #[graphql(complexity = "2 + child_complexity")]
    async fn viewer_has_reposted(&self, context: &Context<'_>) -> Result<bool, Error> {
        Ok(self.fact(context).await?.is_some_and(|fact| fact.viewer_reposts))
    }

    /// What answers it directly, as the caller sees it, oldest first. Each answer has its own `replies`: so a thread is read
    /// as a tree, page by page.
    #[graphql(complexity = "first.clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn replies(
        &self,
        context: &Context<'_>,
        #[graphql(default = 20)] first: i32,
        after: Option<Cursor>,
        min_position: Option<PositionToken>,
    ) -> Result<PostConnection, Error> {
        social_graph::replies(context, self.row.post, (first, after), min_position).await
    }

    /// How often it was edited.
    async fn edits(&self) -> u32 {
        self.published().map_or(0, |post| post.edits)
    }

    /// When it was edited last; null if never.
    async fn edited_at(&self) -> Option<Timestamp> {
        self.published().filter(|post| post.edits > 0).map(|post| post.updated_at)
    }

    /// When it was published, or passed on.
    async fn published_at(&self) -> Timestamp {
        self.published_at
    }

    /// Counts its changes. Give it as `expectedVersion` to change it only if it did not change meanwhile.
    async fn version(&self) -> i32 {
        version(self.row.revision)
    }

    /// What of it the read model does not show because an event cannot be applied; null if nothing.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn behind(&self, context: &Context<'_>) -> Result<Option<RowBehind>, Error> {
        RowBehind::of(context, services(context).read_models.post_board.behind(self.row.post.uuid()))
    }
}
