//! Posts: what people say, answer and pass on.
//!
//! A post is published, edited and deleted by its author; it may answer one post and quote another. A repost is a post
//! without words of its own. Its id is derived from who reposts what, so that nobody reposts the same post twice at a time;
//! it is undone by deleting it, and may then be done again. What the rules need of other posts and people comes with the
//! command, as its caller has looked it up ([`Seen`]): a post that is deleted in that very moment may still get an answer,
//! which then answers a deleted post.
//! **Invariant:** a deleted post stays deleted, and nobody but its author changes a post.
//! **Invariant:** what is for followers only is not passed on.
//! **Invariant:** a post answers an older one, for good: threads have no cycles.
//! Slice map: domain/src/post/decide.rs, domain/src/post/content.rs, domain/src/post/entities.rs, domain/src/post/seen.rs

mod command;
mod content;
mod decide;
mod entities;
mod event;
mod rejection;
mod seen;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Draft, PostCommand, Publication};
pub use content::{Content, Media, Mention};
pub use entities::{Entities, Entity, EntityKind, Flood, entities_of};
pub use event::{PostEvent, Published, Quoted, Reply, Visibility};
pub use rejection::PostRejection;
pub use seen::{Seen, Unseen};
pub use state::{PostState, PublishedPost, Repost, Tombstone};

use crate::{
    Decider, Timestamp,
    values::{PostId, UserId},
};

/// The most pictures and films of one post.
pub const POST_MEDIA_MAX: usize = 4;
/// The most people one post mentions: more would be a flood.
pub const POST_MENTIONS_MAX: usize = 20;
/// The most hashtags of one post.
pub const POST_HASHTAGS_MAX: usize = 30;
/// How often a post is edited.
pub const POST_EDITS_MAX: u32 = 100;
/// How many answers deep a thread goes.
pub const THREAD_DEPTH_MAX: u32 = 1_000;

/// The post aggregate.
#[derive(Debug)]
pub enum Post {}

impl Decider for Post {
    const CATEGORY: &'static str = "post";
    type State = PostState;
    type Command = PostCommand;
    type Event = PostEvent;
    type Rejection = PostRejection;

    fn decide(state: &PostState, command: PostCommand, now: Timestamp) -> Result<Vec<PostEvent>, PostRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: PostState, event: &PostEvent) -> PostState {
        state::evolve(state, event)
    }

    fn weight(state: &PostState) -> usize {
        state.weight()
    }
}

/// The id of this person's repost of this post.
pub fn repost_of(author: UserId, of: PostId) -> PostId {
    PostId::named(&format!("{author}/{of}"))
}
