//! Commands to orders. Customers place and cancel their own; operators do everything.

use std::{collections::hash_map::Entry, fmt::Display};

use async_graphql::{Context, Enum, Error, ID, InputObject, Object, SimpleObject};
use domain::{
    order::{Catalogue, LineProblem, OrderCommand, OrderRejection, OrderState, RequestedLine},
    values::{Label, OrderId, ProductId, Quantity},
};
use infrastructure::{
    event_store::Revision,
    execute::{Executed, Request},
};
use projections::order_summary::OrderRow;

use super::{OrderObject, query::may_see, types::OrderCancelReason};
use crate::graphql::{
    PositionToken,
    call::{self, CommandIdentity, Failure, execute_error, expected, operator, services, viewer},
    node::{global, local, target},
    user_error::{path, payload},
};

/// What to buy.
#[derive(Debug, InputObject)]
struct OrderPlaceInput {
    /// What and how many, 1 to 500 lines. Prices come from the catalogue.
    lines: Vec<OrderLineInput>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// One product to buy.
#[derive(Debug, InputObject)]
struct OrderLineInput {
    /// The product.
    product_id: ID,
    /// How many, 1 to 100,000.
    quantity: i32,
}

/// An order to give up.
#[derive(Debug, InputObject)]
struct OrderCancelInput {
    /// The order.
    id: ID,
    /// Why.
    #[graphql(default_with = "OrderCancelReason::CustomerRequest")]
    reason: OrderCancelReason,
    /// Do it only if the order is at this version.
    expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// An order that leaves the house.
#[derive(Debug, InputObject)]
struct OrderShipInput {
    /// The order.
    id: ID,
    /// The carrier's number, 1 to 200 characters.
    tracking_number: Option<String>,
    /// Do it only if the order is at this version.
    expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// An order that has arrived.
#[derive(Debug, InputObject)]
struct OrderDeliverInput {
    /// The order.
    id: ID,
    /// Do it only if the order is at this version.
    expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// What can be wrong with an order's mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum OrderErrorCode {
    /// There are no lines.
    NoLines,
    /// There are over 500 lines.
    TooManyLines,
    /// A quantity is not 1 to 100,000.
    InvalidQuantity,
    /// There is no such product.
    UnknownProduct,
    /// The product is offered no longer.
    RetiredProduct,
    /// The products are priced in different currencies.
    MixedCurrencies,
    /// A line or the order is worth more than an amount can say.
    TotalTooLarge,
    /// The tracking number is empty, too long or holds control characters.
    InvalidTrackingNumber,
    /// There is no such order, or it is not yours.
    NotFound,
    /// The order was placed already.
    AlreadyPlaced,
    /// The order was shipped already.
    AlreadyShipped,
    /// The order was delivered already.
    AlreadyDelivered,
    /// The order is cancelled.
    Cancelled,
    /// The order is not shipped yet.
    NotShipped,
    /// The order is not at `expectedVersion`.
    VersionConflict,
}

/// Something wrong with an order's mutation.
#[derive(Debug, SimpleObject)]
struct OrderUserError {
    /// What, for programs.
    code: OrderErrorCode,
    /// What, for people.
    message: String,
    /// Where in the input.
    field: Vec<String>,
    /// For errors of a line: its product.
    product_id: Option<ID>,
    /// For `VERSION_CONFLICT`: the version it is at.
    current_version: Option<i32>,
}

impl OrderUserError {
    fn new(code: OrderErrorCode, message: &dyn Display, field: Vec<String>) -> Self {
        Self { code, message: message.to_string(), field, product_id: None, current_version: None }
    }
}

payload! {
    /// What came of `orderPlace`.
    OrderPlacePayload { order: OrderObject, error: OrderUserError }
}
payload! {
    /// What came of `orderCancel`.
    OrderCancelPayload { order: OrderObject, error: OrderUserError }
}
payload! {
    /// What came of `orderShip`.
    OrderShipPayload { order: OrderObject, error: OrderUserError }
}
payload! {
    /// What came of `orderDeliver`.
    OrderDeliverPayload { order: OrderObject, error: OrderUserError }
}

/// `orderPlace`, `orderCancel`, `orderShip`, `orderDeliver`.
#[derive(Debug, Default)]
pub(crate) struct OrderMutation;

#[Object]
impl OrderMutation {
    /// Buys at the catalogue's prices of this moment.
    async fn order_place(&self, context: &Context<'_>, input: OrderPlaceInput) -> Result<OrderPlacePayload, Error> {
        let customer = viewer(context)?.customer();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderPlace", key, &input)?;
        let lines = match requested_lines(&input.lines) {
            Ok(lines) => lines,
            Err(errors) => return Ok(OrderPlacePayload::refused(errors)),
        };
        let order = OrderId::new(identity.new_object("order"));
        let catalogue = catalogue(context, &lines).await?;
        let command = OrderCommand::Place { order, customer, lines, catalogue };
        Ok(match execute(context, order, command, identity, None).await? {
            Err(errors) => OrderPlacePayload::refused(errors),
            Ok(Done { order, position, is_repeat }) => {
                OrderPlacePayload { order, user_errors: vec![], position: Some(position), is_repeat }
            }
        })
    }

