//! What can happen to an order, in one word.

use async_graphql::Enum;
use domain::order::OrderEvent;

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderChangeKind {
    /// It was placed.
    Placed,
    /// It is to be paid with another token.
    PaymentChosen,
    /// The payment provider does not hold the money.
    PaymentFailed,
    /// Its pieces are reserved, its payment is authorised: it can leave.
    Confirmed,
    /// It was cancelled.
    Cancelled,
    /// Something of it left the house, or all that was left.
    Shipped,
    /// It arrived.
    Delivered,
    /// It should have left the house by now.
    Overdue,
    /// Money was taken for it.
    Paid,
    /// Something of it is to come back.
    ReturnRequested,
    /// What was to come back is here.
    ReturnReceived,
    /// Money is to be given back.
    RefundRequested,
    /// Money was given back.
    Refunded,
    /// The payment provider does not give this money back.
    RefundFailed,
}

impl OrderChangeKind {
    /// The word for what happened.
    pub(super) const fn of(event: &OrderEvent) -> Self {
        match event {
            OrderEvent::Placed { .. } => Self::Placed,
            OrderEvent::PaymentChosen { .. } => Self::PaymentChosen,
            OrderEvent::PaymentFailed { .. } => Self::PaymentFailed,
            OrderEvent::Confirmed { .. } => Self::Confirmed,
            OrderEvent::Cancelled { .. } => Self::Cancelled,
            OrderEvent::Shipped { .. } => Self::Shipped,
            OrderEvent::Delivered { .. } => Self::Delivered,
            OrderEvent::Overdue { .. } => Self::Overdue,
            OrderEvent::Paid { .. } => Self::Paid,
            OrderEvent::ReturnRequested { .. } => Self::ReturnRequested,
            OrderEvent::ReturnReceived { .. } => Self::ReturnReceived,
            OrderEvent::RefundRequested { .. } => Self::RefundRequested,
            OrderEvent::Refunded { .. } => Self::Refunded,
            OrderEvent::RefundFailed { .. } => Self::RefundFailed,
        }
    }
}
