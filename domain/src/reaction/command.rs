//! What somebody may want of a post that they react to.

use crate::{post::Seen, values::UserId};

/// A command to what one person thinks of one post.
#[derive(Clone, Debug, PartialEq)]
pub enum ReactionCommand {
    /// Like it.
    Like {
        /// Who.
        by: UserId,
        /// Whether they have a profile.
        has_profile: bool,
        /// The post.
        post: Box<Seen>,
    },
    /// Like it no longer. For this the post need not be there any more.
    Unlike,
}
