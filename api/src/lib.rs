//! The outside of Millrace: GraphQL slices, HTTP, WebSocket and SSE edges, sign-in, configuration and roles.
//!
//! `main.rs` chooses a role, `bootstrap.rs` wires everything together (the only composition root), `edge` speaks the
//! protocols, `engine` executes documents, `graphql` holds one folder for each slice.

pub mod auth;
pub mod bootstrap;
pub mod cli;
pub mod config;
pub mod data_dir;
pub mod edge;
pub mod engine;
pub mod error_code;
pub mod export;
pub mod graphql;
pub mod operator;
mod order_stream;
pub mod processes;
pub mod roles;
pub mod telemetry;

/// Requests, decoding and folding make many small, short-lived objects; this allocator serves them faster than the
/// system's (docs/adr/0011-allocator-and-fdatasync.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
