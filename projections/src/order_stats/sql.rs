//! The tables of `order_stats`: counters by hour, and of each order what decides what its next event means.

use domain::{
    Event, Timestamp,
    order::{CancelReason, LinePart, OrderEvent, OrderLine},
    values::{Money, OrderId},
};
use infrastructure::{
    event_store::Revision,
    read_store::{Statement, Value},
};

use super::{
    Bucket, NAME, OrderStats, VERSION,
    bucket::{hour_of, month_of},
};
use crate::{Decoded, Invariant, SetChange, Tables};

const COUNTERS: &str = "counters";
const ORDERS: &str = "orders";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Placed,
    Confirmed,
    Cancelled(CancelReason),
    Shipped,
    Delivered,
    Units,
    Revenue,
    Refunded,
}

impl What {
    /// All of them.
    const ALL: [Self; 13] = [
        Self::Placed,
        Self::Confirmed,
        Self::Cancelled(CancelReason::Unspecified),
        Self::Cancelled(CancelReason::CustomerRequest),
        Self::Cancelled(CancelReason::OutOfStock),
        Self::Cancelled(CancelReason::SuspectedFraud),
        Self::Cancelled(CancelReason::InsufficientStock),
        Self::Cancelled(CancelReason::Unpaid),
        Self::Shipped,
        Self::Delivered,
        Self::Units,
        Self::Revenue,
        Self::Refunded,
    ];

    /// The word for it in the table.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Confirmed => "confirmed",
            Self::Cancelled(reason) => match reason {
                CancelReason::Unspecified => "cancelled.unspecified",
                CancelReason::CustomerRequest => "cancelled.customer_request",
                CancelReason::OutOfStock => "cancelled.out_of_stock",
                CancelReason::SuspectedFraud => "cancelled.suspected_fraud",
                CancelReason::InsufficientStock => "cancelled.insufficient_stock",
                CancelReason::Unpaid => "cancelled.unpaid",
            },
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Units => "units",
            Self::Revenue => "revenue",
            Self::Refunded => "refunded",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.as_str() == word)
    }
}

impl SetChange for OrderStats {
    const NAME: &'static str = NAME;
    const VERSION: u32 = VERSION;
    const EVENTS: &'static [&'static str] = &[
        "order.placed.",
        "order.confirmed.",
        "order.cancelled.",
        "order.shipped.",
        "order.delivered.",
        "order.paid.",
        "order.refunded.",
    ];
    const TABLES: &'static [&'static str] = &[COUNTERS, ORDERS];

    fn invariants(tables: &Tables) -> Vec<Invariant> {
        let (counters, orders) = (tables.name(COUNTERS), tables.name(ORDERS));
        // Both sides by currency; one that is missing on either side is a difference, too.
        let differ = |what: &str, status: &str| {
            format!(
                "SELECT count(*) FROM (SELECT currency, sum(counted) AS counted, sum(there) AS there FROM \
                 (SELECT currency, amount AS counted, 0 AS there FROM {counters} WHERE {what} \
                 UNION ALL SELECT currency, 0 AS counted, 1 AS there FROM {orders} WHERE {status}) b \
                 GROUP BY currency) s WHERE counted <> there"
            )
        };
        vec![
            Invariant { says: "every order is counted as placed once", violations: differ("what = 'placed'", "1 = 1") },
            Invariant {
                says: "every order that is cancelled is counted as cancelled once",
                violations: differ("what LIKE 'cancelled.%'", "status = 'cancelled'"),
            },
            Invariant {
                says: "every order that has left the house is counted as shipped once",
                violations: differ("what = 'shipped'", "status IN ('shipped', 'delivered')"),
            },
        ]
    }

    fn create(tables: &Tables) -> Vec<String> {
        let (counters, orders) = (tables.name(COUNTERS), tables.name(ORDERS));
        vec![
            format!(
                "CREATE TABLE IF NOT EXISTS {counters} (
                    currency TEXT NOT NULL,
                    hour BIGINT NOT NULL,
                    what TEXT NOT NULL,
                    month BIGINT NOT NULL,
                    amount BIGINT NOT NULL,
                    PRIMARY KEY (currency, hour, what)
                )"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {orders} (
                    order_id UUID NOT NULL PRIMARY KEY,
                    currency TEXT NOT NULL,
                    status TEXT NOT NULL,
                    units BIGINT NOT NULL,
                    left_to_ship BIGINT NOT NULL
                )"
            ),
        ]
    }

    fn changes(event: &Decoded, tables: &Tables) -> Vec<Statement> {
        let Event::Order(happened) = &*event.event else { return vec![] };
        let change = Change { tables, order: happened.order(), at: happened.at() };
        match happened {
            // An order begins once: with the first event of its stream.
            OrderEvent::Placed { lines, total, .. } if event.revision == Revision::FIRST => {
                change.placed(lines, *total)
            }
            OrderEvent::Confirmed { .. } => change.step(What::Confirmed, "status = 'placed'", "confirmed"),
            OrderEvent::Cancelled { reason, .. } => {
                let is_whole = "status IN ('placed', 'confirmed') AND left_to_ship = units";
                change.step(What::Cancelled(*reason), is_whole, "cancelled")
            }
            OrderEvent::Shipped { lines, .. } => change.shipped(lines),
            OrderEvent::Delivered { .. } => change.step(What::Delivered, "status = 'shipped'", "delivered"),
            OrderEvent::Paid { amount, .. } => vec![change.count(What::Revenue, amount.minor(), "1 = 1")],
            OrderEvent::Refunded { amount, .. } => vec![change.count(What::Refunded, amount.minor(), "1 = 1")],
            OrderEvent::Placed { .. }
            | OrderEvent::PaymentChosen { .. }
            | OrderEvent::PaymentFailed { .. }
            | OrderEvent::Overdue { .. }
            | OrderEvent::ReturnRequested { .. }
            | OrderEvent::ReturnReceived { .. }
            | OrderEvent::RefundRequested { .. }
            | OrderEvent::RefundFailed { .. } => vec![],
        }
    }
}

