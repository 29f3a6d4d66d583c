//! What does the shop offer, at which price?
//!
//! One row for each product that was ever registered. Slice map: domain/src/product/mod.rs,
//! projections/src/product_catalog/fold.rs, api/src/graphql/product/query.rs

mod fold;
mod query;
mod row;
mod sql;
#[cfg(test)]
mod tests;

pub use query::{ProductFilter, ProductPage};
pub use row::{ProductRow, ProductStatus};

/// The read model `product_catalog`.
#[derive(Debug)]
pub enum ProductCatalog {}

/// Its name, for good.
pub(crate) const NAME: &str = "product_catalog";
/// Raised with every change of fold or table.
pub(crate) const VERSION: u32 = 2;
