//! A post as it is read.

use domain::{
    post::PostState,
    values::{PostId, UserId},
};
use infrastructure::event_store::Revision;

/// One post, repost or tombstone.
#[derive(Clone, Debug, PartialEq)]
pub struct PostRow {
    /// Which one.
    pub post: PostId,
    /// Whose it is.
    pub author: UserId,
    /// What it is now; never unpublished.
    pub state: PostState,
    /// The revision of its stream.
    pub revision: Revision,
}

impl PostRow {
    /// The row that belongs to an aggregate's state; none if nobody said it yet.
    pub fn of(post: PostId, state: PostState, revision: Revision) -> Option<Self> {
        let author = author_of(&state)?;
        Some(Self { post, author, state, revision })
    }
}

const fn author_of(state: &PostState) -> Option<UserId> {
    match state {
        PostState::Unpublished => None,
        PostState::Published(post) => Some(post.author),
        PostState::Reposted(repost) => Some(repost.author),
        PostState::Deleted(was) => Some(was.author),
    }
}
