//! GraphQL over WebSocket: the protocol `graphql-transport-ws`, to the letter of its close codes, and no other.
//!
//! The upgrade needs no token (browsers cannot send one); `connection_init` brings it. One task serves one socket:
//! it reads, runs the operations and writes, so an idle socket costs one task and small buffers. Nothing is queued
//! here: a client that does not read stops its operations' queues in the engine, which end them with
//! `CONSUMER_TOO_SLOW`. Slice map: ws/message.rs (the wire), ws/session.rs (the conversation), ws/operations.rs (what
//! runs), ws/pace.rs (how fast operations may start).

mod message;
mod operations;
mod pace;
mod session;

use std::sync::Arc;

use async_graphql::Executor;
use axum::{
    extract::{FromRequestParts as _, Request, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

use self::session::Session;
use super::{Edge, refusal::Refusal};
use crate::error_code::ErrorCode;

const PROTOCOL: &str = "graphql-transport-ws";
/// Small, because thousands of sockets are idle: a larger message just takes several reads.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Messages that are ready together leave together, up to this.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// A socket that does not drain this is given up. One message may be as large as the largest answer.
const WRITE_BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// Whether the client wants to leave HTTP.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

pub(super) async fn upgrade<S: Executor>(edge: Arc<Edge<S>>, request: Request) -> Result<Response, Refusal> {
    let bad_request = |message: String| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, message);
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|rejection| bad_request(rejection.body_text()))?
        .protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return Err(bad_request(format!("the WebSocket sub-protocol must be {PROTOCOL}")));
    }
    let Some(connection) = edge.connections.open(edge.state.limits.connections_max) else {
        let message = "too many connections are open, try again later";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::RateLimited, message)
            .with(header::RETRY_AFTER, "5"));
    };
    let message_bytes_max = edge.state.limits.socket.message_bytes_max;
    Ok(upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(message_bytes_max)
        .max_frame_size(message_bytes_max)
        .on_upgrade(async move |socket| {
            // The task that upgrades is nobody's; the one that serves is the lifecycle's.
            let lifecycle = edge.state.lifecycle.clone();
            lifecycle.spawn(Session::new(edge, socket, connection).run());
        }))
}

#[cfg(test)]
mod tests;
