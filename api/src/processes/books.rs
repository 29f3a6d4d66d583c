//! Stock and money booked a second time, from one reading of the whole log.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use domain::{Event, audit, fulfilment::Fulfilment, values::OrderId};
use infrastructure::{
    codec::{self, DecodeError},
    event_store::{EventStore, Position, StoreError, TypeFilter},
    process::ProcessWatch,
    read_store::{ReadStore, ReadStoreError},
};
use tokio::sync::Semaphore;

/// How many events are read at a time.
const PAGE_EVENTS: usize = 2_000;
/// Audits that run at once, of everybody: each reads the whole log and keeps something of every order.
const AUDITS_MAX: usize = 1;

/// Audits stock and money. One of it in a process, so that nobody makes it read the log many times at once.
#[derive(Debug)]
pub struct Books {
    events: Arc<dyn EventStore>,
    fulfilment: ProcessWatch,
    turns: Semaphore,
}

/// Why the books could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// An audit is under way already.
    #[error("an audit of stock and money is under way already; wait until it is over")]
    AlreadyVerifying,
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Events(#[from] StoreError),
    /// The notes of the fulfilment cannot be read.
    #[error("the notes of the fulfilment cannot be read")]
    Rows(#[from] ReadStoreError),
    /// An event is unknown to this build.
    #[error("the event at {} cannot be read", .position.value())]
    Undecodable {
        /// Where it stands.
        position: Position,
        /// Why.
        source: DecodeError,
    },
}

impl Books {
    /// Audits what these events say, and asks the fulfilment what it is through with.
    pub fn new(events: Arc<dyn EventStore>, rows: Arc<dyn ReadStore>) -> Self {
        let fulfilment = ProcessWatch::of::<Fulfilment>(rows);
        Self { events, fulfilment, turns: Semaphore::new(AUDITS_MAX) }
    }

    /// Reads the log as it is now, once and page by page, and says what does not agree, and up to where it was read.
    pub async fn audit(&self) -> Result<(audit::Report, Position), BooksError> {
        let _turn = self.turns.try_acquire().map_err(|_| BooksError::AlreadyVerifying)?;
        // Before the log: what the process is through with later has later events, too.
        let through = self.fulfilment.through().await?;
        let head = self.events.head().await?;
        let filter = TypeFilter::prefixes(audit::EVENTS);
        let (mut books, mut position) = (audit::Audit::default(), Position::START);
        while position < head {
            let page = self.events.read_all(position, &filter, PAGE_EVENTS).await?;
            for recorded in page.events.iter().filter(|recorded| recorded.position <= head) {
                let event = codec::decode::<Event>(&recorded.type_name, &recorded.data);
                let event = event.map_err(|source| BooksError::Undecodable { position: recorded.position, source })?;
                books.take_in(&event, recorded.position.value());
            }
            if page.scanned_to <= position {
                break;
            }
            position = page.scanned_to;
        }
        let is_settled = |order: OrderId, seen| through.is_settled(order.uuid(), Position::new(seen));
        Ok((books.close(is_settled), head))
    }
}
