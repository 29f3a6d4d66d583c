//! What can be wrong with an order's mutation, for programs and for people.

#[cfg(test)]
mod tests;

use std::fmt::Display;

use async_graphql::{Enum, ID, SimpleObject};
use domain::order::{LineProblem, OrderRejection, PartProblem};

use crate::graphql::{node::global, scalars::MoneyValue, user_error::path};

/// What can be wrong with an order's mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum OrderErrorCode {
    /// There are no lines.
    NoLines,
    /// There are over 500 lines.
    TooManyLines,
    /// A quantity is not 1 to 100,000.
    InvalidQuantity,
    /// There is no such product.
    UnknownProduct,
    /// The product is offered no longer.
    RetiredProduct,
    /// The products are priced in different currencies.
    MixedCurrencies,
    /// A line or the order is worth more than an amount can say.
    TotalTooLarge,
    /// Only operators order on account: give a payment token.
    PaymentTokenRequired,
    /// The payment token is malformed, or could be the number of a card.
    InvalidPaymentToken,
    /// The warehouse's name is malformed.
    InvalidWarehouse,
    /// The tracking number is empty, too long or holds control characters.
    InvalidTrackingNumber,
    /// The reason is empty, too long or holds control characters.
    InvalidReason,
    /// The amount is malformed, zero, negative or too large.
    InvalidAmount,
    /// The currency is not one of ISO 4217, or not the order's.
    WrongCurrency,
    /// There is no such order, or it is not yours.
    NotFound,
    /// The order was placed already.
    AlreadyPlaced,
    /// The order is not confirmed yet: its pieces are not reserved, or its payment is not authorised.
    NotConfirmed,
    /// The order is confirmed already: nothing is left to pay.
    AlreadyConfirmed,
    /// The order was shipped already.
    AlreadyShipped,
    /// The order was delivered already.
    AlreadyDelivered,
    /// The order is cancelled.
    Cancelled,
    /// The order is not shipped yet, or not all of it.
    NotShipped,
    /// The order is on account: it is not paid here.
    OnAccount,
    /// The payment before is not over: it is held, or the provider has not answered.
    PaymentUnderWay,
    /// The order was tried to be paid too often.
    TooManyAttempts,
    /// Another payment is the one that counts.
    OtherPayment,
    /// The order has no such line.
    UnknownLine,
    /// The line is named twice.
    LineNamedTwice,
    /// There are not so many pieces of the line; `left` says how many there are.
    TooManyPieces,
    /// The order has no such return.
    NoSuchReturn,
    /// The return was received already, and its pieces went elsewhere.
    ReturnAlreadyReceived,
    /// More than was taken and not given back; `refundable` says how much that is.
    ExceedsPaid,
    /// The refund's key stands for another refund.
    RefundKeyReused,
    /// The order is not at `expectedVersion`.
    VersionConflict,
}

/// Something wrong with an order's mutation.
#[derive(Debug, SimpleObject)]
pub(super) struct OrderUserError {
    /// What, for programs.
    pub(super) code: OrderErrorCode,
    /// What, for people.
    pub(super) message: String,
    /// Where in the input.
    pub(super) field: Vec<String>,
    /// For errors of a line: its product.
    pub(super) product_id: Option<ID>,
    /// For `TOO_MANY_PIECES`: how many pieces of the line there are.
    pub(super) left: Option<u32>,
    /// For `EXCEEDS_PAID`: how much can be given back.
    pub(super) refundable: Option<MoneyValue>,
    /// For `VERSION_CONFLICT`: the version it is at.
    pub(super) current_version: Option<i32>,
}

impl OrderUserError {
    pub(super) fn new(code: OrderErrorCode, message: &dyn Display, field: Vec<String>) -> Self {
        let message = message.to_string();
        Self { code, message, field, product_id: None, left: None, refundable: None, current_version: None }
    }
}

