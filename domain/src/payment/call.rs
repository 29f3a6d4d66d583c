//! What is to be asked of the provider: everything that was requested and that it has not answered.
//!
//! It follows from the events alone, so a process that was away knows what is left to do. **Invariant:** the same call has the
//! same key for ever, whoever asks it and however often; so the provider does it once.

use uuid::Uuid;

use super::{Hold, PartStatus, PaymentRecord, PaymentState, ProviderFact};
use crate::values::{CaptureId, Label, Money, OrderId, PaymentId, PaymentToken, RefundId};

/// One thing that the provider is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderCall {
    /// Hold money.
    Authorise {
        /// The payment.
        payment: PaymentId,
        /// What is paid for.
        order: OrderId,
        /// How much.
        amount: Money,
        /// With what.
        token: PaymentToken,
    },
    /// Take some of what is held.
    Capture {
        /// The payment.
        payment: PaymentId,
        /// The provider's name for it.
        reference: Label,
        /// The key of this taking.
        capture: CaptureId,
        /// How much.
        amount: Money,
    },
    /// Let go of what is held and not taken.
    Void {
        /// The payment.
        payment: PaymentId,
        /// The provider's name for it.
        reference: Label,
    },
    /// Give back some of what was taken.
    Refund {
        /// The payment.
        payment: PaymentId,
        /// The provider's name for it.
        reference: Label,
        /// The key of this giving back.
        refund: RefundId,
        /// How much.
        amount: Money,
    },
}

impl ProviderCall {
    /// The key under which the provider does this once. Ids are unique, whatever they are of, and so are keys.
    pub fn key(&self) -> Uuid {
        match self {
            Self::Authorise { payment, .. } => payment.uuid(),
            Self::Capture { capture, .. } => capture.uuid(),
            // Where the provider held something else first, letting go of that is another call.
            Self::Void { payment, reference } => Uuid::new_v5(&payment.uuid(), format!("void {reference}").as_bytes()),
            Self::Refund { refund, .. } => refund.uuid(),
        }
    }

    /// The payment it is about.
    pub const fn payment(&self) -> PaymentId {
        match self {
            Self::Authorise { payment, .. }
            | Self::Capture { payment, .. }
            | Self::Void { payment, .. }
            | Self::Refund { payment, .. } => *payment,
        }
    }

    /// A short name, for logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authorise { .. } => "authorise",
            Self::Capture { .. } => "capture",
            Self::Void { .. } => "void",
            Self::Refund { .. } => "refund",
        }
    }
}

impl PaymentState {
    /// Everything requested and not answered that may be asked now, in the order in which it is to be asked. What the
    /// provider answered in a way that cannot be is not asked again: somebody is to look at it.
    pub fn pending_calls(&self) -> Vec<ProviderCall> {
        let Self::Known(record) = self else { return vec![] };
        match &record.reference {
            _ if record.hold == Hold::Pending && !record.is_in_doubt(record.payment.uuid()) => vec![authorise(record)],
            None => vec![],
            Some(reference) => parts(record, reference),
        }
    }
}

impl PaymentRecord {
    /// Whether the provider's answer to the call with this key cannot be.
    pub fn is_in_doubt(&self, key: Uuid) -> bool {
        self.in_doubt.contains(&key)
    }
}

fn authorise(record: &PaymentRecord) -> ProviderCall {
    let PaymentRecord { payment, order, requested, token, .. } = record;
    ProviderCall::Authorise { payment: *payment, order: *order, amount: *requested, token: token.clone() }
}

/// What is left to ask where the provider holds, or has held, something.
fn parts(record: &PaymentRecord, reference: &Label) -> Vec<ProviderCall> {
    let payment = record.payment;
    let is_open = |key: Uuid, status| status == PartStatus::Requested && !record.is_in_doubt(key);
    let captures = record.captures.iter().filter(|(capture, part)| is_open(capture.uuid(), part.status));
    let captures = captures.map(|(capture, part)| {
        let (capture, amount) = (*capture, part.amount);
        ProviderCall::Capture { payment, reference: reference.clone(), capture, amount }
    });
    // Something is held in a hold that is in doubt, too: it is let go of as well.
    let is_held = matches!(record.hold, Hold::Held | Hold::Pending);
    let may_void = record.is_void_requested && is_held && record.capturing().is_zero();
    let void = may_void.then(|| ProviderCall::Void { payment, reference: reference.clone() });
    let refunds = affordable(record).filter(|(refund, _)| is_open(refund.uuid(), PartStatus::Requested));
    let refunds =
        refunds.map(|(refund, amount)| ProviderCall::Refund { payment, reference: reference.clone(), refund, amount });
    captures.chain(void).chain(refunds).collect()
}

/// The refunds that are wanted, as far as there is money to give back: some may have been given back by hand meanwhile.
fn affordable(record: &PaymentRecord) -> impl Iterator<Item = (RefundId, Money)> {
    let mut left = record.captured().minor() - record.refunded().minor();
    let wanted = record.refunds.iter().filter(|(_, part)| part.status == PartStatus::Requested);
    wanted.filter_map(move |(refund, part)| {
        let after = left - part.amount.minor();
        (after >= 0).then(|| {
            left = after;
            (*refund, part.amount)
        })
    })
}

/// Remembers that the provider has answered, if in a way that cannot be.
pub(super) fn doubt(record: &mut PaymentRecord, fact: &ProviderFact) {
    let is_open = |status| status == Some(PartStatus::Requested);
    match fact {
        ProviderFact::Authorised { reference, .. } if record.hold == Hold::Pending => {
            record.reference = Some(reference.clone());
            record.in_doubt.insert(record.payment.uuid());
        }
        ProviderFact::Captured { capture, .. } if is_open(record.captures.get(capture).map(|part| part.status)) => {
            record.in_doubt.insert(capture.uuid());
        }
        ProviderFact::Refunded { refund, .. } if is_open(record.refunds.get(refund).map(|part| part.status)) => {
            record.in_doubt.insert(refund.uuid());
        }
        // These answer nothing that is open: it was answered before, or nobody asked.
        ProviderFact::Authorised { .. }
        | ProviderFact::Captured { .. }
        | ProviderFact::Refunded { .. }
        | ProviderFact::Declined { .. }
        | ProviderFact::CaptureFailed { .. }
        | ProviderFact::RefundFailed { .. }
        | ProviderFact::Voided
        | ProviderFact::Expired => {}
    }
}

#[cfg(test)]
mod tests;
