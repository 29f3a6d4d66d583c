//! The rules of Millrace's shop and of its social feeds: what may happen, and what follows from what happened.
//!
//! Everything here is pure: no clock, no randomness, no IO. Time and ids come in as arguments, so every rule can
//! be tested and simulated from a seed. **Invariant:** an aggregate's state changes through `evolve` only.
//!
//! To add an aggregate, follow docs/how-to/add-an-aggregate.md: one folder here, its line in [`Event`] and
//! [`Command`].

pub mod audit;
mod codes;
mod command;
mod decider;
mod event;
pub mod follow;
pub mod fulfilment;
pub mod inbox;
pub mod operator;
pub mod order;
pub mod payment;
pub mod post;
mod process;
pub mod product;
pub mod profile;
pub mod reaction;
pub mod stock;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod values;

pub use codes::error_codes;
pub use command::{Command, Rejection};
pub use decider::{Decider, SnapshotForm, Timestamp};
pub use event::{Event, EventPayload, Secret, UpcastError, Upcaster, secrets, upcasters};
pub use process::{Owner, Process, RETRIES, Unread, retried};
