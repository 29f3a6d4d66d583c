//! What happened to a payment.

use serde::{Deserialize, Deserializer, Serialize};

use super::ProviderFact;
use crate::{
    EventPayload, Secret, Timestamp,
    values::{CaptureId, Label, Money, OrderId, PaymentId, PaymentToken, RefundId},
};

/// Payment tokens, in whichever version.
pub const SECRETS: &[Secret] = &[Secret { events: "payment.requested.", field: "token" }];

/// An event of one payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PaymentEvent {
    /// The provider is to hold money.
    #[serde(rename = "payment.requested.v1")]
    Requested {
        /// The payment.
        payment: PaymentId,
        /// What is paid for.
        order: OrderId,
        /// How much.
        amount: Money,
        /// With what.
        token: PaymentToken,
        /// When.
        at: Timestamp,
    },
    /// The money is held.
    #[serde(rename = "payment.authorised.v1")]
    Authorised {
        /// The payment.
        payment: PaymentId,
        /// What is paid for.
        order: OrderId,
        /// How much.
        amount: Money,
        /// The provider's name for it.
        reference: Label,
        /// When it was known.
        at: Timestamp,
    },
    /// It is not held, and will not be.
    #[serde(rename = "payment.declined.v1")]
    Declined {
        /// The payment.
        payment: PaymentId,
        /// What was to be paid for.
        order: OrderId,
        /// Why.
        reason: DeclineReason,
        /// When it was known.
        at: Timestamp,
    },
    /// The provider is to take money.
    #[serde(rename = "payment.capture_requested.v1")]
    CaptureRequested {
        /// The payment.
        payment: PaymentId,
        /// What is paid for.
        order: OrderId,
        /// Under which key.
        capture: CaptureId,
        /// How much.
        amount: Money,
        /// When.
        at: Timestamp,
    },
    /// Money was taken.
    #[serde(rename = "payment.captured.v1")]
    Captured {
        /// The payment.
        payment: PaymentId,
        /// What is paid for.
        order: OrderId,
        /// Under which key.
        capture: CaptureId,
        /// How much.
        amount: Money,
        /// When it was known.
        at: Timestamp,
    },
    /// It was not taken, and will not be under this key.
    #[serde(rename = "payment.capture_failed.v1")]
    CaptureFailed {
        /// The payment.
        payment: PaymentId,
        /// What is paid for.
        order: OrderId,
        /// Under which key.
        capture: CaptureId,
        /// Why, in the provider's words.
        reason: Label,
        /// When it was known.
        at: Timestamp,
    },
    /// The provider is to let go of what is held and not taken.
    #[serde(rename = "payment.void_requested.v1")]
    VoidRequested {
        /// The payment.
        payment: PaymentId,
        /// What was to be paid for.
        order: OrderId,
        /// When.
        at: Timestamp,
    },
    /// It is held no longer.
    #[serde(rename = "payment.voided.v1")]
    Voided {
        /// The payment.
        payment: PaymentId,
        /// What was to be paid for.
        order: OrderId,
        /// When it was known.
        at: Timestamp,
    },
    /// The provider is to give back money.
    #[serde(rename = "payment.refund_requested.v1")]
    RefundRequested {
        /// The payment.
        payment: PaymentId,
        /// What was paid for.
        order: OrderId,
        /// Under which key.
        refund: RefundId,
        /// How much.
        amount: Money,
        /// Why.
        reason: Label,
        /// When.
        at: Timestamp,
    },
    /// Money was given back.
    #[serde(rename = "payment.refunded.v1")]
    Refunded {
        /// The payment.
        payment: PaymentId,
        /// What was paid for.
        order: OrderId,
        /// Under which key.
        refund: RefundId,
        /// How much.
        amount: Money,
        /// When it was known.
        at: Timestamp,
    },
    /// It was not given back, and will not be under this key.
    #[serde(rename = "payment.refund_failed.v1")]
    RefundFailed {
        /// The payment.
        payment: PaymentId,
        /// What was paid for.
        order: OrderId,
        /// Under which key.
        refund: RefundId,
        /// Why, in the provider's words.
        reason: Label,
        /// When it was known.
        at: Timestamp,
    },
    /// It was held too long and is held no longer.
    #[serde(rename = "payment.expired.v1")]
    Expired {
        /// The payment.
        payment: PaymentId,
        /// What was to be paid for.
        order: OrderId,
        /// When it was known.
        at: Timestamp,
    },
    /// The provider says something that cannot be, after all it has said before. Nothing changes, and what it answers that
    /// way is not asked again; somebody is to look at it.
    #[serde(rename = "payment.contradicted.v1")]
    Contradicted {
        /// The payment.
        payment: PaymentId,
        /// What is paid for.
        order: OrderId,
        /// What it says.
        fact: ProviderFact,
        /// When it was said.
        at: Timestamp,
    },
}

