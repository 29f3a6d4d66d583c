//! The given/when/then kit, and builders that say only what a test is about.
//!
//! `given::<Order>([placed]).when(command).then([events])`. Every other value is fixed: [`now`], `TEA-1`, one
//! customer.

mod aggregates;
mod social;

use chrono::{TimeZone as _, Utc};

pub use aggregates::Aggregates;
pub use social::*;

use crate::{
    Decider, Timestamp,
    operator::{OperatorAction, OperatorCommand, OperatorEvent},
    order::{self, CancelReason, Catalogue, LinePart, OrderCommand, OrderEvent, OrderLine, RequestedLine},
    payment::{DeclineReason, PaymentEvent},
    product::{Offer, ProductEvent, ProductState, id_of},
    stock::{self, ReleaseReason, StockCommand, StockEvent},
    values::{
        Actor, CaptureId, Currency, CustomerId, Id, IdKind, Label, Money, OrderId, PaymentId, PaymentToken, Pieces,
        ProductId, ProjectionName, Quantity, RefundId, Sku, StockId, Warehouse,
    },
};

/// What happened before.
#[derive(Debug)]
pub struct Given<D: Decider> {
    state: D::State,
}

/// What came of the command.
#[derive(Debug)]
pub struct Outcome<D: Decider> {
    result: Result<Vec<D::Event>, D::Rejection>,
}

/// Starts from the state that `events` lead to.
pub fn given<D: Decider>(events: impl IntoIterator<Item = D::Event>) -> Given<D> {
    Given { state: fold::<D>(events) }
}

/// The state that `events` lead to.
pub fn fold<D: Decider>(events: impl IntoIterator<Item = D::Event>) -> D::State {
    events.into_iter().fold(D::State::default(), |state, event| D::evolve(state, &event))
}

impl<D: Decider> Given<D> {
    /// Decides `command` at the fixed moment [`now`].
    pub fn when(self, command: D::Command) -> Outcome<D> {
        Outcome { result: D::decide(&self.state, command, now()) }
    }
}

impl<D: Decider> Outcome<D> {
    /// Exactly these events follow.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = D::Event>) {
        let events = match self.result {
            Ok(events) => events,
            Err(rejection) => panic!("the command was rejected: {rejection:?}"),
        };
        assert_eq!(events, expected.into_iter().collect::<Vec<_>>());
    }

    /// The command is refused for exactly this reason.
    #[track_caller]
    pub fn then_rejected(self, expected: &D::Rejection)
    where
        D::Rejection: PartialEq,
    {
        match self.result {
            Ok(events) => panic!("the command was accepted: {events:?}"),
            Err(rejection) => assert_eq!(&rejection, expected),
        }
    }
}

/// The moment at which everything happens.
pub fn now() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).single().expect("a valid moment")
}

/// Euro, in cents.
pub fn eur(minor: i64) -> Money {
    Money::try_new(minor, Currency::EUR).expect("a valid amount")
}

/// Dollar, in cents.
pub fn usd(minor: i64) -> Money {
    Money::try_new(minor, Currency::USD).expect("a valid amount")
}

/// A SKU.
pub fn sku(text: &str) -> Sku {
    Sku::parse(text).expect("a valid SKU")
}

/// A label.
pub fn label(text: &str) -> Label {
    Label::parse(text).expect("a valid label")
}

/// An actor.
pub fn actor(text: &str) -> Actor {
    Actor::parse(text).expect("a valid actor")
}

/// A projection's name.
pub fn projection(text: &str) -> ProjectionName {
    ProjectionName::parse(text).expect("a valid name")
}

/// A quantity.
pub fn quantity(units: i64) -> Quantity {
    Quantity::try_new(units).expect("a valid quantity")
}

/// The `n`-th id of its kind.
pub fn id<K: IdKind>(n: u128) -> Id<K> {
    Id::new(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n))
}

/// The product with this SKU.
pub fn product_of(sku_text: &str) -> ProductId {
    id_of(&sku(sku_text))
}

/// A product called `Product <sku>` came into the catalogue.
pub fn product_registered(sku_text: &str, price: Money) -> ProductEvent {
    let name = label(&format!("Product {sku_text}"));
    let (product, sku) = (product_of(sku_text), sku(sku_text));
    ProductEvent::Registered { product, sku, name, price, is_stocked: false, at: now() }
}

