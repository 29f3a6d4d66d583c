//! Follows: what two people are to each other.
//!
//! One stream for each two people, whichever of them does something: follows, blocks and mutes in both directions stand
//! together, so that a block and the follows it ends are one decision, and nobody follows past a block that was a moment
//! earlier. Each decision costs the same however many followers somebody has.
//! **Invariant:** where one blocks the other, neither follows.
//! Slice map: domain/src/follow/decide.rs, domain/src/follow/state.rs

mod command;
mod decide;
mod event;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use command::{FollowCommand, HaveProfiles};
pub use event::{FollowEvent, UnfollowReason};
pub use rejection::FollowRejection;
pub use state::{PairState, Regard, Stance};

use crate::{
    Decider, Timestamp,
    values::{PairId, UserId},
};

/// The aggregate of what two people are to each other.
#[derive(Debug)]
pub enum Follow {}

impl Decider for Follow {
    const CATEGORY: &'static str = "follow";
    type State = PairState;
    type Command = FollowCommand;
    type Event = FollowEvent;
    type Rejection = FollowRejection;

    fn decide(state: &PairState, command: FollowCommand, now: Timestamp) -> Result<Vec<FollowEvent>, FollowRejection> {
        decide::decide(*state, command, now)
    }

    fn evolve(state: PairState, event: &FollowEvent) -> PairState {
        state::evolve(state, event)
    }
}

/// The id of these two, in whichever order they are named.
pub fn id_of(one: UserId, other: UserId) -> PairId {
    PairId::named(&format!("{}/{}", one.min(other), one.max(other)))
}
