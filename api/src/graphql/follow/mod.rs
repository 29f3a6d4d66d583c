//! What people are to each other, over GraphQL. Slice map: domain/src/follow/mod.rs, api/src/graphql/follow/types.rs

mod errors;
mod mutation;
mod pair;
mod types;

pub(super) use mutation::FollowMutation;
pub(super) use pair::pair;