/// A product's price changed.
pub fn product_price_changed(sku_text: &str, price: Money) -> ProductEvent {
    ProductEvent::PriceChanged { product: product_of(sku_text), price, at: now() }
}

/// A product is offered no longer.
pub fn product_retired(sku_text: &str) -> ProductEvent {
    ProductEvent::Retired { product: product_of(sku_text), at: now() }
}

/// A product as the catalogue offers it.
pub fn offered(sku_text: &str, price: Money) -> (ProductId, ProductState) {
    let offer = Offer {
        product: product_of(sku_text),
        sku: sku(sku_text),
        name: label(&format!("Product {sku_text}")),
        price,
        is_stocked: false,
        registered_at: now(),
        updated_at: now(),
    };
    (offer.product, ProductState::Offered(offer))
}

/// The same, of which the pieces are counted.
pub fn offered_counted(sku: &str, price: Money) -> (ProductId, ProductState) {
    let (product, state) = offered(sku, price);
    let ProductState::Offered(offer) = state else { unreachable!("it is offered") };
    (product, ProductState::Offered(Offer { is_stocked: true, ..offer }))
}

/// The order every order test is about.
pub fn the_order() -> OrderId {
    id(1)
}

/// The customer who buys.
pub fn the_customer() -> CustomerId {
    id(2)
}

/// A line as asked for.
pub fn requested(sku_text: &str, units: i64) -> RequestedLine {
    RequestedLine { product: product_of(sku_text), quantity: quantity(units) }
}

/// The command that places [`the_order`].
pub fn place(
    lines: impl IntoIterator<Item = RequestedLine>,
    catalogue: impl IntoIterator<Item = (ProductId, ProductState)>,
) -> OrderCommand {
    OrderCommand::Place {
        order: the_order(),
        customer: the_customer(),
        lines: lines.into_iter().collect(),
        catalogue: catalogue.into_iter().collect::<Catalogue>(),
        warehouse: Warehouse::default(),
        payment: None,
    }
}

/// A line at the price it was sold for.
pub fn line(sku_text: &str, units: i64, unit_price: Money) -> OrderLine {
    OrderLine {
        product: product_of(sku_text),
        sku: sku(sku_text),
        name: label(&format!("Product {sku_text}")),
        quantity: quantity(units),
        unit_price,
        is_stocked: false,
    }
}

/// Two pieces of `TEA-1` for 19.90 EUR each were bought.
pub fn order_placed() -> OrderEvent {
    OrderEvent::Placed {
        order: the_order(),
        customer: the_customer(),
        lines: vec![line("TEA-1", 2, eur(1990))],
        total: eur(3980),
        warehouse: Warehouse::default(),
        payment: None,
        at: now(),
    }
}

/// Two counted pieces of `TEA-1` for 19.90 EUR each were bought, paid in advance.
pub fn order_placed_prepaid() -> OrderEvent {
    OrderEvent::Placed {
        order: the_order(),
        customer: the_customer(),
        lines: vec![OrderLine { is_stocked: true, ..line("TEA-1", 2, eur(1990)) }],
        total: eur(3980),
        warehouse: Warehouse::default(),
        payment: Some(token("tok_visa")),
        at: now(),
    }
}

/// Some pieces of a line.
pub fn part(line: u32, units: i64) -> LinePart {
    LinePart { line, quantity: quantity(units) }
}

/// The payment of [`the_order`]'s attempt.
pub fn order_payment(attempt: u32) -> PaymentId {
    order::payment_of(the_order(), attempt)
}

/// The order is to be paid with another token.
pub fn order_payment_chosen(attempt: u32) -> OrderEvent {
    let (order, payment, token) = (the_order(), order_payment(attempt), token("tok_other"));
    OrderEvent::PaymentChosen { order, payment, token, at: now() }
}

/// The provider does not hold the order's money.
pub fn order_payment_failed(attempt: u32, reason: DeclineReason) -> OrderEvent {
    OrderEvent::PaymentFailed { order: the_order(), payment: order_payment(attempt), reason, at: now() }
}

