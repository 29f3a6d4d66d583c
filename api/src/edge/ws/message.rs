//! The messages and close codes of `graphql-transport-ws`.

use axum::extract::ws::{CloseFrame, Utf8Bytes};
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    edge::intake,
    engine::{GraphQlRequest, RequestError},
};

/// Characters of an operation's id, which the client chooses.
const ID_BYTES_MAX: usize = 128;
/// What a close frame can carry.
const CLOSE_REASON_BYTES_MAX: usize = 123;

/// Why the server closes a socket. The codes 44xx are the protocol's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// A message that the protocol does not know.
    BadMessage(String),
    /// An operation before the handshake.
    Unauthorized,
    /// The token of the handshake is missing or not valid.
    Forbidden,
    /// The token has ended.
    TokenExpired,
    /// No handshake in time.
    InitTimeout,
    /// No sign of life from the client.
    Silent,
    /// An operation with the id of one that runs.
    DuplicateId(String),
    /// A second handshake.
    SecondInit,
    /// Too many sockets of one subject, or operations started too fast.
    TooMany(&'static str),
    /// A message larger than allowed.
    TooLarge,
    /// Something that is no WebSocket.
    Protocol,
    /// The server stops; another one answers the next attempt.
    Restart,
}

impl Close {
    pub(super) fn frame(&self) -> CloseFrame {
        let (code, reason): (u16, String) = match self {
            Self::BadMessage(reason) => (4400, reason.clone()),
            Self::Unauthorized => (4401, "Unauthorized".to_owned()),
            Self::Forbidden => (4403, "Forbidden".to_owned()),
            Self::TokenExpired => (4403, "Token expired".to_owned()),
            Self::InitTimeout => (4408, "Connection initialisation timeout".to_owned()),
            Self::Silent => (4408, "Connection timeout".to_owned()),
            Self::DuplicateId(id) => (4409, format!("Subscriber for {id} already exists")),
            Self::SecondInit => (4429, "Too many initialisation requests".to_owned()),
            Self::TooMany(what) => (4429, format!("Too many {what}")),
            Self::TooLarge => (1009, "Message too large".to_owned()),
            Self::Protocol => (1002, "Protocol error".to_owned()),
            Self::Restart => (1012, "Service restart, connect again".to_owned()),
        };
        let longest = CLOSE_REASON_BYTES_MAX.min(reason.len());
        let end = (0..=longest).rev().find(|&end| reason.is_char_boundary(end)).unwrap_or_default();
        CloseFrame { code, reason: reason[..end].into() }
    }
}

/// What a client says.
#[derive(Debug, PartialEq)]
pub(super) enum ClientMessage {
    ConnectionInit { token: Option<String> },
    Ping { payload: Option<Map<String, Value>> },
    Pong,
    Subscribe { id: String, request: Box<GraphQlRequest> },
    Complete { id: String },
}

impl ClientMessage {
    pub(super) fn parse(text: &str) -> Result<Self, Close> {
        let bad = |reason: &str| Close::BadMessage(reason.to_owned());
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
            return Err(bad("The message is no JSON object"));
        };
        let Some(Value::String(kind)) = message.remove("type") else {
            return Err(bad("The message has no type"));
        };
        match kind.as_str() {
            "connection_init" => {
                let token = payload(&mut message)?.as_ref().and_then(token).map(ToOwned::to_owned);
                Ok(Self::ConnectionInit { token })
            }
            "ping" => Ok(Self::Ping { payload: payload(&mut message)? }),
            "pong" => payload(&mut message).map(|_| Self::Pong),
            "subscribe" => {
                let id = id(&mut message)?;
                let request = message.remove("payload").unwrap_or_default();
                let request = GraphQlRequest::from_value(request).map_err(|error| bad_payload(&error))?;
                Ok(Self::Subscribe { id, request: Box::new(request) })
            }
            "complete" => Ok(Self::Complete { id: id(&mut message)? }),
            _ => Err(bad("The type of the message is unknown")),
        }
    }
}

fn bad_payload(error: &RequestError) -> Close {
    Close::BadMessage(format!("The payload is no request: {error}"))
}

fn payload(message: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, Close> {
    match message.remove("payload") {
        Some(Value::Object(payload)) => Ok(Some(payload)),
        None | Some(Value::Null) => Ok(None),
        Some(_) => Err(Close::BadMessage("The payload is no object".to_owned())),
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, Close> {
    match message.remove("id") {
        Some(Value::String(id)) if (1..=ID_BYTES_MAX).contains(&id.len()) => Ok(id),
        _ => Err(Close::BadMessage(format!("The id is no string of 1 to {ID_BYTES_MAX} bytes"))),
    }
}

/// `{"Authorization": "Bearer <token>"}`, in whatever case, or `{"token": "<token>"}`.
fn token(payload: &Map<String, Value>) -> Option<&str> {
    let authorization = payload.iter().find(|(key, _)| key.eq_ignore_ascii_case("authorization"));
    match authorization {
        Some((_, value)) => value.as_str().and_then(intake::bearer),
        None => payload.get("token").and_then(Value::as_str),
    }
}

pub(super) fn connection_ack() -> Utf8Bytes {
    Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#)
}

pub(super) fn pong(payload: Option<Map<String, Value>>) -> Utf8Bytes {
    match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{}}}"#, Value::Object(payload)).into(),
        None => Utf8Bytes::from_static(r#"{"type":"pong"}"#),
    }
}

pub(super) fn complete(id: &str) -> Utf8Bytes {
    format!(r#"{{"id":{},"type":"complete"}}"#, quoted(id)).into()
}

/// `next` or `error`, whose payload was serialised once for everybody.
pub(super) fn with_payload(id: &str, kind: &'static str, payload: &Bytes) -> Utf8Bytes {
    let id = quoted(id);
    let payload = std::str::from_utf8(payload).expect("payloads are JSON, which serde_json writes as UTF-8");
    let mut text = String::with_capacity(id.len() + kind.len() + payload.len() + 32);
    for part in [r#"{"id":"#, &id, r#","type":""#, kind, r#"","payload":"#, payload, "}"] {
        text.push_str(part);
    }
    text.into()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
