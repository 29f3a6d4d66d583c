//! Which orders are there, and how are they?
//!
//! One row for each order, its lines included: an order is read whole or listed, never joined. Slice map:
//! domain/src/order/mod.rs, projections/src/order_summary/fold.rs, api/src/graphql/order/query.rs

mod filter;
mod fold;
mod json;
mod lead;
mod list;
mod look;
mod query;
mod row;
mod search;
mod sql;
#[cfg(test)]
mod tests;

pub use filter::OrderFilter;
pub use list::{OrderList, OrderPage, OrderSort, OrderSortKey, Place};
pub use row::{OrderRow, number_of, read_number};
pub use search::{SearchText, SearchTextError, TEXT_CHARS_MAX, TEXT_WORDS_MAX};

/// The read model `order_summary`.
#[derive(Debug)]
pub enum OrderSummary {}

/// Its name, for good.
pub(crate) const NAME: &str = "order_summary";
/// Raised with every change of fold or table.
pub(crate) const VERSION: u32 = 4;
