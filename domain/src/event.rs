//! The sum of all events, their stored names, and the upcasters that lift old versions.
//!
//! The stored form of an event is a type name with its version (`order.placed.v1`) and a JSON object. An event once
//! written is decoded for ever: `golden/` holds one file for each type and version (several for a type that takes
//! several forms: `TYPE@FORM.json`), and is append-only.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    Decider as _,
    follow::{self, FollowEvent},
    inbox::{self, InboxEvent},
    operator::{self, OperatorEvent},
    order::{self, OrderEvent},
    payment::{self, PaymentEvent},
    post::{self, PostEvent},
    product::{self, ProductEvent},
    profile::{
        self, ProfileEvent,
        handle::{self, HandleEvent},
    },
    reaction::{self, ReactionEvent},
    stock::{self, StockEvent},
};

/// An enum of events that serde writes externally tagged: `{"order.placed.v1": {...}}`.
pub trait EventPayload: Serialize + Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static {
    /// The stored names this build writes, one for each variant.
    fn types() -> Vec<&'static str>;

    /// Reads the externally tagged form of an event called `type_name`.
    fn deserialize_tagged<'de, D: Deserializer<'de>>(type_name: &str, tagged: D) -> Result<Self, D::Error>;
}

/// Every event of the shop, of the feeds, and of those who run them.
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
    /// Something happened to a profile.
    Profile(ProfileEvent),
    /// Something happened to a handle.
    Handle(HandleEvent),
    /// Something happened between two people.
    Follow(FollowEvent),
    /// Something happened to a post.
    Post(PostEvent),
    /// Something happened to what somebody thinks of a post.
    Reaction(ReactionEvent),
    /// Something happened to an inbox.
    Inbox(InboxEvent),
    /// An operator did something.
    Operator(OperatorEvent),
}

impl EventPayload for Event {
    fn types() -> Vec<&'static str> {
        [
            ProductEvent::types(),
            OrderEvent::types(),
            StockEvent::types(),
            PaymentEvent::types(),
            ProfileEvent::types(),
            HandleEvent::types(),
            FollowEvent::types(),
            PostEvent::types(),
            ReactionEvent::types(),
            InboxEvent::types(),
            OperatorEvent::types(),
        ]
        .concat()
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(type_name: &str, tagged: D) -> Result<Self, D::Error> {
        match type_name.split('.').next().unwrap_or_default() {
            product::Product::CATEGORY => ProductEvent::deserialize(tagged).map(Event::Product),
            order::Order::CATEGORY => OrderEvent::deserialize(tagged).map(Event::Order),
            stock::Stock::CATEGORY => StockEvent::deserialize(tagged).map(Event::Stock),
            payment::Payment::CATEGORY => PaymentEvent::deserialize(tagged).map(Event::Payment),
            profile::Profile::CATEGORY => ProfileEvent::deserialize(tagged).map(Event::Profile),
            handle::HandleClaim::CATEGORY => HandleEvent::deserialize(tagged).map(Event::Handle),
            follow::Follow::CATEGORY => FollowEvent::deserialize(tagged).map(Event::Follow),
            post::Post::CATEGORY => PostEvent::deserialize(tagged).map(Event::Post),
            reaction::Reaction::CATEGORY => ReactionEvent::deserialize(tagged).map(Event::Reaction),
            inbox::Inbox::CATEGORY => InboxEvent::deserialize(tagged).map(Event::Inbox),
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

impl From<ProfileEvent> for Event {
    fn from(event: ProfileEvent) -> Self {
        Self::Profile(event)
    }
}

impl From<HandleEvent> for Event {
    fn from(event: HandleEvent) -> Self {
        Self::Handle(event)
    }
}

impl From<FollowEvent> for Event {
    fn from(event: FollowEvent) -> Self {
        Self::Follow(event)
    }
}

impl From<PostEvent> for Event {
    fn from(event: PostEvent) -> Self {
        Self::Post(event)
    }
}

impl From<ReactionEvent> for Event {
    fn from(event: ReactionEvent) -> Self {
        Self::Reaction(event)
    }
}

impl From<InboxEvent> for Event {
    fn from(event: InboxEvent) -> Self {
        Self::Inbox(event)
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
    [product::UPCASTERS, order::UPCASTERS].concat()
}

/// A field of stored events that is for nobody's eyes but theirs who act on it: whoever has a payment token may be able to
/// pay with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The stored name of the events without its version, such as `order.placed.`.
    pub events: &'static str,
    /// The field, at the top of their data.
    pub field: &'static str,
}

/// The secrets of all slices.
pub fn secrets() -> Vec<Secret> {
    [order::SECRETS, payment::SECRETS].concat()
}

#[cfg(test)]
mod tests;
