//! What is the same in the payloads of every slice, and in their `userErrors`.

use std::fmt::Display;

use async_graphql::resolver_utils::EnumType;
use infrastructure::execute::Executed;

use super::PositionToken;

/// Where in the input something is wrong: `["input", "lines", "2", "quantity"]`.
pub(super) fn path<const N: usize>(parts: [&dyn Display; N]) -> Vec<String> {
    std::iter::once("input".to_owned()).chain(parts.iter().map(ToString::to_string)).collect()
}

/// The value of a slice's enum that stands for a code of the rules: they have the same name.
pub(super) fn coded<E: EnumType>(code: &'static str) -> E {
    let item = E::items().iter().find(|item| item.name == code);
    item.expect("a test of each slice looks whether its enum has every code of the rules").value
}

/// What a payload says of a command that took effect.
#[derive(Debug)]
pub(super) struct Done<O> {
    pub(super) object: Option<O>,
    pub(super) position: PositionToken,
    pub(super) is_repeat: bool,
}

impl<O> Done<O> {
    /// Of what was executed, with the object after it.
    pub(super) fn new<S>(object: Option<O>, executed: &Executed<S>) -> Self {
        Self { object, position: PositionToken(executed.position), is_repeat: executed.is_repeat }
    }
}

/// The payloads of mutations of one kind of object: it, what was wrong, and the position to read it at. Each is made from
/// what came of the command: [`Done`], or everything that was wrong.
macro_rules! payloads {
    ($field:ident: $object:ty, error: $error:ty; $($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, async_graphql::SimpleObject)]
        pub(crate) struct $name {
            /// The object after the mutation; null if there are user errors.
            $field: Option<$object>,
            /// What was wrong, all of it; empty if the mutation took effect.
            user_errors: Vec<$error>,
            /// Give it as `minPosition` to a query, or as `after` to a subscription, to see this mutation's effect.
            position: Option<$crate::graphql::PositionToken>,
            /// Whether the same request with the same idempotency key took effect before; then nothing new happened.
            is_repeat: bool,
        }

        impl From<Result<$crate::graphql::user_error::Done<$object>, Vec<$error>>> for $name {
            fn from(outcome: Result<$crate::graphql::user_error::Done<$object>, Vec<$error>>) -> Self {
                match outcome {
                    Ok($crate::graphql::user_error::Done { object, position, is_repeat }) => {
                        Self { $field: object, user_errors: Vec::new(), position: Some(position), is_repeat }
                    }
                    Err(user_errors) => Self { $field: None, user_errors, position: None, is_repeat: false },
                }
            }
        }
    )*};
}
pub(super) use payloads;

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Fails unless the enum, which is called `name`, has every code of the rules that are its slice's.
    #[track_caller]
    pub(in crate::graphql) fn assert_all_coded<E: EnumType>(name: &str) {
        let codes: Vec<&str> =
            domain::error_codes().into_iter().filter(|(slice, _)| *slice == name).map(|(_, code)| code).collect();
        assert!(!codes.is_empty(), "the rules have no codes for {name}");
        for code in codes {
            assert!(E::items().iter().any(|item| item.name == code), "{name} has no {code}");
        }
    }
}
