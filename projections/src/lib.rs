//! Read models: what queries read, and the workers that build it from the events.
//!
//! One folder per read model holds its fold, its table and its queries together. The worker reads the log, folds, and
//! writes rows and checkpoint in one transaction; the rebuild fills a next generation beside the serving one; the hub
//! tells live subscribers what changed. A model is added with one folder and one line in `registry.rs`
//! (docs/how-to/add-a-projection.md).

mod bookkeeping;
mod decoded;
mod hub;
mod keyed;
mod manager;
pub mod order_summary;
pub mod product_catalog;
pub mod product_sales;
mod rebuild;
mod registry;
mod served;
mod set_change;
mod shape;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod worker;

pub use decoded::Decoded;
pub use hub::{Change, Hub, HubClosed, HubMessage, HubSubscription};
pub use keyed::KeyedFold;
pub use manager::{ManagerError, ProjectionManager, ProjectionOptions};
pub use rebuild::{RebuildPhase, RebuildProgress};
pub use registry::{ReadModels, names};
pub use served::{QueryError, Served, ServedTables};
pub use set_change::{SetChange, Tables};
pub use status::{ProjectionState, ProjectionStatus, StoppedAt};
