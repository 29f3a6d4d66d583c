//! Notifications over GraphQL: everybody's own inbox. What its owner says of it is in api/src/graphql/inbox.
//! Slice map: projections/src/notifications/mod.rs, api/src/graphql/notifications/types.rs,
//! api/src/graphql/notifications/subscription.rs, domain/src/inbox/mod.rs

mod query;
mod subscription;
mod types;

pub(super) use query::NotificationQuery;
pub(super) use subscription::NotificationSubscription;
