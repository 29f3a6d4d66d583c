//! The two shapes of a projection behind one face, so that worker, rebuild and manager know only one.

mod beside;
mod check;
mod keyed;
mod retell;
mod rows;
mod set_change;
mod verify;

use std::{collections::HashSet, fmt::Debug, time::Duration};

use async_trait::async_trait;
use infrastructure::{
    event_store::{EventStore, Position, TypeFilter},
    read_store::{ReadStore, ReadStoreError, Statement},
};
use uuid::Uuid;

use crate::{Decoded, bookkeeping::Tally, decoded::Place};

pub(crate) use check::{CheckError, Checked};
pub use check::{Difference, Repaired};
pub(crate) use keyed::KeyedShape;
pub(crate) use set_change::SetChangeShape;
pub use verify::Verified;

/// Why a batch was not applied. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// Something in the batch is at fault, and it cannot be told what: one by one it can.
    #[error("{0}")]
    Batch(String),
    /// The read store failed, or refused a statement of the batch.
    #[error(transparent)]
    Store(#[from] ReadStoreError),
}

impl ApplyError {
    /// Whether an event is at fault, or its statements. Otherwise a store is, and comes back.
    pub(crate) const fn is_of_event(&self) -> bool {
        match self {
            Self::Batch(_) | Self::Store(ReadStoreError::Refused(_) | ReadStoreError::Column { .. }) => true,
            Self::Store(
                ReadStoreError::Guard { .. }
                | ReadStoreError::Full
                | ReadStoreError::Unavailable(_)
                | ReadStoreError::Corrupt(_),
            ) => false,
        }
    }
}

/// Why a piece of work on a thread of its own has no result: it panicked, or the process stops.
fn ended(error: &tokio::task::JoinError, panicked: &str) -> ApplyError {
    if error.is_panic() {
        return ApplyError::Batch(panicked.to_owned());
    }
    ReadStoreError::Unavailable("the process stops".to_owned()).into()
}

/// An event of a batch that was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its place in the batch.
    pub(crate) index: usize,
    /// Its place in the log.
    pub(crate) place: Place,
    /// The key that waits for it.
    pub(crate) key: Uuid,
    /// Why it failed; none if it only comes behind one that did.
    pub(crate) error: Option<String>,
}

/// Who hears of the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Nobody: nobody reads these rows.
    Nobody,
    /// Live subscribers, each change.
    Live,
    /// Live subscribers, that there was a gap: others have heard of later events by now.
    Late,
}

/// Events to apply in one transaction.
pub(crate) struct Batch<'a> {
    pub(crate) store: &'a dyn ReadStore,
    pub(crate) generation: i64,
    /// The events, in order.
    pub(crate) events: Vec<Decoded>,
    /// Everything up to here is looked at, once they are applied.
    pub(crate) scanned_to: Position,
    /// How long applying them may take in the processor.
    pub(crate) limit: Duration,
    pub(crate) audience: Audience,
    /// Given what was not applied, the statements that belong into the same transaction: checkpoint, parked events.
    pub(crate) finish: &'a mut (dyn FnMut(&[Failure]) -> Vec<Statement> + Send),
}

/// Where to look at a generation that does not move meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) store: &'a dyn ReadStore,
    pub(crate) events: &'a dyn EventStore,
    pub(crate) generation: i64,
    /// Everything up to here is applied to it, nothing else.
    pub(crate) position: Position,
}

