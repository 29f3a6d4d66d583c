//! How many pieces of a SKU lie where, and how many of them are promised?
//!
//! One row for each SKU and warehouse that ever received any. Which order has reserved what is not here: the events say
//! how many pieces each of them moves, so the sums are all that a row needs, however hot its SKU is. Slice map:
//! domain/src/stock/mod.rs, projections/src/stock_level/fold.rs, api/src/graphql/stock/query.rs

mod fold;
mod query;
mod row;
mod sql;
#[cfg(test)]
mod tests;

pub use row::StockLevelRow;

/// The read model `stock_level`.
#[derive(Debug)]
pub enum StockLevel {}

/// Its name, for good.
pub(crate) const NAME: &str = "stock_level";
/// Raised with every change of fold or table.
pub(crate) const VERSION: u32 = 1;