/// The order can leave; paid by its first attempt.
pub fn order_confirmed() -> OrderEvent {
    OrderEvent::Confirmed { order: the_order(), payment: Some(order_payment(1)), at: now() }
}

/// Some of the order left the house.
pub fn order_part_shipped(shipment: u32, lines: impl IntoIterator<Item = LinePart>) -> OrderEvent {
    let lines = lines.into_iter().collect();
    OrderEvent::Shipped { order: the_order(), shipment, lines, tracking: None, at: now() }
}

/// Money was taken for the order's shipment.
pub fn order_paid(shipment: u32, amount: Money) -> OrderEvent {
    let capture = order::capture_of(the_order(), shipment);
    OrderEvent::Paid { order: the_order(), capture, amount, at: now() }
}

/// Something is to come back.
pub fn order_return_requested(number: u32, lines: impl IntoIterator<Item = LinePart>) -> OrderEvent {
    let lines = lines.into_iter().collect();
    OrderEvent::ReturnRequested { order: the_order(), number, lines, reason: label("too small"), at: now() }
}

/// It came back.
pub fn order_return_received(number: u32, is_restocked: bool) -> OrderEvent {
    OrderEvent::ReturnReceived { order: the_order(), number, is_restocked, at: now() }
}

/// Money of the order is to be given back.
pub fn order_refund_requested(
    refund: RefundId,
    lines: impl IntoIterator<Item = LinePart>,
    amount: Money,
) -> OrderEvent {
    let (lines, reason) = (lines.into_iter().collect(), label("returned"));
    OrderEvent::RefundRequested { order: the_order(), refund, lines, amount, reason, at: now() }
}

/// Money of the order was given back.
pub fn order_refunded(refund: RefundId, amount: Money) -> OrderEvent {
    OrderEvent::Refunded { order: the_order(), refund, amount, at: now() }
}

/// The order was given up.
pub fn order_cancelled(reason: CancelReason) -> OrderEvent {
    OrderEvent::Cancelled { order: the_order(), reason, at: now() }
}

/// The order left the house.
pub fn order_shipped() -> OrderEvent {
    OrderEvent::Shipped { order: the_order(), shipment: 1, lines: vec![part(0, 2)], tracking: None, at: now() }
}

/// The customer has the order.
pub fn order_delivered() -> OrderEvent {
    OrderEvent::Delivered { order: the_order(), at: now() }
}

/// A number of pieces.
pub fn pieces(number: i64) -> Pieces {
    Pieces::try_new(number).expect("a valid number of pieces")
}

/// The stock of `TEA-1` in the one warehouse: every stock test is about it.
pub fn the_stock() -> StockId {
    stock::id_of(&sku("TEA-1"), &Warehouse::main())
}

/// Until when reservations are kept: half an hour.
pub fn kept_until() -> Timestamp {
    now() + chrono::TimeDelta::minutes(30)
}

/// The command that brings in pieces of `TEA-1`.
pub fn receive(number: i64) -> StockCommand {
    let (sku, warehouse, pieces) = (sku("TEA-1"), Warehouse::main(), pieces(number));
    StockCommand::Receive { sku, warehouse, pieces, reference: None }
}

/// The command that promises pieces to an order.
pub fn reserve(order: OrderId, number: i64) -> StockCommand {
    StockCommand::Reserve { order, pieces: pieces(number), until: kept_until() }
}

/// Pieces of `TEA-1` came in.
pub fn stock_received(number: i64) -> StockEvent {
    let (stock, sku, warehouse, pieces) = (the_stock(), sku("TEA-1"), Warehouse::main(), pieces(number));
    StockEvent::Received { stock, sku, warehouse, pieces, reference: None, at: now() }
}

/// There are more or fewer than was thought.
pub fn stock_adjusted(change: i64) -> StockEvent {
    StockEvent::Adjusted { stock: the_stock(), change, reason: label("counted"), at: now() }
}

/// Pieces are promised to an order.
pub fn stock_reserved(order: OrderId, number: i64) -> StockEvent {
    StockEvent::Reserved { stock: the_stock(), order, pieces: pieces(number), until: kept_until(), at: now() }
}

/// They are free again.
pub fn stock_released(order: OrderId, number: i64, reason: ReleaseReason) -> StockEvent {
    StockEvent::Released { stock: the_stock(), order, pieces: pieces(number), reason, at: now() }
}

