//! What is the same in the `userErrors` of every slice.

use std::fmt::Display;

/// Where in the input something is wrong: `["input", "lines", "2", "quantity"]`.
pub(super) fn path<const N: usize>(parts: [&dyn Display; N]) -> Vec<String> {
    std::iter::once("input".to_owned()).chain(parts.iter().map(ToString::to_string)).collect()
}

/// A mutation's payload: the object, what was wrong, and the position to read it at.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $field:ident: $object:ty, error: $error:ty }) => {
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

        impl $name {
            fn refused(user_errors: Vec<$error>) -> Self {
                Self { $field: None, user_errors, position: None, is_repeat: false }
            }
        }
    };
}
pub(super) use payload;
