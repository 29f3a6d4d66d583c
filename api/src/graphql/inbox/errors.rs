//! What can be wrong with an inbox's mutation, for programs and for people.

#[cfg(test)]
mod tests;

use async_graphql::{Enum, SimpleObject};
use domain::inbox::InboxRejection;

use crate::graphql::user_error::{coded, path};

/// What can be wrong with an inbox's mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum InboxErrorCode {
    /// The moment up to which something is marked is over a minute in the future.
    InFuture,
}

/// Something wrong with an inbox's mutation.
#[derive(Debug, SimpleObject)]
pub(super) struct InboxUserError {
    /// What, for programs.
    pub(super) code: InboxErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input.
    field: Vec<String>,
}

/// What a client is told of a rejection.
pub(super) fn rejected(rejection: InboxRejection) -> InboxUserError {
    let field = match rejection {
        InboxRejection::InFuture => path([&"upTo"]),
    };
    InboxUserError { code: coded(rejection.code()), message: rejection.to_string(), field }
}
