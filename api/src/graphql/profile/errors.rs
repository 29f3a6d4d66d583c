//! What can be wrong with a profile's mutation, for programs and for people.

#[cfg(test)]
mod tests;

use std::fmt::Display;

use async_graphql::{Enum, SimpleObject};

use crate::graphql::user_error::coded;

/// What can be wrong with a profile's mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum ProfileErrorCode {
    /// The handle has too few characters, or too many.
    HandleLength,
    /// The handle has something else than letters, digits and `_`, or letters out of everyday use.
    HandleCharacters,
    /// The handle has no letter, begins or ends with `_`, or has too many marks on a letter.
    HandleShape,
    /// The handle has letters or digits of several scripts that are not written together.
    HandleMixedScripts,
    /// The handle looks like one in plain Latin letters.
    HandleConfusable,
    /// The handle is kept for the house.
    HandleReserved,
    /// Somebody has the handle, or left it a moment ago.
    HandleTaken,
    /// The handle was not kept long enough for this request.
    HandleNotClaimed,
    /// Nothing in the text can be seen.
    TextEmpty,
    /// The text has too many characters.
    TextTooLong,
    /// The text has few characters, and they take too many bytes.
    TextTooManyBytes,
    /// The text has a character that cannot be shown there.
    TextUnshowable,
    /// The text changes the writing direction and does not change it back.
    TextDirection,
    /// A character of the text has too many marks on it.
    TextStacked,
    /// The caller has a profile already.
    ProfileExists,
    /// The caller has no profile.
    ProfileNotFound,
    /// The profile is not at `expectedVersion`.
    VersionConflict,
}

/// Something wrong with a profile's mutation.
#[derive(Debug, SimpleObject)]
pub(super) struct ProfileUserError {
    /// What, for programs.
    pub(super) code: ProfileErrorCode,
    /// What, for people.
    pub(super) message: String,
    /// Where in the input.
    pub(super) field: Vec<String>,
    /// For `VERSION_CONFLICT`: the version it is at.
    pub(super) current_version: Option<i32>,
}

impl ProfileUserError {
    pub(super) fn new(code: ProfileErrorCode, message: &dyn Display, field: Vec<String>) -> Self {
        Self { code, message: message.to_string(), field, current_version: None }
    }

    /// What the rules refuse with this code.
    pub(super) fn of(code: &'static str, message: &dyn Display, field: Vec<String>) -> Self {
        Self::new(coded(code), message, field)
    }
}
