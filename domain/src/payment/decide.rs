//! A payment's rules: what may be asked of the provider. What the provider says is in record.rs.

use super::{Hold, Part, PaymentCommand, PaymentEvent, PaymentRecord, PaymentRejection, PaymentState, record::record};
use crate::{
    Timestamp,
    values::{CaptureId, Label, Money, OrderId, PaymentId, PaymentToken, RefundId},
};

pub(super) fn decide(
    state: &PaymentState,
    command: PaymentCommand,
    now: Timestamp,
) -> Result<Vec<PaymentEvent>, PaymentRejection> {
    match command {
        PaymentCommand::Request { payment, order, amount, token } => request(state, payment, order, amount, token, now),
        PaymentCommand::Capture { capture, amount } => self::capture(known(state)?, capture, amount, now),
        PaymentCommand::Void => void(known(state)?, now),
        PaymentCommand::Refund { refund, amount, reason } => self::refund(known(state)?, refund, amount, reason, now),
        PaymentCommand::Record(fact) => record(known(state)?, fact, now),
    }
}

fn request(
    state: &PaymentState,
    payment: PaymentId,
    order: OrderId,
    amount: Money,
    token: PaymentToken,
    at: Timestamp,
) -> Result<Vec<PaymentEvent>, PaymentRejection> {
    match state {
        PaymentState::Known(_) => Err(PaymentRejection::AlreadyRequested),
        PaymentState::Unrequested if amount.is_zero() => Err(PaymentRejection::NoAmount),
        PaymentState::Unrequested => Ok(vec![PaymentEvent::Requested { payment, order, amount, token, at }]),
    }
}

fn capture(
    payment: &PaymentRecord,
    capture: CaptureId,
    amount: Money,
    at: Timestamp,
) -> Result<Vec<PaymentEvent>, PaymentRejection> {
    if is_repeat(payment, payment.captures.get(&capture), amount)? {
        return Ok(vec![]);
    }
    match payment.hold {
        Hold::Pending => return Err(PaymentRejection::NotAuthorised),
        Hold::Declined | Hold::Voided | Hold::Expired => return Err(PaymentRejection::NotHeld),
        Hold::Held if payment.is_void_requested => return Err(PaymentRejection::NotHeld),
        Hold::Held => {}
    }
    let left = payment.left(payment.authorised, &[payment.captured(), payment.capturing()]);
    if amount.minor() > left.minor() {
        return Err(PaymentRejection::OverAuthorised { left });
    }
    let (payment, order) = (payment.payment, payment.order);
    Ok(vec![PaymentEvent::CaptureRequested { payment, order, capture, amount, at }])
}

fn void(payment: &PaymentRecord, at: Timestamp) -> Result<Vec<PaymentEvent>, PaymentRejection> {
    match payment.hold {
        Hold::Pending | Hold::Held if payment.is_void_requested => Ok(vec![]), // Already so: success, nothing new.
        Hold::Pending | Hold::Held if !payment.capturing().is_zero() => Err(PaymentRejection::CaptureUnderWay),
        Hold::Pending | Hold::Held => {
            Ok(vec![PaymentEvent::VoidRequested { payment: payment.payment, order: payment.order, at }])
        }
        // Nothing is held: that is what was wanted.
        Hold::Declined | Hold::Voided | Hold::Expired => Ok(vec![]),
    }
}

fn refund(
    payment: &PaymentRecord,
    refund: RefundId,
    amount: Money,
    reason: Label,
    at: Timestamp,
) -> Result<Vec<PaymentEvent>, PaymentRejection> {
    if is_repeat(payment, payment.refunds.get(&refund), amount)? {
        return Ok(vec![]);
    }
    let left = payment.refundable();
    if amount.minor() > left.minor() {
        return Err(PaymentRejection::OverCaptured { left });
    }
    let (payment, order) = (payment.payment, payment.order);
    Ok(vec![PaymentEvent::RefundRequested { payment, order, refund, amount, reason, at }])
}

/// Whether the part was asked for before. Refuses an amount that makes no sense.
fn is_repeat(payment: &PaymentRecord, part: Option<&Part>, amount: Money) -> Result<bool, PaymentRejection> {
    let currency = payment.requested.currency();
    if amount.currency() != currency {
        return Err(PaymentRejection::OtherCurrency { expected: currency.code() });
    }
    if amount.is_zero() {
        return Err(PaymentRejection::NoAmount);
    }
    match part {
        None => Ok(false),
        Some(part) if part.amount == amount => Ok(true),
        Some(part) => Err(PaymentRejection::KeyReused { amount: part.amount }),
    }
}

fn known(state: &PaymentState) -> Result<&PaymentRecord, PaymentRejection> {
    state.known().ok_or(PaymentRejection::NotFound)
}
