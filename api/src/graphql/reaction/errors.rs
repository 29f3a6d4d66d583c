//! What can be wrong with a reaction's mutation, for programs and for people.

#[cfg(test)]
mod tests;

use async_graphql::{Enum, ID, SimpleObject};
use domain::reaction::ReactionRejection;

use crate::graphql::{
    node::global,
    user_error::{coded, path},
};

/// What can be wrong with a reaction's mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum ReactionErrorCode {
    /// The caller has no profile.
    NoProfile,
    /// There is no such post, or the caller does not see it.
    PostNotFound,
    /// The post is deleted.
    PostDeleted,
    /// The post is a repost, which has nothing of its own to like; `postId` is the post that it shows.
    TargetIsRepost,
}

/// Something wrong with a reaction's mutation.
#[derive(Debug, SimpleObject)]
pub(super) struct ReactionUserError {
    /// What, for programs.
    pub(super) code: ReactionErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input.
    field: Vec<String>,
    /// For `TARGET_IS_REPOST`: the post that it shows.
    post_id: Option<ID>,
}

/// What a client is told of a rejection.
pub(super) fn rejected(rejection: ReactionRejection) -> ReactionUserError {
    let (field, post_id) = match rejection {
        ReactionRejection::NoProfile => (path([]), None),
        ReactionRejection::NotFound | ReactionRejection::Deleted => (path([&"id"]), None),
        ReactionRejection::IsRepost { of } => (path([&"id"]), Some(global(of))),
    };
    ReactionUserError { code: coded(rejection.code()), message: rejection.to_string(), field, post_id }
}
