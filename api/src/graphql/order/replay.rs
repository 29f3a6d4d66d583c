//! What happened to orders after a cursor, read back from the events.
//!
//! A replayed message carries the order as it was right after its event, folded from the order's own stream, exactly as
//! the live one did.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use async_graphql::Error;
use domain::values::OrderId;
use infrastructure::event_store::{
    Direction, EventStore, PAGE_EVENTS_MAX, Position, RecordedEvent, Revision, TypeFilter,
};
use projections::{
    Change, Decoded, KeyedFold as _,
    order_summary::{OrderRow, OrderSummary},
};

use crate::{
    graphql::read::{event_store_error, fold_error, internal},
    order_stream::{folded, stream_of},
};

/// How many events a subscription replays; beyond that it says that there is a gap.
pub(super) const REPLAY_EVENTS_MAX: usize = 10_000;
/// How many events are read at once.
const PAGE_EVENTS: usize = 512;

/// The changes of one order after `after`, up to `until`. None if they are too many.
pub(super) async fn of_order(
    events: &dyn EventStore,
    order: OrderId,
    after: Position,
    until: Position,
) -> Result<Option<Vec<Change<OrderRow>>>, Error> {
    let stream = stream_of(order);
    let mut row = None;
    let mut changes = Vec::new();
    let mut from = Revision::FIRST;
    loop {
        let page =
            events.read_stream(&stream, from, Direction::Forwards, PAGE_EVENTS_MAX).await.map_err(event_store_error)?;
        for recorded in &page.events {
            from = recorded.revision.next();
            if recorded.position > until {
                return Ok(Some(changes));
            }
            let change = fold(&mut row, recorded)?;
            if recorded.position > after {
                changes.push(change);
            }
            if changes.len() > REPLAY_EVENTS_MAX {
                return Ok(None);
            }
        }
        if page.is_end {
            return Ok(Some(changes));
        }
    }
}

/// Reads the changes of all orders after a position, page by page.
#[derive(Debug)]
pub(super) struct AllOrders {
    events: Arc<dyn EventStore>,
    filter: TypeFilter,
    after: Position,
    until: Position,
    seen: usize,
    /// Each order as it was right before the next event of it.
    rows: HashMap<OrderId, Option<OrderRow>>,
}

/// The next part of a replay.
#[derive(Debug)]
pub(super) enum Replayed {
    /// Some changes, in order; more may follow.
    Changes(Vec<Change<OrderRow>>),
    /// There are too many to go on; everything up to this position was delivered.
    TooMany(Position),
    /// That was all.
    Done,
}

impl AllOrders {
    pub(super) fn new(events: Arc<dyn EventStore>, after: Position, until: Position) -> Self {
        let filter = TypeFilter::prefixes(OrderSummary::EVENTS);
        Self { events, filter, after, until, seen: 0, rows: HashMap::new() }
    }

    pub(super) async fn next(&mut self) -> Result<Replayed, Error> {
        if self.after >= self.until {
            return Ok(Replayed::Done);
        }
        if self.seen >= REPLAY_EVENTS_MAX {
            return Ok(Replayed::TooMany(self.after));
        }
        let page = self.events.read_all(self.after, &self.filter, PAGE_EVENTS).await.map_err(event_store_error)?;
        let mut changes = Vec::new();
        let until = self.until;
        for recorded in page.events.iter().take_while(|recorded| recorded.position <= until) {
            changes.push(self.change(recorded).await?);
        }
        self.seen += changes.len();
        self.after = page.scanned_to.min(until);
        Ok(Replayed::Changes(changes))
    }

    async fn change(&mut self, recorded: &RecordedEvent) -> Result<Change<OrderRow>, Error> {
        let order = OrderId::new(recorded.stream.id);
        let mut row = match self.rows.remove(&order) {
            Some(row) => row,
            None if recorded.revision == Revision::FIRST => None,
            // The order right before this event of it.
            None => {
                folded(&*self.events, order, |event| event.revision < recorded.revision).await.map_err(fold_error)?
            }
        };
        let change = fold(&mut row, recorded)?;
        self.rows.insert(order, row);
        Ok(change)
    }
}

fn fold(row: &mut Option<OrderRow>, recorded: &RecordedEvent) -> Result<Change<OrderRow>, Error> {
    let event = Decoded::decode(recorded).map_err(internal)?;
    *row = OrderSummary::fold(row.take(), &event);
    Ok(Change {
        position: event.position,
        revision: event.revision,
        occurred_at: event.recorded_at,
        key: recorded.stream.id,
        event: event.event,
        row: row.clone(),
    })
}
