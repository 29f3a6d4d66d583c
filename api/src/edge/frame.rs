//! What every request goes through, whichever way it then takes: a name, a span, the origin, the headers of every answer,
//! and the time that it took.

use std::time::Instant;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use infrastructure::{clock::IdSource, telemetry::HTTP_SECONDS};
use tracing::{Instrument as _, Span};

use super::{
    REQUEST_ID_HEADER, intake,
    media::Media,
    origin::{Origin, OriginRules},
    refusal::Refusal,
};
use crate::{
    engine::RequestId,
    error_code::ErrorCode,
    telemetry::trace::{self, REQUEST_SPAN},
};

/// How the requests to one address are taken.
pub(super) struct Frame<'a> {
    /// The address, as it is logged and measured.
    pub(super) path: &'static str,
    /// Names requests.
    pub(super) ids: &'a dyn IdSource,
    /// Which hosts and origins are answered; none where no browser asks.
    pub(super) origins: Option<&'a OriginRules>,
    /// What refusals are written in.
    pub(super) media: Media,
}

/// Answers one request, if its origin is one that is answered.
pub(super) async fn framed<F, A>(frame: Frame<'_>, request: Request, answer: F) -> Response
where
    F: FnOnce(Request, Origin, RequestId) -> A,
    A: Future<Output = Result<Response, Refusal>>,
{
    let started = Instant::now();
    let Frame { path, ids, origins, media } = frame;
    let request_id = intake::request_id(request.headers(), ids);
    let span = span(&request, path, &request_id);
    let origin = origins.map(|origins| origins.check(request.headers())).transpose();
    let result = match &origin {
        Err(refused) => Err(Refusal::new(StatusCode::FORBIDDEN, ErrorCode::OriginNotAllowed, refused.to_string())),
        Ok(origin) => {
            let origin = origin.clone().unwrap_or_default();
            answer(request, origin, request_id.clone()).instrument(span.clone()).await
        }
    };
    let mut response = result.unwrap_or_else(|refusal| refusal.into_response(media));
    let headers = response.headers_mut();
    put_common_headers(headers, &request_id);
    if let Ok(Some(origin)) = &origin {
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
        404 => "404",
        405 => "405",
        406 => "406",
        408 => "408",
        409 => "409",
        413 => "413",
        415 => "415",
        422 => "422",
        429 => "429",
        500 => "500",
        503 => "503",
        _ => "other",
    }
}
