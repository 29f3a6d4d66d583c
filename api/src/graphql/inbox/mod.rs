//! Inboxes over GraphQL. Slice map: domain/src/inbox/mod.rs, api/src/graphql/inbox/types.rs

mod errors;
mod mutation;
mod types;

pub(super) use mutation::InboxMutation;
pub(super) use types::NotificationKind;
