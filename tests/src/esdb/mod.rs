//! A double of EventStoreDB for tests: a server in this process that speaks its protocol, backed by one of our own
//! event stores.
//!
//! It answers what the adapter and other clients use: `ServerFeatures`, `Gossip`, and of `Streams` append, read with
//! subscriptions and filters, delete and tombstone. Its rules are written down where they stand, each with its source;
//! none of them has been compared with a live server. Faults are planned with [`Faults`].
//!
//! ```ignore
//! let double = Double::start(Arc::new(MemoryEventStore::new()), Options::default()).await;
//! double.faults().plan(Plan::new(Operation::Append, Fault::ResetAfter).times(2));
//! let client = connect(&double.connection_string());
//! // ...
//! assert_eq!(double.faults().fired(FaultKind::ResetAfter), 2);
//! ```
//!
//! What it does not have: batch appends, persistent subscriptions, projections, links that are resolved, scavenging.

mod append;
mod cluster;
mod connection;
mod database;
mod double;
mod events;
mod faults;
mod filter;
mod info;
mod log;
mod node;
mod options;
mod outlet;
mod read;
mod record;
mod server;
mod status;
mod streams;
mod subscription;
mod tls;
pub mod wire;

pub use database::{Database, ReplicationHold};
pub use double::{Cluster, Double};
pub use faults::{Fault, FaultKind, Faults, Operation, Plan};
pub use options::{Access, Limits, Options, Repeats};
