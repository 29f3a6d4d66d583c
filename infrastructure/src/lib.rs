//! The machinery under Millrace: event store, command executor, read store, payment gateway, clock, ids and lifecycle.
//!
//! Nothing here names a slice but `payment_gateway`, whose other side is outside: everything else is generic over the
//! domain's `Decider` and `EventPayload`. Ports are traits whose promises are numbered in their documentation, each with
//! a contract test that every adapter passes.

pub mod clock;
pub mod codec;
pub mod event_store;
pub mod execute;
pub mod failpoint;
pub mod lease;
pub mod lifecycle;
pub mod outbound;
pub mod payment_gateway;
pub mod process;
pub mod read_store;
pub mod snapshot_store;
pub mod telemetry;
mod tls;
mod wal;

pub use wal::LogPages;
