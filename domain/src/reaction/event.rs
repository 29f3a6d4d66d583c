//! What happened to what one person thinks of one post.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    EventPayload, Timestamp,
    values::{PostId, ReactionId, UserId},
};

/// An event of what one person thinks of one post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReactionEvent {
    /// They like it.
    #[serde(rename = "reaction.liked.v1")]
    Liked {
        /// The post.
        post: PostId,
        /// Whose it is.
        author: UserId,
        /// Who likes it.
        by: UserId,
        /// When.
        at: Timestamp,
    },
    /// They like it no longer.
    #[serde(rename = "reaction.unliked.v1")]
    Unliked {
        /// The post.
        post: PostId,
        /// Whose it is.
        author: UserId,
        /// Who liked it.
        by: UserId,
        /// When.
        at: Timestamp,
    },
}

impl ReactionEvent {
    /// The post that it is about.
    pub const fn post(&self) -> PostId {
        match self {
            Self::Liked { post, .. } | Self::Unliked { post, .. } => *post,
        }
    }

    /// Whose reaction to which post it is.
    pub fn reaction(&self) -> ReactionId {
        match self {
            Self::Liked { post, by, .. } | Self::Unliked { post, by, .. } => super::id_of(*post, *by),
        }
    }
}

impl EventPayload for ReactionEvent {
    fn types() -> Vec<&'static str> {
        vec!["reaction.liked.v1", "reaction.unliked.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
