//! Questions to the statistics.

use std::collections::BTreeMap;

use domain::{Timestamp, order::CancelReason, values::Currency};
use infrastructure::read_store::{Cost, Query, ReadStoreError, Value};

use super::{
    Buckets, OrderStats,
    sql::{self, What},
};
use crate::{QueryError, ServedTables};

/// What happened in one bucket, to orders of one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Where the bucket begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// Orders that were placed.
    pub placed: u64,
    /// Orders that were confirmed.
    pub confirmed: u64,
    /// Orders that were given up, by reason; reasons that nobody had are left out.
    pub cancelled: Vec<(CancelReason, u64)>,
    /// Orders of which the last piece left the house.
    pub shipped: u64,
    /// Orders that arrived.
    pub delivered: u64,
    /// Pieces that were ordered.
    pub units: u64,
    /// Money that was taken, in minor units.
    pub revenue_minor: u64,
    /// Money that was given back, in minor units.
    pub refunded_minor: u64,
}

impl Counts {
    const fn nothing(from: Timestamp, to: Timestamp) -> Self {
        Self {
            from,
            to,
            placed: 0,
            confirmed: 0,
            cancelled: Vec::new(),
            shipped: 0,
            delivered: 0,
            units: 0,
            revenue_minor: 0,
            refunded_minor: 0,
        }
    }

    /// Both together: from where this begins to where the later one ends.
    #[must_use]
    pub fn and(mut self, later: &Self) -> Self {
        self.to = later.to;
        for (what, amount) in later.amounts() {
            self.add(what, amount);
        }
        self
    }

    fn amounts(&self) -> Vec<(What, u64)> {
        let Self { placed, confirmed, shipped, delivered, units, revenue_minor, refunded_minor, .. } = *self;
        let cancelled = self.cancelled.iter().map(|(reason, orders)| (What::Cancelled(*reason), *orders));
        let others = [
            (What::Placed, placed),
            (What::Confirmed, confirmed),
            (What::Shipped, shipped),
            (What::Delivered, delivered),
            (What::Units, units),
            (What::Revenue, revenue_minor),
            (What::Refunded, refunded_minor),
        ];
        others.into_iter().chain(cancelled).collect()
    }

    fn add(&mut self, what: What, amount: u64) {
        match what {
            What::Placed => self.placed += amount,
            What::Confirmed => self.confirmed += amount,
            What::Cancelled(reason) => match self.cancelled.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, orders)) => *orders += amount,
                None => self.cancelled.push((reason, amount)),
            },
            What::Shipped => self.shipped += amount,
            What::Delivered => self.delivered += amount,
            What::Units => self.units += amount,
            What::Revenue => self.revenue_minor += amount,
            What::Refunded => self.refunded_minor += amount,
        }
    }
}

impl ServedTables<OrderStats> {
    /// What happened in each of these buckets, oldest first. Those in which nothing happened are there, too.
    pub async fn counts(&self, buckets: &Buckets, currency: Currency) -> Result<Vec<Counts>, QueryError> {
        let (from, before) = buckets.hours();
        let rows = self
            .select(|tables| Query {
                sql: sql::sums(tables, buckets.bucket).into(),
                params: vec![Value::Text(currency.code().to_owned()), Value::Int(from), Value::Int(before)],
                cost: Cost::Scan,
            })
            .await?;
        let mut counts: BTreeMap<i64, Counts> =
            buckets.spans().map(|(from, to)| (buckets.bucket.number(from), Counts::nothing(from, to))).collect();
        for row in &rows {
            let what = row.text(1)?;
            let what = What::parse(what)
                .ok_or_else(|| ReadStoreError::Corrupt(format!("order_stats counts `{what}`, which nobody knows")))?;
            let amount = u64::try_from(row.int(2)?).unwrap_or(0);
            if let Some(counts) = counts.get_mut(&row.int(0)?) {
                counts.add(what, amount);
            }
        }
        Ok(counts.into_values().collect())
    }
}
