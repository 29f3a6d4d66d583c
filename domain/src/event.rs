//! The sum of all events, their stored names, and the upcasters that lift old versions.
//!
//! The stored form of an event is a type name with its version (`order.placed.v1`) and a JSON object. An event once
//! written is decoded for ever: `golden/` holds one file for each type and version (several for a type that takes
//! several forms: `TYPE@FORM.json`), and is append-only.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    Decider as _, operator, operator::OperatorEvent, order, order::OrderEvent, payment, payment::PaymentEvent, product,
    product::ProductEvent, stock, stock::StockEvent,
};

/// An enum of events that serde writes externally tagged: `{"order.placed.v1": {...}}`.
pub trait EventPayload: Serialize + Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static {
    /// The stored names this build writes, one for each variant.
    fn types() -> Vec<&'static str>;

    /// Reads the externally tagged form of an event called `type_name`.
    fn deserialize_tagged<'de, D: Deserializer<'de>>(type_name: &str, tagged: D) -> Result<Self, D::Error>;
}

/// Every event of the shop, and of those who run it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Something happened to a product.
    Product(ProductEvent),
    /// Something happened to an order.
    Order(OrderEvent),
    /// Something happened to a stock.
    Stock(StockEvent),
    /// Something happened to a payment.
    Payment(PaymentEvent),
    /// An operator did something.
    Operator(OperatorEvent),
}

impl EventPayload for Event {
    fn types() -> Vec<&'static str> {
        [ProductEvent::types(), OrderEvent::types(), StockEvent::types(), PaymentEvent::types(), OperatorEvent::types()]
            .concat()
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(type_name: &str, tagged: D) -> Result<Self, D::Error> {
        match type_name.split('.').next().unwrap_or_default() {
            product::Product::CATEGORY => ProductEvent::deserialize(tagged).map(Event::Product),
            order::Order::CATEGORY => OrderEvent::deserialize(tagged).map(Event::Order),
            stock::Stock::CATEGORY => StockEvent::deserialize(tagged).map(Event::Stock),
            payment::Payment::CATEGORY => PaymentEvent::deserialize(tagged).map(Event::Payment),
            operator::Operator::CATEGORY => OperatorEvent::deserialize(tagged).map(Event::Operator),
            _ => Err(serde::de::Error::custom(format_args!("no aggregate has events of type {type_name}"))),
        }
    }
}

impl From<ProductEvent> for Event {
    fn from(event: ProductEvent) -> Self {
        Self::Product(event)
    }
}

impl From<OrderEvent> for Event {
    fn from(event: OrderEvent) -> Self {
        Self::Order(event)
    }
}

impl From<StockEvent> for Event {
    fn from(event: StockEvent) -> Self {
        Self::Stock(event)
    }
}

impl From<PaymentEvent> for Event {
    fn from(event: PaymentEvent) -> Self {
        Self::Payment(event)
    }
}

impl From<OperatorEvent> for Event {
    fn from(event: OperatorEvent) -> Self {
        Self::Operator(event)
    }
}

/// Lifts the JSON of one event version to the next. Chained by the codec until a current version is reached.
#[derive(Clone, Copy, Debug)]
pub struct Upcaster {
    /// The stored name it reads, such as `order.cancelled.v1`.
    pub from: &'static str,
    /// The stored name it produces.
    pub to: &'static str,
    /// The pure step.
    pub apply: fn(Value) -> Result<Value, UpcastError>,
}

/// An old event that does not have the shape its version promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UpcastError(pub String);

/// The upcasters of all slices.
pub fn upcasters() -> Vec<Upcaster> {
    [order::UPCASTERS].concat()
}

#[cfg(test)]
mod tests;
