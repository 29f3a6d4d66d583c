//! The command executor: the only way a command becomes events.
//!
//! One lane per stream. While an append of a stream is in flight, further commands for it wait; then all of them are
//! decided in turn and go out as one append. So a hot stream is bounded by batches, not by disk flushes, and never
//! burns retries against itself. **Invariant:** nothing else calls `EventStore::append`.
//!
//! **How long a command is remembered.** A command that had events is recognised when it comes again, for as long as it is
//! among the newest [`COMMANDS_REMEMBERED_MAX`] of its kind in its stream. There are two kinds, counted apart: those whose
//! id a caller chose ([`CommandMetadata::input_hash`] is there), and all others. Nothing else makes it forgotten, no time,
//! restart, snapshot or other process. One that comes again after that is decided like a new one. So in a stream that never
//! gets longer than that it is remembered for ever; where a stream may, repeats that are older should be harmless by the
//! rules of the aggregate, as a reservation by the id of its order is. Two of the stock's are not: a commit of a part of a
//! reservation, and a return that is put back. Their process sees what was done before it asks, so that only one that was
//! taken over from and stood still for 16,384 other commands of its stock could ask again.

mod error;
mod lane;
mod loaded;
mod metadata;
mod plan;
mod receipts;
mod snapshots;
#[cfg(test)]
mod tests;

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use domain::Decider;
use uuid::Uuid;

pub use error::ExecuteError;
pub use metadata::CommandMetadata;

use crate::{
    clock::Clock,
    event_store::{EventStore, Position, Revision},
    lifecycle::Lifecycle,
    snapshot_store::SnapshotStore,
};
use lane::Lanes;

/// How often a batch is decided again because the stream moved under it.
pub const EXECUTE_ATTEMPTS_MAX: u8 = 5;
/// How many commands go out as one append at most.
pub const BATCH_COMMANDS_MAX: usize = 512;
/// How many commands of a stream are remembered: so many whose ids callers chose, and so many others. At 48 bytes and an
/// entry in a table each, both together take some 3.2 MiB at most.
pub const COMMANDS_REMEMBERED_MAX: usize = 16_384;
/// How many events a stream has grown by when it is worth a snapshot. A page of that many is folded in some milliseconds.
const SNAPSHOT_EVERY_EVENTS: NonZeroU64 = NonZeroU64::new(1_000).expect("it is not zero");
/// How long the same stream gets no other snapshot.
const SNAPSHOT_PAUSE: Duration = Duration::from_secs(3);

/// The executor's limits.
#[derive(Clone, Debug)]
pub struct ExecutorOptions {
    /// How many commands may wait for one stream.
    pub lane_commands_max: usize,
    /// How many bytes of folded state are kept.
    pub cache_bytes_max: u64,
    /// How long one append may take before its outcome counts as unknown.
    pub append_timeout: Duration,
    /// How long an unknown outcome is pursued before the client is told so.
    pub unknown_outcome_budget: Duration,
    /// Whether other processes append to the same streams: then what is kept in memory may be old, and no answer is given
    /// on its word alone.
    pub is_shared: bool,
    /// Where the snapshots are of an aggregate that has them; none: every cold stream is folded from its start.
    pub snapshots: Option<SnapshotOptions>,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        Self {
            lane_commands_max: 10_000,
            cache_bytes_max: 32 * 1024 * 1024,
            append_timeout: Duration::from_secs(5),
            unknown_outcome_budget: Duration::from_secs(10),
            is_shared: false,
            snapshots: None,
        }
    }
}

/// Where snapshots are, and when one is written.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// Where they are.
    pub store: Arc<dyn SnapshotStore>,
    /// How many events a stream grows by before one is written.
    pub every_events: NonZeroU64,
    /// How long the same stream gets no other one.
    pub pause: Duration,
}

impl SnapshotOptions {
    /// Snapshots in `store`, with a good rhythm.
    pub fn new(store: Arc<dyn SnapshotStore>) -> Self {
        Self { store, every_events: SNAPSHOT_EVERY_EVENTS, pause: SNAPSHOT_PAUSE }
    }
}

/// A command on its way to one stream.
#[derive(Clone, Debug)]
pub struct Request<C> {
    /// Which stream of the aggregate's category.
    pub stream: Uuid,
    /// What is to happen.
    pub command: C,
    /// Who wants it, and the id by which a repeat is recognised.
    pub metadata: CommandMetadata,
    /// The revision the caller has seen and relies on.
    pub expected: Option<Revision>,
    /// Whether the stream's id was made up for this very command, so that it cannot exist yet. Saves a look.
    pub is_fresh: bool,
}

/// A command that took effect, now or before.
#[derive(Clone, Debug)]
pub struct Executed<S> {
    /// The position of its last event; of the stream's last one if it changed nothing.
    pub position: Position,
    /// The stream's revision; none if it has no events.
    pub revision: Option<Revision>,
    /// The aggregate's state: after the command, or today's if the command is a repeat.
    pub state: Arc<S>,
    /// Whether the stream held this command already.
    pub is_repeat: bool,
}

/// What a stream holds at this moment.
#[derive(Clone, Debug)]
pub struct Current<S> {
    /// The state.
    pub state: Arc<S>,
    /// The revision; none if it has no events.
    pub revision: Option<Revision>,
    /// The position of its last event.
    pub position: Position,
}

/// Executes the commands of one aggregate. Cheap to clone.
#[derive(Debug)]
pub struct Executor<D: Decider> {
    lanes: Arc<Lanes<D>>,
}

impl<D: Decider> Clone for Executor<D> {
    fn clone(&self) -> Self {
        Self { lanes: Arc::clone(&self.lanes) }
    }
}

impl<D: Decider> Executor<D> {
    /// An executor over `store`. Its work runs in tasks of `lifecycle`, so that a caller that goes away, or a stop of
    /// the server, leaves no command half done.
    pub fn new(
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        lifecycle: Lifecycle,
        options: ExecutorOptions,
    ) -> Self {
        Self { lanes: Arc::new(Lanes::new(store, clock, lifecycle, options)) }
    }

    /// Executes one command. When it returns `Ok`, the events are durable.
    pub async fn execute(
        &self,
        request: Request<D::Command>,
    ) -> Result<Executed<D::State>, ExecuteError<D::Rejection>> {
        Lanes::execute(&self.lanes, request).await
    }

    /// The state of a stream after every command that was acknowledged before.
    pub async fn current(&self, stream: Uuid) -> Result<Current<D::State>, ExecuteError<D::Rejection>> {
        Lanes::current(&self.lanes, stream).await
    }
}
