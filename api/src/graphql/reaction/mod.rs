//! Likes over GraphQL. Slice map: domain/src/reaction/mod.rs, api/src/graphql/post/current.rs

mod errors;
mod mutation;

pub(super) use mutation::ReactionMutation;
