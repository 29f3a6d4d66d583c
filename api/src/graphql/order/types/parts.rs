//! The parts of an order: its lines, and what left, came back and was paid.

use std::sync::Arc;

use async_graphql::{Context, Error, ID, Object, SimpleObject};
use domain::{
    Timestamp,
    order::{Capture, LinePart, OrderLine, Refund, Return, Shipment},
    values::Label,
};

use super::status::OrderRefundStatus;
use crate::graphql::{
    node::global,
    product::{ProductObject, ProductsTogether},
    scalars::MoneyValue,
};

/// One line of an order.
#[derive(Clone, Debug)]
pub(in super::super) struct OrderLineObject {
    pub(super) index: usize,
    pub(super) line: OrderLine,
    /// The products of all lines of the order.
    pub(super) products: Arc<ProductsTogether>,
}

/// One product of an order, at the price it was sold for.
#[Object(name = "OrderLine")]
impl OrderLineObject {
    /// Its place in the order, counted from 0: what shipments, returns and refunds name it by.
    async fn index(&self) -> usize {
        self.index
    }

    /// The product as it is today; null if the catalogue does not show it (yet).
    #[graphql(complexity = "5 + child_complexity")]
    async fn product(&self, context: &Context<'_>) -> Result<Option<ProductObject>, Error> {
        self.products.get(context, self.line.product).await
    }

    /// The product's SKU.
    async fn sku(&self) -> &str {
        self.line.sku.as_str()
    }

    /// The product's name when it was sold.
    async fn name(&self) -> &str {
        self.line.name.as_str()
    }

    /// How many pieces.
    async fn quantity(&self) -> u32 {
        self.line.quantity.units()
    }

    /// The price of one piece when it was sold.
    async fn unit_price(&self) -> MoneyValue {
        self.line.unit_price.into()
    }

    /// The price of all pieces.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn total(&self) -> Result<MoneyValue, Error> {
        // It was computed when the order was placed, or there would be no order.
        self.line.unit_price.checked_mul(self.line.quantity).map(Into::into).map_err(crate::engine::internal)
    }

    /// Whether its pieces are counted, and reserved before the order is confirmed.
    async fn is_stocked(&self) -> bool {
        self.line.is_stocked
    }
}

/// Some pieces of one line of an order.
#[derive(Clone, Debug, SimpleObject)]
pub(in super::super) struct OrderLinePart {
    /// Which line: its `index`.
    line: u32,
    /// How many of its pieces.
    quantity: u32,
}

impl OrderLinePart {
    /// These parts as clients see them.
    pub(in super::super) fn all(parts: &[LinePart]) -> Vec<Self> {
        parts.iter().map(|part| Self { line: part.line, quantity: part.quantity.units() }).collect()
    }
}

/// What left the house at once.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct OrderShipment {
    /// Which of the order's shipments, counted from 1.
    number: usize,
    /// What.
    lines: Vec<OrderLinePart>,
    /// The carrier's number, if there is one.
    tracking_number: Option<String>,
    /// When.
    shipped_at: Timestamp,
}

impl OrderShipment {
    pub(super) fn new((index, Shipment { lines, tracking, at }): (usize, &Shipment)) -> Self {
        let tracking_number = tracking.as_ref().map(text);
        Self { number: index + 1, lines: OrderLinePart::all(lines), tracking_number, shipped_at: *at }
    }
}

/// What comes back at once.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct OrderReturn {
    /// Which of the order's returns, counted from 1.
    number: usize,
    /// What.
    lines: Vec<OrderLinePart>,
    /// Why.
    reason: String,
    /// When it was asked for.
    requested_at: Timestamp,
    /// When it came; null as long as it did not.
    received_at: Option<Timestamp>,
    /// Whether it can be sold again; null as long as it did not come.
    is_restocked: Option<bool>,
}

impl OrderReturn {
    pub(super) fn new((index, Return { lines, reason, requested_at, received }): (usize, &Return)) -> Self {
        Self {
            number: index + 1,
            lines: OrderLinePart::all(lines),
            reason: text(reason),
            requested_at: *requested_at,
            received_at: received.map(|receipt| receipt.at),
            is_restocked: received.map(|receipt| receipt.is_restocked),
        }
    }
}

/// Money that was taken.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct OrderCapture {
    /// The key it was taken under, opaque.
    id: ID,
    /// How much.
    amount: MoneyValue,
    /// When it was known.
    captured_at: Timestamp,
}

impl OrderCapture {
    pub(super) fn new(Capture { capture, amount, at }: &Capture) -> Self {
        Self { id: global(*capture), amount: (*amount).into(), captured_at: *at }
    }
}

/// Money that is given back.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct OrderRefund {
    /// The key it is given back under, opaque.
    id: ID,
    /// For which pieces; empty: for something else.
    lines: Vec<OrderLinePart>,
    /// How much.
    amount: MoneyValue,
    /// Why; null if nobody of the shop asked for it here.
    reason: Option<String>,
    /// What became of it.
    status: OrderRefundStatus,
    /// When it was asked for.
    requested_at: Timestamp,
}

impl OrderRefund {
    pub(super) fn new(Refund { refund, lines, amount, reason, status, at }: &Refund) -> Self {
        Self {
            id: global(*refund),
            lines: OrderLinePart::all(lines),
            amount: (*amount).into(),
            reason: reason.as_ref().map(text),
            status: (*status).into(),
            requested_at: *at,
        }
    }
}

fn text(label: &Label) -> String {
    label.as_str().to_owned()
}
