//! What is remembered of two people.

use super::FollowEvent;
use crate::values::UserId;

/// What two people are to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairState {
    /// Of the one with the smaller id, to the other.
    low: Stance,
    /// Of the one with the larger id, to the other.
    high: Stance,
}

/// What one is to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stance {
    /// Whether they want to see them.
    pub regard: Regard,
    /// Whether they do not want to hear of them.
    pub mutes: bool,
}

/// Whether one wants to see the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Regard {
    /// Never mind.
    #[default]
    Neutral,
    /// Yes.
    Follows,
    /// No, nor to be seen.
    Blocks,
}

impl PairState {
    /// What `one` is to `other`.
    pub fn stance(&self, one: UserId, other: UserId) -> Stance {
        if one < other { self.low } else { self.high }
    }

    /// Whether `one` follows `other`.
    pub fn follows(&self, one: UserId, other: UserId) -> bool {
        self.stance(one, other).regard == Regard::Follows
    }

    /// Whether `one` blocks `other`.
    pub fn blocks(&self, one: UserId, other: UserId) -> bool {
        self.stance(one, other).regard == Regard::Blocks
    }

    /// Whether `one` mutes `other`.
    pub fn mutes(&self, one: UserId, other: UserId) -> bool {
        self.stance(one, other).mutes
    }

    /// Whether one of them blocks the other.
    pub fn is_blocked(&self) -> bool {
        self.low.regard == Regard::Blocks || self.high.regard == Regard::Blocks
    }

    fn of(&mut self, one: UserId, other: UserId) -> &mut Stance {
        if one < other { &mut self.low } else { &mut self.high }
    }

    fn end(&mut self, one: UserId, other: UserId, regard: Regard) {
        let stance = self.of(one, other);
        if stance.regard == regard {
            stance.regard = Regard::Neutral;
        }
    }
}

pub(super) fn evolve(mut state: PairState, event: &FollowEvent) -> PairState {
    let (by, whom) = event.parties();
    match event {
        FollowEvent::Followed { .. } => state.of(by, whom).regard = Regard::Follows,
        FollowEvent::Unfollowed { .. } => state.end(by, whom, Regard::Follows),
        FollowEvent::Blocked { .. } => {
            state.of(by, whom).regard = Regard::Blocks;
            // `decide` has ended it before; a log in which it has not must still fold to this.
            state.end(whom, by, Regard::Follows);
        }
        FollowEvent::Unblocked { .. } => state.end(by, whom, Regard::Blocks),
        FollowEvent::Muted { .. } => state.of(by, whom).mutes = true,
        FollowEvent::Unmuted { .. } => state.of(by, whom).mutes = false,
    }
    state
}
