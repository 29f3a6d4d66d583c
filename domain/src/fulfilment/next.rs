//! What is to be done for an order as things stand.

use std::collections::BTreeMap;

use super::{Fulfilment, FulfilmentState, Held, Instruction};
use crate::{
    Timestamp,
    order::{CancelReason, OrderCommand, OrderState, OrderStatus, Party, PlacedOrder, capture_of},
    payment::{DeclineReason, Hold, Part, PartStatus, PaymentCommand, PaymentRecord},
    stock::{ReleaseReason, StockCommand},
    values::{CaptureId, Label, Money, OrderId, PaymentId, Pieces, RefundId, StockId},
};

/// How often money that no order needs is offered back before somebody has to see to it.
const GIVE_BACK_TRIES_MAX: usize = 3;

pub(super) fn next(rules: &Fulfilment, state: &FulfilmentState, now: Timestamp) -> Vec<Instruction> {
    let OrderState::Placed(placed) = &state.order else {
        // Nobody remembers the order, so it is over: what was reserved for it all the same is free again.
        return state.id.map_or(vec![], |order| release(state, order, ReleaseReason::OrderCancelled));
    };
    let mut todo = match placed.status {
        OrderStatus::Placed => confirm(rules, state, placed, now),
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered => {
            let mut todo = hand_over(state, placed);
            todo.extend(renew(state, placed));
            todo.extend(take_back(state, placed));
            todo.extend(point_out(rules, placed, now));
            todo
        }
        OrderStatus::Cancelled => release(state, placed.order, why_released(placed)),
    };
    todo.extend(give_up_payments(state, placed));
    todo.extend(tell_of_money(state, placed));
    todo
}

pub(super) fn wake_at(rules: &Fulfilment, state: &FulfilmentState, now: Timestamp) -> Option<Timestamp> {
    let placed = state.order.placed()?;
    let timer = match placed.status {
        OrderStatus::Placed => placed.payment.map(|_| placed.placed_at + rules.unpaid_after),
        OrderStatus::Confirmed if !placed.is_overdue => placed.confirmed_at.map(|at| at + rules.overdue_after),
        OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Cancelled => None,
    };
    timer.filter(|timer| *timer > now)
}

pub(super) fn concern(state: &FulfilmentState) -> Option<String> {
    let placed = state.order.placed()?;
    let holding = state.held_by(placed);
    // What another one did not take is asked of this one.
    let not_taken = holding
        .iter()
        .flat_map(|holding| holding.captures.iter())
        .filter(|(_, part)| part.status == PartStatus::Failed);
    let not_taken = not_taken.map(|(capture, part)| format!("the provider did not take {} ({capture})", part.amount));
    let is_on_its_way = matches!(placed.status, OrderStatus::Confirmed | OrderStatus::Shipped | OrderStatus::Delivered);
    let lost = holding
        .into_iter()
        .filter(|holding| is_on_its_way && is_lost(holding) && is_owed(holding) && state.renewal(placed).is_none());
    let lost =
        lost.map(|payment| format!("the money of payment {} is held no longer and was not taken", payment.payment));
    let not_given_back = state.known_payments().filter(|payment| {
        !is_needed(placed, payment, state.holding(placed))
            && !payment.refundable().is_zero()
            && given_back_in_vain(payment)
    });
    let not_given_back = not_given_back.map(|payment| {
        format!("the provider does not give back {} of payment {}", payment.refundable(), payment.payment)
    });
    let concerns: Vec<String> = not_taken.chain(lost).chain(not_given_back).collect();
    (!concerns.is_empty()).then(|| concerns.join("; "))
}

/// Whether the order, as it stands, has a use for the payment's money.
fn is_needed(placed: &PlacedOrder, payment: &PaymentRecord, holding: Option<PaymentId>) -> bool {
    placed.status != OrderStatus::Cancelled && Some(payment.payment) == holding
}

fn given_back_in_vain(payment: &PaymentRecord) -> bool {
    let failed = payment.refunds.values().filter(|part| part.status == PartStatus::Failed);
    failed.count() >= GIVE_BACK_TRIES_MAX
}

const fn is_lost(payment: &PaymentRecord) -> bool {
    matches!(payment.hold, Hold::Expired | Hold::Voided | Hold::Declined)
}

fn is_owed(payment: &PaymentRecord) -> bool {
    payment.captured().minor() < payment.requested.minor()
}

