//! Home feeds, lists of posts and people, and their numbers, over GraphQL. Slice map: projections/src/social_graph/mod.rs,
//! api/src/graphql/social_graph/subscription.rs, domain/src/follow/mod.rs, domain/src/post/mod.rs

mod lists;
mod query;
mod regard;
mod subscription;

pub(super) use lists::{PeopleConnection, PostConnection, followers, following, replies, timeline};
pub(super) use query::SocialGraphQuery;
pub(super) use regard::{FactsTogether, PeopleTogether};
pub(super) use subscription::SocialGraphSubscription;
