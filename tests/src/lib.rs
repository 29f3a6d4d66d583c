//! What the tests share: contract suites that every adapter of a port passes, and a harness for the real binary.

pub mod audit;
pub mod binary;
pub mod books;
pub mod client;
pub mod cluster;
pub mod collector;
pub mod contracts;
pub mod esdb;
pub mod events_db;
pub mod faults;
pub mod journal;
pub mod log;
pub mod operations;
pub mod postgres;
mod process;
pub mod profile;
pub mod provider;
pub mod proxy;
pub mod random;
pub mod server;
pub mod shop;
pub mod since;
pub mod social;
pub mod sse;
mod stores;
pub mod updates;
pub mod ws;
