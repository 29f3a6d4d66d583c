//! Which orders are there, and how are they?
//!
//! One row for each order, its lines included: an order is read whole or listed, never joined. Slice map:
//! domain/src/order/mod.rs, projections/src/order_summary/fold.rs, api/src/graphql/order/query.rs

mod fold;
mod query;
mod row;
mod sql;
#[cfg(test)]
mod tests;

pub use query::{OrderFilter, OrderPage, OrderSort, OrderSortKey, Place};
pub use row::{OrderRow, OrderStatus};

/// The read model `order_summary`.
#[derive(Debug)]
pub enum OrderSummary {}

/// Its name, for good.
pub(crate) const NAME: &str = "order_summary";
/// Raised with every change of fold or table.
pub(crate) const VERSION: u32 = 2;
