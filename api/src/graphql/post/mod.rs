//! Posts over GraphQL. Slice map: domain/src/post/mod.rs, projections/src/post_board/mod.rs,
//! api/src/graphql/post/visible.rs

mod current;
mod errors;
mod inputs;
mod mutation;
mod near;
mod query;
mod types;
mod visible;

pub(super) use current::{Looked, look};
pub(super) use mutation::PostMutation;
pub(super) use near::PostsTogether;
pub(super) use query::{PostQuery, find};
pub(super) use types::PostObject;
