//! An order as it is read.

use std::sync::Arc;

use domain::{
    Timestamp,
    order::{CancelReason, OrderLine, OrderState},
    values::{CustomerId, Label, Money, OrderId},
};
use infrastructure::event_store::Revision;

/// One order.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderRow {
    /// The order.
    pub order: OrderId,
    /// Who bought.
    pub customer: CustomerId,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// The sum of the lines.
    pub total: Money,
    /// What, how many, at which price.
    pub lines: Arc<[OrderLine]>,
    /// Why it was cancelled, if it was.
    pub cancel_reason: Option<CancelReason>,
    /// The carrier's number, if there is one.
    pub tracking: Option<Label>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
    /// The revision of its stream.
    pub revision: Revision,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Bought, in the house.
    Placed,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Given up.
    Cancelled,
}

impl OrderStatus {
    const ALL: [Self; 4] = [Self::Placed, Self::Shipped, Self::Delivered, Self::Cancelled];

    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl OrderRow {
    /// The row that belongs to an aggregate's state: what the fold of the same events gives.
    pub fn of(state: &OrderState, revision: Revision) -> Option<Self> {
        let (placed, status) = match state {
            OrderState::Unplaced => return None,
            OrderState::Placed(placed) => (placed, OrderStatus::Placed),
            OrderState::Shipped(placed) => (placed, OrderStatus::Shipped),
            OrderState::Delivered(placed) => (placed, OrderStatus::Delivered),
            OrderState::Cancelled(placed) => (placed, OrderStatus::Cancelled),
        };
        Some(Self {
            order: placed.order,
            customer: placed.customer,
            status,
            total: placed.total,
            lines: placed.lines.as_slice().into(),
            cancel_reason: placed.cancel_reason,
            tracking: placed.tracking.clone(),
            placed_at: placed.placed_at,
            updated_at: placed.updated_at,
            revision,
        })
    }
}
