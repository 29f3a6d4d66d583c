//! What subscriptions to orders say, over whichever transport.

use serde_json::Value;

use crate::{log::position_of, sse::SseClient, ws::WsClient};

/// `orderUpdates`.
pub const ORDER_UPDATES: &str = "subscription One($id: ID!, $after: Position) { orderUpdates(id: $id, after: $after) {
    __typename cursor ... on OrderChanged { kind version occurredAt order { id version status } }
    ... on Gap { from to reason } } }";
/// `ordersUpdates`, for operators.
pub const ORDERS_UPDATES: &str = "subscription All($where: OrderWhere, $after: Position) {
    ordersUpdates(where: $where, after: $after) {
    __typename cursor ... on OrderChanged { kind version occurredAt order { id version status } }
    ... on Gap { from to reason } } }";

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Something happened to an order.
    Changed {
        /// Where to resume after it.
        cursor: String,
        /// The order.
        order: String,
        /// What happened.
        kind: String,
        /// The order's version right after it.
        version: u64,
        /// The order's state right after it.
        status: String,
    },
    /// Everything before is delivered.
    CaughtUp {
        /// Where to resume.
        cursor: String,
    },
    /// Something cannot be delivered.
    Gap {
        /// Where to resume.
        cursor: String,
    },
}

impl Update {
    /// The message in the result of one of the subscriptions above.
    #[track_caller]
    pub fn of(payload: &Value) -> Self {
        assert!(payload.get("errors").is_none(), "unexpected errors: {payload}");
        let fields = payload["data"].as_object().unwrap_or_else(|| panic!("no data: {payload}"));
        let update = fields.values().next().unwrap_or_else(|| panic!("no message: {payload}"));
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("incomplete: {payload}")).to_owned();
        let cursor = text(&update["cursor"]);
        match update["__typename"].as_str() {
            Some("OrderChanged") => {
                assert_eq!(update["version"], update["order"]["version"], "{payload}");
                Self::Changed {
                    cursor,
                    order: text(&update["order"]["id"]),
                    kind: text(&update["kind"]),
                    version: update["version"].as_u64().expect("a version"),
                    status: text(&update["order"]["status"]),
                }
            }
            Some("CaughtUp") => Self::CaughtUp { cursor },
            Some("Gap") => Self::Gap { cursor },
            other => panic!("a message of type {other:?}: {payload}"),
        }
    }

    /// Where to resume after it.
    pub fn cursor(&self) -> &str {
        match self {
            Self::Changed { cursor, .. } | Self::CaughtUp { cursor } | Self::Gap { cursor } => cursor,
        }
    }

    /// Its position in the log.
    pub fn position(&self) -> u64 {
        position_of(self.cursor())
    }

    /// What happened to the order, in short: `SHIPPED 1`; `CAUGHT UP` and `GAP` for the others.
    pub fn summary(&self) -> String {
        match self {
            Self::Changed { kind, version, status, .. } => {
                // Each kind is named after the state it leads to.
                assert_eq!(kind, status, "{self:?}");
                format!("{kind} {version}")
            }
            Self::CaughtUp { .. } => "CAUGHT UP".to_owned(),
            Self::Gap { .. } => "GAP".to_owned(),
        }
    }
}

impl WsClient {
    /// The next message of a subscription to orders.
    pub async fn next_update(&mut self) -> Update {
        Update::of(&self.next_payload().await)
    }

    /// The next messages, in short.
    pub async fn next_summaries(&mut self, count: usize) -> Vec<String> {
        let mut summaries = Vec::new();
        while summaries.len() < count {
            summaries.push(self.next_update().await.summary());
        }
        summaries
    }
}

impl SseClient {
    /// The next message of a subscription to orders, whose event must carry its cursor as id.
    pub async fn next_update(&mut self) -> Update {
        let event = self.next().await.expect("the stream goes on");
        assert_eq!(event.kind, "next", "{event:?}");
        let update = Update::of(&event.data);
        assert_eq!(event.id.as_deref(), Some(update.cursor()), "{event:?}");
        update
    }

    /// The next messages, in short.
    pub async fn next_summaries(&mut self, count: usize) -> Vec<String> {
        let mut summaries = Vec::new();
        while summaries.len() < count {
            summaries.push(self.next_update().await.summary());
        }
        summaries
    }
}
