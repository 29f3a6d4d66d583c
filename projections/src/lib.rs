//! Read models: what queries read, and the workers that build it from the events.
//!
//! One folder per read model holds its fold, its table and its queries together. The worker reads the log, folds, and
//! writes rows and checkpoint in one transaction; the rebuild fills a next generation beside the serving one; the hub
//! tells live subscribers what changed. A model is added with one folder and one line in `registry.rs`
//! (docs/how-to/add-a-projection.md).

mod bookkeeping;
mod cluster;
mod context;
mod decoded;
mod decoder;
mod failure;
mod follower;
mod hidden;
mod hub;
mod keyed;
mod manager;
mod moving;
pub mod notifications;
pub mod order_stats;
pub mod order_summary;
mod origin;
mod parking;
pub mod post_board;
pub mod product_catalog;
pub mod product_sales;
pub mod profile_directory;
mod rebuild;
mod registry;
mod served;
mod set_change;
mod shape;
mod slices;
mod slot;
pub mod social_graph;
mod standby;
mod status;
pub mod stock_level;
mod table;
#[cfg(test)]
mod tests;
mod track;
mod values;
mod worker;

pub use cluster::ClusterOptions;
pub use decoded::Decoded;
pub use failure::{LogFault, ManagerError};
pub use hub::{Change, Hub, HubClosed, HubMessage, HubSubscription};
pub use keyed::{KeyedFold, SideKind, SideTable, Sources, Written};
pub use manager::{Checkup, ProjectionManager, ProjectionOptions, VerifyReport};
pub use moving::{Bookmarks, MoveError};
pub use origin::Mark;
pub use parking::{OnFailure, ParkedEvent, ParkedFilter, ParkedPage, ParkedPlace, ParkedState};
pub use rebuild::{EstimateBasis, RebuildEstimate, RebuildPhase, RebuildProgress};
pub use registry::{ReadModels, names};
pub use served::{QueryError, Served, ServedTables};
pub use set_change::{Invariant, SetChange, Tables};
pub use shape::{Difference, Repaired, Verified};
pub use status::{
    Behind, ParkedCount, Pause, ProjectionState, ProjectionStatus, Stall, StandbyStatus, StopCause, StoppedAt,
};
pub use track::Released;
