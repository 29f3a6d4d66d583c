//! Order statistics over GraphQL, for operators. Slice map: projections/src/order_stats/mod.rs

mod query;
mod types;

pub(super) use query::OrderStatsQuery;