    /// Gives an order up that is not on its way yet.
    async fn order_cancel(&self, context: &Context<'_>, input: OrderCancelInput) -> Result<OrderCancelPayload, Error> {
        let by = viewer(context)?.party();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderCancel", key, &input)?;
        let command = OrderCommand::Cancel { by, reason: input.reason.into() };
        Ok(match execute(context, target(&input.id)?, command, identity, input.expected_version).await? {
            Err(errors) => OrderCancelPayload::refused(errors),
            Ok(Done { order, position, is_repeat }) => {
                OrderCancelPayload { order, user_errors: vec![], position: Some(position), is_repeat }
            }
        })
    }

    /// Says that an order left the house. For operators.
    async fn order_ship(&self, context: &Context<'_>, input: OrderShipInput) -> Result<OrderShipPayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderShip", key, &input)?;
        let tracking = match input.tracking_number.as_deref().map(Label::parse).transpose() {
            Ok(tracking) => tracking,
            Err(error) => {
                let code = OrderErrorCode::InvalidTrackingNumber;
                let error = OrderUserError::new(code, &error, path([&"trackingNumber"]));
                return Ok(OrderShipPayload::refused(vec![error]));
            }
        };
        let command = OrderCommand::Ship { tracking };
        Ok(match execute(context, target(&input.id)?, command, identity, input.expected_version).await? {
            Err(errors) => OrderShipPayload::refused(errors),
            Ok(Done { order, position, is_repeat }) => {
                OrderShipPayload { order, user_errors: vec![], position: Some(position), is_repeat }
            }
        })
    }

