//! Who is there, and under which handle?
//!
//! One row for each profile. Slice map: domain/src/profile/mod.rs, projections/src/profile_directory/fold.rs,
//! api/src/graphql/profile/query.rs

mod fold;
mod query;
mod row;
mod sql;
#[cfg(test)]
mod tests;

pub use row::ProfileRow;

/// The read model `profile_directory`.
#[derive(Debug)]
pub enum ProfileDirectory {}

/// Its name, for good.
pub(crate) const NAME: &str = "profile_directory";
/// Raised with every change of fold or table.
pub(crate) const VERSION: u32 = 1;
