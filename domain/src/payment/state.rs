//! What a payment remembers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DeclineReason, PaymentEvent, call};
use crate::values::{CaptureId, Label, Money, OrderId, PaymentId, PaymentToken, RefundId};

/// The life of a payment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum PaymentState {
    /// Nobody asked for money yet.
    #[default]
    Unrequested,
    /// Somebody did.
    Known(Box<PaymentRecord>),
}

/// What is known of a payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaymentRecord {
    /// The payment.
    pub payment: PaymentId,
    /// What is paid for.
    pub order: OrderId,
    /// How much was asked for.
    pub requested: Money,
    /// With what it is paid.
    pub token: PaymentToken,
    /// How the money is held.
    pub hold: Hold,
    /// Why it was declined, if it was.
    pub declined: Option<DeclineReason>,
    /// The provider's name for it, once it has held anything.
    pub reference: Option<Label>,
    /// How much was held at first: nothing before it was authorised.
    pub authorised: Money,
    /// Whether what is left is to be let go of.
    pub is_void_requested: bool,
    /// What is taken or was to be taken.
    pub captures: BTreeMap<CaptureId, Part>,
    /// What is given back or was to be given back.
    pub refunds: BTreeMap<RefundId, Part>,
    /// The keys of calls to which the provider's answer cannot be.
    pub in_doubt: BTreeSet<Uuid>,
}

/// How money is held that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// The provider has not answered.
    Pending,
    /// It is held.
    Held,
    /// It is not, and never was.
    Declined,
    /// It was let go of.
    Voided,
    /// It was held too long.
    Expired,
}

/// A part of the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// How much.
    pub amount: Money,
    /// What became of it.
    pub status: PartStatus,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartStatus {
    /// The provider is to do it.
    Requested,
    /// It did.
    Done,
    /// It did not, and will not.
    Failed,
}

impl PaymentState {
    /// The payment, if somebody asked for it.
    pub fn known(&self) -> Option<&PaymentRecord> {
        match self {
            Self::Unrequested => None,
            Self::Known(payment) => Some(payment),
        }
    }
}

impl PaymentRecord {
    /// What was taken.
    pub fn captured(&self) -> Money {
        self.sum(self.captures.values(), PartStatus::Done)
    }

    /// What is being taken.
    pub fn capturing(&self) -> Money {
        self.sum(self.captures.values(), PartStatus::Requested)
    }

    /// What was given back.
    pub fn refunded(&self) -> Money {
        self.sum(self.refunds.values(), PartStatus::Done)
    }

    /// What is being given back.
    pub fn refunding(&self) -> Money {
        self.sum(self.refunds.values(), PartStatus::Requested)
    }

    /// What was taken and is neither given back nor about to be.
    pub fn refundable(&self) -> Money {
        self.left(self.captured(), &[self.refunded(), self.refunding()])
    }

    /// What of `whole` is left without these.
    pub(super) fn left(&self, whole: Money, parts: &[Money]) -> Money {
        let left = parts.iter().copied().try_fold(whole, Money::checked_sub);
        left.unwrap_or(Money::zero(self.requested.currency()))
    }

    fn sum<'a>(&self, parts: impl Iterator<Item = &'a Part>, status: PartStatus) -> Money {
        let parts = parts.filter(|part| part.status == status);
        // Every part is checked against what is held before it is taken in, so the sum is not larger than that.
        parts.fold(Money::zero(self.requested.currency()), |sum, part| sum.checked_add(part.amount).unwrap_or(sum))
    }
}

pub(super) fn evolve(state: PaymentState, event: &PaymentEvent) -> PaymentState {
    if let PaymentEvent::Requested { payment, order, amount, token, .. } = event {
        return PaymentState::Known(Box::new(PaymentRecord {
            payment: *payment,
            order: *order,
            requested: *amount,
            token: token.clone(),
            hold: Hold::Pending,
            declined: None,
            reference: None,
            authorised: Money::zero(amount.currency()),
            is_void_requested: false,
            captures: BTreeMap::new(),
            refunds: BTreeMap::new(),
            in_doubt: BTreeSet::new(),
        }));
    }
    let PaymentState::Known(mut payment) = state else {
        // `decide` never lets anything happen before the request; a log that holds it all the same must still fold.
        return state;
    };
    let part = |amount: &Money, status| Part { amount: *amount, status };
    match event {
        PaymentEvent::Authorised { amount, reference, .. } => {
            payment.hold = Hold::Held;
            payment.reference = Some(reference.clone());
            payment.authorised = *amount;
        }
        PaymentEvent::Declined { reason, .. } => {
            payment.hold = Hold::Declined;
            payment.declined = Some(*reason);
        }
        PaymentEvent::Voided { .. } => payment.hold = Hold::Voided,
        PaymentEvent::Expired { .. } => payment.hold = Hold::Expired,
        PaymentEvent::VoidRequested { .. } => payment.is_void_requested = true,
        PaymentEvent::CaptureRequested { capture, amount, .. } => {
            payment.captures.insert(*capture, part(amount, PartStatus::Requested));
        }
        PaymentEvent::Captured { capture, amount, .. } => {
            payment.captures.insert(*capture, part(amount, PartStatus::Done));
        }
        PaymentEvent::CaptureFailed { capture, .. } => {
            payment.captures.entry(*capture).and_modify(|part| part.status = PartStatus::Failed);
        }
        PaymentEvent::RefundRequested { refund, amount, .. } => {
            payment.refunds.insert(*refund, part(amount, PartStatus::Requested));
        }
        PaymentEvent::Refunded { refund, amount, .. } => {
            payment.refunds.insert(*refund, part(amount, PartStatus::Done));
        }
        PaymentEvent::RefundFailed { refund, .. } => {
            payment.refunds.entry(*refund).and_modify(|part| part.status = PartStatus::Failed);
        }
        PaymentEvent::Contradicted { fact, .. } => call::doubt(&mut payment, fact),
        PaymentEvent::Requested { .. } => {}
    }
    PaymentState::Known(payment)
}
