//! An order as clients see it.

mod parts;
mod status;

use std::sync::Arc;

use async_graphql::{Context, Error, ID, Object, SimpleObject};
use domain::{Timestamp, values::CustomerId};
use projections::order_summary::OrderRow;

pub(super) use self::parts::OrderLinePart;
use self::parts::{OrderCapture, OrderLineObject, OrderRefund, OrderReturn, OrderShipment};
pub(in crate::graphql) use self::status::OrderCancelReason;
pub(super) use self::status::{OrderFulfilmentStatus, OrderPaymentStatus, OrderStatus, PaymentDeclineReason};
use super::{
    history::{self, OrderEventConnection},
    payments::{self, PaymentObject, SeenAt},
};
use crate::graphql::{
    behind::RowBehind,
    call::{services, version},
    connection::Cursor,
    node::global,
    product::ProductsTogether,
    scalars::MoneyValue,
};

/// Who buys.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct Customer {
    /// The global id, opaque.
    id: ID,
}

impl Customer {
    fn new(customer: CustomerId) -> Self {
        Self { id: global(customer) }
    }
}

/// An order.
#[derive(Clone, Debug)]
pub(crate) struct OrderObject(pub(in crate::graphql) OrderRow, pub(in crate::graphql) SeenAt);

impl OrderObject {
    /// The order as it is, as far as whoever shows it knows.
    pub(in crate::graphql) const fn now(row: OrderRow) -> Self {
        Self(row, SeenAt::Now)
    }
}

/// What a customer bought, at the prices of that moment.
#[Object(name = "Order")]
impl OrderObject {
    /// The global id, opaque.
    pub(in crate::graphql) async fn id(&self) -> ID {
        global(self.0.placed.order)
    }

    /// A short name of the order for people to read out. Not an id.
    async fn number(&self) -> String {
        self.0.number()
    }

    /// Who bought.
    async fn customer(&self) -> Customer {
        Customer::new(self.0.placed.customer)
    }

    /// Where it is in its life.
    async fn status(&self) -> OrderStatus {
        self.0.placed.status.into()
    }

    /// How far its payment is.
    async fn payment_status(&self) -> OrderPaymentStatus {
        self.0.placed.payment_status().into()
    }

    /// How far its pieces are.
    async fn fulfilment_status(&self) -> OrderFulfilmentStatus {
        self.0.placed.fulfilment_status().into()
    }

    /// Whether it should have left the house by now.
    async fn is_overdue(&self) -> bool {
        self.0.placed.is_overdue
    }

    /// What, how many, at which price. At most 500, kept with the order and read with it, so they come whole.
    #[graphql(complexity = "5 + child_complexity")]
    async fn lines(&self) -> Vec<OrderLineObject> {
        let lines = &self.0.placed.lines;
        let products = Arc::new(ProductsTogether::new(lines.iter().map(|line| line.product)));
        let lines = lines.iter().cloned().enumerate();
        lines.map(|(index, line)| OrderLineObject { index, line, products: Arc::clone(&products) }).collect()
    }

    /// The sum of the lines.
    async fn total(&self) -> MoneyValue {
        self.0.placed.total.into()
    }

    /// The warehouse it leaves.
    async fn warehouse(&self) -> &str {
        self.0.placed.warehouse.as_str()
    }

    /// Why it was cancelled, if it was.
    async fn cancel_reason(&self) -> Option<OrderCancelReason> {
        self.0.placed.cancel_reason.map(Into::into)
    }

    /// Why its last payment was declined; null if it was not.
    async fn payment_declined(&self) -> Option<PaymentDeclineReason> {
        self.0.placed.payment.and_then(|payment| payment.declined).map(Into::into)
    }

    /// The carrier's number of its last shipment, if there is one.
    async fn tracking_number(&self) -> Option<&str> {
        self.0.tracking().map(domain::values::Label::as_str)
    }

    /// What left the house, in order.
    #[graphql(complexity = "5 + child_complexity")]
    async fn shipments(&self) -> Vec<OrderShipment> {
        self.0.placed.shipments.iter().enumerate().map(OrderShipment::new).collect()
    }

    /// What comes back, in order.
    #[graphql(complexity = "5 + child_complexity")]
    async fn returns(&self) -> Vec<OrderReturn> {
        self.0.placed.returns.iter().enumerate().map(OrderReturn::new).collect()
    }

    /// Money that was taken, in order.
    #[graphql(complexity = "5 + child_complexity")]
    async fn captures(&self) -> Vec<OrderCapture> {
        self.0.placed.captures.iter().map(OrderCapture::new).collect()
    }

    /// Money that is given back, in order.
    #[graphql(complexity = "5 + child_complexity")]
    async fn refunds(&self) -> Vec<OrderRefund> {
        self.0.placed.refunds.iter().map(OrderRefund::new).collect()
    }

    /// Its payments: each attempt to be paid for it, in order, and behind it each time that its money was asked for again,
    /// because it was held too long. Empty for an order on account.
    ///
    /// They are read from their own events, so they are never behind, and may be a moment ahead of the order's other fields.
    /// Of an order as it was, or in a subscription, they are as they were then.
    #[graphql(complexity = "10 + child_complexity")]
    async fn payments(&self, context: &Context<'_>) -> Result<Vec<PaymentObject>, Error> {
        payments::of_order(context, &self.0, self.1).await
    }

    /// The sum of the money that was taken.
    async fn paid(&self) -> MoneyValue {
        self.0.placed.captured().into()
    }

    /// The sum of the money that was given back.
    async fn refunded(&self) -> MoneyValue {
        self.0.placed.refunded().into()
    }

    /// What of the money that was taken is not given back, nor is going to be.
    async fn refundable(&self) -> MoneyValue {
        self.0.placed.refundable().into()
    }

    /// What happened to it, oldest first, as far as it shows here.
    #[graphql(complexity = "5 + first.or(last).unwrap_or(1).clamp(1, 100) as usize * (child_complexity + 1)")]
    async fn history(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<Cursor>,
        last: Option<i32>,
        before: Option<Cursor>,
    ) -> Result<OrderEventConnection, Error> {
        history::page(context, &self.0, history::Part { first, after, last, before }).await
    }

    /// When it was placed.
    async fn placed_at(&self) -> Timestamp {
        self.0.placed.placed_at
    }

    /// When it was confirmed; null if it was not.
    async fn confirmed_at(&self) -> Option<Timestamp> {
        self.0.placed.confirmed_at
    }

    /// When anything about it changed last.
    async fn updated_at(&self) -> Timestamp {
        self.0.placed.updated_at
    }

    /// Counts its changes. Give it as `expectedVersion` to change it only if nobody else did meanwhile.
    async fn version(&self) -> i32 {
        version(self.0.revision)
    }

    /// What of it the read model does not show because an event cannot be applied; null if nothing.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn behind(&self, context: &Context<'_>) -> Result<Option<RowBehind>, Error> {
        RowBehind::of(context, services(context).read_models.order_summary.behind(self.0.placed.order.uuid()))
    }
}
