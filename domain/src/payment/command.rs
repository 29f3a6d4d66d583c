//! What somebody may want of a payment, and what the provider says of it.

use serde::{Deserialize, Serialize};

use super::DeclineReason;
use crate::values::{CaptureId, Label, Money, OrderId, PaymentId, PaymentToken, RefundId};

/// A command to one payment.
#[derive(Clone, Debug, PartialEq)]
pub enum PaymentCommand {
    /// Hold this money.
    Request {
        /// The payment's id.
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
        /// The key of this taking.
        capture: CaptureId,
        /// How much.
        amount: Money,
    },
    /// Let go of what is held and not taken.
    Void,
    /// Give back some of what was taken.
    Refund {
        /// The key of this giving back.
        refund: RefundId,
        /// How much.
        amount: Money,
        /// Why.
        reason: Label,
    },
    /// The provider says that something has happened, as an answer or by itself.
    Record(ProviderFact),
}

/// What the provider says has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderFact {
    /// The money is held.
    Authorised {
        /// The provider's name for the payment.
        reference: Label,
        /// How much.
        amount: Money,
    },
    /// It is not held, and will not be.
    Declined {
        /// Why.
        reason: DeclineReason,
    },
    /// Money was taken.
    Captured {
        /// Under which key.
        capture: CaptureId,
        /// How much.
        amount: Money,
    },
    /// It was not taken, and will not be under this key.
    CaptureFailed {
        /// Under which key.
        capture: CaptureId,
        /// Why, in the provider's words.
        reason: Label,
    },
    /// What was held is let go of.
    Voided,
    /// Money was given back.
    Refunded {
        /// Under which key.
        refund: RefundId,
        /// How much.
        amount: Money,
    },
    /// It was not given back, and will not be under this key.
    RefundFailed {
        /// Under which key.
        refund: RefundId,
        /// Why, in the provider's words.
        reason: Label,
    },
    /// It was held too long and is held no longer.
    Expired,
}
