//! Commands that the process gives, each under an id that is the same whenever it is given.

use uuid::Uuid;

use crate::{
    Command,
    order::OrderCommand,
    payment::PaymentCommand,
    stock::StockCommand,
    values::{OrderId, PaymentId, StockId},
};

/// A command of the process.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// The command's id, derived from the order and what the command is for: a repeat is recognised wherever it comes from.
    pub id: Uuid,
    /// The order whose process gives it.
    pub order: OrderId,
    /// What is to happen.
    pub command: Command,
}

impl Instruction {
    /// To the order itself.
    pub(super) fn to_order(order: OrderId, purpose: &str, command: OrderCommand) -> Self {
        Self { id: id(order, purpose), order, command: Command::Order(order, command) }
    }

    /// To the stock of one SKU.
    pub(super) fn to_stock(order: OrderId, purpose: &str, stock: StockId, command: StockCommand) -> Self {
        Self { id: id(order, &format!("{purpose}/{stock}")), order, command: Command::Stock(stock, command) }
    }

    /// To a payment.
    pub(super) fn to_payment(order: OrderId, purpose: &str, payment: PaymentId, command: PaymentCommand) -> Self {
        Self { id: id(order, &format!("{purpose}/{payment}")), order, command: Command::Payment(payment, command) }
    }
}

fn id(order: OrderId, purpose: &str) -> Uuid {
    Uuid::new_v5(&order.uuid(), purpose.as_bytes())
}
