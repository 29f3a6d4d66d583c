//! What an operator's tools ask for: metrics, and whether the process lives and can serve.
//!
//! Nothing here needs a token, and nothing tells anything about a customer.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::telemetry::Metrics;

/// One thing that must be in order before requests can be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, such as `event_store` or `projection:order_summary`.
    pub name: Cow<'static, str>,
    /// Whether it is in order.
    pub ready: bool,
    /// If not, why, and what can be done. If it is all the same, what somebody has to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Check {
    /// This is in order.
    pub fn ready(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), ready: true, reason: None }
    }

    /// This keeps nobody from being served, though something is wrong with it.
    pub fn ready_though(name: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), ready: true, reason: Some(reason.into()) }
    }

    /// This is not in order, because of `reason`.
    pub fn not_ready(name: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), ready: false, reason: Some(reason.into()) }
    }
}

/// Looks at everything that must be in order. Called for each request, so it must be quick and must not wait.
pub type Readiness = Arc<dyn Fn() -> Vec<Check> + Send + Sync>;

/// Measures what is measured only when somebody asks, such as how far the projections are behind.
pub type Observation = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Serialize)]
struct Health<'a> {
    status: &'a str,
    #[serde(skip_serializing_if = "<[Check]>::is_empty")]
    checks: &'a [Check],
}

/// `/metrics` in Prometheus' text format, `/health/live`, `/health/ready`.
pub fn router(metrics: Metrics, readiness: Readiness, observation: Observation) -> Router {
    Router::new()
        .route(
            "/metrics",
            get(async move || {
                observation().await;
                metrics_response(&metrics)
            }),
        )
        .route("/health/live", get(async || health(StatusCode::OK, &Health { status: "alive", checks: &[] })))
        .route("/health/ready", get(async move || ready_response(&readiness())))
}

fn metrics_response(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

fn ready_response(checks: &[Check]) -> Response {
    if checks.iter().all(|check| check.ready) {
        // Somebody has to look at something, and taking the server out of service would make it worse.
        let status = if checks.iter().any(|check| check.reason.is_some()) { "degraded" } else { "ready" };
        health(StatusCode::OK, &Health { status, checks })
    } else {
        health(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not ready", checks })
    }
}

fn health(status: StatusCode, health: &Health<'_>) -> Response {
    let json = serde_json::to_vec(health).expect("texts and flags are JSON");
    // A proxy that remembers yesterday's answer would hide today's fault.
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, json).into_response()
}
