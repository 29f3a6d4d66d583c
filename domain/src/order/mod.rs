//! Orders: from placement to delivery, and back.
//!
//! An order is placed by a customer at the catalogue's prices. What is counted is reserved, what is paid in advance is held
//! by the payment provider; then it is confirmed, leaves the house in one or several shipments, and arrives. It can be
//! cancelled until something of it has left. What arrived can come back, and what was paid can be given back, by line or by
//! amount. **Invariant:** an order's prices come from the catalogue, never from the client, and stand in its first event; a
//! later price change does not touch it. **Invariant:** no more is shipped than was bought, no more returned than was
//! shipped, no more given back than was paid.
//! Slice map: api/src/graphql/order/mutation/mod.rs, domain/src/order/decide.rs, domain/src/order/handling.rs,
//! domain/src/fulfilment/mod.rs, projections/src/order_summary/mod.rs, tests/it/order.rs

mod command;
mod decide;
mod event;
mod handling;
mod rejection;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod upcast;

pub use command::{Catalogue, OrderCommand, Party, RefundFor, RequestedLine};
pub use event::{CancelReason, LinePart, OrderEvent, OrderLine, SECRETS};
pub use rejection::{LineProblem, OrderRejection, PartProblem};
pub use state::{
    Capture, OrderPayment, OrderState, PlacedOrder, Refund, Return, ReturnReceipt, Shipment, capture_of, payment_of,
};
pub use status::{FulfilmentStatus, OrderStatus, PaymentStatus};
pub use upcast::UPCASTERS;

use crate::{Decider, Timestamp};

/// The most lines of one order.
pub const ORDER_LINES_MAX: usize = 500;

/// The most attempts to pay for one order.
pub const PAYMENT_ATTEMPTS_MAX: u32 = 10;

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
        let placed = state.placed().map_or(0, |placed| {
            let parts = placed.shipments.len() + placed.returns.len() + placed.refunds.len() + placed.captures.len();
            size_of::<PlacedOrder>() + placed.lines.len() * size_of::<OrderLine>() + parts * size_of::<Refund>()
        });
        size_of::<OrderState>() + placed
    }
}
