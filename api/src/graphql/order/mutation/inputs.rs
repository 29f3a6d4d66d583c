//! What clients write to change an order, and the commands it means.

use async_graphql::{Error, ID, InputObject};
use domain::{
    order::{LinePart, ORDER_LINES_MAX, OrderCommand, Party, RefundFor, RequestedLine},
    values::{Label, Money, PaymentToken, ProductId, Quantity, RefundId, Warehouse},
};

use super::{
    super::types::OrderCancelReason,
    errors::{OrderErrorCode, OrderUserError},
};
use crate::{
    error_code::ErrorCode,
    graphql::{
        node::local,
        scalars::{MoneyInput, MoneyInputError, PaymentTokenInput},
        user_error::path,
    },
};

/// What to buy.
#[derive(Debug, InputObject)]
pub(super) struct OrderPlaceInput {
    /// What and how many, 1 to 500 lines. Prices come from the catalogue.
    pub(super) lines: Vec<OrderLineInput>,
    /// With what it is paid. Without one it is on account, which may be for operators only (`orders.on_account`).
    pub(super) payment_token: Option<PaymentTokenInput>,
    /// The warehouse it is to leave.
    #[graphql(default_with = "\"main\".to_owned()")]
    pub(super) warehouse: String,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// One product to buy.
#[derive(Debug, InputObject)]
pub(super) struct OrderLineInput {
    /// The product.
    product_id: ID,
    /// How many, 1 to 100,000.
    quantity: i32,
}

/// An order to pay with another token.
#[derive(Debug, InputObject)]
pub(super) struct OrderPayInput {
    /// The order.
    pub(super) id: ID,
    /// With what.
    payment_token: PaymentTokenInput,
    /// Do it only if the order is at this version.
    pub(super) expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// An order to give up.
#[derive(Debug, InputObject)]
pub(super) struct OrderCancelInput {
    /// The order.
    pub(super) id: ID,
    /// Why.
    #[graphql(default_with = "OrderCancelReason::CustomerRequest")]
    reason: OrderCancelReason,
    /// Do it only if the order is at this version.
    pub(super) expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// An order of which something leaves the house.
#[derive(Debug, InputObject)]
pub(super) struct OrderShipInput {
    /// The order.
    pub(super) id: ID,
    /// What of it; without this, everything that is still in the house.
    lines: Option<Vec<OrderLinePartInput>>,
    /// The carrier's number, 1 to 200 characters.
    tracking_number: Option<String>,
    /// Do it only if the order is at this version.
    pub(super) expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// Some pieces of one line of an order.
#[derive(Debug, InputObject)]
pub(super) struct OrderLinePartInput {
    /// Which line: its `index`.
    line: i32,
    /// How many of its pieces.
    quantity: i32,
}

/// An order that has arrived.
#[derive(Debug, InputObject)]
pub(super) struct OrderDeliverInput {
    /// The order.
    pub(super) id: ID,
    /// Do it only if the order is at this version.
    pub(super) expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// Something that is to come back.
#[derive(Debug, InputObject)]
pub(super) struct OrderReturnRequestInput {
    /// The order.
    pub(super) id: ID,
    /// What of it.
    lines: Vec<OrderLinePartInput>,
    /// Why, 1 to 200 characters.
    reason: String,
    /// Do it only if the order is at this version.
    pub(super) expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// Something that came back.
#[derive(Debug, InputObject)]
pub(super) struct OrderReturnReceiveInput {
    /// The order.
    pub(super) id: ID,
    /// Which of its returns: its `number`.
    number: i32,
    /// Whether it can be sold again.
    restock: bool,
    /// Do it only if the order is at this version.
    pub(super) expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// Money to give back, for exactly one of `lines` and `amount`.
#[derive(Debug, InputObject)]
pub(super) struct OrderRefundInput {
    /// The order.
    pub(super) id: ID,
    /// For these pieces, at the price they were sold for.
    lines: Option<Vec<OrderLinePartInput>>,
    /// This much, whatever it is for; in the order's currency.
    amount: Option<MoneyInput>,
    /// Why, 1 to 200 characters.
    reason: String,
    /// Do it only if the order is at this version.
    pub(super) expected_version: Option<i32>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    pub(super) idempotency_key: Option<String>,
}

/// A value, or everything that is wrong with what should be one.
type Checked<T> = Result<T, Vec<OrderUserError>>;

/// An order to place, as far as the input alone can tell.
pub(super) struct Placement {
    pub(super) lines: Vec<RequestedLine>,
    pub(super) payment: Option<PaymentToken>,
    pub(super) warehouse: Warehouse,
}

impl OrderPlaceInput {
    pub(super) fn check(&self, is_payment_needed: bool) -> Checked<Placement> {
        let payment = match &self.payment_token {
            Some(text) => token(text).map(Some),
            None if is_payment_needed => {
                let message = "you pay when you order: give a payment token";
                Err(one(OrderErrorCode::PaymentTokenRequired, &message, "paymentToken"))
            }
            None => Ok(None),
        };
        let warehouse = Warehouse::parse(&self.warehouse)
            .map_err(|error| one(OrderErrorCode::InvalidWarehouse, &error, "warehouse"));
        let (lines, (payment, warehouse)) = both(requested_lines(&self.lines), both(payment, warehouse))?;
        Ok(Placement { lines, payment, warehouse })
    }
}

impl OrderPayInput {
    pub(super) fn command(&self, by: Party) -> Checked<OrderCommand> {
        token(&self.payment_token).map(|token| OrderCommand::Pay { by, token })
    }
}

impl OrderCancelInput {
    pub(super) fn command(&self, by: Party) -> OrderCommand {
        OrderCommand::Cancel { by, reason: self.reason.into() }
    }
}

impl OrderShipInput {
    pub(super) fn command(&self) -> Checked<OrderCommand> {
        let tracking = self.tracking_number.as_deref().map(Label::parse).transpose();
        let tracking = tracking.map_err(|error| one(OrderErrorCode::InvalidTrackingNumber, &error, "trackingNumber"));
        let lines = match &self.lines {
            None => Ok(vec![]),
            // Nothing named means everything to the rules; whoever names nothing may have meant nothing.
            Some(lines) if lines.is_empty() => {
                Err(one(OrderErrorCode::NoLines, &"name at least one line, or leave `lines` out", "lines"))
            }
            Some(lines) => parts(lines),
        };
        both(lines, tracking).map(|(lines, tracking)| OrderCommand::Ship { lines, tracking })
    }
}

impl OrderReturnRequestInput {
    pub(super) fn command(&self, by: Party) -> Checked<OrderCommand> {
        let (lines, reason) = both(parts(&self.lines), reason(&self.reason))?;
        Ok(OrderCommand::RequestReturn { by, lines, reason })
    }
}

impl OrderReturnReceiveInput {
    pub(super) fn command(&self) -> OrderCommand {
        // No return has a number below 1; the rules say so of 0.
        let number = u32::try_from(self.number).unwrap_or(0);
        OrderCommand::ReceiveReturn { number, is_restocked: self.restock }
    }
}

impl OrderRefundInput {
    pub(super) fn command(&self, refund: RefundId) -> Result<Checked<OrderCommand>, Error> {
        let what = match (&self.lines, &self.amount) {
            (Some(lines), None) => parts(lines).map(RefundFor::Lines),
            (None, Some(amount)) => money(amount).map(RefundFor::Amount),
            (None, None) | (Some(_), Some(_)) => {
                return Err(ErrorCode::BadUserInput.error("give exactly one of `lines` and `amount`"));
            }
        };
        let checked = both(what, reason(&self.reason));
        Ok(checked.map(|(what, reason)| OrderCommand::Refund { refund, what, reason }))
    }
}

/// The lines as values; everything that is wrong with them at once.
fn requested_lines(lines: &[OrderLineInput]) -> Checked<Vec<RequestedLine>> {
    let mut requested = Vec::with_capacity(lines.len());
    let mut errors = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let product: Option<ProductId> = local(&line.product_id);
        if product.is_none() {
            let field = path([&"lines", &index, &"productId"]);
            errors.push(OrderUserError {
                product_id: Some(line.product_id.clone()),
                ..OrderUserError::new(OrderErrorCode::UnknownProduct, &"there is no such product", field)
            });
        }
        match (product, quantity(line.quantity, index)) {
            (Some(product), Ok(quantity)) => requested.push(RequestedLine { product, quantity }),
            (_, Err(wrong)) => errors.extend(wrong),
            (None, Ok(_)) => {}
        }
    }
    if errors.is_empty() { Ok(requested) } else { Err(errors) }
}

/// The parts of lines as values; everything that is wrong with them at once.
fn parts(lines: &[OrderLinePartInput]) -> Checked<Vec<LinePart>> {
    if lines.len() > ORDER_LINES_MAX {
        let message = format!("an order has at most {ORDER_LINES_MAX} lines");
        return Err(one(OrderErrorCode::TooManyLines, &message, "lines"));
    }
    let mut parts = Vec::with_capacity(lines.len());
    let mut errors = Vec::new();
    for (index, part) in lines.iter().enumerate() {
        let line = u32::try_from(part.line).map_err(|_| {
            let field = path([&"lines", &index, &"line"]);
            vec![OrderUserError::new(OrderErrorCode::UnknownLine, &"the order has no such line", field)]
        });
        match both(line, quantity(part.quantity, index)) {
            Ok((line, quantity)) => parts.push(LinePart { line, quantity }),
            Err(wrong) => errors.extend(wrong),
        }
    }
    if errors.is_empty() { Ok(parts) } else { Err(errors) }
}

fn quantity(units: i32, index: usize) -> Checked<Quantity> {
    Quantity::try_new(i64::from(units)).map_err(|error| {
        vec![OrderUserError::new(OrderErrorCode::InvalidQuantity, &error, path([&"lines", &index, &"quantity"]))]
    })
}

fn token(text: &PaymentTokenInput) -> Checked<PaymentToken> {
    PaymentToken::parse(&text.0).map_err(|error| one(OrderErrorCode::InvalidPaymentToken, &error, "paymentToken"))
}

fn reason(text: &str) -> Checked<Label> {
    Label::parse(text).map_err(|error| one(OrderErrorCode::InvalidReason, &error, "reason"))
}

fn money(input: &MoneyInput) -> Checked<Money> {
    input.money().map_err(|error| {
        let (code, part) = match error {
            MoneyInputError::Currency => (OrderErrorCode::WrongCurrency, "currencyCode"),
            MoneyInputError::Amount(_) => (OrderErrorCode::InvalidAmount, "amount"),
        };
        vec![OrderUserError::new(code, &error, path([&"amount", &part]))]
    })
}

fn one(code: OrderErrorCode, message: &dyn std::fmt::Display, field: &str) -> Vec<OrderUserError> {
    vec![OrderUserError::new(code, message, path([&field]))]
}

/// Both values, or everything that is wrong with either.
fn both<A, B>(one: Checked<A>, other: Checked<B>) -> Checked<(A, B)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (one, other) => Err(one.err().into_iter().chain(other.err()).flatten().collect()),
    }
}
