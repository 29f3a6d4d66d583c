//! Orders in bulk: `GET /export/orders`, newline-delimited JSON, for operators.
//!
//! **Invariant:** an answer is whole if and only if its last line says `complete`. Whatever cuts it off, the cursor of the
//! last line that came goes on, as of the same position. A task of its own reads; it is never more than one chunk ahead of
//! the client, and gives up on one that takes nothing.

use std::{fmt, io, sync::Arc, time::Duration};

use async_graphql::Pos;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
    routing::any,
};
use futures_util::stream;
use infrastructure::{
    clock::{Clock, IdSource},
    event_store::{EventStore, Position, StoreError, Whereabouts},
    lifecycle::Lifecycle,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};

use super::{
    Authenticate, OriginRules,
    frame::{Frame, framed},
    intake,
    media::Media,
    refusal::Refusal,
};
use crate::{
    auth::{Role, Viewer},
    engine::RequestId,
    error_code::ErrorCode,
    export::{ExportCursor, OrdersExport, complete_line, order_line},
    graphql::PositionToken,
};

/// Where orders are exported.
const PATH: &str = "/export/orders";
/// The header that says of when the orders of an answer are.
const AS_OF_HEADER: HeaderName = HeaderName::from_static("x-millrace-as-of");
/// Exports that run at once, of everybody.
const EXPORTS_MAX: usize = 4;
/// How long a client may take for a chunk, before it is one that does not read.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a chunk, but for its last line.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks on their way to the socket.
const CHUNKS_WAITING_MAX: usize = 1;
/// When to try again where too many exports run.
const RETRY_AFTER_S: &str = "30";

/// What the address needs.
pub struct ExportState {
    /// The log that orders are read from.
    pub events: Arc<dyn EventStore>,
    /// Signs callers in.
    pub authenticate: Arc<dyn Authenticate>,
    /// Which hosts and origins are answered.
    pub origins: OriginRules,
    /// Names requests.
    pub ids: Arc<dyn IdSource>,
    /// Tells when tokens end.
    pub clock: Arc<dyn Clock>,
    /// Owns the tasks that read, and tells them to stop.
    pub lifecycle: Lifecycle,
}

impl fmt::Debug for ExportState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ExportState").finish_non_exhaustive()
    }
}

/// What the handler shares.
struct Exports {
    state: ExportState,
    places: Arc<Semaphore>,
}

/// The route `/export/orders`.
pub fn router(state: ExportState) -> Router {
    let exports = Exports { state, places: Arc::new(Semaphore::new(EXPORTS_MAX)) };
    Router::new().route(PATH, any(orders)).with_state(Arc::new(exports))
}

async fn orders(State(exports): State<Arc<Exports>>, request: Request) -> Response {
    let (ids, origins) = (&*exports.state.ids, Some(&exports.state.origins));
    let frame = Frame { path: PATH, ids, origins, media: Media::Json };
    framed(frame, request, |request, _, request_id| begin(&exports, request, request_id)).await
}

/// Checks everything that can be wrong, and begins to send.
async fn begin(exports: &Exports, request: Request, request_id: RequestId) -> Result<Response, Refusal> {
    let state = &exports.state;
    // There is nothing to read of its body.
    let (request, _) = request.into_parts();
    if request.method != Method::GET {
        return Err(Refusal::method_not_allowed("GET", "orders are exported with GET"));
    }
    if state.lifecycle.is_stopping() {
        return Err(Refusal::stopping());
    }
    let viewer = intake::sign_in(&request.headers, &*state.authenticate)?;
    if viewer.role != Role::Operator {
        let message = "this needs the role operator";
        return Err(Refusal::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message));
    }
    let asked = Asked::of(&request.uri)?;
    let (as_of, after) = asked.place(&*state.events).await.map_err(|wrong| wrong.refusal(&request_id))?;
    let place = Arc::clone(&exports.places).try_acquire_owned().map_err(|_| {
        let message = format!("{EXPORTS_MAX} exports run already, try again later");
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited, message)
            .with(header::RETRY_AFTER, RETRY_AFTER_S)
    })?;
    let export = OrdersExport::new(Arc::clone(&state.events), as_of, after);
    let mut response = Response::new(send(state, export, as_of, &viewer, place));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    if let Ok(as_of) = HeaderValue::from_str(&PositionToken(as_of).to_string()) {
        headers.insert(AS_OF_HEADER, as_of);
    }
    Ok(response)
}

/// What the address asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    as_of: Option<Position>,
    after: Option<ExportCursor>,
}

/// Why an export does not begin.
enum Wrong {
    Cursor(&'static str),
    Store(StoreError),
}

impl Wrong {
    fn refusal(self, request_id: &RequestId) -> Refusal {
        match self {
            Self::Cursor(message) => bad_cursor(message),
            Self::Store(StoreError::Unavailable(reason)) => {
                tracing::warn!("an export did not begin: {reason}");
                let message = "the event store cannot be read now; try again";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::StoreUnavailable, message)
                    .with(header::RETRY_AFTER, RETRY_AFTER_S)
            }
            Self::Store(error) => {
                tracing::error!(request.id = %request_id, error = %error, "an export did not begin: {error}");
                let message = "something is broken on our side; the log has the cause under the request id";
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, message)
            }
        }
    }
}

fn bad_cursor(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::BadCursor, message)
}

