//! What an order remembers.

use super::{CancelReason, OrderEvent, OrderLine};
use crate::{
    Timestamp,
    values::{CustomerId, Label, Money, OrderId},
};

/// The life of an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OrderState {
    /// Nobody bought yet.
    #[default]
    Unplaced,
    /// Bought, in the house.
    Placed(PlacedOrder),
    /// On its way.
    Shipped(PlacedOrder),
    /// Arrived.
    Delivered(PlacedOrder),
    /// Given up.
    Cancelled(PlacedOrder),
}

/// What is known of an order once it is placed.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedOrder {
    /// The order.
    pub order: OrderId,
    /// Who bought.
    pub customer: CustomerId,
    /// What, how many, at which price.
    pub lines: Vec<OrderLine>,
    /// The sum of the lines.
    pub total: Money,
    /// Why it was cancelled, if it was.
    pub cancel_reason: Option<CancelReason>,
    /// The carrier's number, if there is one.
    pub tracking: Option<Label>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
}

impl OrderState {
    /// The order, if it was placed at all.
    pub const fn placed(&self) -> Option<&PlacedOrder> {
        match self {
            Self::Unplaced => None,
            Self::Placed(placed) | Self::Shipped(placed) | Self::Delivered(placed) | Self::Cancelled(placed) => {
                Some(placed)
            }
        }
    }
}

pub(super) fn evolve(state: OrderState, event: &OrderEvent) -> OrderState {
    match (state, event) {
        (_, OrderEvent::Placed { order, customer, lines, total, at }) => OrderState::Placed(PlacedOrder {
            order: *order,
            customer: *customer,
            lines: lines.clone(),
            total: *total,
            cancel_reason: None,
            tracking: None,
            placed_at: *at,
            updated_at: *at,
        }),
        (OrderState::Placed(placed), OrderEvent::Cancelled { reason, at, .. }) => {
            OrderState::Cancelled(PlacedOrder { cancel_reason: Some(*reason), updated_at: *at, ..placed })
        }
        (OrderState::Placed(placed), OrderEvent::Shipped { tracking, at, .. }) => {
            OrderState::Shipped(PlacedOrder { tracking: tracking.clone(), updated_at: *at, ..placed })
        }
        (OrderState::Shipped(placed), OrderEvent::Delivered { at, .. }) => {
            OrderState::Delivered(PlacedOrder { updated_at: *at, ..placed })
        }
        // `decide` never lets these happen; a log that holds them all the same must still fold.
        (
            state @ (OrderState::Unplaced
            | OrderState::Placed(_)
            | OrderState::Shipped(_)
            | OrderState::Delivered(_)
            | OrderState::Cancelled(_)),
            OrderEvent::Cancelled { .. } | OrderEvent::Shipped { .. } | OrderEvent::Delivered { .. },
        ) => state,
    }
}
