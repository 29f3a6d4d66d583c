//! End-to-end, contract and tidy tests, in one binary so that they link once.

mod both_profiles;
mod cli;
mod cluster;
mod cluster_faults;
mod cluster_start;
mod connection_faults;
mod contracts;
mod crash;
mod edges;
mod equivalence;
mod errors_doc;
mod esdb_double;
mod events_copy;
mod events_data;
mod eventstoredb;
mod faults;
mod live;
mod order;
mod postgres;
mod product;
mod projection;
mod projection_crash;
mod projections_cli;
mod readme;
mod telemetry;
mod tidy;
