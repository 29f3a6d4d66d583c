//! Commands to orders. Customers place, pay, cancel and send back their own; operators do everything.

mod errors;
mod inputs;

use std::collections::BTreeSet;

use async_graphql::{Context, Error, Object};
use domain::{
    order::{Catalogue, ORDER_LINES_MAX, OrderCommand, OrderRejection, OrderState, RequestedLine},
    values::{OrderId, ProductId, RefundId},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use infrastructure::{
    event_store::Revision,
    execute::{Executed, Request},
};
use projections::order_summary::OrderRow;

use self::{
    errors::{OrderErrorCode, OrderUserError, rejected},
    inputs::{
        OrderCancelInput, OrderDeliverInput, OrderPayInput, OrderPlaceInput, OrderRefundInput, OrderReturnReceiveInput,
        OrderReturnRequestInput, OrderShipInput, Placement,
    },
};
use super::{OrderObject, query::may_see};
use crate::{
    auth::{Role, Viewer},
    config::OnAccount,
    graphql::{
        call::{self, CommandIdentity, Failure, execute_error, expected, operator, services, viewer},
        node::target,
        user_error::{Done, path, payloads},
    },
};

/// Products that are looked at at the same time: in a cluster, each look may be a round trip to the event store.
const LOOKS_AT_ONCE: usize = 16;

/// What came of a command: the order after it, or everything that was wrong.
type Outcome = Result<Done<OrderObject>, Vec<OrderUserError>>;

payloads! {
    order: OrderObject, error: OrderUserError;
    /// What came of `orderPlace`.
    OrderPlacePayload
    /// What came of `orderPay`.
    OrderPayPayload
    /// What came of `orderCancel`.
    OrderCancelPayload
    /// What came of `orderShip`.
    OrderShipPayload
    /// What came of `orderDeliver`.
    OrderDeliverPayload
    /// What came of `orderReturnRequest`.
    OrderReturnRequestPayload
    /// What came of `orderReturnReceive`.
    OrderReturnReceivePayload
    /// What came of `orderRefund`.
    OrderRefundPayload
}

/// `orderPlace`, `orderPay`, `orderCancel`, `orderShip`, `orderDeliver`, `orderReturnRequest`, `orderReturnReceive`,
/// `orderRefund`.
#[derive(Debug, Default)]
pub(crate) struct OrderMutation;

#[Object]
impl OrderMutation {
    /// Buys at the catalogue's prices of this moment. Answers as soon as the order is written; that its pieces are
    /// reserved and its payment is authorised shows in `status` later, live over `orderUpdates`.
    async fn order_place(&self, context: &Context<'_>, input: OrderPlaceInput) -> Result<OrderPlacePayload, Error> {
        let viewer = viewer(context)?;
        let customer = viewer.customer();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderPlace", key, &input)?;
        let Placement { lines, payment, warehouse } = match input.check(pays_at_once(context, viewer)) {
            Ok(placement) => placement,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let order = OrderId::new(identity.new_object("order"));
        let catalogue = catalogue(context, &lines).await?;
        let command = OrderCommand::Place { order, customer, lines, catalogue, warehouse, payment };
        Ok(execute(context, order, command, identity, None).await?.into())
    }

    /// Pays with another token, after the payment before was declined.
    async fn order_pay(&self, context: &Context<'_>, input: OrderPayInput) -> Result<OrderPayPayload, Error> {
        let by = viewer(context)?.party();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderPay", key, &input)?;
        let order = target(&input.id)?;
        Ok(match input.command(by) {
            Err(errors) => Err(errors).into(),
            Ok(command) => execute(context, order, command, identity, input.expected_version).await?.into(),
        })
    }

    /// Gives an order up of which nothing is on its way yet.
    async fn order_cancel(&self, context: &Context<'_>, input: OrderCancelInput) -> Result<OrderCancelPayload, Error> {
        let by = viewer(context)?.party();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderCancel", key, &input)?;
        let order = target(&input.id)?;
        Ok(execute(context, order, input.command(by), identity, input.expected_version).await?.into())
    }

    /// Says that something of an order left the house, or all that was left. For operators.
    async fn order_ship(&self, context: &Context<'_>, input: OrderShipInput) -> Result<OrderShipPayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderShip", key, &input)?;
        let order = target(&input.id)?;
        Ok(match input.command() {
            Err(errors) => Err(errors).into(),
            Ok(command) => execute(context, order, command, identity, input.expected_version).await?.into(),
        })
    }

    /// Says that an order has arrived, all of it. For operators.
    async fn order_deliver(
        &self,
        context: &Context<'_>,
        input: OrderDeliverInput,
    ) -> Result<OrderDeliverPayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderDeliver", key, &input)?;
        let order = target(&input.id)?;
        Ok(execute(context, order, OrderCommand::Deliver, identity, input.expected_version).await?.into())
    }

    /// Asks to send back what has left the house.
    async fn order_return_request(
        &self,
        context: &Context<'_>,
        input: OrderReturnRequestInput,
    ) -> Result<OrderReturnRequestPayload, Error> {
        let by = viewer(context)?.party();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderReturnRequest", key, &input)?;
        let order = target(&input.id)?;
        Ok(match input.command(by) {
            Err(errors) => Err(errors).into(),
            Ok(command) => execute(context, order, command, identity, input.expected_version).await?.into(),
        })
    }

    /// Says that what was to come back is here. For operators.
    async fn order_return_receive(
        &self,
        context: &Context<'_>,
        input: OrderReturnReceiveInput,
    ) -> Result<OrderReturnReceivePayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderReturnReceive", key, &input)?;
        let order = target(&input.id)?;
        Ok(execute(context, order, input.command(), identity, input.expected_version).await?.into())
    }

    /// Gives money back that was taken: for some pieces, or some amount. For operators.
    async fn order_refund(&self, context: &Context<'_>, input: OrderRefundInput) -> Result<OrderRefundPayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderRefund", key, &input)?;
        let order = target(&input.id)?;
        let refund = RefundId::new(identity.new_object("refund"));
        Ok(match input.command(refund)? {
            Err(errors) => Err(errors).into(),
            Ok(command) => execute(context, order, command, identity, input.expected_version).await?.into(),
        })
    }
}