/// A projection of either shape.
#[async_trait]
pub(crate) trait Shape: Send + Sync + Debug {
    /// Its name.
    fn name(&self) -> &'static str;
    /// The version of its code.
    fn version(&self) -> u32;
    /// The form of its tables, to recognise those that this code can carry on.
    fn form(&self) -> String;
    /// The prefixes of the event types it reads.
    fn events(&self) -> &'static [&'static str];
    /// The key that an event belongs to; none if it changes nothing. A defect counts as a failure of the event.
    fn key(&self, event: &Decoded) -> Result<Option<Uuid>, String>;
    /// The full names of a generation's tables.
    fn tables(&self, generation: i64) -> Vec<String>;
    /// Creates a generation's tables.
    fn create(&self, generation: i64) -> Vec<Statement>;
    /// Readies a filled generation for queries: statements that may each be a transaction of their own.
    fn finish(&self, generation: i64) -> Vec<Statement>;
    /// Applies events in order; rows and the caller's statements in one transaction. Then tells its audience. Gives what
    /// was not applied.
    async fn apply(&self, batch: Batch<'_>) -> Result<Vec<Failure>, ApplyError>;
    /// A builder that fills a generation fast, going on from this tally. An event may take as long as a live one.
    fn builder(&self, generation: i64, tally: Option<Tally>, limit: Duration) -> Box<dyn Builder>;
    /// Whether rows can be folded anew one by one.
    fn folds_rows(&self) -> bool;
    /// Whether events of different keys never touch the same row, so that workers can share the keys.
    fn is_divisible(&self) -> bool;
    /// Looks whether a filled generation is what its builder meant to write, and what the events say.
    async fn verify(&self, look: Look<'_>, expected: Option<Tally>) -> Result<Verified, CheckError>;
    /// Folds these rows anew and compares.
    async fn check(&self, look: Look<'_>, keys: &[Uuid]) -> Result<Checked, CheckError>;
    /// At most `count` keys of rows, from a place on that `dice` chooses.
    async fn sample(&self, look: Look<'_>, dice: u64, count: usize) -> Result<Vec<Uuid>, CheckError>;
    /// Folds these rows anew and writes them, with the caller's statements in one transaction.
    async fn repair(&self, look: Look<'_>, keys: &[Uuid], with: Vec<Statement>) -> Result<Vec<Repaired>, CheckError>;
    /// Copies the rows of another generation of the same form, a part at a time: at most `limit` after `after`. Gives
    /// the statements that write them and the last key; none at the end.
    async fn copy(&self, look: Look<'_>, to: i64, after: Option<Uuid>) -> Result<Option<Copied>, CheckError>;
    /// Where this generation and another one of the same form, at the same position, differ: at most `limit` places.
    async fn compare(&self, look: Look<'_>, other: i64, limit: usize) -> Result<Vec<Difference>, CheckError>;
    /// Queries read this generation from now on, which has reached `position`. Live subscribers hear of a gap if
    /// changes up to there were not announced.
    fn serve(&self, generation: i64, position: Position, has_gap: bool);
    /// Whether queries can read the tables of another version, or of another form.
    fn reads(&self, version: i64, form: &str) -> bool;
    /// Queries read this generation of another version from now on, as it stands.
    fn serve_frozen(&self, generation: i64, form: &str, position: Position);
    /// Passes over changes up to `to` that nobody listens for. False if somebody does: they are to be retold.
    fn skip(&self, to: Position) -> bool;
    /// Tells live subscribers what other processes have applied: these events, in order, up to `to`. Each row is folded
    /// from the log, so that it is as it was right after its event. `left_out` are the events that wait or were skipped.
    async fn retell(
        &self,
        look: Look<'_>,
        events: Vec<Decoded>,
        left_out: &HashSet<Position>,
        to: Position,
    ) -> Result<(), CheckError>;
    /// Tells live subscribers that events of these keys were applied late, somewhere after `from`.
    fn tell_late(&self, keys: &[Uuid], from: Position);
    /// Ends live subscriptions.
    fn close(&self);

    /// The event types it reads.
    fn filter(&self) -> TypeFilter {
        TypeFilter::prefixes(self.events())
    }
}

/// Rows that were copied.
#[derive(Debug)]
pub(crate) struct Copied {
    /// The statements that write them.
    pub(crate) statements: Vec<Statement>,
    /// The last one's key.
    pub(crate) last: Uuid,
}

/// Fills a generation: folds in memory, writes in bulk.
#[async_trait]
pub(crate) trait Builder: Send + Sync {
    /// Takes events in order. May hold them back. Gives what was not applied.
    async fn apply(&mut self, store: &dyn ReadStore, events: Vec<Decoded>) -> Result<Vec<Failure>, ApplyError>;
    /// How much is held back: rows or statements, and bytes of events.
    fn held(&self) -> (usize, usize);
    /// The statements that write everything held back. They must be written before the next flush; until then the
    /// builder remembers what is in them.
    fn flush(&mut self) -> Result<Vec<Statement>, ApplyError>;
    /// What the generation holds once everything flushed is written; none if it is not counted.
    fn tally(&self) -> Option<Tally>;
    /// Forgets everything held back, and counts no more.
    fn reset(&mut self);
}
