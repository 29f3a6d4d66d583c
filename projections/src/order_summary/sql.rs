//! The table `order_summary`.

use domain::{
    order::{CancelReason, OrderLine},
    values::{Currency, CustomerId, Label, Money, OrderId, ProductId, Quantity, Sku},
};
use infrastructure::{
    event_store::{Revision, StreamId},
    read_store::{ReadStoreError, Row, Value},
};
use serde::Serialize;
use uuid::Uuid;

use super::{NAME, OrderRow, OrderStatus, OrderSummary, VERSION, fold};
use crate::{Decoded, KeyedFold, Sources};

impl KeyedFold for OrderSummary {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const EVENTS: &'static [&'static str] = &["order."];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("order_id", "UUID NOT NULL"),
        ("customer_id", "UUID NOT NULL"),
        ("status", "TEXT NOT NULL"),
        ("total_minor", "BIGINT NOT NULL"),
        ("currency", "TEXT NOT NULL"),
        ("lines", "JSONB NOT NULL"),
        ("cancel_reason", "TEXT"),
        ("tracking", "TEXT"),
        ("placed_at", "TIMESTAMPTZ NOT NULL"),
        ("updated_at", "TIMESTAMPTZ NOT NULL"),
        ("revision", "BIGINT NOT NULL"),
    ];
    const INDEXES: &'static [&'static str] = &[
        "placed_at, order_id",
        "updated_at, order_id",
        "customer_id, placed_at, order_id",
        "status, placed_at, order_id",
    ];

    type Row = OrderRow;

    fn key(event: &Decoded) -> Option<Uuid> {
        fold::key(event)
    }

    fn sources(key: Uuid) -> Sources {
        Sources::Streams(vec![StreamId::new("order", key)])
    }

    fn starts(event: &Decoded) -> bool {
        fold::starts(event)
    }

    fn fold(row: Option<OrderRow>, event: &Decoded) -> Option<OrderRow> {
        fold::fold(row, event)
    }

    fn write(row: &OrderRow) -> Vec<Value> {
        let optional = |text: Option<String>| text.map_or(Value::Null, Value::Text);
        vec![
            Value::Uuid(row.order.uuid()),
            Value::Uuid(row.customer.uuid()),
            Value::Text(row.status.as_str().to_owned()),
            Value::Int(row.total.minor()),
            Value::Text(row.total.currency().code().to_owned()),
            Value::Json(stored_lines(&row.lines)),
            optional(row.cancel_reason.map(|reason| reason_word(reason).to_owned())),
            optional(row.tracking.as_ref().map(|tracking| tracking.as_str().to_owned())),
            Value::Timestamp(row.placed_at),
            Value::Timestamp(row.updated_at),
            Value::Int(i64::try_from(row.revision.value()).unwrap_or(i64::MAX)),
        ]
    }

    fn read(row: &Row) -> Result<OrderRow, ReadStoreError> {
        let broken = |column, wanted| ReadStoreError::Column { column, wanted };
        let currency = Currency::from_code(row.text(4)?).ok_or(broken(4, "a currency"))?;
        let lines: Vec<OrderLine> =
            serde_json::from_str(row.json(5)?).map_err(|_| broken(5, "a list of order lines"))?;
        let cancel_reason =
            row.optional_text(6)?.map(|word| read_reason(word).ok_or(broken(6, "a reason to cancel"))).transpose()?;
        let tracking =
            row.optional_text(7)?.map(|text| Label::parse(text).map_err(|_| broken(7, "a label"))).transpose()?;
        Ok(OrderRow {
            order: OrderId::new(row.uuid(0)?),
            customer: CustomerId::new(row.uuid(1)?),
            status: OrderStatus::parse(row.text(2)?).ok_or(broken(2, "an order's status"))?,
            total: Money::try_new(row.int(3)?, currency).map_err(|_| broken(3, "an amount"))?,
            lines: lines.into(),
            cancel_reason,
            tracking,
            placed_at: row.timestamp(8)?,
            updated_at: row.timestamp(9)?,
            revision: Revision::new(u64::try_from(row.int(10)?).map_err(|_| broken(10, "a revision"))?),
        })
    }

    /// A customer hears of all their orders under their own id.
    fn topics(row: &OrderRow) -> Vec<Uuid> {
        vec![row.customer.uuid()]
    }
}

/// A line as the table holds it. Its fields stand in the order of their names, because a row must read as it was written
/// in every engine.
#[derive(Serialize)]
struct StoredLine<'a> {
    name: &'a Label,
    product: ProductId,
    quantity: Quantity,
    sku: &'a Sku,
    unit_price: StoredPrice<'a>,
}

#[derive(Serialize)]
struct StoredPrice<'a> {
    currency: &'a str,
    minor: i64,
}

fn stored_lines(lines: &[OrderLine]) -> String {
    let stored = lines.iter().map(|OrderLine { product, sku, name, quantity, unit_price }| StoredLine {
        name,
        product: *product,
        quantity: *quantity,
        sku,
        unit_price: StoredPrice { currency: unit_price.currency().code(), minor: unit_price.minor() },
    });
    serde_json::to_string(&stored.collect::<Vec<_>>()).expect("order lines are plain data")
}

const REASONS: [CancelReason; 4] =
    [CancelReason::Unspecified, CancelReason::CustomerRequest, CancelReason::OutOfStock, CancelReason::SuspectedFraud];

const fn reason_word(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Unspecified => "unspecified",
        CancelReason::CustomerRequest => "customer_request",
        CancelReason::OutOfStock => "out_of_stock",
        CancelReason::SuspectedFraud => "suspected_fraud",
    }
}

fn read_reason(word: &str) -> Option<CancelReason> {
    REASONS.into_iter().find(|reason| reason_word(*reason) == word)
}
