//! Why a payment's command is refused.

use crate::values::Money;

/// An answer to whoever asked; never stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRejection {
    /// Nobody asked for money with this id.
    #[error("there is no such payment")]
    NotFound,
    /// Somebody did already.
    #[error("this payment was requested already")]
    AlreadyRequested,
    /// Nothing is held, taken or given back with no money.
    #[error("the amount must not be zero")]
    NoAmount,
    /// Money of a payment stays in one currency.
    #[error("the payment is in {expected}")]
    OtherCurrency {
        /// The currency it was requested in.
        expected: &'static str,
    },
    /// Nothing is held yet.
    #[error("the money is not authorised yet")]
    NotAuthorised,
    /// Nothing is held any more: it was declined, voided, or held too long.
    #[error("the money is not held any more")]
    NotHeld,
    /// More than is held and not taken.
    #[error("only {left} of what is authorised are left to capture")]
    OverAuthorised {
        /// What can still be taken.
        left: Money,
    },
    /// More than was taken and not given back.
    #[error("only {left} of what was captured are left to refund")]
    OverCaptured {
        /// What can still be given back.
        left: Money,
    },
    /// The key stands for another amount.
    #[error("this key was used for {amount}")]
    KeyReused {
        /// The amount.
        amount: Money,
    },
    /// Money is being taken: what is left afterwards can be let go of.
    #[error("a capture is under way: wait for its end")]
    CaptureUnderWay,
    /// The provider tells of the end before the beginning: it is to tell again.
    #[error("what comes before it has not been told yet; tell it again")]
    NotYet,
}
