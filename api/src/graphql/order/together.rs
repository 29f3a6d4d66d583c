//! Orders that are looked up together.

use async_graphql::{Context, Error};
use domain::values::OrderId;
use projections::{
    ReadModels, Served,
    order_summary::{OrderRow, OrderSummary},
};
use uuid::Uuid;

use super::{OrderObject, query::may_see};
use crate::graphql::{
    call::viewer,
    together::{Named, Together},
};

impl Named for OrderSummary {
    fn among(models: &ReadModels) -> &Served<Self> {
        &models.order_summary
    }

    fn key_of(row: &OrderRow) -> Uuid {
        row.placed.order.uuid()
    }
}

/// Orders of one answer, looked up at most once.
#[derive(Debug)]
pub(in crate::graphql) struct OrdersTogether(Together<OrderSummary>);

impl OrdersTogether {
    pub(in crate::graphql) fn new(wanted: impl IntoIterator<Item = OrderId>) -> Self {
        Self(Together::new(wanted.into_iter().map(OrderId::uuid)))
    }

    /// One of them; none if the read model does not show it, or it is not the caller's to see.
    pub(in crate::graphql) async fn get(
        &self,
        context: &Context<'_>,
        order: OrderId,
    ) -> Result<Option<OrderObject>, Error> {
        let viewer = viewer(context)?;
        let row = self.0.get(context, order.uuid()).await?.filter(|row| may_see(viewer, row));
        Ok(row.cloned().map(OrderObject::now))
    }
}
