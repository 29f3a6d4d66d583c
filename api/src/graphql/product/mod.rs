//! Products over GraphQL. Slice map: domain/src/product/mod.rs, projections/src/product_catalog/mod.rs

mod mutation;
mod query;
mod together;
mod types;

pub(super) use mutation::ProductMutation;
pub(super) use query::ProductQuery;
pub(super) use query::find;
pub(super) use together::ProductsTogether;
pub(super) use types::ProductObject;