/// From placed to confirmed: pieces first, then money, both before the time is up.
fn confirm(rules: &Fulfilment, state: &FulfilmentState, placed: &PlacedOrder, now: Timestamp) -> Vec<Instruction> {
    let order = placed.order;
    let until = placed.placed_at + rules.unpaid_after;
    let payment = placed.current_payment();
    let hold = payment.and_then(|payment| state.payment(payment)).map(|payment| payment.hold);
    let missing: Vec<_> = placed
        .stocked(&placed.everything())
        .into_iter()
        .filter(|(stock, _, _)| !state.stocks.contains_key(stock))
        .collect();
    match (payment, hold) {
        (Some(_), Some(Hold::Held)) => {
            vec![Instruction::to_order(order, &purpose("confirm", placed), OrderCommand::Confirm { payment })]
        }
        (Some(_), _) if now >= until => {
            let give_up = OrderCommand::Cancel { by: Party::Process, reason: CancelReason::Unpaid };
            vec![Instruction::to_order(order, "cancel/unpaid", give_up)]
        }
        _ if !missing.is_empty() => {
            let reserve = missing.into_iter().map(|(stock, _, pieces)| {
                Instruction::to_stock(order, "reserve", stock, StockCommand::Reserve { order, pieces, until })
            });
            reserve.collect()
        }
        (None, _) => vec![Instruction::to_order(order, "confirm", OrderCommand::Confirm { payment: None })],
        (Some(payment), None) => {
            let Some(token) = state.token.clone() else { return vec![] };
            let request = PaymentCommand::Request { payment, order, amount: placed.total, token };
            vec![Instruction::to_payment(order, "pay", payment, request)]
        }
        // The customer is asked for another token.
        (Some(_), Some(_)) if placed.payment.is_some_and(|payment| payment.declined.is_some()) => vec![],
        (Some(_), Some(Hold::Pending)) => vec![],
        (Some(payment), Some(Hold::Declined | Hold::Voided | Hold::Expired)) => {
            let reason = state.payment(payment).and_then(|payment| payment.declined);
            // Held too long or let go of before anybody could use it.
            let reason = reason.unwrap_or(DeclineReason::ProviderFailed);
            let fail = OrderCommand::FailPayment { payment, reason };
            vec![Instruction::to_order(order, &purpose("fail", placed), fail)]
        }
    }
}

/// The command's purpose, for this attempt to pay.
fn purpose(what: &str, placed: &PlacedOrder) -> String {
    format!("{what}/{}", placed.payment.map_or(0, |payment| payment.attempt))
}

/// Money that was held too long is asked for again, with the same token, before it is needed.
fn renew(state: &FulfilmentState, placed: &PlacedOrder) -> Option<Instruction> {
    let (payment, token) = (state.renewal(placed)?, state.token.clone()?);
    let request = PaymentCommand::Request { payment, order: placed.order, amount: placed.total, token };
    Some(Instruction::to_payment(placed.order, "pay", payment, request))
}

/// The key under which the money of a shipment is taken: of each payment another one, because a provider knows it again.
fn capture_from(placed: &PlacedOrder, payment: PaymentId, shipment: u32) -> CaptureId {
    if Some(payment) == placed.current_payment() {
        return capture_of(placed.order, shipment);
    }
    CaptureId::named(&format!("{payment}/{shipment}"))
}

/// What left the house leaves the stock, and its money is taken.
fn hand_over(state: &FulfilmentState, placed: &PlacedOrder) -> Vec<Instruction> {
    let order = placed.order;
    let mut todo = Vec::new();
    let mut shipped: BTreeMap<StockId, Pieces> = BTreeMap::new();
    let holding = state.held_by(placed);
    for (number, shipment) in (1..).zip(&placed.shipments) {
        for (stock, _, pieces) in placed.stocked(&shipment.lines) {
            let before = shipped.entry(stock).or_insert(Pieces::ZERO);
            let sum = before.saturating_add(pieces);
            *before = sum;
            // The stock does not know of shipments: they are taken out one after the other.
            let committed = state.stocks.get(&stock).map_or(Pieces::ZERO, |held| held.committed);
            if committed.saturating_add(pieces) == sum {
                let commit = StockCommand::Commit { order, pieces };
                todo.push(Instruction::to_stock(order, &format!("commit/{number}"), stock, commit));
            }
        }
        let amount = placed.price_of(&shipment.lines);
        if let Some(payment) = holding
            && payment.hold == Hold::Held
            && !amount.is_zero()
            && let capture = capture_from(placed, payment.payment, number)
            && !payment.captures.contains_key(&capture)
        {
            let take = PaymentCommand::Capture { capture, amount };
            todo.push(Instruction::to_payment(order, &format!("capture/{number}"), payment.payment, take));
        }
    }
    todo
}

/// What came back goes into the stock again, and money is given back that somebody of the shop wants to give back.
fn take_back(state: &FulfilmentState, placed: &PlacedOrder) -> Vec<Instruction> {
    let order = placed.order;
    let mut todo = Vec::new();
    for (number, one) in (1..).zip(&placed.returns) {
        if !one.received.is_some_and(|receipt| receipt.is_restocked) {
            continue;
        }
        for (stock, _, pieces) in placed.stocked(&one.lines) {
            if !state.restocked.contains(&(number, stock)) {
                let restock = StockCommand::Restock { order, number, pieces };
                todo.push(Instruction::to_stock(order, &format!("restock/{number}"), stock, restock));
            }
        }
    }
    let Some(payment) = state.held_by(placed) else { return todo };
    for refund in placed.refunds.iter().filter(|refund| refund.status == PartStatus::Requested) {
        if payment.refunds.contains_key(&refund.refund) {
            continue;
        }
        let has = |left: Money| left.minor() >= refund.amount.minor();
        if has(payment.refundable()) {
            let give_back = PaymentCommand::Refund {
                refund: refund.refund,
                amount: refund.amount,
                reason: refund.reason.clone().unwrap_or_else(|| label("refunded")),
            };
            let purpose = format!("refund/{}", refund.refund);
            todo.push(Instruction::to_payment(order, &purpose, payment.payment, give_back));
        } else if payment.refunding().is_zero() {
            // It was given back by hand meanwhile: the money is not there, and will not come.
            let fail = OrderCommand::FailRefund { refund: refund.refund, reason: label("it was given back already") };
            todo.push(Instruction::to_order(order, &format!("refund-failed/{}", refund.refund), fail));
        }
    }
    todo
}

