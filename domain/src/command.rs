//! The sum of all commands, each addressed to one aggregate.
//!
//! An edge that knows its aggregate uses that aggregate's executor directly; the sum is for whatever sends
//! commands to several of them.

use crate::{
    operator::OperatorCommand,
    order::OrderCommand,
    payment::PaymentCommand,
    product::ProductCommand,
    stock::StockCommand,
    values::{OrderId, PaymentId, ProductId, StockId},
};

/// A command and the aggregate it is for.
#[derive(Clone, Debug)]
pub enum Command {
    /// For one product.
    Product(ProductId, ProductCommand),
    /// For one order.
    Order(OrderId, OrderCommand),
    /// For the stock of one SKU in one warehouse.
    Stock(StockId, StockCommand),
    /// For one payment.
    Payment(PaymentId, PaymentCommand),
    /// For the one log of operators.
    Operator(OperatorCommand),
}
