//! Projections over GraphQL: what they do, and rebuilding them. For operators.
//! Slice map: projections/src/manager.rs, projections/src/rebuild.rs

mod mutation;
mod query;
mod types;

pub(super) use mutation::ProjectionMutation;
pub(super) use query::ProjectionQuery;
