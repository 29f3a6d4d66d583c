//! An order's rules.

use super::{
    CancelReason, Catalogue, LineProblem, ORDER_LINES_MAX, OrderCommand, OrderEvent, OrderLine, OrderRejection,
    OrderState, OrderStatus, Party, PlacedOrder, RequestedLine, handling, payment_of,
};
use crate::{
    Timestamp,
    payment::DeclineReason,
    product::ProductState,
    values::{Currency, CustomerId, Money, OrderId, PaymentId, PaymentToken, Warehouse},
};

pub(super) fn decide(
    state: &OrderState,
    command: OrderCommand,
    now: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match command {
        OrderCommand::Place { order, customer, lines, catalogue, warehouse, payment } => {
            let placement = Placement { order, customer, warehouse, payment };
            place(state, placement, &lines, &catalogue, now)
        }
        OrderCommand::Pay { by, token } => pay(known(state)?, by, token, now),
        OrderCommand::Confirm { payment } => confirm(known(state)?, payment, now),
        OrderCommand::FailPayment { payment, reason } => fail_payment(known(state)?, payment, reason, now),
        OrderCommand::Cancel { by, reason } => cancel(known(state)?, by, reason, now),
        OrderCommand::Ship { lines, tracking } => handling::ship(known(state)?, lines, tracking, now),
        OrderCommand::Deliver => handling::deliver(known(state)?, now),
        OrderCommand::MarkOverdue => handling::mark_overdue(known(state)?, now),
        OrderCommand::RequestReturn { by, lines, reason } => {
            handling::request_return(known_to(known(state)?, by)?, lines, reason, now)
        }
        OrderCommand::ReceiveReturn { number, is_restocked } => {
            handling::receive_return(known(state)?, number, is_restocked, now)
        }
        OrderCommand::Refund { refund, what, reason } => handling::refund(known(state)?, refund, what, reason, now),
        OrderCommand::RecordCapture { capture, amount } => {
            Ok(handling::record_capture(known(state)?, capture, amount, now))
        }
        OrderCommand::RecordRefund { refund, amount } => {
            Ok(handling::record_refund(known(state)?, refund, amount, now))
        }
        OrderCommand::FailRefund { refund, reason } => Ok(handling::fail_refund(known(state)?, refund, reason, now)),
    }
}

/// Who buys, and how it is paid and shipped.
struct Placement {
    order: OrderId,
    customer: CustomerId,
    warehouse: Warehouse,
    payment: Option<PaymentToken>,
}

fn place(
    state: &OrderState,
    Placement { order, customer, warehouse, payment }: Placement,
    requested: &[RequestedLine],
    catalogue: &Catalogue,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    match state {
        OrderState::Unplaced => {
            let (lines, total) = price(requested, catalogue)?;
            // What costs nothing is not paid: no provider holds no money.
            let payment = payment.filter(|_| !total.is_zero());
            Ok(vec![OrderEvent::Placed { order, customer, lines, total, warehouse, payment, at }])
        }
        OrderState::Placed(_) => Err(OrderRejection::AlreadyPlaced),
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
        is_stocked: offer.is_stocked,
    };
    Ok((line, total))
}

fn pay(placed: &PlacedOrder, by: Party, token: PaymentToken, at: Timestamp) -> Result<Vec<OrderEvent>, OrderRejection> {
    let placed = known_to(placed, by)?;
    let payment = placed.payment.ok_or(OrderRejection::OnAccount)?;
    match placed.status {
        OrderStatus::Cancelled => Err(OrderRejection::Cancelled),
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered => Err(OrderRejection::AlreadyConfirmed),
        OrderStatus::Placed if payment.declined.is_none() => Err(OrderRejection::PaymentUnderWay),
        OrderStatus::Placed if !placed.may_pay_again() => Err(OrderRejection::TooManyAttempts),
        OrderStatus::Placed => {
            let order = placed.order;
            let payment = payment_of(order, payment.attempt + 1);
            Ok(vec![OrderEvent::PaymentChosen { order, payment, token, at }])
        }
    }
}

fn confirm(placed: &PlacedOrder, payment: Option<PaymentId>, at: Timestamp) -> Result<Vec<OrderEvent>, OrderRejection> {
    if payment != placed.current_payment() {
        return Err(OrderRejection::OtherPayment);
    }
    match placed.status {
        OrderStatus::Placed => Ok(vec![OrderEvent::Confirmed { order: placed.order, payment, at }]),
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered => Ok(vec![]), // Already so.
        OrderStatus::Cancelled => Err(OrderRejection::Cancelled),
    }
}

fn fail_payment(
    placed: &PlacedOrder,
    failed: PaymentId,
    reason: DeclineReason,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let is_declined = placed.payment.is_some_and(|payment| payment.declined.is_some());
    match placed.status {
        _ if placed.current_payment() != Some(failed) => Err(OrderRejection::OtherPayment),
        OrderStatus::Placed if is_declined => Ok(vec![]), // Already so: success, nothing new.
        OrderStatus::Placed => Ok(vec![OrderEvent::PaymentFailed { order: placed.order, payment: failed, reason, at }]),
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered => Err(OrderRejection::AlreadyConfirmed),
        OrderStatus::Cancelled => Err(OrderRejection::Cancelled),
    }
}

fn cancel(
    placed: &PlacedOrder,
    by: Party,
    reason: CancelReason,
    at: Timestamp,
) -> Result<Vec<OrderEvent>, OrderRejection> {
    let placed = known_to(placed, by)?;
    match placed.status {
        OrderStatus::Placed | OrderStatus::Confirmed if !placed.shipments.is_empty() => {
            Err(OrderRejection::AlreadyShipped)
        }
        // What the process wanted to give up has come in the meantime.
        OrderStatus::Confirmed if by == Party::Process => Err(OrderRejection::AlreadyConfirmed),
        OrderStatus::Placed | OrderStatus::Confirmed => {
            Ok(vec![OrderEvent::Cancelled { order: placed.order, reason, at }])
        }
        OrderStatus::Shipped => Err(OrderRejection::AlreadyShipped),
        OrderStatus::Delivered => Err(OrderRejection::AlreadyDelivered),
        OrderStatus::Cancelled => Ok(vec![]), // Already done: success, nothing new.
    }
}

fn known(state: &OrderState) -> Result<&PlacedOrder, OrderRejection> {
    state.placed().ok_or(OrderRejection::NotFound)
}

/// A foreign order looks like a missing one, so that nobody learns which ids exist.
fn known_to(placed: &PlacedOrder, by: Party) -> Result<&PlacedOrder, OrderRejection> {
    match by {
        Party::Customer(customer) if customer != placed.customer => Err(OrderRejection::NotFound),
        Party::Customer(_) | Party::Operator | Party::Process => Ok(placed),
    }
}
