//! Every order as it was at one position of the log, read from the log alone.
//!
//! The placements up to that position are walked in the order of the log, and each order is folded from its own stream up
//! to the same position. So an export is exact whatever changes meanwhile, and no read model is asked: one that is behind,
//! paused or being rebuilt hides nothing. Memory is bounded by `PLACEMENTS` and by what is folded at the same time.

mod cursor;
mod line;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use domain::{Decider as _, order::Order, values::OrderId};
use futures_util::{StreamExt as _, stream};
use infrastructure::{
    event_store::{EventStore, Position, RecordedEvent, Revision, StoreError, TypeFilter},
    telemetry::with_causes,
};
use projections::order_summary::OrderRow;

pub use cursor::ExportCursor;
pub use line::{complete as complete_line, order as order_line};

use crate::order_stream::{FoldError, folded};

/// The types of the events that place an order.
const PLACED: &[&str] = &["order.placed."];
/// How many placements are read at once.
const PLACEMENTS: usize = 128;
/// How many orders are folded at the same time.
const FOLDED_AT_ONCE: usize = 8;

/// One order of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// Which one.
    pub order: OrderId,
    /// The position of its placement: an export goes on after it.
    pub placed: Position,
    /// How it was; none if an event of it cannot be read by this build.
    pub row: Option<OrderRow>,
}

/// An export under way.
#[derive(Debug)]
pub struct OrdersExport {
    events: Arc<dyn EventStore>,
    filter: TypeFilter,
    as_of: Position,
    /// Everything placed up to here was read.
    scanned_to: Position,
    ready: VecDeque<Exported>,
}

impl OrdersExport {
    /// The orders that were placed after `after`, as they were at `as_of`.
    pub fn new(events: Arc<dyn EventStore>, as_of: Position, after: Position) -> Self {
        Self { events, filter: TypeFilter::prefixes(PLACED), as_of, scanned_to: after, ready: VecDeque::new() }
    }

    /// The next order, in the order in which they were placed; none if that were all.
    pub async fn next(&mut self) -> Result<Option<Exported>, StoreError> {
        while self.ready.is_empty() && self.scanned_to < self.as_of {
            self.read_on().await?;
        }
        Ok(self.ready.pop_front())
    }

    async fn read_on(&mut self) -> Result<(), StoreError> {
        let page = self.events.read_all(self.scanned_to, &self.filter, PLACEMENTS).await?;
        let as_of = self.as_of;
        let placements = page.events.iter().filter(|event| event.position <= as_of && is_placement(event));
        let (events, folding) =
            (&*self.events, placements.map(|event| (OrderId::new(event.stream.id), event.position)));
        let mut folded = stream::iter(folding.collect::<Vec<_>>())
            .map(async |(order, placed)| {
                let row = readable(events, order, as_of).await?;
                Ok::<_, StoreError>(Exported { order, placed, row })
            })
            .buffered(FOLDED_AT_ONCE);
        let mut ready = VecDeque::new();
        while let Some(exported) = folded.next().await {
            ready.push_back(exported?);
        }
        drop(folded);
        self.ready = ready;
        // At the end of the log there is nothing more up to a position of the log, wherever the last one was found.
        self.scanned_to = if page.is_end { as_of } else { page.scanned_to.min(as_of) };
        Ok(())
    }
}

/// Whether an order began with this event. In a shared log, others may have types of the same name.
fn is_placement(event: &RecordedEvent) -> bool {
    &*event.stream.category == Order::CATEGORY && event.revision == Revision::FIRST
}

/// The order after everything of it up to this position; none if something of that cannot be read.
async fn readable(events: &dyn EventStore, order: OrderId, as_of: Position) -> Result<Option<OrderRow>, StoreError> {
    match folded(events, order, |event| event.position <= as_of).await {
        Ok(row) => Ok(row),
        Err(FoldError::Events(error)) => Err(error),
        Err(error @ FoldError::Undecodable { position, .. }) => {
            let cause = with_causes(&error);
            tracing::error!(
                order.id = %order, event.position = position.value(), error = cause,
                "an order is exported as unreadable: {cause}"
            );
            Ok(None)
        }
    }
}
