//! The level of a stock as it was at a position, out of what it is now.
//!
//! A subscriber that comes back wants the level, not each change on the way there. The stock's own stream is taken back
//! event by event, from its end to that position: that costs what happened since, however long the stream is.

#[cfg(test)]
mod tests;

use async_graphql::Error;
use domain::{Decider as _, Event, Timestamp, stock::Stock};
use infrastructure::event_store::{Direction, EventStore, Name, Position, Revision, StreamId};
use projections::{Decoded, stock_level::StockLevelRow};

use crate::graphql::read::{event_store_error, internal};

/// How many events are taken back; beyond that the subscriber is told that there is a gap.
const TAKEN_BACK_MAX: usize = 10_000;
/// How many events are read at once.
const PAGE_EVENTS: usize = 256;

/// What a subscriber that knows everything up to a position has missed up to a later one.
#[derive(Debug)]
pub(super) enum Missed {
    /// Nothing.
    Nothing,
    /// Something: this is what came of it.
    Level {
        /// The last change.
        position: Position,
        /// When it was recorded.
        occurred_at: Timestamp,
        /// The level right after it.
        row: StockLevelRow,
    },
    /// It cannot be told: too much has happened since.
    TooMuch,
}

/// What happened to a stock after `after`, up to `until`. `row` is how it is now.
pub(super) async fn missed(
    events: &dyn EventStore,
    mut row: StockLevelRow,
    after: Position,
    until: Position,
) -> Result<Missed, Error> {
    let stream = StreamId::new(Name::from(Stock::CATEGORY), row.stock.uuid());
    let mut from = row.revision;
    let mut taken_back = 0;
    loop {
        let page =
            events.read_stream(&stream, from, Direction::Backwards, PAGE_EVENTS).await.map_err(event_store_error)?;
        for recorded in &page.events {
            if recorded.position <= after {
                return Ok(Missed::Nothing);
            }
            let event = Decoded::decode(recorded).map_err(internal)?;
            let Event::Stock(happened) = &*event.event else { continue };
            if event.position > until {
                row.take_back(happened);
                taken_back += 1;
                continue;
            }
            (row.updated_at, row.revision) = (happened.at(), event.revision);
            return Ok(Missed::Level { position: event.position, occurred_at: event.recorded_at, row });
        }
        let Some(before) = page.events.last().and_then(|last| last.revision.value().checked_sub(1)) else {
            return Ok(Missed::Nothing);
        };
        if taken_back >= TAKEN_BACK_MAX {
            return Ok(Missed::TooMuch);
        }
        from = Revision::new(before);
    }
}
