//! Profiles over GraphQL. Slice map: domain/src/profile/mod.rs, projections/src/profile_directory/mod.rs,
//! api/src/graphql/profile/claim.rs

mod claim;
mod current;
mod errors;
mod mutation;
mod query;
mod together;
mod types;

pub(super) use current::{current, holder};
pub(super) use mutation::ProfileMutation;
pub(super) use query::{ProfileQuery, find};
pub(super) use together::ProfilesTogether;
pub(super) use types::ProfileObject;
