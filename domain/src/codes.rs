//! Stable codes of refusals, each beside the refusal it stands for.
//!
//! Clients decide by the code; the message is for people and may change. docs/errors.md explains every code, and a test
//! compares it with [`error_codes`].

use crate::{follow, inbox, post, profile, reaction, values};

/// Gives an error type its codes: `CODES`, all of them, and `code`, the one of a value. A variant without a code does
/// not compile.
macro_rules! codes {
    ($error:ty { $($pattern:pat => $code:literal),+ $(,)? }) => {
        impl $error {
            /// Every code of this type.
            pub const CODES: &'static [&'static str] = &[$($code),+];

            /// The stable code of this refusal.
            pub const fn code(&self) -> &'static str {
                match self {
                    $($pattern => $code),+
                }
            }
        }
    };
}
pub(crate) use codes;

/// Every code that the rules of the social slices refuse with, under the name of the enum that holds the codes of its
/// slice for clients.
pub fn error_codes() -> Vec<(&'static str, &'static str)> {
    let texts = values::TextError::CODES;
    let slices: [(&str, &[&[&str]]); 5] = [
        (
            "ProfileErrorCode",
            &[
                values::HandleError::CODES,
                texts,
                profile::handle::HandleRejection::CODES,
                profile::ProfileRejection::CODES,
            ],
        ),
        ("FollowErrorCode", &[follow::FollowRejection::CODES]),
        ("PostErrorCode", &[texts, values::MediaUrlError::CODES, post::PostRejection::CODES]),
        ("ReactionErrorCode", &[reaction::ReactionRejection::CODES]),
        ("InboxErrorCode", &[inbox::InboxRejection::CODES]),
    ];
    let of_slice = |(slice, parts): (&'static str, &[&[&'static str]])| {
        let codes = parts.iter().flat_map(|part| part.iter().map(|code| (slice, *code)));
        codes.collect::<Vec<_>>()
    };
    slices.into_iter().flat_map(of_slice).collect()
}

#[cfg(test)]
mod tests;
