//! The table `order_summary`.

use std::sync::Arc;

use domain::{
    order::{CancelReason, OrderStatus, PlacedOrder},
    values::{Currency, CustomerId, Money, OrderId, Warehouse},
};
use infrastructure::{
    event_store::{Revision, StreamId},
    read_store::{ReadStoreError, Row, Value},
};
use uuid::Uuid;

use super::{
    NAME, OrderRow, OrderSummary, VERSION, fold,
    json::{self, Details},
    search,
};
use crate::{Decoded, KeyedFold, SideTable, Sources, Written};

/// What people filter and sort by has columns of its own; the rest of an order is two pieces of JSON, of which the usual
/// order needs one.
impl KeyedFold for OrderSummary {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const EVENTS: &'static [&'static str] = &["order."];
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("order_id", "UUID NOT NULL"),
        ("number", "TEXT"),
        ("customer_id", "UUID NOT NULL"),
        ("status", "TEXT NOT NULL"),
        ("payment_status", "TEXT NOT NULL"),
        ("fulfilment_status", "TEXT NOT NULL"),
        ("total_minor", "BIGINT NOT NULL"),
        ("currency", "TEXT NOT NULL"),
        ("cancel_reason", "TEXT"),
        ("is_overdue", "BIGINT NOT NULL"),
        ("warehouse", "TEXT NOT NULL"),
        ("tracking", "TEXT"),
        ("first_sku", "TEXT"),
        ("placed_at", "TIMESTAMPTZ NOT NULL"),
        ("updated_at", "TIMESTAMPTZ NOT NULL"),
        ("lines", "JSONB NOT NULL"),
        ("details", "JSONB"),
        ("revision", "BIGINT NOT NULL"),
    ];
    const INDEXES: &'static [&'static str] = &[
        "placed_at, order_id",
        "updated_at, order_id",
        "customer_id, placed_at, order_id",
        "status, placed_at, order_id",
        "payment_status, placed_at, order_id",
        "fulfilment_status, placed_at, order_id",
        "is_overdue, placed_at, order_id",
        "first_sku, placed_at, order_id",
        "number",
        "tracking",
        "currency, total_minor",
    ];
    const SIDES: &'static [SideTable] = search::SIDES;

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
        let word = |word: &str| Value::Text(word.to_owned());
        let placed = &*row.placed;
        vec![
            Value::Uuid(placed.order.uuid()),
            Value::Text(row.number()),
            Value::Uuid(placed.customer.uuid()),
            word(placed.status.as_str()),
            word(placed.payment_status().as_str()),
            word(placed.fulfilment_status().as_str()),
            Value::Int(placed.total.minor()),
            word(placed.total.currency().code()),
            placed.cancel_reason.map_or(Value::Null, |reason| word(reason_word(reason))),
            Value::Int(placed.is_overdue.into()),
            word(placed.warehouse.as_str()),
            row.tracking().map_or(Value::Null, |tracking| Value::Text(search::handle(tracking.as_str()))),
            placed.lines.first().map_or(Value::Null, |line| word(line.sku.as_str())),
            Value::Timestamp(placed.placed_at),
            Value::Timestamp(placed.updated_at),
            Value::Json(json::write_lines(&placed.lines)),
            json::write_details(placed).map_or(Value::Null, Value::Json),
            Value::Int(i64::try_from(row.revision.value()).unwrap_or(i64::MAX)),
        ]
    }

    fn beside(rows: &Written<'_, OrderRow>) -> Vec<Vec<Vec<Value>>> {
        search::beside(rows)
    }

    /// What follows from the rest is there to be filtered by, and not read: the number, the carrier's number of the last
    /// shipment as it is searched for, the SKU of the first line, the statuses of money and pieces.
    fn read(row: &Row) -> Result<OrderRow, ReadStoreError> {
        let broken = |column, wanted| ReadStoreError::Column { column, wanted };
        let currency = Currency::from_code(row.text(7)?).ok_or(broken(7, "a currency"))?;
        let cancel_reason =
            row.optional_text(8)?.map(|word| read_reason(word).ok_or(broken(8, "a reason to cancel"))).transpose()?;
        let Details { captures, confirmed_at, payment, refunds, returns, shipments } =
            Details::read(row.optional_json(16)?).ok_or(broken(16, "an order's details"))?;
        let placed = PlacedOrder {
            order: OrderId::new(row.uuid(0)?),
            customer: CustomerId::new(row.uuid(2)?),
            lines: json::read_lines(row.json(15)?).ok_or(broken(15, "a list of order lines"))?,
            total: Money::try_new(row.int(6)?, currency).map_err(|_| broken(6, "an amount"))?,
            warehouse: Warehouse::parse(row.text(10)?).map_err(|_| broken(10, "a warehouse"))?,
            status: OrderStatus::parse(row.text(3)?).ok_or(broken(3, "an order's status"))?,
            payment,
            shipments,
            returns,
            captures,
            refunds,
            cancel_reason,
            is_overdue: row.int(9)? != 0,
            placed_at: row.timestamp(13)?,
            confirmed_at,
            updated_at: row.timestamp(14)?,
        };
        let revision = Revision::new(u64::try_from(row.int(17)?).map_err(|_| broken(17, "a revision"))?);
        Ok(OrderRow { placed: Arc::new(placed), revision })
    }

    /// Version 2 knew neither payment nor stock; what it says of an order's life holds for its pieces too.
    fn stand_in(column: &str) -> Option<&'static str> {
        match column {
            "payment_status" => Some("CAST('on_account' AS TEXT)"),
            "fulfilment_status" => {
                Some("CASE WHEN status IN ('shipped', 'delivered') THEN status ELSE 'unfulfilled' END")
            }
            "is_overdue" => Some("CAST(0 AS BIGINT)"),
            "warehouse" => Some("CAST('main' AS TEXT)"),
            _ => None,
        }
    }

    /// A customer hears of all their orders under their own id.
    fn topics(row: &OrderRow) -> Vec<Uuid> {
        vec![row.placed.customer.uuid()]
    }
}

const REASONS: [CancelReason; 6] = [
    CancelReason::Unspecified,
    CancelReason::CustomerRequest,
    CancelReason::OutOfStock,
    CancelReason::SuspectedFraud,
    CancelReason::InsufficientStock,
    CancelReason::Unpaid,
];

const fn reason_word(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Unspecified => "unspecified",
        CancelReason::CustomerRequest => "customer_request",
        CancelReason::OutOfStock => "out_of_stock",
        CancelReason::SuspectedFraud => "suspected_fraud",
        CancelReason::InsufficientStock => "insufficient_stock",
        CancelReason::Unpaid => "unpaid",
    }
}

fn read_reason(word: &str) -> Option<CancelReason> {
    REASONS.into_iter().find(|reason| reason_word(*reason) == word)
}