/// What an event changes.
struct Change<'a> {
    tables: &'a Tables,
    order: OrderId,
    at: Timestamp,
}

impl Change<'_> {
    fn placed(&self, lines: &[OrderLine], total: Money) -> Vec<Statement> {
        let units: i64 = lines.iter().map(|line| i64::from(line.quantity.units())).sum();
        let (counters, orders) = (self.tables.name(COUNTERS), self.tables.name(ORDERS));
        let currency = || Value::Text(total.currency().code().to_owned());
        let insert = format!(
            "INSERT INTO {orders} (order_id, currency, status, units, left_to_ship) VALUES ($1, $2, 'placed', $3, $3)"
        );
        let count = format!(
            "INSERT INTO {counters} (currency, hour, what, month, amount) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (currency, hour, what) DO UPDATE SET amount = {counters}.amount + excluded.amount"
        );
        let (hour, month) = (hour_of(self.at), month_of(self.at));
        let counted = [(What::Placed, 1), (What::Units, units)].map(|(what, amount)| {
            let what = Value::Text(what.as_str().to_owned());
            vec![currency(), Value::Int(hour), what, Value::Int(month), Value::Int(amount)]
        });
        vec![
            Statement::once(insert, vec![self.id(), currency(), Value::Int(units)]),
            Statement::each(count, counted.into()),
        ]
    }

    fn shipped(&self, parts: &[LinePart]) -> Vec<Statement> {
        let orders = self.tables.name(ORDERS);
        let is_open = "status IN ('placed', 'confirmed')";
        // Nothing named is all that is left.
        let take = if parts.is_empty() {
            Statement::once(
                format!("UPDATE {orders} SET left_to_ship = 0 WHERE order_id = $1 AND {is_open}"),
                vec![self.id()],
            )
        } else {
            let units = parts.iter().map(|part| i64::from(part.quantity.units())).sum();
            let sql = format!(
                "UPDATE {orders} SET status = 'confirmed', \
                 left_to_ship = CASE WHEN left_to_ship > $2 THEN left_to_ship - $2 ELSE 0 END \
                 WHERE order_id = $1 AND {is_open}"
            );
            Statement::once(sql, vec![self.id(), Value::Int(units)])
        };
        let all = "status IN ('placed', 'confirmed') AND left_to_ship = 0";
        [vec![take], self.step(What::Shipped, all, "shipped")].concat()
    }

    /// Counts the order if `condition` holds of it, and says what it is from then on.
    fn step(&self, what: What, condition: &str, status: &str) -> Vec<Statement> {
        let orders = self.tables.name(ORDERS);
        let sql = format!("UPDATE {orders} SET status = '{status}' WHERE order_id = $1 AND {condition}");
        vec![self.count(what, 1, condition), Statement::once(sql, vec![self.id()])]
    }

    /// Adds to a counter of the order's currency, if `condition` holds of it. An order that was never placed has none.
    fn count(&self, what: What, amount: i64, condition: &str) -> Statement {
        let (counters, orders) = (self.tables.name(COUNTERS), self.tables.name(ORDERS));
        let sql = format!(
            "INSERT INTO {counters} (currency, hour, what, month, amount) \
             SELECT currency, CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($5 AS BIGINT) \
             FROM {orders} WHERE order_id = $1 AND {condition} \
             ON CONFLICT (currency, hour, what) DO UPDATE SET amount = {counters}.amount + excluded.amount"
        );
        let (hour, month) = (Value::Int(hour_of(self.at)), Value::Int(month_of(self.at)));
        let what = Value::Text(what.as_str().to_owned());
        Statement::once(sql, vec![self.id(), hour, what, month, Value::Int(amount)])
    }

    fn id(&self) -> Value {
        Value::Uuid(self.order.uuid())
    }
}

/// The query for the sums of a currency's counters, by bucket, over a range of hours.
pub(super) fn sums(tables: &Tables, bucket: Bucket) -> String {
    let (counters, bucket) = (tables.name(COUNTERS), bucket.sql());
    format!(
        "SELECT {bucket} AS bucket, what, CAST(sum(amount) AS BIGINT) AS amount FROM {counters} \
         WHERE currency = $1 AND hour >= $2 AND hour < $3 GROUP BY {bucket}, what ORDER BY bucket, what"
    )
}
