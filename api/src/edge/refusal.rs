//! The answer to a request that is not executed: a status, headers, and GraphQL errors without data.

use std::borrow::Cow;

use async_graphql::{Pos, Response as GraphQlResponse, ServerError};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};

use super::media::Media;
use crate::{
    engine::{RequestError, response_json},
    error_code::ErrorCode,
};

/// Why a request is not executed, as HTTP says it.
#[derive(Debug)]
pub(super) struct Refusal(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    errors: Vec<ServerError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        let mut error = code.error(message).into_server_error(Pos::default());
        // There is no place in a document to point to.
        error.locations.clear();
        Self::of(status, vec![error])
    }

    fn of(status: StatusCode, errors: Vec<ServerError>) -> Self {
        Self(Box::new(Parts { status, errors, headers: Vec::new() }))
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        if let Ok(value) = HeaderValue::try_from(value.into().into_owned()) {
            self.0.headers.push((name, value));
        }
        self
    }

    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::ShuttingDown, "the server is stopping, try again")
            .with(header::RETRY_AFTER, "1")
            .with(header::CONNECTION, "close")
    }

    pub(super) fn method_not_allowed(allow: &'static str, hint: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed, hint).with(header::ALLOW, allow)
    }

    /// `challenge` goes into `WWW-Authenticate`.
    pub(super) fn unauthenticated(challenge: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthenticated, message)
            .with(header::WWW_AUTHENTICATE, challenge)
    }

    pub(super) fn into_response(self, media: Media) -> Response {
        let Parts { status, errors, headers } = *self.0;
        let mut response = Response::new(Body::from(response_json(&GraphQlResponse::from_errors(errors))));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, media.header_value());
        response.headers_mut().extend(headers);
        response
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Self::of(status_of(&error), error.errors())
    }
}

/// The draft tells broken text (400) from text that says something impossible (422).
fn status_of(error: &RequestError) -> StatusCode {
    match error {
        RequestError::Json { .. } | RequestError::Syntax(_) => StatusCode::BAD_REQUEST,
        RequestError::Invalid(_) if error.code() == ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        RequestError::Malformed { .. } | RequestError::Guard(_) | RequestError::Invalid(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}
