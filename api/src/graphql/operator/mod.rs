//! What operators did, over GraphQL: read by operators, written down by the mutations of other slices.
//! Slice map: domain/src/operator/decide.rs, record.rs, query.rs, log.rs

mod log;
mod query;
mod record;
#[cfg(test)]
mod tests;
mod types;

pub(super) use query::{OperatorQuery, find};
pub(super) use record::{record, record_once, recorded_before};
pub(super) use types::{ActionKind, OperatorActionObject};