/// Whether whoever calls has to say at once how they pay.
fn pays_at_once(context: &Context<'_>, viewer: &Viewer) -> bool {
    match (viewer.role, services(context).on_account) {
        (Role::Customer, OnAccount::Operators) => true,
        (Role::Operator, OnAccount::Operators) | (Role::Customer | Role::Operator, OnAccount::Everybody) => false,
    }
}

/// What the catalogue says at this moment: from the products' own streams, which never lag.
async fn catalogue(context: &Context<'_>, lines: &[RequestedLine]) -> Result<Catalogue, Error> {
    let products = &services(context).products;
    // An order of too many lines is refused anyway; it must not cost a look at each of them.
    let wanted: BTreeSet<ProductId> = lines.iter().take(ORDER_LINES_MAX).map(|line| line.product).collect();
    let looks = stream::iter(wanted).map(async |product| {
        let current = products.current(product.uuid()).await.map_err(execute_error)?;
        Ok((product, current.state.as_ref().clone()))
    });
    looks.buffer_unordered(LOOKS_AT_ONCE).try_collect().await
}

async fn execute(
    context: &Context<'_>,
    order: OrderId,
    command: OrderCommand,
    identity: CommandIdentity,
    expected_version: Option<i32>,
) -> Result<Outcome, Error> {
    let is_placement = matches!(command, OrderCommand::Place { .. });
    let request = Request {
        stream: order.uuid(),
        command,
        is_fresh: is_placement && !identity.is_keyed,
        metadata: identity.metadata,
        expected: expected(expected_version)?,
    };
    Ok(match call::execute(&services(context).orders, request).await? {
        Ok(executed) => Ok(done(&executed)),
        Err(Failure::Rejected(rejection)) => Err(rejected(&rejection)),
        Err(Failure::Conflict { current }) => Err(vec![conflict(context, order, current).await?]),
    })
}

/// What is said of a wrong `expectedVersion`. For whoever may not see the order, there is none at any version.
async fn conflict(context: &Context<'_>, order: OrderId, version: Option<Revision>) -> Result<OrderUserError, Error> {
    let current = services(context).orders.current(order.uuid()).await.map_err(execute_error)?;
    let row = current.revision.and_then(|revision| OrderRow::of(&current.state, revision));
    let viewer = viewer(context)?;
    if !row.is_some_and(|row| may_see(viewer, &row)) {
        return Ok(OrderUserError::new(OrderErrorCode::NotFound, &OrderRejection::NotFound, path([&"id"])));
    }
    let message = "the order has changed meanwhile";
    Ok(OrderUserError {
        current_version: version.map(call::version),
        ..OrderUserError::new(OrderErrorCode::VersionConflict, &message, path([&"expectedVersion"]))
    })
}

fn done(executed: &Executed<OrderState>) -> Done<OrderObject> {
    let row = executed.revision.and_then(|revision| OrderRow::of(&executed.state, revision));
    Done::new(row.map(OrderObject::now), executed)
}
