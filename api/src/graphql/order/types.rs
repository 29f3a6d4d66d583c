//! An order as clients see it.

use async_graphql::{Context, Enum, Error, ID, Object, SimpleObject};
use domain::{Timestamp, order, values::CustomerId};
use projections::order_summary::{self, OrderRow};

use crate::graphql::{
    behind::RowBehind,
    call::{services, version},
    node::global,
    product::{self, ProductObject},
    scalars::MoneyValue,
};

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order_summary::OrderStatus")]
pub enum OrderStatus {
    /// Bought, in the house.
    Placed,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Given up.
    Cancelled,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "order::CancelReason")]
pub enum OrderCancelReason {
    /// Nobody said.
    Unspecified,
    /// The customer changed their mind.
    CustomerRequest,
    /// The shop cannot deliver.
    OutOfStock,
    /// The shop does not trust it.
    SuspectedFraud,
}

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
pub(crate) struct OrderObject(pub(in crate::graphql) OrderRow);

/// What a customer bought, at the prices of that moment.
#[Object(name = "Order")]
impl OrderObject {
    /// The global id, opaque.
    pub(in crate::graphql) async fn id(&self) -> ID {
        global(self.0.order)
    }

    /// A short name of the order for people to read out. Not an id.
    async fn number(&self) -> String {
        number(&self.0)
    }

    /// Who bought.
    async fn customer(&self) -> Customer {
        Customer::new(self.0.customer)
    }

    /// Where it is in its life.
    async fn status(&self) -> OrderStatus {
        self.0.status.into()
    }

    /// What, how many, at which price. At most 500, kept with the order and read with it, so they come whole.
    #[graphql(complexity = "5 + child_complexity")]
    async fn lines(&self) -> Vec<OrderLineObject> {
        self.0.lines.iter().cloned().map(OrderLineObject).collect()
    }

    /// The sum of the lines.
    async fn total(&self) -> MoneyValue {
        self.0.total.into()
    }

    /// Why it was cancelled, if it was.
    async fn cancel_reason(&self) -> Option<OrderCancelReason> {
        self.0.cancel_reason.map(Into::into)
    }

    /// The carrier's number, if it is shipped and has one.
    async fn tracking_number(&self) -> Option<&str> {
        self.0.tracking.as_ref().map(domain::values::Label::as_str)
    }

    /// When it was placed.
    async fn placed_at(&self) -> Timestamp {
        self.0.placed_at
    }

    /// When anything about it changed last.
    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }

    /// Counts its changes. Give it as `expectedVersion` to change it only if nobody else did meanwhile.
    async fn version(&self) -> i32 {
        version(self.0.revision)
    }

    /// What of it the read model does not show because an event cannot be applied; null if nothing.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn behind(&self, context: &Context<'_>) -> Result<Option<RowBehind>, Error> {
        RowBehind::of(context, services(context).read_models.order_summary.behind(self.0.order.uuid()))
    }
}

/// One line of an order.
#[derive(Clone, Debug)]
pub(super) struct OrderLineObject(order::OrderLine);

/// One product of an order, at the price it was sold for.
#[Object(name = "OrderLine")]
impl OrderLineObject {
    /// The product as it is today; null if the catalogue does not show it (yet).
    #[graphql(complexity = "5 + child_complexity")]
    async fn product(&self, context: &Context<'_>) -> Result<Option<ProductObject>, Error> {
        // One indexed row in the same process: cheaper than collecting ids for a batch.
        product::find(context, self.0.product, None).await
    }

    /// The product's SKU.
    async fn sku(&self) -> &str {
        self.0.sku.as_str()
    }

    /// The product's name when it was sold.
    async fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// How many pieces.
    async fn quantity(&self) -> u32 {
        self.0.quantity.units()
    }

    /// The price of one piece when it was sold.
    async fn unit_price(&self) -> MoneyValue {
        self.0.unit_price.into()
    }

    /// The price of all pieces.
    #[expect(clippy::unused_async, reason = "async-graphql asks for it")]
    async fn total(&self) -> Result<MoneyValue, Error> {
        // It was computed when the order was placed, or there would be no order.
        self.0.unit_price.checked_mul(self.0.quantity).map(Into::into).map_err(crate::engine::internal)
    }
}

/// Eight characters of Crockford's base 32 (no I, L, O, U) out of the id's random bits.
fn number(row: &OrderRow) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = row.order.uuid().as_u128();
    let digit = |place: u32| char::from(DIGITS[usize::try_from((bits >> (place * 5)) & 31).unwrap_or_default()]);
    (0..8).rev().map(digit).collect()
}
