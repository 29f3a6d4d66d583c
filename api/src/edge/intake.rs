//! What HTTP and SSE ask of a request before it is executed: its name, who sends it, and a body in time.

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use infrastructure::clock::IdSource;

use super::{Authenticate, EdgeLimits, EdgeState, REQUEST_ID_HEADER, media, refusal::Refusal};
use crate::{
    auth::Viewer,
    engine::{GraphQlRequest, RequestId},
    error_code::ErrorCode,
};

/// The caller's own id for the request, if it has a good one, or a fresh one.
pub(super) fn request_id(headers: &HeaderMap, ids: &dyn IdSource) -> RequestId {
    headers
        .get(REQUEST_ID_HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(RequestId::parse)
        .unwrap_or_else(|| RequestId::fresh(ids))
}

/// Who sends what. The sender is known before a byte of the body is read.
pub(super) async fn receive<S>(state: &EdgeState<S>, request: Request) -> Result<(Viewer, GraphQlRequest), Refusal> {
    let headers = request.headers();
    check_json(headers)?;
    let viewer = sign_in(headers, &*state.authenticate)?;
    let body = read_body(request, &state.limits).await?;
    Ok((viewer, GraphQlRequest::from_slice(&body)?))
}

/// Nothing but plain JSON is read.
pub(super) fn check_json(headers: &HeaderMap) -> Result<(), Refusal> {
    if !media::is_json(headers) {
        return Err(unsupported("the body must be application/json in UTF-8"));
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported("the body must not be compressed"));
    }
    Ok(())
}

fn unsupported(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedMediaType, message)
}

/// Who sends it.
pub(super) fn sign_in(headers: &HeaderMap, authenticate: &dyn Authenticate) -> Result<Viewer, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Refusal::unauthenticated("Bearer realm=\"millrace\"", "a bearer token is required"));
    };
    let token = if values.next().is_some() { None } else { value.to_str().ok().and_then(bearer) };
    token.and_then(|token| authenticate.authenticate(token).ok()).ok_or_else(|| {
        let challenge = "Bearer realm=\"millrace\", error=\"invalid_token\"";
        Refusal::unauthenticated(challenge, "the bearer token is not valid")
    })
}

/// The token of `Bearer <token>`.
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

pub(super) async fn read_body(request: Request, limits: &EdgeLimits) -> Result<Bytes, Refusal> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > limits.body_bytes_max as u64) {
        return Err(too_large(limits));
    }
    let body: Limited<Body> = Limited::new(request.into_body(), limits.body_bytes_max);
    match tokio::time::timeout(limits.body_timeout, body.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limits)),
        Ok(Err(_)) => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest, "the body ended before its time"))
        }
        Err(_) => {
            let message = "the body did not arrive in time";
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::BadRequest, message)
                .with(header::CONNECTION, "close"))
        }
    }
}

fn too_large(limits: &EdgeLimits) -> Refusal {
    let message = format!("the body is larger than {} bytes", limits.body_bytes_max);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::PayloadTooLarge, message).with(header::CONNECTION, "close")
}
