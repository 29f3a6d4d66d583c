//! The protocols in front of the engine: GraphQL over HTTP, WebSocket and SSE.
//!
//! **Invariant:** whatever comes in passes the same way: host and origin, sign-in, limits, then `engine`, whose guard
//! stands in front of the parser. Slice map: http.rs, ws.rs, sse.rs, one file for each protocol; intake.rs and
//! refusal.rs are what HTTP and SSE share.

mod connections;
pub mod console;
mod http;
mod intake;
mod limits;
mod media;
pub mod operations;
mod origin;
mod refusal;
mod server;
mod sse;
mod ws;

use std::{fmt, sync::Arc, time::Instant};

use async_graphql::Executor;
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
    routing::any,
};
use infrastructure::{
    clock::{Clock, IdSource},
    lifecycle::Lifecycle,
    telemetry::HTTP_SECONDS,
};
use tracing::{Instrument as _, Span};

pub use limits::{EdgeLimits, SocketLimits, StreamLimits};
pub use origin::OriginRules;
pub use server::serve;

use self::{connections::Connections, media::Media, origin::Origin, refusal::Refusal};
use crate::{
    auth::Viewer,
    engine::{Engine, RequestId},
    error_code::ErrorCode,
    telemetry::trace::{self, REQUEST_SPAN},
};

/// The header that names a request, in questions and answers.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// A token is not valid. It does not say why: that would help only whoever forges tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct Unauthenticated;

/// Tells who a bearer token belongs to.
pub trait Authenticate: Send + Sync {
    /// The caller this token was given to, if it is genuine and has not expired.
    fn authenticate(&self, bearer: &str) -> Result<Viewer, Unauthenticated>;
}

/// What the protocols need.
pub struct EdgeState<S> {
    /// Executes.
    pub engine: Engine<S>,
    /// Signs callers in.
    pub authenticate: Arc<dyn Authenticate>,
    /// Owns the tasks of sockets and streams, and tells them to stop.
    pub lifecycle: Lifecycle,
    /// What a caller may use.
    pub limits: EdgeLimits,
    /// Which hosts and origins are answered.
    pub origins: OriginRules,
    /// Names requests.
    pub ids: Arc<dyn IdSource>,
    /// Tells when tokens end.
    pub clock: Arc<dyn Clock>,
}

impl<S> fmt::Debug for EdgeState<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EdgeState").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The routes `/graphql` (HTTP and WebSocket) and `/graphql/stream` (SSE).
pub fn router<S: Executor>(state: EdgeState<S>) -> Router {
    Router::new()
        .route("/graphql", any(graphql::<S>))
        .route("/graphql/stream", any(stream::<S>))
        .with_state(Arc::new(Edge { state, connections: Connections::default() }))
}

/// What the handlers share.
struct Edge<S> {
    state: EdgeState<S>,
    /// The sockets and streams that are open now.
    connections: Connections,
}

async fn graphql<S: Executor>(State(edge): State<Arc<Edge<S>>>, request: Request) -> Response {
    handle(edge, "/graphql", request).await
}

async fn stream<S: Executor>(State(edge): State<Arc<Edge<S>>>, request: Request) -> Response {
    handle(edge, "/graphql/stream", request).await
}

/// What every request goes through, whichever way it then takes.
async fn handle<S: Executor>(edge: Arc<Edge<S>>, path: &'static str, request: Request) -> Response {
    let started = Instant::now();
    let request_id = intake::request_id(request.headers(), &*edge.state.ids);
    let span = span(&request, path, &request_id);
    let media = media::negotiate(request.headers());
    let origin = edge.state.origins.check(request.headers());

    let result = match &origin {
        Err(refused) => Err(Refusal::new(StatusCode::FORBIDDEN, ErrorCode::OriginNotAllowed, refused.to_string())),
        Ok(origin) => dispatch(edge, path, request, origin, media, &request_id).instrument(span.clone()).await,
    };

    let mut response = result.unwrap_or_else(|refusal| refusal.into_response(media.unwrap_or(Media::Json)));
    let headers = response.headers_mut();
    put_common_headers(headers, &request_id);
    if let Ok(origin) = &origin {
        origin.put_headers(headers);
    }
    trace::answered(&span, response.status());
    let status = status_label(response.status());
    metrics::histogram!(HTTP_SECONDS, "path" => path, "status" => status).record(started.elapsed());
    response
}

/// What is logged and traced while the request is handled. Part of the caller's trace, if it names one.
fn span(request: &Request, path: &'static str, request_id: &RequestId) -> Span {
    let span = tracing::info_span!(REQUEST_SPAN, request.id = %request_id, request.path = path);
    trace::join(&span, request.headers());
    span
}

async fn dispatch<S: Executor>(
    edge: Arc<Edge<S>>,
    path: &'static str,
    request: Request,
    origin: &Origin,
    media: Option<Media>,
    request_id: &RequestId,
) -> Result<Response, Refusal> {
    let is_stream = path == "/graphql/stream";
    match *request.method() {
        Method::OPTIONS => Ok(origin.preflight(request.headers())),
        _ if edge.state.lifecycle.is_stopping() => Err(Refusal::stopping()),
        Method::POST if is_stream => sse::answer(edge, request, request_id).await,
        Method::POST => http::answer(&edge, request, media, request_id).await,
        Method::GET if !is_stream && ws::is_upgrade(request.headers()) => ws::upgrade(edge, request).await,
        _ if is_stream => Err(Refusal::method_not_allowed(
            "POST, OPTIONS",
            "send the operation as POST with Accept: text/event-stream; a URL is no place for documents or tokens",
        )),
        _ => Err(Refusal::method_not_allowed("POST, OPTIONS", "send the operation as POST, or open a WebSocket")),
    }
}

fn put_common_headers(headers: &mut HeaderMap, request_id: &RequestId) {
    if let Ok(request_id) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(REQUEST_ID_HEADER, request_id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// The status as a label; a closed set, so that the metric is one.
fn status_label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        101 => "101",
        200 => "200",
        204 => "204",
        400 => "400",
        401 => "401",
        403 => "403",
        405 => "405",
        406 => "406",
        408 => "408",
        413 => "413",
        415 => "415",
        422 => "422",
        429 => "429",
        500 => "500",
        503 => "503",
        _ => "other",
    }
}

#[cfg(test)]
mod testing;
