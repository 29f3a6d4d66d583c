//! What is remembered of what one person thinks of one post.

use super::ReactionEvent;
use crate::values::{PostId, UserId};

/// What one person thinks of one post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReactionState {
    /// Nothing that they say.
    #[default]
    Neutral,
    /// They like it.
    Liked {
        /// The post.
        post: PostId,
        /// Whose it is.
        author: UserId,
        /// Who likes it.
        by: UserId,
    },
}

pub(super) const fn evolve(event: &ReactionEvent) -> ReactionState {
    match event {
        ReactionEvent::Liked { post, author, by, at: _ } => {
            ReactionState::Liked { post: *post, author: *author, by: *by }
        }
        ReactionEvent::Unliked { .. } => ReactionState::Neutral,
    }
}
