//! The two shapes of a projection behind one face, so that worker, rebuild and manager know only one.

mod keyed;
mod set_change;

use std::fmt::Debug;

use async_trait::async_trait;
use infrastructure::{
    event_store::{Position, TypeFilter},
    read_store::{ReadStore, ReadStoreError, Statement},
};

use crate::Decoded;

pub(crate) use keyed::KeyedShape;
pub(crate) use set_change::SetChangeShape;

/// Why a batch was not applied. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// One event is at fault.
    #[error("event {position} cannot be applied: {error}")]
    Event {
        /// Which one.
        position: Position,
        /// Why.
        error: String,
    },
    /// The read store failed, or refused a statement of the batch.
    #[error(transparent)]
    Store(#[from] ReadStoreError),
}

/// A projection of either shape.
#[async_trait]
pub(crate) trait Shape: Send + Sync + Debug {
    /// Its name.
    fn name(&self) -> &'static str;
    /// The version of its code.
    fn version(&self) -> u32;
    /// The prefixes of the event types it reads.
    fn events(&self) -> &'static [&'static str];
    /// The full names of a generation's tables.
    fn tables(&self, generation: i64) -> Vec<String>;
    /// Creates a generation's tables.
    fn create(&self, generation: i64) -> Vec<Statement>;
    /// Readies a filled generation for queries.
    fn finish(&self, generation: i64) -> Vec<Statement>;
    /// Applies events in order; rows and checkpoint in one transaction. Then tells live subscribers, if `is_live`.
    async fn apply(
        &self,
        store: &dyn ReadStore,
        generation: i64,
        events: &[Decoded],
        scanned_to: Position,
        checkpoint: Statement,
        is_live: bool,
    ) -> Result<(), ApplyError>;
    /// A builder that fills a generation fast.
    fn builder(&self, generation: i64) -> Box<dyn Builder>;
    /// Queries read this generation from now on, which has reached `position`. Live subscribers hear of a gap if
    /// changes up to there were not announced.
    fn serve(&self, generation: i64, position: Position, has_gap: bool);
    /// Ends live subscriptions.
    fn close(&self);

    /// The event types it reads.
    fn filter(&self) -> TypeFilter {
        TypeFilter::prefixes(self.events())
    }
}

/// Fills a generation: folds in memory, writes in bulk.
#[async_trait]
pub(crate) trait Builder: Send {
    /// Takes events in order. May hold them back.
    async fn apply(&mut self, store: &dyn ReadStore, events: &[Decoded]) -> Result<(), ApplyError>;
    /// Whether enough is held back to be written.
    fn is_full(&self) -> bool;
    /// The statements that write everything held back. They must be written before the next flush; until then the
    /// builder remembers what is in them.
    fn flush(&mut self) -> Vec<Statement>;
}
