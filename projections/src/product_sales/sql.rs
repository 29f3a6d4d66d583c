//! The tables of `product_sales`: counters by product, and the lines that a cancelled order gives back.

use domain::{
    Event,
    order::{OrderEvent, OrderLine},
    values::OrderId,
};
use infrastructure::read_store::{Statement, Value};

use super::{NAME, ProductSales, VERSION};
use crate::{Decoded, Invariant, SetChange, Tables};

const COUNTERS: &str = "counters";
const LINES: &str = "lines";

impl SetChange for ProductSales {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const EVENTS: &'static [&'static str] = &["order.placed.", "order.cancelled."];
    const TABLES: &'static [&'static str] = &[COUNTERS, LINES];

    fn invariants(tables: &Tables) -> Vec<Invariant> {
        let (counters, lines) = (tables.name(COUNTERS), tables.name(LINES));
        vec![Invariant {
            says: "each counter is the sum of the lines that made it",
            violations: format!(
                "SELECT count(*) FROM {counters} c LEFT JOIN \
                 (SELECT product_id, sum(units) AS units, count(*) AS orders FROM {lines} GROUP BY product_id) l \
                 ON l.product_id = c.product_id \
                 WHERE c.units <> coalesce(l.units, 0) OR c.orders <> coalesce(l.orders, 0)"
            ),
        }]
    }

    fn create(tables: &Tables) -> Vec<String> {
        let (counters, lines) = (tables.name(COUNTERS), tables.name(LINES));
        vec![
            format!(
                "CREATE TABLE IF NOT EXISTS {counters} (
                    product_id UUID NOT NULL PRIMARY KEY,
                    units BIGINT NOT NULL,
                    orders BIGINT NOT NULL
                )"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {lines} (
                    order_id UUID NOT NULL,
                    product_id UUID NOT NULL,
                    units BIGINT NOT NULL,
                    PRIMARY KEY (order_id, product_id)
                )"
            ),
        ]
    }

    fn changes(event: &Decoded, tables: &Tables) -> Vec<Statement> {
        match &*event.event {
            Event::Order(OrderEvent::Placed { order, lines, .. }) => placed(*order, lines, tables),
            Event::Order(OrderEvent::Cancelled { order, .. }) => cancelled(*order, tables),
            // What is ordered stays ordered while it is paid for and travels, and when it comes back.
            Event::Order(
                OrderEvent::PaymentChosen { .. }
                | OrderEvent::PaymentFailed { .. }
                | OrderEvent::Confirmed { .. }
                | OrderEvent::Shipped { .. }
                | OrderEvent::Delivered { .. }
                | OrderEvent::Overdue { .. }
                | OrderEvent::Paid { .. }
                | OrderEvent::ReturnRequested { .. }
                | OrderEvent::ReturnReceived { .. }
                | OrderEvent::RefundRequested { .. }
                | OrderEvent::Refunded { .. }
                | OrderEvent::RefundFailed { .. },
            )
            | Event::Product(_)
            | Event::Stock(_)
            | Event::Payment(_)
            | Event::Profile(_)
            | Event::Handle(_)
            | Event::Follow(_)
            | Event::Post(_)
            | Event::Reaction(_)
            | Event::Inbox(_)
            | Event::Operator(_) => vec![],
        }
    }
}

fn placed(order: OrderId, order_lines: &[OrderLine], tables: &Tables) -> Vec<Statement> {
    let (counters, lines) = (tables.name(COUNTERS), tables.name(LINES));
    let rows = order_lines.iter().map(|line| {
        vec![Value::Uuid(order.uuid()), Value::Uuid(line.product.uuid()), Value::Int(i64::from(line.quantity.units()))]
    });
    let add_lines = format!(
        "INSERT INTO {lines} (order_id, product_id, units) VALUES ($1, $2, $3) \
         ON CONFLICT (order_id, product_id) DO UPDATE SET units = {lines}.units + excluded.units"
    );
    let count = format!(
        "INSERT INTO {counters} (product_id, units, orders) \
         SELECT product_id, units, 1 FROM {lines} WHERE order_id = $1 \
         ON CONFLICT (product_id) DO UPDATE \
         SET units = {counters}.units + excluded.units, orders = {counters}.orders + 1"
    );
    vec![Statement::each(add_lines, rows.collect()), Statement::once(count, vec![Value::Uuid(order.uuid())])]
}

fn cancelled(order: OrderId, tables: &Tables) -> Vec<Statement> {
    let (counters, lines) = (tables.name(COUNTERS), tables.name(LINES));
    let give_back = format!(
        "UPDATE {counters} SET \
         units = units - (SELECT units FROM {lines} \
                          WHERE order_id = $1 AND {lines}.product_id = {counters}.product_id), \
         orders = orders - 1 \
         WHERE product_id IN (SELECT product_id FROM {lines} WHERE order_id = $1)"
    );
    let forget = format!("DELETE FROM {lines} WHERE order_id = $1");
    vec![
        Statement::once(give_back, vec![Value::Uuid(order.uuid())]),
        Statement::once(forget, vec![Value::Uuid(order.uuid())]),
    ]
}

/// The query for one product's counters.
pub(super) fn counters(tables: &Tables) -> String {
    format!("SELECT units, orders FROM {} WHERE product_id = $1", tables.name(COUNTERS))
}
