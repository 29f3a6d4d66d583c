//! What a post remembers.

use super::{Content, PostEvent, Published, Quoted, Reply, Visibility};
use crate::{
    Timestamp,
    values::{PostId, UserId},
};

/// The life of a post.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum PostState {
    /// Nobody said it yet.
    #[default]
    Unpublished,
    /// Somebody did.
    Published(PublishedPost),
    /// It shows another post.
    Reposted(Repost),
    /// It was taken back.
    Deleted(Tombstone),
}

/// A post as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedPost {
    /// The post.
    pub post: PostId,
    /// Its author.
    pub author: UserId,
    /// What it says.
    pub content: Content,
    /// Who may see it.
    pub visibility: Visibility,
    /// What it answers.
    pub reply: Option<Reply>,
    /// What it quotes.
    pub quoted: Option<Quoted>,
    /// How often it was edited.
    pub edits: u32,
    /// When it was published.
    pub published_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
}

/// A post that shows another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repost {
    /// The repost.
    pub post: PostId,
    /// Who reposts.
    pub author: UserId,
    /// The post that it shows.
    pub of: PostId,
    /// Whose that is.
    pub of_author: UserId,
    /// When.
    pub at: Timestamp,
}

/// What is left of a post that was taken back: whose it was, and who could see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Its author.
    pub author: UserId,
    /// Who could see it.
    pub visibility: Visibility,
    /// What it showed, if it was a repost.
    pub repost_of: Option<PostId>,
}

impl PostState {
    /// A rough size in bytes.
    pub(super) fn weight(&self) -> usize {
        let content = match self {
            Self::Published(post) => post.content.weight(),
            Self::Unpublished | Self::Reposted(_) | Self::Deleted(_) => 0,
        };
        size_of::<Self>() + content
    }
}

pub(super) fn evolve(state: PostState, event: &PostEvent) -> PostState {
    match (state, event) {
        (_, PostEvent::Published(published)) => PostState::Published(published_post(published)),
        (_, PostEvent::Reposted { post, author, of, of_author, at }) => {
            PostState::Reposted(Repost { post: *post, author: *author, of: *of, of_author: *of_author, at: *at })
        }
        (PostState::Published(post), PostEvent::Edited { content, at, .. }) => {
            let (content, edits) = (content.clone(), post.edits.saturating_add(1));
            PostState::Published(PublishedPost { content, edits, updated_at: *at, ..post })
        }
        (PostState::Published(post), PostEvent::Deleted { author, .. }) => {
            PostState::Deleted(Tombstone { author: *author, visibility: post.visibility, repost_of: None })
        }
        (PostState::Reposted(repost), PostEvent::Deleted { author, .. }) => {
            let (visibility, repost_of) = (Visibility::Public, Some(repost.of));
            PostState::Deleted(Tombstone { author: *author, visibility, repost_of })
        }
        // `decide` never lets these happen; a log that holds them all the same must still fold.
        (
            state @ (PostState::Unpublished | PostState::Reposted(_) | PostState::Deleted(_)),
            PostEvent::Edited { .. },
        )
        | (state @ (PostState::Unpublished | PostState::Deleted(_)), PostEvent::Deleted { .. }) => state,
    }
}

fn published_post(published: &Published) -> PublishedPost {
    let Published { post, author, content, visibility, reply, quoted, at } = published;
    PublishedPost {
        post: *post,
        author: *author,
        content: content.clone(),
        visibility: *visibility,
        reply: *reply,
        quoted: *quoted,
        edits: 0,
        published_at: *at,
        updated_at: *at,
    }
}
