//! The processes of the shop over GraphQL: how they are, and one more try for what is stuck; and the second books of stock
//! and money. For operators.
//!
//! An order to try again is written down in the operators' log, which the process reads wherever it runs: there is no other
//! way to it. **Invariant:** queries answer in every node, also where the process does not run, and when nobody runs it.
//! Slice map: api/src/processes/oversight.rs, infrastructure/src/process/outlook.rs, domain/src/audit/mod.rs

mod mutation;
mod query;
mod shop;
mod types;

pub(super) use mutation::ProcessMutation;
pub(super) use query::ProcessQuery;
pub(super) use shop::ShopMutation;
