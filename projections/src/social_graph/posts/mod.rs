//! Posts: where they stand, who may see them, and how many like, repost and answer them.

mod query;
pub(super) mod sql;

use domain::values::{PostId, UserId};

/// A post to somebody who may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostFacts {
    /// The post.
    pub post: PostId,
    /// Whose it is.
    pub author: UserId,
    /// Whether it was taken back.
    pub is_deleted: bool,
    /// How many people like it.
    pub likes: u64,
    /// How many people repost it.
    pub reposts: u64,
    /// How many posts answer it directly.
    pub replies: u64,
    /// Whether whoever looks likes it.
    pub viewer_likes: bool,
    /// Whether whoever looks reposts it.
    pub viewer_reposts: bool,
}