/// Why money is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// Whoever issued the card says no, without a word.
    Refused,
    /// There is not enough.
    InsufficientFunds,
    /// The card is not valid any more.
    CardExpired,
    /// The provider or the issuer does not trust it.
    SuspectedFraud,
    /// The provider does not know the token.
    UnknownToken,
    /// The provider failed for good.
    ProviderFailed,
}

/// What an event moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The provider holds it for us.
    Held(Money),
    /// It is ours.
    Taken(Money),
    /// It is the customer's again.
    GivenBack(RefundId, Money),
}

impl PaymentEvent {
    /// The money that is somewhere else because of it.
    pub const fn moved(&self) -> Option<Moved> {
        match self {
            Self::Authorised { amount, .. } => Some(Moved::Held(*amount)),
            Self::Captured { amount, .. } => Some(Moved::Taken(*amount)),
            Self::Refunded { refund, amount, .. } => Some(Moved::GivenBack(*refund, *amount)),
            Self::Requested { .. }
            | Self::Declined { .. }
            | Self::CaptureRequested { .. }
            | Self::CaptureFailed { .. }
            | Self::VoidRequested { .. }
            | Self::Voided { .. }
            | Self::RefundRequested { .. }
            | Self::RefundFailed { .. }
            | Self::Expired { .. }
            | Self::Contradicted { .. } => None,
        }
    }

    /// The payment it happened to, what is paid for, and when.
    const fn of(&self) -> (PaymentId, OrderId, Timestamp) {
        match self {
            Self::Requested { payment, order, at, .. }
            | Self::Authorised { payment, order, at, .. }
            | Self::Declined { payment, order, at, .. }
            | Self::CaptureRequested { payment, order, at, .. }
            | Self::Captured { payment, order, at, .. }
            | Self::CaptureFailed { payment, order, at, .. }
            | Self::VoidRequested { payment, order, at }
            | Self::Voided { payment, order, at }
            | Self::RefundRequested { payment, order, at, .. }
            | Self::Refunded { payment, order, at, .. }
            | Self::RefundFailed { payment, order, at, .. }
            | Self::Expired { payment, order, at }
            | Self::Contradicted { payment, order, at, .. } => (*payment, *order, *at),
        }
    }

    /// The payment it happened to.
    pub const fn payment(&self) -> PaymentId {
        self.of().0
    }

    /// The order that is paid for.
    pub const fn order(&self) -> OrderId {
        self.of().1
    }

    /// When it happened, or was known.
    pub const fn at(&self) -> Timestamp {
        self.of().2
    }
}

impl EventPayload for PaymentEvent {
    fn types() -> Vec<&'static str> {
        vec![
            "payment.requested.v1",
            "payment.authorised.v1",
            "payment.declined.v1",
            "payment.capture_requested.v1",
            "payment.captured.v1",
            "payment.capture_failed.v1",
            "payment.void_requested.v1",
            "payment.voided.v1",
            "payment.refund_requested.v1",
            "payment.refunded.v1",
            "payment.refund_failed.v1",
            "payment.expired.v1",
            "payment.contradicted.v1",
        ]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
