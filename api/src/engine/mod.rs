//! Executes GraphQL documents for every transport: guard, parse once, execute, subscribe.
//!
//! **Invariant:** no document reaches the parser without passing the guard, whatever transport it came by.
//! Subscriptions of equal documents, variables and rights are executed once for each change (`cohort.rs`).

mod cohort;
mod context;
mod document;
mod errors;
mod guard;
mod live;
mod request;

pub use cohort::{Deliveries, Delivery};
pub use context::{CallContext, RequestId, ResumeAfter};
pub use document::{Engine, EngineLimits, OperationKind, Prepared};
pub use errors::{Outcome, RESPONSE_ERRORS_MAX, errors_json, internal, response_json};
pub use guard::{GuardError, GuardLimit, GuardLimits, check as guard_document};
pub use live::{LivePhase, LiveReporter};
pub use request::{GraphQlRequest, RequestError};

#[cfg(test)]
pub(crate) mod testing;
