//! What people are to each other, and how many of them.

mod query;
pub(super) mod sql;

use domain::values::UserId;
use infrastructure::event_store::Position;

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PersonCounts {
    /// People who follow them.
    pub followers: u64,
    /// People whom they follow.
    pub following: u64,
    /// Posts of theirs that are there, reposts left out.
    pub posts: u64,
}

/// What whoever looks and somebody else are to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each may hold without the others")]
pub struct Regards {
    /// Whoever looks follows them.
    pub follows: bool,
    /// They follow whoever looks.
    pub is_followed_by: bool,
    /// Whoever looks blocks them.
    pub blocks: bool,
    /// They block whoever looks.
    pub is_blocked_by: bool,
    /// Whoever looks mutes them.
    pub mutes: bool,
}

/// Some people of a list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeoplePage {
    /// Who, and since which place in the log.
    pub people: Vec<(UserId, Position)>,
    /// Whether there are more of them beyond.
    pub has_more: bool,
    /// Everything up to here was applied before the page was read.
    pub as_of: Position,
}
