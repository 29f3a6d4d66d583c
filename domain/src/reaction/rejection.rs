//! Why a reaction is refused.

use crate::{post::Unseen, values::PostId};

/// An answer to whoever asked; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReactionRejection {
    /// Whoever asks is not visible to others.
    #[error("you have no profile: create one first")]
    NoProfile,
    /// There is no such post, or none for whoever asks.
    #[error("there is no such post: check its id")]
    NotFound,
    /// The post was taken back.
    #[error("the post is deleted: it cannot be liked any more")]
    Deleted,
    /// A repost has nothing of its own to like.
    #[error("that is a repost: take the post that it shows")]
    IsRepost {
        /// The post that it shows.
        of: PostId,
    },
}

impl From<Unseen> for ReactionRejection {
    fn from(unseen: Unseen) -> Self {
        match unseen {
            Unseen::NotFound => Self::NotFound,
            Unseen::Deleted => Self::Deleted,
            Unseen::Repost(of) => Self::IsRepost { of },
        }
    }
}

crate::codes::codes!(ReactionRejection {
    Self::NoProfile => "NO_PROFILE",
    Self::NotFound => "POST_NOT_FOUND",
    Self::Deleted => "POST_DELETED",
    Self::IsRepost { .. } => "TARGET_IS_REPOST",
});