/// What a client is told of a rejection.
pub(super) fn rejected(rejection: &OrderRejection) -> Vec<OrderUserError> {
    let of_order = || path([&"id"]);
    let (code, field) = match rejection {
        OrderRejection::Lines(problems) => {
            return problems.iter().map(|(index, problem)| line_error(*index, problem)).collect();
        }
        OrderRejection::Parts(problems) => {
            return problems.iter().map(|(index, problem)| part_error(*index, problem)).collect();
        }
        OrderRejection::OverPaid { left } => {
            let error = OrderUserError::new(OrderErrorCode::ExceedsPaid, rejection, path([]));
            return vec![OrderUserError { refundable: Some((*left).into()), ..error }];
        }
        OrderRejection::NoLines => (OrderErrorCode::NoLines, path([&"lines"])),
        OrderRejection::TooManyLines(_) => (OrderErrorCode::TooManyLines, path([&"lines"])),
        OrderRejection::TotalTooLarge => (OrderErrorCode::TotalTooLarge, path([&"lines"])),
        OrderRejection::AlreadyPlaced => (OrderErrorCode::AlreadyPlaced, path([])),
        OrderRejection::NotFound => (OrderErrorCode::NotFound, of_order()),
        OrderRejection::NotConfirmed => (OrderErrorCode::NotConfirmed, of_order()),
        OrderRejection::AlreadyConfirmed => (OrderErrorCode::AlreadyConfirmed, of_order()),
        OrderRejection::AlreadyShipped => (OrderErrorCode::AlreadyShipped, of_order()),
        OrderRejection::AlreadyDelivered => (OrderErrorCode::AlreadyDelivered, of_order()),
        OrderRejection::Cancelled => (OrderErrorCode::Cancelled, of_order()),
        OrderRejection::NotShipped => (OrderErrorCode::NotShipped, of_order()),
        OrderRejection::OnAccount => (OrderErrorCode::OnAccount, of_order()),
        OrderRejection::PaymentUnderWay => (OrderErrorCode::PaymentUnderWay, of_order()),
        OrderRejection::TooManyAttempts => (OrderErrorCode::TooManyAttempts, of_order()),
        OrderRejection::OtherPayment => (OrderErrorCode::OtherPayment, of_order()),
        OrderRejection::NoSuchReturn => (OrderErrorCode::NoSuchReturn, path([&"number"])),
        OrderRejection::ReturnAlreadyReceived => (OrderErrorCode::ReturnAlreadyReceived, path([&"restock"])),
        OrderRejection::NoAmount => (OrderErrorCode::InvalidAmount, path([&"amount"])),
        OrderRejection::OtherCurrency { .. } => (OrderErrorCode::WrongCurrency, path([&"amount", &"currencyCode"])),
        OrderRejection::KeyReused => (OrderErrorCode::RefundKeyReused, path([&"idempotencyKey"])),
    };
    vec![OrderUserError::new(code, rejection, field)]
}

fn line_error(index: usize, problem: &LineProblem) -> OrderUserError {
    let (code, part, product) = match problem {
        LineProblem::UnknownProduct(product) => (OrderErrorCode::UnknownProduct, "productId", Some(*product)),
        LineProblem::RetiredProduct(product) => (OrderErrorCode::RetiredProduct, "productId", Some(*product)),
        LineProblem::OtherCurrency { .. } => (OrderErrorCode::MixedCurrencies, "productId", None),
        LineProblem::TotalTooLarge => (OrderErrorCode::TotalTooLarge, "quantity", None),
    };
    OrderUserError {
        product_id: product.map(global),
        ..OrderUserError::new(code, problem, path([&"lines", &index, &part]))
    }
}

fn part_error(index: usize, problem: &PartProblem) -> OrderUserError {
    let (code, part, left) = match problem {
        PartProblem::UnknownLine => (OrderErrorCode::UnknownLine, "line", None),
        PartProblem::NamedTwice => (OrderErrorCode::LineNamedTwice, "line", None),
        PartProblem::TooMany { left } => (OrderErrorCode::TooManyPieces, "quantity", Some(*left)),
    };
    OrderUserError { left, ..OrderUserError::new(code, problem, path([&"lines", &index, &part])) }
}
