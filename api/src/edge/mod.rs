//! The protocols in front of the engine: GraphQL over HTTP, WebSocket and SSE.
//!
//! **Invariant:** whatever comes in passes the same way: host and origin, sign-in, limits, then `engine`, whose guard
//! stands in front of the parser. Slice map: http.rs, ws.rs, sse.rs, one file for each protocol; intake.rs and
//! refusal.rs are what HTTP and SSE share, frame.rs what every request goes through. What a payment provider tells by
//! itself comes in beside them, webhooks.rs, and orders in bulk go out there, export.rs.

mod connections;
pub mod console;
pub mod export;
mod frame;
mod http;
mod intake;
mod limits;
mod media;
pub mod operations;
mod origin;
mod refusal;
mod server;
mod sse;
pub mod webhooks;
mod ws;

use std::{fmt, sync::Arc};

use async_graphql::Executor;
use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    response::Response,
    routing::any,
};
use infrastructure::{
    clock::{Clock, IdSource},
    lifecycle::Lifecycle,
};

pub use limits::{EdgeLimits, SocketLimits, StreamLimits};
pub use origin::OriginRules;
pub use server::serve;

use self::{
    connections::Connections,
    frame::{Frame, framed},
    media::Media,
    origin::Origin,
    refusal::Refusal,
};
use crate::{
    auth::Viewer,
    engine::{Engine, RequestId},
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

async fn handle<S: Executor>(edge: Arc<Edge<S>>, path: &'static str, request: Request) -> Response {
    let media = media::negotiate(request.headers());
    let frame =
        Frame { path, ids: &*edge.state.ids, origins: Some(&edge.state.origins), media: media.unwrap_or(Media::Json) };
    framed(frame, request, |request, origin, request_id| {
        dispatch(Arc::clone(&edge), path, request, origin, media, request_id)
    })
    .await
}

async fn dispatch<S: Executor>(
    edge: Arc<Edge<S>>,
    path: &'static str,
    request: Request,
    origin: Origin,
    media: Option<Media>,
    request_id: RequestId,
) -> Result<Response, Refusal> {
    let is_stream = path == "/graphql/stream";
    match *request.method() {
        Method::OPTIONS => Ok(origin.preflight(request.headers())),
        _ if edge.state.lifecycle.is_stopping() => Err(Refusal::stopping()),
        Method::POST if is_stream => sse::answer(edge, request, &request_id).await,
        Method::POST => http::answer(&edge, request, media, &request_id).await,
        Method::GET if !is_stream && ws::is_upgrade(request.headers()) => ws::upgrade(edge, request).await,
        _ if is_stream => Err(Refusal::method_not_allowed(
            "POST, OPTIONS",
            "send the operation as POST with Accept: text/event-stream; a URL is no place for documents or tokens",
        )),
        _ => Err(Refusal::method_not_allowed("POST, OPTIONS", "send the operation as POST, or open a WebSocket")),
    }
}

#[cfg(test)]
mod testing;
