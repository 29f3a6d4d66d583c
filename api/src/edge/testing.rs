//! An edge with a small schema for the tests of the protocols.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request, response::Response};
use http_body_util::BodyExt as _;
use infrastructure::{
    clock::{CountingIds, ManualClock},
    lifecycle::Lifecycle,
};
use tower::ServiceExt as _;

use super::{Authenticate, EdgeLimits, EdgeState, OriginRules, Unauthenticated, router};
use crate::{
    auth::Viewer,
    engine::testing::{engine, viewer},
};

/// Knows `token-<subject>`, good for an hour, and `short-<subject>`, good for 300 milliseconds.
struct Tokens;

impl Authenticate for Tokens {
    fn authenticate(&self, bearer: &str) -> Result<Viewer, Unauthenticated> {
        if let Some(subject) = bearer.strip_prefix("token-") {
            return Ok(viewer(subject));
        }
        let subject = bearer.strip_prefix("short-").ok_or(Unauthenticated)?;
        let expires_at = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::milliseconds(300);
        Ok(Viewer { expires_at, ..viewer(subject) })
    }
}

/// What a test may want to be different.
pub(super) struct Setup {
    pub(super) lifecycle: Lifecycle,
    pub(super) limits: EdgeLimits,
    pub(super) origins: OriginRules,
}

impl Setup {
    pub(super) fn new() -> Self {
        let origins = OriginRules { loopback_only: true, allowed_origins: vec!["https://shop.example".to_owned()] };
        Self { lifecycle: Lifecycle::new(), limits: EdgeLimits::default(), origins }
    }

    pub(super) fn router(self) -> Router {
        router(EdgeState {
            engine: engine(&self.lifecycle),
            authenticate: Arc::new(Tokens),
            lifecycle: self.lifecycle,
            limits: self.limits,
            origins: self.origins,
            ids: Arc::new(CountingIds::new(7)),
            clock: Arc::new(ManualClock::at(chrono::DateTime::UNIX_EPOCH)),
        })
    }

    /// Serves on a port of its own, until the runtime of the test ends.
    pub(super) async fn listen(self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let lifecycle = self.lifecycle.clone();
        let router = self.router();
        lifecycle.spawn(async move { axum::serve(listener, router).await });
        address
    }
}

/// A POST of a good request, for tests to spoil.
pub(super) fn post(path: &str) -> axum::http::request::Builder {
    Request::post(path)
        .header("host", "localhost:4000")
        .header("authorization", "Bearer token-ann")
        .header("content-type", "application/json")
}

/// The answer to one request on a router of its own.
pub(super) async fn send(request: Request<Body>) -> Response {
    Setup::new().router().oneshot(request).await.expect("routers do not fail")
}

pub(super) async fn text(response: Response) -> String {
    let body = tokio::time::timeout(Duration::from_secs(10), response.into_body().collect()).await;
    let bytes = body.expect("the body ends").expect("the body is whole").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

pub(super) async fn json(response: Response) -> serde_json::Value {
    serde_json::from_str(&text(response).await).expect("JSON")
}