impl Asked {
    fn of(address: &Uri) -> Result<Self, Refusal> {
        let malformed = |message: String| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, message);
        let mut asked = Self::default();
        // What is given is base64url, which needs no escapes.
        for pair in address.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_repeated = match name {
                "asOf" => {
                    let token = PositionToken::parse(value);
                    let token = token.ok_or_else(|| bad_cursor("`asOf` is not a position this server gave out"))?;
                    asked.as_of.replace(token.0).is_some()
                }
                "after" => {
                    let cursor = ExportCursor::parse(value);
                    let cursor = cursor.ok_or_else(|| bad_cursor("`after` is not a cursor of an export"))?;
                    asked.after.replace(cursor).is_some()
                }
                _ => return Err(malformed("an export knows `asOf` and `after` and nothing else".to_owned())),
            };
            if is_repeated {
                return Err(malformed(format!("`{name}` is given twice")));
            }
        }
        if let (Some(as_of), Some(cursor)) = (asked.as_of, asked.after)
            && as_of != cursor.as_of
        {
            return Err(bad_cursor("the cursor is of an export as of another position"));
        }
        Ok(asked)
    }

    /// Of when the orders are to be, and after which placement to begin.
    async fn place(&self, events: &dyn EventStore) -> Result<(Position, Position), Wrong> {
        let inside = async |position: Position| match events.locate(position).await.map_err(Wrong::Store)? {
            Whereabouts::Inside => Ok(position),
            Whereabouts::Beyond { .. } | Whereabouts::Nowhere => {
                Err(Wrong::Cursor("the position is none of this log: it is from another server"))
            }
        };
        match (self.after, self.as_of) {
            (Some(cursor), _) => Ok((inside(cursor.as_of).await?, inside(cursor.after).await?)),
            (None, Some(as_of)) => Ok((inside(as_of).await?, Position::START)),
            (None, None) => Ok((events.head().await.map_err(Wrong::Store)?, Position::START)),
        }
    }
}

/// The body, fed by a task that ends with it.
fn send(
    state: &ExportState,
    export: OrdersExport,
    as_of: Position,
    viewer: &Viewer,
    place: OwnedSemaphorePermit,
) -> Body {
    let (sender, mut receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let token_left = (viewer.expires_at - state.clock.now()).to_std().unwrap_or_default();
    let lifecycle = state.lifecycle.clone();
    let sending = Sending { export, as_of, chunk: Vec::new(), orders: 0, unreadable: 0, sender: sender.clone() };
    state.lifecycle.spawn(async move {
        let _place = place;
        let last = tokio::select! {
            last = sending.run() => last,
            () = sender.closed() => None,
            () = lifecycle.stopping() => Some(last_words(ErrorCode::ShuttingDown, "the server is stopping; go on later")),
            () = sleep(token_left) => Some(last_words(ErrorCode::Unauthenticated, "the token has expired; go on with another")),
        };
        if let Some(last) = last {
            // Whoever takes nothing does not hear why either.
            let _ = timeout(CHUNK_TIMEOUT, sender.send(Ok(last))).await;
        }
    });
    Body::from_stream(stream::poll_fn(move |context| receiver.poll_recv(context)))
}

/// An export on its way to a client.
struct Sending {
    export: OrdersExport,
    as_of: Position,
    chunk: Vec<u8>,
    orders: u64,
    unreadable: u64,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Sending {
    /// Sends all lines but the last, which is what this gives; none if nobody takes them.
    async fn run(mut self) -> Option<Bytes> {
        loop {
            let last = match self.export.next().await {
                Ok(Some(exported)) => {
                    self.orders += 1;
                    self.unreadable += u64::from(exported.row.is_none());
                    self.put(&order_line(&exported, self.as_of));
                    if self.chunk.len() >= CHUNK_BYTES {
                        self.flush().await?;
                    }
                    continue;
                }
                Ok(None) => {
                    let line = complete_line(self.as_of, self.orders, self.unreadable);
                    self.put(&line);
                    return Some(self.chunk.into());
                }
                Err(StoreError::Unavailable(reason)) => {
                    tracing::warn!("an export was cut off: {reason}");
                    last_words(ErrorCode::StoreUnavailable, "the event store cannot be read now; go on later")
                }
                Err(error) => {
                    tracing::error!(error = %error, "an export was cut off: {error}");
                    last_words(ErrorCode::Internal, "something is broken on our side; the log has the cause")
                }
            };
            self.flush().await?;
            return Some(last);
        }
    }

    fn put(&mut self, line: &[u8]) {
        self.chunk.extend_from_slice(line);
        self.chunk.push(b'\n');
    }

    /// Sends what is there. None if the client does not take it.
    async fn flush(&mut self) -> Option<()> {
        let chunk = Bytes::from(std::mem::take(&mut self.chunk));
        match timeout(CHUNK_TIMEOUT, self.sender.send(Ok(chunk))).await {
            Ok(Ok(())) => Some(()),
            Ok(Err(_)) => None,
            Err(_) => {
                tracing::info!("an export was given up: its client takes nothing");
                None
            }
        }
    }
}

/// The last line of an export that is cut off for a reason.
fn last_words(code: ErrorCode, message: &str) -> Bytes {
    let error = code.error(message).into_server_error(Pos::default());
    let line = serde_json::json!({ "error": { "message": error.message, "extensions": error.extensions } });
    Bytes::from(format!("{line}\n"))
}

#[cfg(test)]
mod tests;
