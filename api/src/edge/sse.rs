//! GraphQL over server-sent events: one POST, one operation, one stream ("distinct connections mode").
//!
//! What is wrong with a request is said in the HTTP status, before the stream begins. Each event's id is the cursor of
//! its message, so `Last-Event-ID` resumes a subscription without the client having to understand it. The stream is
//! fed by a task of its own: it notices a client that does not read, the end of the token, and the server's stop.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_graphql::{Executor, ServerError};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};

use super::{
    Edge, StreamLimits,
    connections::{Connection, Subscriber},
    intake,
    media::accepts_event_stream,
    refusal::Refusal,
};
use crate::{
    auth::Viewer,
    engine::{
        CallContext, Deliveries, Delivery, OperationKind, Outcome, RequestError, RequestId, ResumeAfter, errors_json,
        response_json,
    },
    error_code::ErrorCode,
};

/// Bytes of a `Last-Event-ID`; ours are far shorter.
const CURSOR_BYTES_MAX: usize = 256;
/// Events on their way to the socket. The operation's queue is the engine's; this only decouples two tasks.
const EVENTS_WAITING_MAX: usize = 1;

const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";
const KEEP_ALIVE: &[u8] = b":\n\n";

pub(super) async fn answer<S: Executor>(
    edge: Arc<Edge<S>>,
    request: Request,
    request_id: &RequestId,
) -> Result<Response, Refusal> {
    if !accepts_event_stream(request.headers()) {
        let message = "accept text/event-stream, or POST to /graphql for a single answer";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, ErrorCode::NotAcceptable, message));
    }
    let resume_after = resume_after(request.headers())?;
    let (viewer, graphql) = intake::receive(&edge.state, request).await?;
    let prepared = edge.state.engine.prepare(graphql)?;
    let context = CallContext { viewer: viewer.clone(), request_id: request_id.clone(), resume_after };
    match prepared.kind() {
        OperationKind::Query => {
            let response = edge.state.engine.execute(prepared, context).await;
            match Outcome::of(&response) {
                Outcome::Data | Outcome::NoData => Ok(event_stream(once(&response_json(&response)))),
                Outcome::Refused => Err(RequestError::Invalid(response.errors).into()),
            }
        }
        OperationKind::Mutation => {
            let message = "mutations have a single answer: POST them to /graphql";
            Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::OperationNotSupported, message))
        }
        OperationKind::Subscription => {
            edge.state.engine.validate_subscription(&prepared, &context).await?;
            let connection = connect(&edge, &viewer)?;
            let deliveries = edge.state.engine.subscribe(prepared, context);
            Ok(event_stream(pump(&edge, deliveries, &viewer, connection)))
        }
    }
}

/// The cursor of the last event that the client has. An empty one is a client that has none yet.
fn resume_after(headers: &HeaderMap) -> Result<Option<ResumeAfter>, Refusal> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    match value.to_str() {
        Ok("") => Ok(None),
        Ok(cursor) if cursor.len() <= CURSOR_BYTES_MAX => Ok(Some(ResumeAfter(cursor.to_owned()))),
        Ok(_) | Err(_) => {
            let message = "Last-Event-ID is no cursor of ours";
            Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::BadCursor, message))
        }
    }
}

fn connect<S>(edge: &Edge<S>, viewer: &Viewer) -> Result<Connection, Refusal> {
    let limits = &edge.state.limits;
    let too_many =
        |status, message| Refusal::new(status, ErrorCode::RateLimited, message).with(header::RETRY_AFTER, "5");
    let mut connection = edge
        .connections
        .open(limits.connections_max)
        .ok_or_else(|| too_many(StatusCode::SERVICE_UNAVAILABLE, "too many connections are open, try again later"))?;
    if connection.belongs_to(&viewer.subject, limits.connections_per_subject_max) {
        Ok(connection)
    } else {
        Err(too_many(StatusCode::TOO_MANY_REQUESTS, "too many connections of this subject are open"))
    }
}

fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    // Proxies must pass events on as they come.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The stream of an operation with one answer.
fn once(payload: &[u8]) -> Body {
    Body::from([&next(payload, None)[..], COMPLETE].concat())
}

/// The stream of a subscription, fed by a task that ends with it.
fn pump<S: Executor>(edge: &Arc<Edge<S>>, deliveries: Deliveries, viewer: &Viewer, connection: Connection) -> Body {
    let state = &edge.state;
    let (sender, mut receiver) = mpsc::channel(EVENTS_WAITING_MAX);
    let pump = Pump {
        deliveries,
        sender,
        send_timeout: state.limits.send_timeout,
        limits: state.limits.stream,
        token_left: (viewer.expires_at - state.clock.now()).to_std().unwrap_or_default(),
        _held: (connection, Subscriber::over("sse")),
    };
    let lifecycle = state.lifecycle.clone();
    state.lifecycle.spawn(async move { pump.run(lifecycle.stopping()).await });
    Body::from_stream(stream::poll_fn(move |context| receiver.poll_recv(context)).map(Ok::<Bytes, Infallible>))
}

struct Pump {
    deliveries: Deliveries,
    sender: mpsc::Sender<Bytes>,
    send_timeout: Duration,
    limits: StreamLimits,
    token_left: Duration,
    /// What ends with the stream.
    _held: (Connection, Subscriber),
}

impl Pump {
    /// Runs until the operation, the token, the client or the server ends.
    async fn run(mut self, stopping: impl Future<Output = ()>) {
        let mut stopping = std::pin::pin!(stopping);
        let mut expiry = std::pin::pin!(sleep(self.token_left));
        let period = self.limits.keep_alive_interval;
        let mut keep_alive = interval_at(Instant::now(), period);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_going_on = true;
        while is_going_on {
            let event = tokio::select! {
                () = self.sender.closed() => return,
                () = stopping.as_mut() => {
                    is_going_on = false;
                    format!("retry: {}\n: the server is stopping\n\n", self.limits.retry_after.as_millis()).into()
                }
                () = expiry.as_mut() => {
                    is_going_on = false;
                    let error = ErrorCode::Unauthenticated.error("the token has expired");
                    last_words(&errors_json(&[ServerError { locations: Vec::new(), ..error.into_server_error(async_graphql::Pos::default()) }]))
                }
                delivery = self.deliveries.next() => match delivery {
                    Some(Delivery::Next { payload, cursor }) => next(&payload, cursor.as_deref()),
                    Some(Delivery::Error { errors }) => {
                        is_going_on = false;
                        last_words(&errors)
                    }
                    Some(Delivery::Complete) | None => {
                        is_going_on = false;
                        Bytes::from_static(COMPLETE)
                    }
                },
                _ = keep_alive.tick() => Bytes::from_static(KEEP_ALIVE),
            };
            // A client that takes nothing for so long does not read.
            match timeout(self.send_timeout, self.sender.send(event)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

fn next(payload: &[u8], cursor: Option<&str>) -> Bytes {
    let mut event = Vec::with_capacity(payload.len() + 64);
    event.extend_from_slice(b"event: next\n");
    if let Some(cursor) = cursor {
        event.extend_from_slice(b"id: ");
        event.extend_from_slice(cursor.as_bytes());
        event.push(b'\n');
    }
    // Compact JSON has no line breaks of its own.
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(payload);
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// The errors that end an operation, as its last event, and its end.
fn last_words(errors: &[u8]) -> Bytes {
    let payload = [b"{\"errors\":", errors, b"}"].concat();
    [&next(&payload, None)[..], COMPLETE].concat().into()
}

#[cfg(test)]
mod tests;
