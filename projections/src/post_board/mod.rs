//! What does this post say?
//!
//! One row for each post and repost, as it is now; of what was taken back a tombstone is left. Who may see it is not decided
//! here. Slice map: domain/src/post/mod.rs, projections/src/post_board/fold.rs, api/src/graphql/post/query.rs

mod fold;
mod json;
mod row;
mod sql;
#[cfg(test)]
mod tests;

pub use row::PostRow;

/// The read model `post_board`.
#[derive(Debug)]
pub enum PostBoard {}

/// Its name, for good.
pub(crate) const NAME: &str = "post_board";
/// Raised with every change of fold or table.
pub(crate) const VERSION: u32 = 1;
