//! `orderStats`: what happened to orders, by the hour, the day or the month.

use async_graphql::{Context, Error, Object};
use domain::values::Currency;
use projections::order_stats::Buckets;

use super::types::{OrderStats, OrderStatsBucket, OrderStatsRange};
use crate::{
    error_code::ErrorCode,
    graphql::{
        PositionToken,
        call::{operator, services},
        read::{query_error, ready_tables},
        scalars::CurrencyCode,
    },
};

/// `orderStats`.
#[derive(Debug, Default)]
pub(crate) struct OrderStatsQuery;

#[Object]
impl OrderStatsQuery {
    /// What happened to orders of one currency, oldest first. Each thing counts in the bucket in which it happened: an
    /// order that was placed in March and cancelled in April is one more of the placed in March, and one more of the
    /// cancelled in April. For operators.
    #[graphql(complexity = "50 + child_complexity")]
    async fn order_stats(
        &self,
        context: &Context<'_>,
        range: OrderStatsRange,
        bucket: OrderStatsBucket,
        currency: CurrencyCode,
        min_position: Option<PositionToken>,
    ) -> Result<OrderStats, Error> {
        operator(context)?;
        let currency = Currency::from_code(&currency.0)
            .ok_or_else(|| ErrorCode::BadUserInput.error("`currency` is not an ISO 4217 currency code"))?;
        let buckets = Buckets::of(bucket.into(), range.from, range.to)
            .map_err(|error| ErrorCode::BadUserInput.error(format!("`range`: {error}")))?;
        let stats = ready_tables(context, &services(context).read_models.order_stats, min_position).await?;
        let position = PositionToken(stats.position());
        let counts = stats.counts(&buckets, currency).await.map_err(query_error)?;
        Ok(OrderStats::new(counts, currency, position))
    }
}
