//! The log as `millrace events print` shows it, and what it says about orders: a second, deliberately simple fold, in
//! the words of the API, to hold the read models against.

use std::collections::{BTreeMap, HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use domain::values::{Currency, Money};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::profile;

/// One event of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    /// Its place in the log.
    pub position: u64,
    /// Its stream.
    pub stream: String,
    /// Its place in the stream.
    pub revision: u64,
    /// Its id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The command that caused it.
    pub command: String,
    /// On whose behalf.
    pub actor: String,
    /// What happened.
    pub data: Value,
}

/// What operators see of an order in [`ORDER_FIELDS`], by the order's global id.
pub type Orders = BTreeMap<String, Value>;

/// Everything that a fold of the log says about an order.
pub const ORDER_FIELDS: &str = "id version status cancelReason trackingNumber placedAt updatedAt customer { id } \
     total { amount currencyCode } lines { sku name quantity unitPrice { amount } }";

impl LoggedEvent {
    /// The event in this line.
    pub fn new(line: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {line}")).to_owned();
        let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number in {line}"));
        Self {
            position: number(&line["position"]),
            stream: text(&line["stream"]),
            revision: number(&line["revision"]),
            id: text(&line["id"]),
            kind: text(&line["type"]),
            command: text(&line["metadata"]["command_id"]),
            actor: text(&line["metadata"]["actor"]),
            data: line["data"].clone(),
        }
    }

    /// The global id of the object it happened to.
    pub fn object(&self) -> String {
        let (kind, id) = self.stream.split_once('-').expect("a stream is named by category and id");
        global_id(kind, id)
    }
}

/// The form in which the API gives ids out.
pub fn global_id(kind: &str, uuid: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}:{uuid}"))
}

/// The key in such an id of an object of this kind.
pub fn key_of(kind: &str, id: &str) -> Uuid {
    let text = URL_SAFE_NO_PAD.decode(id).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix(kind)?.strip_prefix(':')?.parse().ok());
    key.unwrap_or_else(|| panic!("{id} is not the id of {kind}"))
}

/// The form in which the API gives positions out: a version and eight bytes.
pub fn position_token(position: u64) -> String {
    let mut bytes = vec![1];
    bytes.extend(position.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position in a token.
pub fn position_of(token: &str) -> u64 {
    let bytes = URL_SAFE_NO_PAD.decode(token).expect("a position is base64url");
    u64::from_be_bytes(bytes[1..].try_into().expect("a position is a version and eight bytes"))
}

/// Fails unless the log, read from its beginning, is whole: positions and revisions without gaps, every event once, and
/// the events of one command next to each other. On the cluster profile positions are places in a log of bytes, which
/// only grow.
#[track_caller]
pub fn assert_whole(events: &[LoggedEvent]) {
    let mut revisions: HashMap<&str, u64> = HashMap::new();
    let mut ids = HashSet::new();
    let mut commands: HashMap<&str, u64> = HashMap::new();
    let mut last = 0;
    for (number, event) in (1..).zip(events) {
        let is_next = if profile::is_cluster() { event.position > last } else { event.position == number };
        assert!(is_next, "a position is missing before {event:?}");
        last = event.position;
        let next = revisions.entry(&event.stream).or_default();
        assert_eq!(event.revision, *next, "a revision is missing before {event:?}");
        *next += 1;
        assert!(ids.insert(&event.id), "an event is there twice: {event:?}");
        if let Some(last) = commands.insert(&event.command, number) {
            assert_eq!(last + 1, number, "the events of a command lie apart: {event:?}");
        }
    }
}

/// The orders as these events leave them, the log read from its beginning.
pub fn fold_orders<'a>(events: impl IntoIterator<Item = &'a LoggedEvent>) -> Orders {
    let mut orders = Orders::new();
    for event in events {
        fold_order(&mut orders, event);
    }
    orders
}

/// Takes one more event into account.
pub fn fold_order(orders: &mut Orders, event: &LoggedEvent) {
    if !event.stream.starts_with("order-") {
        return;
    }
    let data = &event.data;
    let at = timestamp(&data["at"]);
    let id = event.object();
    match event.kind.as_str() {
        "order.placed.v2" => {
            let order = json!({
                "id": id, "version": 0, "status": "PLACED", "cancelReason": null, "trackingNumber": null,
                "placedAt": at, "updatedAt": at,
                "customer": { "id": global_id("customer", data["customer"].as_str().expect("a customer")) },
                "total": money(&data["total"]), "lines": lines(&data["lines"]),
            });
            assert!(orders.insert(id, order).is_none(), "an order was placed twice: {event:?}");
        }
        "order.cancelled.v2" => {
            let reason = data["reason"].as_str().expect("a reason").to_uppercase();
            change(orders, event, &at, &[("status", json!("CANCELLED")), ("cancelReason", json!(reason))]);
        }
        "order.shipped.v2" => {
            // In the tests that this fold is for, an order leaves the house at once.
            change(orders, event, &at, &[("status", json!("SHIPPED")), ("trackingNumber", data["tracking"].clone())]);
        }
        "order.delivered.v1" => change(orders, event, &at, &[("status", json!("DELIVERED"))]),
        other => panic!("the fold does not know {other}"),
    }
}

fn change(orders: &mut Orders, event: &LoggedEvent, at: &str, changes: &[(&str, Value)]) {
    let order = orders.get_mut(&event.object()).unwrap_or_else(|| panic!("an order was never placed: {event:?}"));
    assert_eq!(order["version"], event.revision - 1, "an order changes out of turn: {event:?}");
    order["version"] = json!(event.revision);
    order["updatedAt"] = json!(at);
    for (field, value) in changes {
        order[*field] = value.clone();
    }
}

fn money(stored: &Value) -> Value {
    let currency = stored["currency"].as_str().and_then(Currency::from_code).expect("a currency");
    let money = Money::try_new(stored["minor"].as_i64().expect("an amount"), currency).expect("an amount");
    json!({ "amount": money.to_string(), "currencyCode": currency.code() })
}

fn lines(stored: &Value) -> Value {
    let lines = stored.as_array().expect("lines").iter().map(|line| {
        json!({
            "sku": line["sku"], "name": line["name"], "quantity": line["quantity"],
            "unitPrice": { "amount": money(&line["unit_price"])["amount"] },
        })
    });
    lines.collect()
}

fn timestamp(stored: &Value) -> String {
    let at: DateTime<Utc> = stored.as_str().and_then(|text| text.parse().ok()).expect("a time");
    at.to_rfc3339()
}
