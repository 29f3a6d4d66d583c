//! Row and event to row. What an event does to an order is the aggregate's to say.

use std::sync::Arc;

use domain::{
    Decider as _, Event,
    order::{Order, OrderEvent, OrderState},
};
use uuid::Uuid;

use super::OrderRow;
use crate::Decoded;

pub(super) fn key(event: &Decoded) -> Option<Uuid> {
    match &*event.event {
        Event::Order(event) => Some(event.order().uuid()),
        Event::Product(_)
        | Event::Stock(_)
        | Event::Payment(_)
        | Event::Profile(_)
        | Event::Handle(_)
        | Event::Follow(_)
        | Event::Post(_)
        | Event::Reaction(_)
        | Event::Inbox(_)
        | Event::Operator(_) => None,
    }
}

pub(super) fn starts(event: &Decoded) -> bool {
    matches!(&*event.event, Event::Order(OrderEvent::Placed { .. }))
}

pub(super) fn fold(row: Option<OrderRow>, event: &Decoded) -> Option<OrderRow> {
    let Event::Order(happened) = &*event.event else { return row };
    let state = match row.filter(|_| !starts(event)) {
        None => OrderState::Unplaced,
        Some(row) => OrderState::Placed(Box::new(Arc::unwrap_or_clone(row.placed))),
    };
    match Order::evolve(state, happened) {
        // An order that was never placed has no row.
        OrderState::Unplaced => None,
        OrderState::Placed(placed) => Some(OrderRow { placed: Arc::from(placed), revision: event.revision }),
    }
}
