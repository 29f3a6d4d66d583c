//! Orders: from placement to delivery or cancellation.
//!
//! An order is placed by a customer at the catalogue's prices, then shipped and delivered, or cancelled before it
//! is shipped. **Invariant:** an order's prices come from the catalogue, never from the client, and stand in its
//! first event; a later price change does not touch it.
//! Slice map: api/src/graphql/order/mutation.rs, domain/src/order/decide.rs,
//! projections/src/order_summary/mod.rs, tests/it/order.rs

mod command;
mod decide;
mod event;
mod rejection;
mod state;
#[cfg(test)]
mod tests;
mod upcast;

pub use command::{Catalogue, OrderCommand, Party, RequestedLine};
pub use event::{CancelReason, OrderEvent, OrderLine};
pub use rejection::{LineProblem, OrderRejection};
pub use state::{OrderState, PlacedOrder};
pub use upcast::UPCASTERS;

use crate::{Decider, Timestamp};

/// The most lines of one order.
pub const ORDER_LINES_MAX: usize = 500;

/// The order aggregate.
#[derive(Debug)]
pub enum Order {}

impl Decider for Order {
    const CATEGORY: &'static str = "order";
    type State = OrderState;
    type Command = OrderCommand;
    type Event = OrderEvent;
    type Rejection = OrderRejection;

    fn decide(state: &OrderState, command: OrderCommand, now: Timestamp) -> Result<Vec<OrderEvent>, OrderRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: OrderState, event: &OrderEvent) -> OrderState {
        state::evolve(state, event)
    }

    fn weight(state: &OrderState) -> usize {
        let lines = state.placed().map_or(0, |placed| placed.lines.len());
        size_of::<OrderState>() + lines * size_of::<OrderLine>()
    }
}
