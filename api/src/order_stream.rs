//! An order as its own events make it, up to wherever somebody wants it.
//!
//! It is folded by the rules of the read model, from the events alone: it is never behind, and no read model is asked. How a
//! stream is read for that serves its payments, too.

use domain::{Decider as _, order::Order, values::OrderId};
use infrastructure::{
    codec::DecodeError,
    event_store::{
        Direction, EventStore, Name, PAGE_EVENTS_MAX, Position, RecordedEvent, Revision, StoreError, StreamId,
    },
};
use projections::{
    Decoded, KeyedFold as _,
    order_summary::{OrderRow, OrderSummary},
};

/// Why an order cannot be folded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldError {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Events(#[from] StoreError),
    /// An event of it is unknown to this build.
    #[error("the event at {} cannot be read", .position.value())]
    Undecodable {
        /// Where it stands.
        position: Position,
        /// Why.
        source: DecodeError,
    },
}

/// The stream of this order.
pub(crate) fn stream_of(order: OrderId) -> StreamId {
    StreamId::new(Name::from(Order::CATEGORY), order.uuid())
}

/// The order after its events up to the first one that is not included; none if there are none.
pub(crate) async fn folded(
    events: &dyn EventStore,
    order: OrderId,
    includes: impl FnMut(&RecordedEvent) -> bool + Send,
) -> Result<Option<OrderRow>, FoldError> {
    let mut row = None;
    read_while(events, &stream_of(order), includes, |event| row = OrderSummary::fold(row.take(), &event)).await?;
    Ok(row)
}

/// Gives the events of a stream to `take`, from the first one on, up to the first that is not included.
pub(crate) async fn read_while(
    events: &dyn EventStore,
    stream: &StreamId,
    mut includes: impl FnMut(&RecordedEvent) -> bool + Send,
    mut take: impl FnMut(Decoded) + Send,
) -> Result<(), FoldError> {
    let mut from = Revision::FIRST;
    loop {
        let page = events.read_stream(stream, from, Direction::Forwards, PAGE_EVENTS_MAX).await?;
        for recorded in &page.events {
            if !includes(recorded) {
                return Ok(());
            }
            let undecodable = |source| FoldError::Undecodable { position: recorded.position, source };
            take(Decoded::decode(recorded).map_err(undecodable)?);
            from = recorded.revision.next();
        }
        if page.is_end {
            return Ok(());
        }
    }
}
