//! What somebody may want of a post.

use std::collections::BTreeMap;

use super::{Media, Seen, Visibility};
use crate::{
    product::ProductState,
    values::{Handle, PostId, PostText, ProductId, UserId},
};

/// A command to one post.
#[derive(Clone, Debug, PartialEq)]
pub enum PostCommand {
    /// Say something.
    Publish(Box<Publication>),
    /// Say it otherwise.
    Edit {
        /// Who wants it.
        by: UserId,
        /// All that it says from now on.
        draft: Box<Draft>,
    },
    /// Show somebody else's post, or an own one, to one's followers.
    Repost {
        /// Who.
        by: UserId,
        /// Whether they have a profile.
        has_profile: bool,
        /// What is shown.
        of: Box<Seen>,
    },
    /// Take it back. A repost is undone by it.
    Delete {
        /// Who wants it.
        by: UserId,
    },
}

/// A post to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Its id.
    pub post: PostId,
    /// Who says it.
    pub author: UserId,
    /// Whether they have a profile.
    pub has_profile: bool,
    /// What it says.
    pub draft: Draft,
    /// Who may see it.
    pub visibility: Visibility,
    /// The post that it answers.
    pub reply_to: Option<Seen>,
    /// The post that it quotes.
    pub quotes: Option<Seen>,
}

/// What somebody wrote, and what of it the caller has looked up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// The words, if there are any.
    pub text: Option<PostText>,
    /// Pictures and films, in order.
    pub media: Vec<Media>,
    /// The product it is about, as it is in the catalogue.
    pub product: Option<(ProductId, ProductState)>,
    /// Whose the handles are that the words mention ([`super::Entities`]); those that nobody has are missing.
    pub mentioned: BTreeMap<Handle, UserId>,
}
