//! Reactions: what one person thinks of one post.
//!
//! One stream for each person and post: a decision costs the same however many likes a post has, and nobody likes it twice.
//! How many do is counted by read models. A like of a post that is deleted in that very moment may still be written; it
//! is then the like of a deleted post, which nobody sees.
//! **Invariant:** a person likes a post once, or not.
//! Slice map: domain/src/reaction/decide.rs, domain/src/post/seen.rs

mod command;
mod decide;
mod event;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use command::ReactionCommand;
pub use event::ReactionEvent;
pub use rejection::ReactionRejection;
pub use state::ReactionState;

use crate::{
    Decider, Timestamp,
    values::{PostId, ReactionId, UserId},
};

/// The aggregate of what one person thinks of one post.
#[derive(Debug)]
pub enum Reaction {}

impl Decider for Reaction {
    const CATEGORY: &'static str = "reaction";
    type State = ReactionState;
    type Command = ReactionCommand;
    type Event = ReactionEvent;
    type Rejection = ReactionRejection;

    fn decide(
        state: &ReactionState,
        command: ReactionCommand,
        now: Timestamp,
    ) -> Result<Vec<ReactionEvent>, ReactionRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(_state: ReactionState, event: &ReactionEvent) -> ReactionState {
        state::evolve(event)
    }
}

/// The id of what this person thinks of this post.
pub fn id_of(post: PostId, by: UserId) -> ReactionId {
    ReactionId::named(&format!("{post}/{by}"))
}
