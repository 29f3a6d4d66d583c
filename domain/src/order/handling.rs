//! An order's rules from the house to the customer and back: shipments, returns, and the money that goes with them.

use super::{LinePart, OrderEvent, OrderRejection, OrderStatus, PartProblem, PlacedOrder, RefundFor, state::index};
use crate::{
    Timestamp,
    payment::PartStatus,
    values::{CaptureId, Label, Money, RefundId},
};

pub(super) fn ship(
    placed: &PlacedOrder,
    lines: Vec<LinePart>,
    tracking: Option<Label>,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match placed.status {
        OrderStatus::Placed if placed.has_to_be_confirmed() => return Err(OrderRejection::NotConfirmed),
        OrderStatus::Placed | OrderStatus::Confirmed => {}
        OrderStatus::Shipped => return Err(OrderRejection::AlreadyShipped),
        OrderStatus::Delivered => return Err(OrderRejection::AlreadyDelivered),
        OrderStatus::Cancelled => return Err(OrderRejection::Cancelled),
    }
    let left = placed.left_to_ship();
    check(placed, &lines, &left)?;
    let lines = if lines.is_empty() { left } else { lines };
    Ok(vec![OrderEvent::Shipped { order: placed.order, shipment: next(&placed.shipments), lines, tracking, at }])
}

pub(super) fn deliver(placed: &PlacedOrder, at: Timestamp) -> Result<Vec<OrderEvent>, OrderRejection> {
    match placed.status {
        OrderStatus::Placed | OrderStatus::Confirmed => Err(OrderRejection::NotShipped),
        OrderStatus::Shipped => Ok(vec![OrderEvent::Delivered { order: placed.order, at }]),
        OrderStatus::Delivered => Ok(vec![]), // Already done: success, nothing new.
        OrderStatus::Cancelled => Err(OrderRejection::Cancelled),
    }
}

pub(super) fn mark_overdue(placed: &PlacedOrder, at: Timestamp) -> Result<Vec<OrderEvent>, OrderRejection> {
    match placed.status {
        OrderStatus::Placed => Err(OrderRejection::NotConfirmed),
        OrderStatus::Confirmed if placed.is_overdue => Ok(vec![]), // Already so: success, nothing new.
        OrderStatus::Confirmed => Ok(vec![OrderEvent::Overdue { order: placed.order, at }]),
        OrderStatus::Shipped => Err(OrderRejection::AlreadyShipped),
        OrderStatus::Delivered => Err(OrderRejection::AlreadyDelivered),
        OrderStatus::Cancelled => Err(OrderRejection::Cancelled),
    }
}

pub(super) fn request_return(
    placed: &PlacedOrder,
    lines: Vec<LinePart>,
    reason: Label,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    if placed.shipments.is_empty() {
        return Err(OrderRejection::NotShipped);
    }
    if lines.is_empty() {
        return Err(OrderRejection::NoLines);
    }
    check(placed, &lines, &placed.left_to_return())?;
    Ok(vec![OrderEvent::ReturnRequested { order: placed.order, number: next(&placed.returns), lines, reason, at }])
}

pub(super) fn receive_return(
    placed: &PlacedOrder,
    number: u32,
    is_restocked: bool,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let known = placed.returns.get(index(number)).ok_or(OrderRejection::NoSuchReturn)?;
    match known.received {
        None => Ok(vec![OrderEvent::ReturnReceived { order: placed.order, number, is_restocked, at }]),
        Some(receipt) if receipt.is_restocked == is_restocked => Ok(vec![]), // Already so: success, nothing new.
        Some(_) => Err(OrderRejection::ReturnAlreadyReceived),
    }
}

pub(super) fn refund(
    placed: &PlacedOrder,
    refund: RefundId,
    what: RefundFor,
    reason: Label,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    if let Some(known) = placed.refunds.iter().find(|known| known.refund == refund) {
        let is_same = match what {
            RefundFor::Lines(lines) => known.lines == lines,
            RefundFor::Amount(amount) => known.lines.is_empty() && known.amount == amount,
        };
        return if is_same { Ok(vec![]) } else { Err(OrderRejection::KeyReused) };
    }
    let (lines, amount) = match what {
        RefundFor::Lines(lines) if lines.is_empty() => return Err(OrderRejection::NoLines),
        RefundFor::Lines(lines) => {
            check(placed, &lines, &placed.left_to_refund())?;
            let amount = placed.price_of(&lines);
            (lines, amount)
        }
        RefundFor::Amount(amount) => (vec![], amount),
    };
    if amount.currency() != placed.total.currency() {
        return Err(OrderRejection::OtherCurrency { expected: placed.total.currency().code() });
    }
    if amount.is_zero() {
        return Err(OrderRejection::NoAmount);
    }
    let left = placed.refundable();
    if amount.minor() > left.minor() {
        return Err(OrderRejection::OverPaid { left });
    }
    Ok(vec![OrderEvent::RefundRequested { order: placed.order, refund, lines, amount, reason, at }])
}

/// What the provider did is so, whatever the order has come to.
pub(super) fn record_capture(
    placed: &PlacedOrder,
    capture: CaptureId,
    amount: Money,
    at: Timestamp,
) -> Vec<OrderEvent> {
    if placed.captures.iter().any(|known| known.capture == capture) {
        return vec![]; // Already known.
    }
    vec![OrderEvent::Paid { order: placed.order, capture, amount, at }]
}

/// What the provider did is so, whatever the order has come to.
pub(super) fn record_refund(placed: &PlacedOrder, refund: RefundId, amount: Money, at: Timestamp) -> Vec<OrderEvent> {
    if placed.refunds.iter().any(|known| known.refund == refund && known.status == PartStatus::Done) {
        return vec![]; // Already known.
    }
    vec![OrderEvent::Refunded { order: placed.order, refund, amount, at }]
}

pub(super) fn fail_refund(placed: &PlacedOrder, refund: RefundId, reason: Label, at: Timestamp) -> Vec<OrderEvent> {
    let is_open = |known: &&super::Refund| known.refund == refund && known.status == PartStatus::Requested;
    match placed.refunds.iter().find(is_open) {
        Some(_) => vec![OrderEvent::RefundFailed { order: placed.order, refund, reason, at }],
        None => vec![], // Already known, or nothing that the order waits for.
    }
}

/// The number of the next one, counted from 1.
fn next<T>(known: &[T]) -> u32 {
    u32::try_from(known.len() + 1).unwrap_or(u32::MAX)
}

/// Whether `parts` can be taken from what is left. Every part is looked at, so that one answer names all that is wrong.
fn check(placed: &PlacedOrder, parts: &[LinePart], left: &[LinePart]) -> Result<(), OrderRejection> {
    let problem = |(position, part): (usize, &LinePart)| {
        let units = left.iter().find(|one| one.line == part.line).map_or(0, |one| one.quantity.units());
        let found = if part.line as usize >= placed.lines.len() {
            PartProblem::UnknownLine
        } else if parts[..position].iter().any(|one| one.line == part.line) {
            PartProblem::NamedTwice
        } else if part.quantity.units() > units {
            PartProblem::TooMany { left: units }
        } else {
            return None;
        };
        Some((position, found))
    };
    let problems: Vec<_> = parts.iter().enumerate().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(OrderRejection::Parts(problems)) }
}
