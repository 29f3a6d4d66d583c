//! Why an order's command is refused.

use super::{ORDER_LINES_MAX, PAYMENT_ATTEMPTS_MAX};
use crate::values::{Money, ProductId};

/// An answer to whoever asked; never stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRejection {
    /// Nothing was asked for.
    #[error("an order has at least one line")]
    NoLines,
    /// Over [`ORDER_LINES_MAX`].
    #[error("an order has at most {ORDER_LINES_MAX} lines, not {0}")]
    TooManyLines(usize),
    /// Something is wrong with these lines, by index; all of them at once.
    #[error("{} of the order's lines cannot be sold", .0.len())]
    Lines(Vec<(usize, LineProblem)>),
    /// The sum is more than money can be.
    #[error("the order's total is too large")]
    TotalTooLarge,
    /// The id is taken.
    #[error("the order was placed already")]
    AlreadyPlaced,
    /// There is no such order, or it is not the asker's.
    #[error("there is no such order")]
    NotFound,
    /// It is on its way.
    #[error("the order was shipped already")]
    AlreadyShipped,
    /// The customer has it.
    #[error("the order was delivered already")]
    AlreadyDelivered,
    /// It was given up.
    #[error("the order is cancelled")]
    Cancelled,
    /// Some of it is still in the house.
    #[error("the order is not shipped yet, or not all of it")]
    NotShipped,
    /// Its pieces are not reserved yet, or its money is not held.
    #[error("the order is not confirmed yet: its pieces are not reserved or its payment is not authorised")]
    NotConfirmed,
    /// What it waits for is there already.
    #[error("the order is confirmed already")]
    AlreadyConfirmed,
    /// Something is wrong with these parts of lines, by index; all of them at once.
    #[error("{} of the named lines cannot be taken", .0.len())]
    Parts(Vec<(usize, PartProblem)>),
    /// The shop sees to the payment itself.
    #[error("the order is on account: it is not paid here")]
    OnAccount,
    /// One payment at a time.
    #[error("the payment before is not over: it is held, or the provider has not answered")]
    PaymentUnderWay,
    /// Enough is enough.
    #[error("an order has at most {PAYMENT_ATTEMPTS_MAX} attempts to pay")]
    TooManyAttempts,
    /// It is another payment's turn.
    #[error("this is not the payment that counts")]
    OtherPayment,
    /// There is no such return.
    #[error("the order has no such return")]
    NoSuchReturn,
    /// It came in as the other thing: restocked or not.
    #[error("this return was received already")]
    ReturnAlreadyReceived,
    /// Nothing is given back with no money.
    #[error("the amount must not be zero")]
    NoAmount,
    /// Money of an order stays in one currency.
    #[error("the order is in {expected}")]
    OtherCurrency {
        /// The order's currency.
        expected: &'static str,
    },
    /// More than was taken and not given back.
    #[error("only {left} of what was taken are left to refund")]
    OverPaid {
        /// What can still be given back.
        left: Money,
    },
    /// The key stands for another refund.
    #[error("this key was used for another refund")]
    KeyReused,
}

/// What is wrong with a part of a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartProblem {
    /// The order has no such line.
    #[error("the order has no such line")]
    UnknownLine,
    /// It was named before in the same list.
    #[error("the line is named twice")]
    NamedTwice,
    /// There are not so many.
    #[error("only {left} pieces of the line are left")]
    TooMany {
        /// How many there are.
        left: u32,
    },
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// There is no such product.
    #[error("there is no such product")]
    UnknownProduct(ProductId),
    /// It is offered no longer.
    #[error("the product is retired")]
    RetiredProduct(ProductId),
    /// An order is paid in one currency, that of its first line.
    #[error("the product is priced in {found}, the order in {expected}")]
    OtherCurrency {
        /// The order's currency.
        expected: &'static str,
        /// This line's.
        found: &'static str,
    },
    /// Price times quantity is more than money can be.
    #[error("the line's total is too large")]
    TotalTooLarge,
}
