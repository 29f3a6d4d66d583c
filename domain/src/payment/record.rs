//! What the provider says of a payment: once, twice, late, or against what it said before.

use super::{Hold, Part, PartStatus, PaymentEvent, PaymentRecord, PaymentRejection, ProviderFact};
use crate::{Timestamp, values::Money};

/// What follows from what the provider says.
enum Verdict {
    /// It is so.
    True(PaymentEvent),
    /// It was known.
    Known,
    /// It cannot be.
    Contradiction,
    /// It may be true, after what has not been told yet.
    TooEarly,
}

pub(super) fn record(
    record: &PaymentRecord,
    fact: ProviderFact,
    at: Timestamp,
) -> Result<Vec<PaymentEvent>, PaymentRejection> {
    let (payment, order) = (record.payment, record.order);
    let verdict = match fact.clone() {
        ProviderFact::Authorised { reference, amount } => {
            authorised(record, amount, PaymentEvent::Authorised { payment, order, amount, reference, at })
        }
        ProviderFact::Declined { reason } => declined(record, PaymentEvent::Declined { payment, order, reason, at }),
        ProviderFact::Captured { capture, amount } => {
            let part = record.captures.get(&capture);
            captured(record, part, amount, PaymentEvent::Captured { payment, order, capture, amount, at })
        }
        ProviderFact::CaptureFailed { capture, reason } => {
            failed(record.captures.get(&capture), PaymentEvent::CaptureFailed { payment, order, capture, reason, at })
        }
        ProviderFact::Voided => over(record, PaymentEvent::Voided { payment, order, at }),
        ProviderFact::Refunded { refund, amount } => {
            let part = record.refunds.get(&refund);
            refunded(record, part, amount, PaymentEvent::Refunded { payment, order, refund, amount, at })
        }
        ProviderFact::RefundFailed { refund, reason } => {
            failed(record.refunds.get(&refund), PaymentEvent::RefundFailed { payment, order, refund, reason, at })
        }
        ProviderFact::Expired => over(record, PaymentEvent::Expired { payment, order, at }),
    };
    match verdict {
        Verdict::True(event) => Ok(vec![event]),
        Verdict::Known => Ok(vec![]),
        Verdict::Contradiction => Ok(vec![PaymentEvent::Contradicted { payment, order, fact, at }]),
        Verdict::TooEarly => Err(PaymentRejection::NotYet),
    }
}

fn authorised(record: &PaymentRecord, amount: Money, event: PaymentEvent) -> Verdict {
    match record.hold {
        // All of it or nothing: a part of the money buys no part of an order.
        Hold::Pending if amount == record.requested => Verdict::True(event),
        Hold::Held if amount == record.authorised => Verdict::Known,
        Hold::Pending | Hold::Held | Hold::Declined | Hold::Voided | Hold::Expired => Verdict::Contradiction,
    }
}

fn declined(record: &PaymentRecord, event: PaymentEvent) -> Verdict {
    match record.hold {
        Hold::Pending => Verdict::True(event),
        Hold::Declined => Verdict::Known,
        Hold::Held | Hold::Voided | Hold::Expired => Verdict::Contradiction,
    }
}

/// Money may also be taken by hand, in the provider's own console: then the key is new here.
fn captured(record: &PaymentRecord, part: Option<&Part>, amount: Money, event: PaymentEvent) -> Verdict {
    if record.hold == Hold::Pending {
        return Verdict::TooEarly;
    }
    let left = record.left(record.authorised, &[record.captured()]);
    happened(part, amount, left, event)
}

fn refunded(record: &PaymentRecord, part: Option<&Part>, amount: Money, event: PaymentEvent) -> Verdict {
    let left = record.left(record.captured(), &[record.refunded()]);
    let may_come = record.hold == Hold::Pending || !record.capturing().is_zero();
    let may_be = part.is_none_or(|part| part.status != PartStatus::Done && part.amount == amount);
    if may_come && may_be && amount.minor() > left.minor() {
        // What it gives back may have been taken without having been told yet.
        return Verdict::TooEarly;
    }
    happened(part, amount, left, event)
}

/// A part was taken or given back.
fn happened(part: Option<&Part>, amount: Money, left: Money, event: PaymentEvent) -> Verdict {
    let fits = amount.currency() == left.currency() && !amount.is_zero() && amount.minor() <= left.minor();
    match part {
        Some(Part { amount: known, status: PartStatus::Done }) if *known == amount => Verdict::Known,
        // A part that is said to have failed may have come through all the same: the money decides.
        Some(Part { amount: known, status: PartStatus::Requested | PartStatus::Failed })
            if *known == amount && fits =>
        {
            Verdict::True(event)
        }
        None if fits => Verdict::True(event),
        Some(_) | None => Verdict::Contradiction,
    }
}

fn failed(part: Option<&Part>, event: PaymentEvent) -> Verdict {
    match part.map(|part| part.status) {
        Some(PartStatus::Requested) => Verdict::True(event),
        Some(PartStatus::Failed) => Verdict::Known,
        Some(PartStatus::Done) | None => Verdict::Contradiction,
    }
}

/// Nothing is held any more, for whichever reason.
fn over(record: &PaymentRecord, event: PaymentEvent) -> Verdict {
    match record.hold {
        Hold::Pending | Hold::Held => Verdict::True(event),
        Hold::Declined | Hold::Voided | Hold::Expired => Verdict::Known,
    }
}
