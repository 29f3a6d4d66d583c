//! Order statistics as operators see them.

use async_graphql::{Enum, InputObject, Object, SimpleObject};
use domain::{Timestamp, values::Currency};
use projections::order_stats::{Bucket, Counts};

use crate::graphql::{
    PositionToken,
    order::OrderCancelReason,
    scalars::{CurrencyCode, Decimal, MoneyValue},
};

/// A range of time. It is widened to whole buckets.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct OrderStatsRange {
    /// Then or later.
    pub(super) from: Timestamp,
    /// Before then.
    pub(super) to: Timestamp,
}

/// How long a bucket is, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Bucket")]
pub enum OrderStatsBucket {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

/// Orders that were given up for one reason.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(super) struct OrderStatsCancelled {
    /// Why.
    reason: OrderCancelReason,
    /// How many.
    orders: u64,
}

/// What happened to orders of one currency.
#[derive(Clone, Debug)]
pub(super) struct OrderStats {
    counts: Vec<Counts>,
    currency: Currency,
    position: PositionToken,
}

impl OrderStats {
    pub(super) const fn new(counts: Vec<Counts>, currency: Currency, position: PositionToken) -> Self {
        Self { counts, currency, position }
    }
}

/// What happened to orders of one currency.
#[Object]
impl OrderStats {
    /// The currency.
    async fn currency_code(&self) -> CurrencyCode {
        CurrencyCode(self.currency.code().to_owned())
    }

    /// Bucket by bucket, oldest first; those in which nothing happened, too. At most 1,000.
    #[graphql(complexity = "20 * child_complexity")]
    async fn buckets(&self) -> Vec<OrderStatsCounts> {
        let currency = self.currency;
        self.counts.iter().cloned().map(|counts| OrderStatsCounts { counts, currency }).collect()
    }

    /// All buckets together; null if there are none.
    async fn total(&self) -> Option<OrderStatsCounts> {
        let counts = self.counts.iter().cloned().reduce(|sum, more| sum.and(&more))?;
        Some(OrderStatsCounts { counts, currency: self.currency })
    }

    /// Everything up to this position is counted.
    async fn position(&self) -> PositionToken {
        self.position
    }
}

/// What happened between two moments.
#[derive(Clone, Debug)]
pub(super) struct OrderStatsCounts {
    counts: Counts,
    currency: Currency,
}

/// What happened between two moments.
#[Object]
impl OrderStatsCounts {
    /// Then or later.
    async fn from(&self) -> Timestamp {
        self.counts.from
    }

    /// Before then.
    async fn to(&self) -> Timestamp {
        self.counts.to
    }

    /// Orders that were placed.
    async fn placed(&self) -> u64 {
        self.counts.placed
    }

    /// Orders whose pieces were reserved and whose payment was authorised. One that nothing had to be waited for is
    /// never confirmed.
    async fn confirmed(&self) -> u64 {
        self.counts.confirmed
    }

    /// Orders that were given up.
    async fn cancelled(&self) -> u64 {
        self.counts.cancelled.iter().map(|(_, orders)| orders).sum()
    }

    /// The same by reason; reasons that nobody had are left out.
    async fn cancelled_by_reason(&self) -> Vec<OrderStatsCancelled> {
        let cancelled = self.counts.cancelled.iter();
        cancelled.map(|(reason, orders)| OrderStatsCancelled { reason: (*reason).into(), orders: *orders }).collect()
    }

    /// Orders of which the last piece left the house.
    async fn shipped(&self) -> u64 {
        self.counts.shipped
    }

    /// Orders that arrived.
    async fn delivered(&self) -> u64 {
        self.counts.delivered
    }

    /// Pieces that were ordered.
    async fn units(&self) -> u64 {
        self.counts.units
    }

    /// Money that was taken.
    async fn revenue(&self) -> MoneyValue {
        money(self.counts.revenue_minor, self.currency)
    }

    /// Money that was given back.
    async fn refunded(&self) -> MoneyValue {
        money(self.counts.refunded_minor, self.currency)
    }
}

/// A sum of many amounts, which may be larger than any of them may be.
fn money(minor: u64, currency: Currency) -> MoneyValue {
    // As in `Money`: what has no exponent counts as whole units.
    let digits = usize::from(currency.exponent().unwrap_or(0));
    let text = format!("{minor:0>width$}", width = digits + 1);
    let (whole, part) = text.split_at(text.len() - digits);
    let amount = if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") };
    MoneyValue { amount: Decimal(amount), currency_code: CurrencyCode(currency.code().to_owned()) }
}

#[cfg(test)]
mod tests;