/// They came back.
pub fn stock_restocked(order: OrderId, number: u32, number_of_pieces: i64) -> StockEvent {
    StockEvent::Restocked { stock: the_stock(), order, number, pieces: pieces(number_of_pieces), at: now() }
}

/// They left the house.
pub fn stock_committed(order: OrderId, number: i64) -> StockEvent {
    StockEvent::Committed { stock: the_stock(), order, pieces: pieces(number), at: now() }
}

/// The payment every payment test is about, of [`the_order`].
pub fn the_payment() -> PaymentId {
    id(3)
}

/// A token.
pub fn token(text: &str) -> PaymentToken {
    PaymentToken::parse(text).expect("a valid token")
}

/// Money is to be held for [`the_order`].
pub fn payment_requested(amount: Money) -> PaymentEvent {
    let (payment, order, token) = (the_payment(), the_order(), token("tok_visa"));
    PaymentEvent::Requested { payment, order, amount, token, at: now() }
}

/// It is held.
pub fn payment_authorised(amount: Money) -> PaymentEvent {
    let (payment, order, reference) = (the_payment(), the_order(), label("auth-1"));
    PaymentEvent::Authorised { payment, order, amount, reference, at: now() }
}

/// It is not held, and will not be.
pub fn payment_declined(reason: DeclineReason) -> PaymentEvent {
    PaymentEvent::Declined { payment: the_payment(), order: the_order(), reason, at: now() }
}

/// Money is to be taken.
pub fn capture_requested(capture: CaptureId, amount: Money) -> PaymentEvent {
    PaymentEvent::CaptureRequested { payment: the_payment(), order: the_order(), capture, amount, at: now() }
}

/// Money was taken.
pub fn payment_captured(capture: CaptureId, amount: Money) -> PaymentEvent {
    PaymentEvent::Captured { payment: the_payment(), order: the_order(), capture, amount, at: now() }
}

/// Money was not taken.
pub fn capture_failed(capture: CaptureId) -> PaymentEvent {
    let (payment, order, reason) = (the_payment(), the_order(), label("no"));
    PaymentEvent::CaptureFailed { payment, order, capture, reason, at: now() }
}

/// What is left is to be let go of.
pub fn void_requested() -> PaymentEvent {
    PaymentEvent::VoidRequested { payment: the_payment(), order: the_order(), at: now() }
}

/// It is held no longer.
pub fn payment_voided() -> PaymentEvent {
    PaymentEvent::Voided { payment: the_payment(), order: the_order(), at: now() }
}

/// It was held too long.
pub fn payment_expired() -> PaymentEvent {
    PaymentEvent::Expired { payment: the_payment(), order: the_order(), at: now() }
}

/// Money is to be given back.
pub fn refund_requested(refund: RefundId, amount: Money) -> PaymentEvent {
    let (payment, order, reason) = (the_payment(), the_order(), label("returned"));
    PaymentEvent::RefundRequested { payment, order, refund, amount, reason, at: now() }
}

/// Money was given back.
pub fn payment_refunded(refund: RefundId, amount: Money) -> PaymentEvent {
    PaymentEvent::Refunded { payment: the_payment(), order: the_order(), refund, amount, at: now() }
}

/// Money was not given back.
pub fn refund_failed(refund: RefundId) -> PaymentEvent {
    let (payment, order, reason) = (the_payment(), the_order(), label("no"));
    PaymentEvent::RefundFailed { payment, order, refund, reason, at: now() }
}

/// The command of Olga, who runs the shop.
pub fn take_action(projection_name: &str, action: OperatorAction, reason: Option<&str>) -> OperatorCommand {
    let (actor, projection) = (actor("olga"), projection(projection_name));
    OperatorCommand::TakeAction { actor, projection, action, reason: reason.map(label) }
}

/// Olga did something to a projection.
pub fn action_taken(projection_name: &str, action: OperatorAction, reason: Option<&str>) -> OperatorEvent {
    let (actor, projection) = (actor("olga"), projection(projection_name));
    OperatorEvent::ActionTaken { actor, projection, action, reason: reason.map(label), at: now() }
}
