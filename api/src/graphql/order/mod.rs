//! Orders over GraphQL. Slice map: domain/src/order/mod.rs, projections/src/order_summary/mod.rs

mod filter;
mod history;
mod kind;
mod mutation;
mod past;
mod payments;
mod query;
mod replay;
mod subscription;
mod together;
mod types;

pub(super) use kind::OrderChangeKind;
pub(super) use mutation::OrderMutation;
pub(super) use query::OrderQuery;
pub(super) use query::find;
pub(super) use subscription::OrderSubscription;
pub(super) use together::OrdersTogether;
pub(super) use types::{OrderCancelReason, OrderObject};
