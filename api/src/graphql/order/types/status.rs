//! The words for what an order can be: its three states, and why it came to them.

use async_graphql::Enum;
use domain::{order, payment};

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::OrderStatus")]
pub enum OrderStatus {
    /// Bought; what it waits for is not there yet: its pieces or its payment.
    Placed,
    /// Its pieces are reserved, its payment is authorised: it can leave.
    Confirmed,
    /// All of it is on its way.
    Shipped,
    /// All of it arrived.
    Delivered,
    /// Given up.
    Cancelled,
}

/// How far an order's payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::PaymentStatus")]
pub enum OrderPaymentStatus {
    /// The shop sees to it itself.
    OnAccount,
    /// The payment provider has not answered.
    Pending,
    /// The payment provider says no; another token may be tried with `orderPay`.
    Declined,
    /// The money is held.
    Authorised,
    /// Some of it was taken.
    PartiallyPaid,
    /// All of it was taken.
    Paid,
    /// Some of what was taken was given back.
    PartiallyRefunded,
    /// All of what was taken was given back.
    Refunded,
    /// Nothing was taken, and nothing will be.
    Voided,
}

/// How far an order's pieces are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::FulfilmentStatus")]
pub enum OrderFulfilmentStatus {
    /// All of it is in the house.
    Unfulfilled,
    /// Some of it is on its way.
    PartiallyShipped,
    /// All of it is on its way.
    Shipped,
    /// All of it arrived.
    Delivered,
    /// Some of it came back.
    PartiallyReturned,
    /// All of it came back.
    Returned,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::CancelReason")]
pub enum OrderCancelReason {
    /// Nobody said.
    Unspecified,
    /// The customer changed their mind.
    CustomerRequest,
    /// The shop cannot deliver.
    OutOfStock,
    /// The shop does not trust it.
    SuspectedFraud,
    /// Not all of its pieces were there when they were to be reserved.
    InsufficientStock,
    /// It was not paid in time.
    Unpaid,
}

/// Why the payment provider does not hold the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "payment::DeclineReason")]
pub enum PaymentDeclineReason {
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

/// What became of giving money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "payment::PartStatus")]
pub enum OrderRefundStatus {
    /// The payment provider is to do it.
    Requested,
    /// It did.
    Done,
    /// It did not, and will not.
    Failed,
}
