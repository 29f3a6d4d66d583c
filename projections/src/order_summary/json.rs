//! The parts of an order as its table holds them: JSON.
//!
//! The fields of every struct here stand in the order of their names, because a row must read as it was written in every
//! engine. No payment token is here: whoever has one may be able to pay with it, and nobody needs it to read an order.

use domain::{
    Timestamp,
    order::{Capture, LinePart, OrderLine, OrderPayment, PlacedOrder, Refund, Return, ReturnReceipt, Shipment},
    payment::PartStatus,
    values::{CaptureId, Label, Money, ProductId, Quantity, RefundId, Sku},
};
use serde::{Deserialize, Serialize};

/// The lines as JSON.
pub(super) fn write_lines(lines: &[OrderLine]) -> String {
    serde_json::to_string(&lines.iter().map(StoredLine::of).collect::<Vec<_>>()).expect("order lines are plain data")
}

/// The lines of this JSON.
pub(super) fn read_lines(json: &str) -> Option<Vec<OrderLine>> {
    let lines: Vec<ReadLine> = serde_json::from_str(json).ok()?;
    Some(lines.into_iter().map(OrderLine::from).collect())
}

/// What came to an order after it was placed, as JSON; none if nothing did.
pub(super) fn write_details(placed: &PlacedOrder) -> Option<String> {
    let PlacedOrder { payment, shipments, returns, captures, refunds, confirmed_at, .. } = placed;
    let is_bare = payment.is_none()
        && confirmed_at.is_none()
        && shipments.is_empty()
        && returns.is_empty()
        && captures.is_empty()
        && refunds.is_empty();
    if is_bare {
        return None;
    }
    let details = StoredDetails {
        captures: captures.iter().map(StoredCapture::of).collect(),
        confirmed_at: *confirmed_at,
        payment: *payment,
        refunds: refunds.iter().map(StoredRefund::of).collect(),
        returns: returns.iter().map(StoredReturn::of).collect(),
        shipments: shipments.iter().map(StoredShipment::of).collect(),
    };
    Some(serde_json::to_string(&details).expect("an order's details are plain data"))
}

/// What came to an order after it was placed, read back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Details {
    pub(super) captures: Vec<Capture>,
    pub(super) confirmed_at: Option<Timestamp>,
    pub(super) payment: Option<OrderPayment>,
    pub(super) refunds: Vec<Refund>,
    pub(super) returns: Vec<Return>,
    pub(super) shipments: Vec<Shipment>,
}

impl Details {
    /// The details of this JSON.
    pub(super) fn read(json: Option<&str>) -> Option<Self> {
        json.map_or(Some(Self::default()), |json| serde_json::from_str(json).ok())
    }
}

#[derive(Serialize)]
struct StoredLine<'a> {
    is_stocked: bool,
    name: &'a Label,
    product: ProductId,
    quantity: Quantity,
    sku: &'a Sku,
    unit_price: StoredMoney<'a>,
}

impl<'a> StoredLine<'a> {
    fn of(line: &'a OrderLine) -> Self {
        let OrderLine { product, sku, name, quantity, unit_price, is_stocked } = line;
        let unit_price = StoredMoney::of(*unit_price);
        Self { is_stocked: *is_stocked, name, product: *product, quantity: *quantity, sku, unit_price }
    }
}

/// A line as any version wrote it.
#[derive(Deserialize)]
struct ReadLine {
    /// Version 2 of the table knew no stock.
    #[serde(default)]
    is_stocked: bool,
    name: Label,
    product: ProductId,
    quantity: Quantity,
    sku: Sku,
    unit_price: Money,
}

impl From<ReadLine> for OrderLine {
    fn from(ReadLine { is_stocked, name, product, quantity, sku, unit_price }: ReadLine) -> Self {
        Self { product, sku, name, quantity, unit_price, is_stocked }
    }
}

#[derive(Serialize)]
struct StoredMoney<'a> {
    currency: &'a str,
    minor: i64,
}

impl StoredMoney<'_> {
    fn of(money: Money) -> Self {
        Self { currency: money.currency().code(), minor: money.minor() }
    }
}

#[derive(Serialize)]
struct StoredDetails<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    captures: Vec<StoredCapture<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<OrderPayment>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refunds: Vec<StoredRefund<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    returns: Vec<StoredReturn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shipments: Vec<StoredShipment<'a>>,
}

#[derive(Serialize)]
struct StoredCapture<'a> {
    amount: StoredMoney<'a>,
    at: Timestamp,
    capture: CaptureId,
}

impl StoredCapture<'_> {
    fn of(Capture { capture, amount, at }: &Capture) -> Self {
        Self { amount: StoredMoney::of(*amount), at: *at, capture: *capture }
    }
}

#[derive(Serialize)]
struct StoredRefund<'a> {
    amount: StoredMoney<'a>,
    at: Timestamp,
    lines: &'a [LinePart],
    reason: Option<&'a Label>,
    refund: RefundId,
    status: PartStatus,
}

impl<'a> StoredRefund<'a> {
    fn of(Refund { refund, lines, amount, reason, status, at }: &'a Refund) -> Self {
        let amount = StoredMoney::of(*amount);
        Self { amount, at: *at, lines, reason: reason.as_ref(), refund: *refund, status: *status }
    }
}

#[derive(Serialize)]
struct StoredReturn<'a> {
    lines: &'a [LinePart],
    reason: &'a Label,
    received: Option<StoredReceipt>,
    requested_at: Timestamp,
}

impl<'a> StoredReturn<'a> {
    fn of(Return { lines, reason, requested_at, received }: &'a Return) -> Self {
        Self { lines, reason, received: received.map(StoredReceipt::of), requested_at: *requested_at }
    }
}

#[derive(Serialize)]
struct StoredReceipt {
    at: Timestamp,
    is_restocked: bool,
}

impl StoredReceipt {
    const fn of(ReturnReceipt { is_restocked, at }: ReturnReceipt) -> Self {
        Self { at, is_restocked }
    }
}

#[derive(Serialize)]
struct StoredShipment<'a> {
    at: Timestamp,
    lines: &'a [LinePart],
    tracking: Option<&'a Label>,
}

impl<'a> StoredShipment<'a> {
    fn of(Shipment { lines, tracking, at }: &'a Shipment) -> Self {
        Self { at: *at, lines, tracking: tracking.as_ref() }
    }
}
