//! What happened to a post.

use serde::{Deserialize, Deserializer, Serialize};

use super::Content;
use crate::{
    EventPayload, Timestamp,
    values::{PostId, UserId},
};

/// An event of one post.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PostEvent {
    /// Somebody said something.
    #[serde(rename = "post.published.v1")]
    Published(Box<Published>),
    /// They say it otherwise.
    #[serde(rename = "post.edited.v1")]
    Edited {
        /// The post.
        post: PostId,
        /// Its author.
        author: UserId,
        /// All that it says from now on.
        content: Content,
        /// When.
        at: Timestamp,
    },
    /// Somebody showed a post to their followers; again, perhaps, after they had undone it.
    #[serde(rename = "post.reposted.v1")]
    Reposted {
        /// The repost.
        post: PostId,
        /// Who reposts.
        author: UserId,
        /// The post that it shows.
        of: PostId,
        /// Whose that is.
        of_author: UserId,
        /// When.
        at: Timestamp,
    },
    /// It was taken back; a repost was undone.
    #[serde(rename = "post.deleted.v1")]
    Deleted {
        /// The post.
        post: PostId,
        /// Its author.
        author: UserId,
        /// When.
        at: Timestamp,
    },
}

/// A post as it was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
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
    /// When.
    pub at: Timestamp,
}

/// Who may see a post, beside its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody but those with whom there is a block.
    Public,
    /// Those who follow the author.
    Followers,
}

/// A post's place in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The post that it answers.
    pub parent: PostId,
    /// Whose that is.
    pub parent_author: UserId,
    /// The post that began the thread.
    pub root: PostId,
    /// How many answers it is below the root, from 1.
    pub depth: u32,
}

/// A post that is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    /// The post.
    pub post: PostId,
    /// Whose it is.
    pub author: UserId,
}

impl PostEvent {
    /// The post it happened to.
    pub const fn post(&self) -> PostId {
        match self {
            Self::Published(published) => published.post,
            Self::Edited { post, .. } | Self::Reposted { post, .. } | Self::Deleted { post, .. } => *post,
        }
    }

    /// Its author.
    pub const fn author(&self) -> UserId {
        match self {
            Self::Published(published) => published.author,
            Self::Edited { author, .. } | Self::Reposted { author, .. } | Self::Deleted { author, .. } => *author,
        }
    }
}

impl EventPayload for PostEvent {
    fn types() -> Vec<&'static str> {
        vec!["post.published.v1", "post.edited.v1", "post.reposted.v1", "post.deleted.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
