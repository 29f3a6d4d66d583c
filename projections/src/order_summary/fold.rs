//! Row and event to row.

use domain::{Event, order::OrderEvent};
use uuid::Uuid;

use super::{OrderRow, OrderStatus};
use crate::Decoded;

pub(super) fn key(event: &Decoded) -> Option<Uuid> {
    match &event.event {
        Event::Order(event) => Some(event.order().uuid()),
        Event::Product(_) | Event::Stock(_) | Event::Payment(_) | Event::Operator(_) => None,
    }
}

pub(super) const fn starts(event: &Decoded) -> bool {
    matches!(event.event, Event::Order(OrderEvent::Placed { .. }))
}

pub(super) fn fold(row: Option<OrderRow>, event: &Decoded) -> Option<OrderRow> {
    let Event::Order(happened) = &event.event else { return row };
    let (revision, updated_at) = (event.revision, happened.at());
    match (row, happened) {
        (_, OrderEvent::Placed { order, customer, lines, total, at }) => Some(OrderRow {
            order: *order,
            customer: *customer,
            status: OrderStatus::Placed,
            total: *total,
            lines: lines.as_slice().into(),
            cancel_reason: None,
            tracking: None,
            placed_at: *at,
            updated_at,
            revision,
        }),
        (Some(row), OrderEvent::Cancelled { reason, .. }) if row.status == OrderStatus::Placed => {
            Some(OrderRow { status: OrderStatus::Cancelled, cancel_reason: Some(*reason), updated_at, revision, ..row })
        }
        (Some(row), OrderEvent::Shipped { tracking, .. }) if row.status == OrderStatus::Placed => {
            Some(OrderRow { status: OrderStatus::Shipped, tracking: tracking.clone(), updated_at, revision, ..row })
        }
        (Some(row), OrderEvent::Delivered { .. }) if row.status == OrderStatus::Shipped => {
            Some(OrderRow { status: OrderStatus::Delivered, updated_at, revision, ..row })
        }
        // The aggregate never lets these happen; a log that holds them all the same changes nothing here either.
        (Some(row), OrderEvent::Cancelled { .. } | OrderEvent::Shipped { .. } | OrderEvent::Delivered { .. }) => {
            Some(OrderRow { revision, ..row })
        }
        // An order that was never placed has no row.
        (None, OrderEvent::Cancelled { .. } | OrderEvent::Shipped { .. } | OrderEvent::Delivered { .. }) => None,
    }
}