/// What lies in the house for too long.
fn point_out(rules: &Fulfilment, placed: &PlacedOrder, now: Timestamp) -> Option<Instruction> {
    let is_late = placed.confirmed_at.is_some_and(|at| now >= at + rules.overdue_after);
    let is_new = placed.status == OrderStatus::Confirmed && !placed.is_overdue;
    (is_late && is_new).then(|| Instruction::to_order(placed.order, "overdue", OrderCommand::MarkOverdue))
}

/// Nothing is kept for an order that was given up.
fn release(state: &FulfilmentState, order: OrderId, reason: ReleaseReason) -> Vec<Instruction> {
    let held = state.stocks.iter().filter(|(_, held)| !held.left.is_zero());
    let release = |(stock, _): (&StockId, &Held)| {
        Instruction::to_stock(order, "release", *stock, StockCommand::Release { order, reason })
    };
    held.map(release).collect()
}

fn why_released(placed: &PlacedOrder) -> ReleaseReason {
    match placed.cancel_reason {
        Some(CancelReason::InsufficientStock) => ReleaseReason::OrderIncomplete,
        Some(
            CancelReason::Unspecified
            | CancelReason::CustomerRequest
            | CancelReason::OutOfStock
            | CancelReason::SuspectedFraud
            | CancelReason::Unpaid,
        )
        | None => ReleaseReason::OrderCancelled,
    }
}

/// Money that no order needs: of attempts that do not count any more, and of orders that were given up.
fn give_up_payments(state: &FulfilmentState, placed: &PlacedOrder) -> Vec<Instruction> {
    let order = placed.order;
    let holding = state.holding(placed);
    let mut todo = Vec::new();
    for payment in state.known_payments().filter(|payment| !is_needed(placed, payment, holding)) {
        let is_open = matches!(payment.hold, Hold::Pending | Hold::Held);
        if is_open && !payment.is_void_requested && payment.capturing().is_zero() {
            todo.push(Instruction::to_payment(order, "void", payment.payment, PaymentCommand::Void));
        }
        let amount = payment.refundable();
        if !amount.is_zero() && !given_back_in_vain(payment) {
            // One key for each time that something is found to be there.
            let refund = RefundId::named(&format!("{}/given-up/{}", payment.payment, payment.refunds.len()));
            let give_back = PaymentCommand::Refund { refund, amount, reason: label("the order was cancelled") };
            todo.push(Instruction::to_payment(order, &format!("refund/{refund}"), payment.payment, give_back));
        }
    }
    todo
}

/// What the provider did with money is told in the order's own stream, too.
fn tell_of_money(state: &FulfilmentState, placed: &PlacedOrder) -> Vec<Instruction> {
    let order = placed.order;
    let mut todo = Vec::new();
    for payment in state.known_payments() {
        for (capture, part) in payment.captures.iter().filter(|(_, part)| part.status == PartStatus::Done) {
            if !placed.captures.iter().any(|known| known.capture == *capture) {
                let command = OrderCommand::RecordCapture { capture: *capture, amount: part.amount };
                todo.push(Instruction::to_order(order, &format!("captured/{capture}"), command));
            }
        }
        for (refund, part) in &payment.refunds {
            todo.extend(tell_of_refund(order, placed, *refund, *part));
        }
    }
    todo
}

fn tell_of_refund(order: OrderId, placed: &PlacedOrder, refund: RefundId, part: Part) -> Option<Instruction> {
    let known = placed.refunds.iter().find(|known| known.refund == refund).map(|known| known.status);
    match (part.status, known) {
        (PartStatus::Done, Some(PartStatus::Done)) | (PartStatus::Requested, _) => None,
        (PartStatus::Done, _) => {
            let command = OrderCommand::RecordRefund { refund, amount: part.amount };
            Some(Instruction::to_order(order, &format!("refunded/{refund}"), command))
        }
        (PartStatus::Failed, Some(PartStatus::Requested)) => {
            let command = OrderCommand::FailRefund { refund, reason: label("the provider did not give it back") };
            Some(Instruction::to_order(order, &format!("refund-failed/{refund}"), command))
        }
        (PartStatus::Failed, _) => None,
    }
}

fn label(text: &str) -> Label {
    Label::parse(text).expect("our own words are labels")
}
