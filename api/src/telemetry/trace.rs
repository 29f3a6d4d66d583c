//! What a trace is told about a request, and only a trace: the log has nothing to do with it.
//!
//! Without a collector there are no traces, and all of this does nothing.

use axum::http::{HeaderMap, HeaderName, StatusCode};
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator as _},
    trace::Status,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The name of a request's span.
pub const REQUEST_SPAN: &str = "http.handle";
/// The header that carries a caller's trace (W3C Trace Context).
const HEADER: &str = "traceparent";

/// Makes `span` part of the trace that a caller says its request belongs to. To be called before it is entered.
pub fn join(span: &Span, headers: &HeaderMap) {
    if headers.contains_key(HEADER) {
        // An error says that nobody records the span.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&Carrier(headers)));
    }
}

/// Tells how the request of `span` was answered.
pub fn answered(span: &Span, status: StatusCode) {
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
}

struct Carrier<'a>(&'a HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
