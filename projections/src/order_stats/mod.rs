//! How many orders were placed, confirmed, cancelled, shipped, delivered, and how much money came and went, by the hour?
//!
//! Each event counts in the hour it happened, in UTC. What an event means depends on what its order had been before, so
//! the model remembers that much of each order. Slice map: domain/src/order/event.rs, projections/src/order_stats/sql.rs,
//! api/src/graphql/order_stats/query.rs

mod bucket;
mod query;
mod sql;
#[cfg(test)]
mod tests;

pub use bucket::{BUCKETS_MAX, Bucket, Buckets, RangeError};
pub use query::Counts;

/// The read model `order_stats`.
#[derive(Debug)]
pub enum OrderStats {}

/// Its name, for good.
pub(crate) const NAME: &str = "order_stats";
/// Raised with every change of tables or statements.
pub(crate) const VERSION: u32 = 1;
