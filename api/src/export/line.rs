//! The lines of an export: JSON in the words of the GraphQL schema.

use domain::{
    Timestamp,
    order::{LinePart, PlacedOrder},
    values::Label,
};
use infrastructure::event_store::Position;
use projections::order_summary::OrderRow;
use serde::Serialize;

use super::{ExportCursor, Exported};
use crate::graphql::{PositionToken, global_id};

/// The line of one order: a cursor to go on after it, and the order as it was.
#[derive(Debug, Serialize)]
struct Readable<'a> {
    cursor: String,
    order: OrderJson<'a>,
}

/// The line of an order that this build cannot read: a cursor to go on after it, and its id.
#[derive(Debug, Serialize)]
struct Unreadable {
    cursor: String,
    unreadable: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LastLine {
    complete: bool,
    as_of: String,
    orders: u64,
    unreadable: u64,
}

/// The line of an order, without its end.
pub fn order(exported: &Exported, as_of: Position) -> Vec<u8> {
    let cursor = ExportCursor { as_of, after: exported.placed }.to_string();
    let json = match &exported.row {
        Some(row) => serde_json::to_vec(&Readable { cursor, order: OrderJson::new(row) }),
        None => serde_json::to_vec(&Unreadable { cursor, unreadable: global_id(exported.order).to_string() }),
    };
    json.expect("an order is JSON")
}

/// The last line: nothing is missing. How many lines of orders this answer has, and how many of them could not be read.
pub fn complete(as_of: Position, orders: u64, unreadable: u64) -> Vec<u8> {
    let line = LastLine { complete: true, as_of: PositionToken(as_of).to_string(), orders, unreadable };
    serde_json::to_vec(&line).expect("numbers are JSON")
}

/// A word of ours as the schema writes it.
fn word(word: impl Serialize) -> String {
    let word = serde_json::to_value(word).unwrap_or_default();
    word.as_str().unwrap_or_default().to_ascii_uppercase()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderJson<'a> {
    id: String,
    number: String,
    customer_id: String,
    version: u64,
    status: String,
    payment_status: String,
    fulfilment_status: String,
    cancel_reason: Option<String>,
    payment_declined: Option<String>,
    is_overdue: bool,
    warehouse: &'a str,
    currency_code: &'static str,
    total: String,
    paid: String,
    refunded: String,
    refundable: String,
    lines: Vec<LineJson<'a>>,
    shipments: Vec<ShipmentJson<'a>>,
    returns: Vec<ReturnJson<'a>>,
    captures: Vec<CaptureJson>,
    refunds: Vec<RefundJson<'a>>,
    placed_at: Timestamp,
    confirmed_at: Option<Timestamp>,
    updated_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LineJson<'a> {
    index: usize,
    sku: &'a str,
    name: &'a str,
    quantity: u32,
    unit_price: String,
    is_stocked: bool,
}

#[derive(Debug, Serialize)]
struct PartJson {
    line: u32,
    quantity: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShipmentJson<'a> {
    lines: Vec<PartJson>,
    tracking_number: Option<&'a str>,
    shipped_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReturnJson<'a> {
    lines: Vec<PartJson>,
    reason: &'a str,
    requested_at: Timestamp,
    received_at: Option<Timestamp>,
    is_restocked: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CaptureJson {
    amount: String,
    captured_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundJson<'a> {
    lines: Vec<PartJson>,
    amount: String,
    reason: Option<&'a str>,
    status: String,
    requested_at: Timestamp,
}

impl<'a> OrderJson<'a> {
    fn new(row: &'a OrderRow) -> Self {
        let placed: &PlacedOrder = &row.placed;
        Self {
            id: global_id(placed.order).to_string(),
            number: row.number(),
            customer_id: global_id(placed.customer).to_string(),
            version: row.revision.value(),
            status: word(placed.status),
            payment_status: word(placed.payment_status()),
            fulfilment_status: word(placed.fulfilment_status()),
            cancel_reason: placed.cancel_reason.map(word),
            payment_declined: placed.payment.and_then(|payment| payment.declined).map(word),
            is_overdue: placed.is_overdue,
            warehouse: placed.warehouse.as_str(),
            currency_code: placed.total.currency().code(),
            total: placed.total.to_string(),
            paid: placed.captured().to_string(),
            refunded: placed.refunded().to_string(),
            refundable: placed.refundable().to_string(),
            lines: lines(placed),
            shipments: shipments(placed),
            returns: returns(placed),
            captures: captures(placed),
            refunds: refunds(placed),
            placed_at: placed.placed_at,
            confirmed_at: placed.confirmed_at,
            updated_at: placed.updated_at,
        }
    }
}

fn lines(placed: &PlacedOrder) -> Vec<LineJson<'_>> {
    let json = placed.lines.iter().enumerate().map(|(index, line)| LineJson {
        index,
        sku: line.sku.as_str(),
        name: line.name.as_str(),
        quantity: line.quantity.units(),
        unit_price: line.unit_price.to_string(),
        is_stocked: line.is_stocked,
    });
    json.collect()
}

fn shipments(placed: &PlacedOrder) -> Vec<ShipmentJson<'_>> {
    let shipments = placed.shipments.iter();
    let json = shipments.map(|shipment| ShipmentJson {
        lines: parts(&shipment.lines),
        tracking_number: shipment.tracking.as_ref().map(Label::as_str),
        shipped_at: shipment.at,
    });
    json.collect()
}

fn returns(placed: &PlacedOrder) -> Vec<ReturnJson<'_>> {
    let json = placed.returns.iter().map(|one| ReturnJson {
        lines: parts(&one.lines),
        reason: one.reason.as_str(),
        requested_at: one.requested_at,
        received_at: one.received.map(|receipt| receipt.at),
        is_restocked: one.received.map(|receipt| receipt.is_restocked),
    });
    json.collect()
}

fn captures(placed: &PlacedOrder) -> Vec<CaptureJson> {
    let captures = placed.captures.iter();
    captures.map(|capture| CaptureJson { amount: capture.amount.to_string(), captured_at: capture.at }).collect()
}

fn refunds(placed: &PlacedOrder) -> Vec<RefundJson<'_>> {
    let json = placed.refunds.iter().map(|refund| RefundJson {
        lines: parts(&refund.lines),
        amount: refund.amount.to_string(),
        reason: refund.reason.as_ref().map(Label::as_str),
        status: word(refund.status),
        requested_at: refund.at,
    });
    json.collect()
}

fn parts(parts: &[LinePart]) -> Vec<PartJson> {
    parts.iter().map(|part| PartJson { line: part.line, quantity: part.quantity.units() }).collect()
}
