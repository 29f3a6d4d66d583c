//! Projections over GraphQL: how they are, and what operators do with them. For operators.
//!
//! An order goes one way: the caller's role, the input, then the projection itself is asked whether it makes sense
//! (`can_*`), then the order is written down in the operators' log, then it is carried out. **Invariant:** what is
//! refused leaves no trace, neither in the projection nor in the log; what was done is always in the log. Queries are
//! answered from what the workers say of themselves, so they answer when every projection stands still.
//! Slice map: projections/src/manager/orders.rs, projections/src/status.rs, api/src/graphql/operator/record.rs,
//! api/src/graphql/behind.rs

mod error;
mod input;
mod mutation;
mod parked;
mod query;
mod rebuild;
mod rows;
mod subscription;
#[cfg(test)]
mod tests;
mod types;

pub(super) use mutation::ProjectionMutation;
pub(super) use parked::ParkedEventQuery;
pub(super) use query::ProjectionQuery;
pub(super) use subscription::ProjectionSubscription;
