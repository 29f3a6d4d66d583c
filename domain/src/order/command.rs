//! What somebody may want of an order.

use std::collections::HashMap;

use super::CancelReason;
use crate::{
    product::ProductState,
    values::{CustomerId, Label, OrderId, ProductId, Quantity},
};

/// What the catalogue says, at this moment, of the products somebody asks for. A product that is missing here is
/// unknown.
pub type Catalogue = HashMap<ProductId, ProductState>;

/// A command to one order.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderCommand {
    /// Buy.
    Place {
        /// The order's id, fresh.
        order: OrderId,
        /// Who buys.
        customer: CustomerId,
        /// What and how much. The client names no price.
        lines: Vec<RequestedLine>,
        /// Where the prices come from.
        catalogue: Catalogue,
    },
    /// Give it up, as long as it is not on its way.
    Cancel {
        /// Who asks.
        by: Party,
        /// Why.
        reason: CancelReason,
    },
    /// It left the house.
    Ship {
        /// The carrier's number, if there is one.
        tracking: Option<Label>,
    },
    /// The customer has it.
    Deliver,
}

/// One line as asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestedLine {
    /// Which product.
    pub product: ProductId,
    /// How many.
    pub quantity: Quantity,
}

/// Who asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A customer, who has power over their own orders only.
    Customer(CustomerId),
    /// The shop.
    Operator,
}
