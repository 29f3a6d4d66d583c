//! Another post as somebody sees it.

use super::{PostState, PublishedPost, Visibility};
use crate::{
    follow::PairState,
    values::{PostId, UserId},
};

/// A post, and what whoever looks at it and its author are to each other, as a caller has looked both up. The default is
/// no post at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The post.
    pub post: PostState,
    /// The two people; the default where they are the same one.
    pub pair: PairState,
}

/// Why a post is not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// There is none, or none for them.
    NotFound,
    /// There was one that they could see.
    Deleted,
    /// It is a repost: this is the post that it shows.
    Repost(PostId),
}

impl Seen {
    /// The post, if `viewer` sees it: this one rule decides for every way to a post. Where one blocks the other neither sees
    /// the other's posts; what is for followers, followers see and the author.
    pub fn by(&self, viewer: UserId) -> Result<&PublishedPost, Unseen> {
        match &self.post {
            PostState::Published(post) if self.sees(viewer, post.author, post.visibility) => Ok(post),
            PostState::Reposted(repost) if self.sees(viewer, repost.author, Visibility::Public) => {
                Err(Unseen::Repost(repost.of))
            }
            PostState::Deleted(was) if self.sees(viewer, was.author, was.visibility) => Err(Unseen::Deleted),
            PostState::Unpublished | PostState::Published(_) | PostState::Reposted(_) | PostState::Deleted(_) => {
                Err(Unseen::NotFound)
            }
        }
    }

    fn sees(&self, viewer: UserId, author: UserId, visibility: Visibility) -> bool {
        let may_see = match visibility {
            Visibility::Public => true,
            Visibility::Followers => self.pair.follows(viewer, author),
        };
        viewer == author || (may_see && !self.pair.is_blocked())
    }
}
