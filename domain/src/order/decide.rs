//! An order's rules.

use super::{
    CancelReason, Catalogue, LineProblem, ORDER_LINES_MAX, OrderCommand, OrderEvent, OrderLine, OrderRejection,
    OrderState, Party, RequestedLine,
};
use crate::{
    Timestamp,
    product::ProductState,
    values::{Currency, CustomerId, Label, Money, OrderId},
};

pub(super) fn decide(
    state: &OrderState,
    command: OrderCommand,
    now: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match command {
        OrderCommand::Place { order, customer, lines, catalogue } => {
            place(state, order, customer, &lines, &catalogue, now)
        }
        OrderCommand::Cancel { by, reason } => cancel(state, by, reason, now),
        OrderCommand::Ship { tracking } => ship(state, tracking, now),
        OrderCommand::Deliver => deliver(state, now),
    }
}

fn place(
    state: &OrderState,
    order: OrderId,
    customer: CustomerId,
    requested: &[RequestedLine],
    catalogue: &Catalogue,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match state {
        OrderState::Unplaced => {
            let (lines, total) = price(requested, catalogue)?;
            Ok(vec![OrderEvent::Placed { order, customer, lines, total, at }])
        }
        OrderState::Placed(_) | OrderState::Shipped(_) | OrderState::Delivered(_) | OrderState::Cancelled(_) => {
            Err(OrderRejection::AlreadyPlaced)
        }
    }
}

/// Prices the lines from the catalogue. Every line is looked at, so that one answer names all that is wrong.
fn price(requested: &[RequestedLine], catalogue: &Catalogue) -> Result<(Vec<OrderLine>, Money), OrderRejection> {
    if requested.is_empty() {
        return Err(OrderRejection::NoLines);
    }
    if requested.len() > ORDER_LINES_MAX {
        return Err(OrderRejection::TooManyLines(requested.len()));
    }
    let mut lines = Vec::with_capacity(requested.len());
    let mut problems = Vec::new();
    let mut total: Option<Money> = None;
    let mut is_total_too_large = false;
    for (index, line) in requested.iter().enumerate() {
        match price_line(*line, catalogue, total.map(Money::currency)) {
            Ok((line, line_total)) => {
                lines.push(line);
                match total.map_or(Ok(line_total), |sum| sum.checked_add(line_total)) {
                    Ok(sum) => total = Some(sum),
                    Err(_) => is_total_too_large = true,
                }
            }
            Err(problem) => problems.push((index, problem)),
        }
    }
    match total {
        _ if !problems.is_empty() => Err(OrderRejection::Lines(problems)),
        _ if is_total_too_large => Err(OrderRejection::TotalTooLarge),
        Some(total) => Ok((lines, total)),
        None => Err(OrderRejection::NoLines),
    }
}

fn price_line(
    line: RequestedLine,
    catalogue: &Catalogue,
    currency: Option<Currency>,
) -> Result<(OrderLine, Money), LineProblem> {
    let offer = match catalogue.get(&line.product) {
        None | Some(ProductState::Unregistered) => return Err(LineProblem::UnknownProduct(line.product)),
        Some(ProductState::Retired(_)) => return Err(LineProblem::RetiredProduct(line.product)),
        Some(ProductState::Offered(offer)) => offer,
    };
    if let Some(expected) = currency
        && offer.price.currency() != expected
    {
        return Err(LineProblem::OtherCurrency { expected: expected.code(), found: offer.price.currency().code() });
    }
    let total = offer.price.checked_mul(line.quantity).map_err(|_| LineProblem::TotalTooLarge)?;
    let line = OrderLine {
        product: line.product,
        sku: offer.sku.clone(),
        name: offer.name.clone(),
        quantity: line.quantity,
        unit_price: offer.price,
    };
    Ok((line, total))
}

fn cancel(
    state: &OrderState,
    by: Party,
    reason: CancelReason,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let placed = state.placed().ok_or(OrderRejection::NotFound)?;
    // A foreign order looks like a missing one, so that nobody learns which ids exist.
    if let Party::Customer(customer) = by
        && customer != placed.customer
    {
        return Err(OrderRejection::NotFound);
    }
    match state {
        OrderState::Unplaced => Err(OrderRejection::NotFound),
        OrderState::Placed(placed) => Ok(vec![OrderEvent::Cancelled { order: placed.order, reason, at }]),
        OrderState::Shipped(_) => Err(OrderRejection::AlreadyShipped),
        OrderState::Delivered(_) => Err(OrderRejection::AlreadyDelivered),
        OrderState::Cancelled(_) => Ok(vec![]), // Already done: success, nothing new.
    }
}

fn ship(state: &OrderState, tracking: Option<Label>, at: Timestamp) -> Result<Vec<OrderEvent>, OrderRejection> {
    match state {
        OrderState::Unplaced => Err(OrderRejection::NotFound),
        OrderState::Placed(placed) => Ok(vec![OrderEvent::Shipped { order: placed.order, tracking, at }]),
        OrderState::Shipped(_) => Err(OrderRejection::AlreadyShipped),
        OrderState::Delivered(_) => Err(OrderRejection::AlreadyDelivered),
        OrderState::Cancelled(_) => Err(OrderRejection::Cancelled),
    }
}

fn deliver(state: &OrderState, at: Timestamp) -> Result<Vec<OrderEvent>, OrderRejection> {
    match state {
        OrderState::Unplaced => Err(OrderRejection::NotFound),
        OrderState::Placed(_) => Err(OrderRejection::NotShipped),
        OrderState::Shipped(placed) => Ok(vec![OrderEvent::Delivered { order: placed.order, at }]),
        OrderState::Delivered(_) => Ok(vec![]), // Already done: success, nothing new.
        OrderState::Cancelled(_) => Err(OrderRejection::Cancelled),
    }
}
