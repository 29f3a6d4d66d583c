//! What happened to an order.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    EventPayload, Timestamp,
    values::{CustomerId, Label, Money, OrderId, ProductId, Quantity, Sku},
};

/// An event of one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// A customer bought.
    #[serde(rename = "order.placed.v1")]
    Placed {
        /// The order.
        order: OrderId,
        /// Who bought.
        customer: CustomerId,
        /// What, how many, at which price.
        lines: Vec<OrderLine>,
        /// The sum of the lines.
        total: Money,
        /// When.
        at: Timestamp,
    },
    /// It was given up.
    #[serde(rename = "order.cancelled.v2")]
    Cancelled {
        /// The order.
        order: OrderId,
        /// Why. Version 1 did not say; see upcast.rs.
        reason: CancelReason,
        /// When.
        at: Timestamp,
    },
    /// It left the house.
    #[serde(rename = "order.shipped.v1")]
    Shipped {
        /// The order.
        order: OrderId,
        /// The carrier's number, if there is one.
        tracking: Option<Label>,
        /// When.
        at: Timestamp,
    },
    /// The customer has it.
    #[serde(rename = "order.delivered.v1")]
    Delivered {
        /// The order.
        order: OrderId,
        /// When.
        at: Timestamp,
    },
}

/// One line at the price it was sold for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderLine {
    /// Which product.
    pub product: ProductId,
    /// Its SKU.
    pub sku: Sku,
    /// Its name when it was sold.
    pub name: Label,
    /// How many.
    pub quantity: Quantity,
    /// The catalogue's price of one piece when it was sold.
    pub unit_price: Money,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Nobody said; also every order that was cancelled before reasons were recorded.
    Unspecified,
    /// The customer changed their mind.
    CustomerRequest,
    /// The shop cannot deliver.
    OutOfStock,
    /// The shop does not trust it.
    SuspectedFraud,
}

impl OrderEvent {
    /// The order it happened to.
    pub const fn order(&self) -> OrderId {
        match self {
            Self::Placed { order, .. }
            | Self::Cancelled { order, .. }
            | Self::Shipped { order, .. }
            | Self::Delivered { order, .. } => *order,
        }
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Placed { at, .. }
            | Self::Cancelled { at, .. }
            | Self::Shipped { at, .. }
            | Self::Delivered { at, .. } => *at,
        }
    }
}

impl EventPayload for OrderEvent {
    fn types() -> Vec<&'static str> {
        vec!["order.placed.v1", "order.cancelled.v2", "order.shipped.v1", "order.delivered.v1"]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
