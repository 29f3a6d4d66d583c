//! What can be wrong with a mutation between two people, for programs and for people.

#[cfg(test)]
mod tests;

use async_graphql::{Enum, SimpleObject};
use domain::follow::FollowRejection;

use crate::graphql::user_error::{coded, path};

/// What can be wrong with a mutation between two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum FollowErrorCode {
    /// Nobody follows, blocks or mutes themselves.
    Yourself,
    /// The caller has no profile.
    NoProfile,
    /// Nobody has this profile.
    UserNotFound,
    /// The caller blocks this person.
    YouBlockUser,
    /// This person blocks the caller.
    UserBlocksYou,
}

/// Something wrong with a mutation between two people.
#[derive(Debug, SimpleObject)]
pub(super) struct FollowUserError {
    /// What, for programs.
    pub(super) code: FollowErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input.
    field: Vec<String>,
}

/// What a client is told of a rejection.
pub(super) fn rejected(rejection: FollowRejection) -> FollowUserError {
    let field = match rejection {
        FollowRejection::NoProfile => path([]),
        FollowRejection::Yourself
        | FollowRejection::NotFound
        | FollowRejection::YouBlock
        | FollowRejection::BlocksYou => path([&"id"]),
    };
    FollowUserError { code: coded(rejection.code()), message: rejection.to_string(), field }
}
