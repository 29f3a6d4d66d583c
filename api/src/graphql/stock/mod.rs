//! Stock over GraphQL. How many pieces are available is for everybody who is signed in, how many there are and how many
//! are promised for operators. Slice map: domain/src/stock/mod.rs, projections/src/stock_level/mod.rs

mod mutation;
mod query;
mod replay;
mod subscription;
mod types;

pub(super) use mutation::StockMutation;
pub(super) use query::StockQuery;
pub(super) use query::find;
pub(super) use subscription::StockSubscription;
pub(super) use types::StockLevelObject;
