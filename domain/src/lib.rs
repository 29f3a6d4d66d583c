//! The rules of Millrace's shop: what may happen, and what follows from what happened.
//!
//! Everything here is pure: no clock, no randomness, no IO. Time and ids come in as arguments, so every rule can
//! be tested and simulated from a seed. **Invariant:** an aggregate's state changes through `evolve` only.
//!
//! To add an aggregate, follow docs/how-to/add-an-aggregate.md: one folder here, its line in [`Event`] and
//! [`Command`].

mod command;
mod decider;
mod event;
pub mod operator;
pub mod order;
pub mod payment;
pub mod product;
pub mod stock;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod values;

pub use command::Command;
pub use decider::{Decider, Timestamp};
pub use event::{Event, EventPayload, UpcastError, Upcaster, upcasters};