    /// Says that an order has arrived. For operators.
    async fn order_deliver(
        &self,
        context: &Context<'_>,
        input: OrderDeliverInput,
    ) -> Result<OrderDeliverPayload, Error> {
        operator(context)?;
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "orderDeliver", key, &input)?;
        let order = target(&input.id)?;
        Ok(match execute(context, order, OrderCommand::Deliver, identity, input.expected_version).await? {
            Err(errors) => OrderDeliverPayload::refused(errors),
            Ok(Done { order, position, is_repeat }) => {
                OrderDeliverPayload { order, user_errors: vec![], position: Some(position), is_repeat }
            }
        })
    }
}

/// The lines as values; everything that is wrong with them at once.
fn requested_lines(lines: &[OrderLineInput]) -> Result<Vec<RequestedLine>, Vec<OrderUserError>> {
    let mut requested = Vec::with_capacity(lines.len());
    let mut errors = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let quantity = Quantity::try_new(i64::from(line.quantity));
        let product: Option<ProductId> = local(&line.product_id);
        if product.is_none() {
            errors.push(OrderUserError {
                product_id: Some(line.product_id.clone()),
                ..OrderUserError::new(
                    OrderErrorCode::UnknownProduct,
                    &"there is no such product",
                    path([&"lines", &index, &"productId"]),
                )
            });
        }
        match (product, quantity) {
            (Some(product), Ok(quantity)) => requested.push(RequestedLine { product, quantity }),
            (_, Err(error)) => errors.push(OrderUserError::new(
                OrderErrorCode::InvalidQuantity,
                &error,
                path([&"lines", &index, &"quantity"]),
            )),
            (None, Ok(_)) => {}
        }
    }
    if errors.is_empty() { Ok(requested) } else { Err(errors) }
}

/// What the catalogue says at this moment: from the products' own streams, which never lag.
async fn catalogue(context: &Context<'_>, lines: &[RequestedLine]) -> Result<Catalogue, Error> {
    let mut catalogue = Catalogue::with_capacity(lines.len());
    // An order of too many lines is refused anyway; it must not cost a look at each of them.
    for line in lines.iter().take(domain::order::ORDER_LINES_MAX) {
        if let Entry::Vacant(vacant) = catalogue.entry(line.product) {
            let current = services(context).products.current(line.product.uuid()).await.map_err(execute_error)?;
            vacant.insert(current.state.as_ref().clone());
        }
    }
    Ok(catalogue)
}

/// What a payload says of a command that took effect.
struct Done {
    order: Option<OrderObject>,
    position: PositionToken,
    is_repeat: bool,
}

async fn execute(
    context: &Context<'_>,
    order: OrderId,
    command: OrderCommand,
    identity: CommandIdentity,
    expected_version: Option<i32>,
) -> Result<Result<Done, Vec<OrderUserError>>, Error> {
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

fn done(executed: &Executed<OrderState>) -> Done {
    let row = executed.revision.and_then(|revision| OrderRow::of(&executed.state, revision));
    Done { order: row.map(OrderObject), position: PositionToken(executed.position), is_repeat: executed.is_repeat }
}

fn rejected(rejection: &OrderRejection) -> Vec<OrderUserError> {
    let (code, field) = match rejection {
        OrderRejection::Lines(problems) => {
            return problems.iter().map(|(index, problem)| line_error(*index, problem)).collect();
        }
        OrderRejection::NoLines => (OrderErrorCode::NoLines, path([&"lines"])),
        OrderRejection::TooManyLines(_) => (OrderErrorCode::TooManyLines, path([&"lines"])),
        OrderRejection::TotalTooLarge => (OrderErrorCode::TotalTooLarge, path([&"lines"])),
        OrderRejection::AlreadyPlaced => (OrderErrorCode::AlreadyPlaced, path([])),
        OrderRejection::NotFound => (OrderErrorCode::NotFound, path([&"id"])),
        OrderRejection::AlreadyShipped => (OrderErrorCode::AlreadyShipped, path([&"id"])),
        OrderRejection::AlreadyDelivered => (OrderErrorCode::AlreadyDelivered, path([&"id"])),
        OrderRejection::Cancelled => (OrderErrorCode::Cancelled, path([&"id"])),
        OrderRejection::NotShipped => (OrderErrorCode::NotShipped, path([&"id"])),
    };
    vec![OrderUserError::new(code, rejection, field)]
}

fn line_error(index: usize, problem: &LineProblem) -> OrderUserError {
    let (code, part, product) = match problem {
        LineProblem::UnknownProduct(product) => (OrderErrorCode::UnknownProduct, "productId", Some(*product)),
        LineProblem::RetiredProduct(product) => (OrderErrorCode::RetiredProduct, "productId", Some(*product)),
        LineProblem::OtherCurrency { .. } => (OrderErrorCode::MixedCurrencies, "productId", None),
        LineProblem::TotalTooLarge => (OrderErrorCode::TotalTooLarge, "quantity", None),
    };
    OrderUserError {
        product_id: product.map(global),
        ..OrderUserError::new(code, problem, path([&"lines", &index, &part]))
    }
}
