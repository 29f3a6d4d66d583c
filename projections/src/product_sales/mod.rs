//! How many pieces of a product were ordered?
//!
//! One order touches the counters of many products, and a cancelled order gives them back: the example of a model of
//! set changes. Slice map: domain/src/order/event.rs, projections/src/product_sales/sql.rs,
//! api/src/graphql/product/types.rs

mod query;
mod sql;
#[cfg(test)]
mod tests;

pub use query::Sales;

/// The read model `product_sales`.
#[derive(Debug)]
pub enum ProductSales {}

/// Its name, for good.
pub(crate) const NAME: &str = "product_sales";
/// Raised with every change of tables or statements.
pub(crate) const VERSION: u32 = 1;
