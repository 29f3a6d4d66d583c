//! Why an order's command is refused.

use super::ORDER_LINES_MAX;
use crate::values::ProductId;

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
    /// It is still in the house.
    #[error("the order is not shipped yet")]
    NotShipped,
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
