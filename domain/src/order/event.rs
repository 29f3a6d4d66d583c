//! What happened to an order.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    EventPayload, Secret, Timestamp,
    payment::DeclineReason,
    values::{
        CaptureId, CustomerId, Label, Money, OrderId, PaymentId, PaymentToken, ProductId, Quantity, RefundId, Sku,
        Warehouse,
    },
};

/// Payment tokens, in whichever version.
pub const SECRETS: &[Secret] =
    &[Secret { events: "order.placed.", field: "payment" }, Secret { events: "order.payment_chosen.", field: "token" }];

/// An event of one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// A customer bought.
    #[serde(rename = "order.placed.v2")]
    Placed {
        /// The order.
        order: OrderId,
        /// Who bought.
        customer: CustomerId,
        /// What, how many, at which price.
        lines: Vec<OrderLine>,
        /// The sum of the lines.
        total: Money,
        /// Which warehouse it is to leave.
        warehouse: Warehouse,
        /// With what it is paid; none: on account. Version 1 knew neither warehouse nor payment; see upcast.rs.
        payment: Option<PaymentToken>,
        /// When.
        at: Timestamp,
    },
    /// It is to be paid with another token.
    #[serde(rename = "order.payment_chosen.v1")]
    PaymentChosen {
        /// The order.
        order: OrderId,
        /// Which payment that will be.
        payment: PaymentId,
        /// With what.
        token: PaymentToken,
        /// When.
        at: Timestamp,
    },
    /// The provider does not hold the money.
    #[serde(rename = "order.payment_failed.v1")]
    PaymentFailed {
        /// The order.
        order: OrderId,
        /// Which payment.
        payment: PaymentId,
        /// Why.
        reason: DeclineReason,
        /// When.
        at: Timestamp,
    },
    /// The pieces are reserved, the money is held: it can leave.
    #[serde(rename = "order.confirmed.v1")]
    Confirmed {
        /// The order.
        order: OrderId,
        /// Which payment holds the money; none on account.
        payment: Option<PaymentId>,
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
    /// Some or all of it left the house.
    #[serde(rename = "order.shipped.v2")]
    Shipped {
        /// The order.
        order: OrderId,
        /// Which of its shipments, counted from 1.
        shipment: u32,
        /// What; nothing named: all that was left. Version 1 knew only that; see upcast.rs.
        lines: Vec<LinePart>,
        /// The carrier's number, if there is one.
        tracking: Option<Label>,
        /// When.
        at: Timestamp,
    },
    /// The customer has all of it.
    #[serde(rename = "order.delivered.v1")]
    Delivered {
        /// The order.
        order: OrderId,
        /// When.
        at: Timestamp,
    },
    /// It should have left the house by now.
    #[serde(rename = "order.overdue.v1")]
    Overdue {
        /// The order.
        order: OrderId,
        /// When that was noticed.
        at: Timestamp,
    },
    /// The provider has taken money for it.
    #[serde(rename = "order.paid.v1")]
    Paid {
        /// The order.
        order: OrderId,
        /// Under which key.
        capture: CaptureId,
        /// How much.
        amount: Money,
        /// When it was known.
        at: Timestamp,
    },
    /// The customer wants to send something back.
    #[serde(rename = "order.return_requested.v1")]
    ReturnRequested {
        /// The order.
        order: OrderId,
        /// Which of its returns, counted from 1.
        number: u32,
        /// What.
        lines: Vec<LinePart>,
        /// Why.
        reason: Label,
        /// When.
        at: Timestamp,
    },
    /// It is here.
    #[serde(rename = "order.return_received.v1")]
    ReturnReceived {
        /// The order.
        order: OrderId,
        /// Which of its returns.
        number: u32,
        /// Whether it can be sold again.
        is_restocked: bool,
        /// When.
        at: Timestamp,
    },
    /// Money is to be given back.
    #[serde(rename = "order.refund_requested.v1")]
    RefundRequested {
        /// The order.
        order: OrderId,
        /// Under which key.
        refund: RefundId,
        /// For which pieces; none: for something else.
        lines: Vec<LinePart>,
        /// How much.
        amount: Money,
        /// Why.
        reason: Label,
        /// When.
        at: Timestamp,
    },
    /// The provider has given money back.
    #[serde(rename = "order.refunded.v1")]
    Refunded {
        /// The order.
        order: OrderId,
        /// Under which key.
        refund: RefundId,
        /// How much.
        amount: Money,
        /// When it was known.
        at: Timestamp,
    },
    /// The provider does not give this money back.
    #[serde(rename = "order.refund_failed.v1")]
    RefundFailed {
        /// The order.
        order: OrderId,
        /// Under which key.
        refund: RefundId,
        /// Why, in the provider's words.
        reason: Label,
        /// When it was known.
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
    /// Whether its pieces are counted, and reserved before they are sold.
    pub is_stocked: bool,
}

/// Some pieces of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinePart {
    /// Which line, counted from 0.
    pub line: u32,
    /// How many of its pieces.
    pub quantity: Quantity,
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
    /// Not all of its pieces were there when they were to be reserved.
    InsufficientStock,
    /// It was not paid in time.
    Unpaid,
}

impl OrderEvent {
    /// The order it happened to, and when.
    const fn of(&self) -> (OrderId, Timestamp) {
        match self {
            Self::Placed { order, at, .. }
            | Self::PaymentChosen { order, at, .. }
            | Self::PaymentFailed { order, at, .. }
            | Self::Confirmed { order, at, .. }
            | Self::Cancelled { order, at, .. }
            | Self::Shipped { order, at, .. }
            | Self::Delivered { order, at }
            | Self::Overdue { order, at }
            | Self::Paid { order, at, .. }
            | Self::ReturnRequested { order, at, .. }
            | Self::ReturnReceived { order, at, .. }
            | Self::RefundRequested { order, at, .. }
            | Self::Refunded { order, at, .. }
            | Self::RefundFailed { order, at, .. } => (*order, *at),
        }
    }

    /// The order it happened to.
    pub const fn order(&self) -> OrderId {
        self.of().0
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        self.of().1
    }
}

impl EventPayload for OrderEvent {
    fn types() -> Vec<&'static str> {
        vec![
            "order.placed.v2",
            "order.payment_chosen.v1",
            "order.payment_failed.v1",
            "order.confirmed.v1",
            "order.cancelled.v2",
            "order.shipped.v2",
            "order.delivered.v1",
            "order.overdue.v1",
            "order.paid.v1",
            "order.return_requested.v1",
            "order.return_received.v1",
            "order.refund_requested.v1",
            "order.refunded.v1",
            "order.refund_failed.v1",
        ]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
