//! Makes every error fit to leave the house: a stable code, no internals, not too many.
//!
//! A field's error without a code was not meant for the client: it is answered as `INTERNAL` with the request id, and
//! logged here, once, with its source. Resolvers report expected failures with `ErrorCode::error` and unexpected
//! ones with [`internal`] or just with `?`.

use std::{error::Error, fmt, sync::Arc};

use async_graphql::{PathSegment, Response, ServerError, Value};
use bytes::Bytes;
use infrastructure::telemetry::with_causes;

use super::{
    context::RequestId,
    request::{code_of, is_field_error, with_code},
};
use crate::error_code::ErrorCode;

/// Errors one response holds at most.
pub const RESPONSE_ERRORS_MAX: usize = 20;

const INTERNAL_MESSAGE: &str = "something went wrong on our side";

/// A failure that is nobody's input: the client reads a generic message, the log gets `cause` with its sources.
pub fn internal(cause: impl Error + Send + Sync + 'static) -> async_graphql::Error {
    let cause = InternalCause(Arc::new(cause));
    async_graphql::Error { message: cause.to_string(), source: Some(Arc::new(cause)), extensions: None }
}

/// What [`internal`] keeps for the log.
struct InternalCause(Arc<dyn Error + Send + Sync>);

impl fmt::Display for InternalCause {
    /// The whole chain, each cause behind the one it caused.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&with_causes(&*self.0))
    }
}

/// Gives every error its code, hides internals, and cuts what is too much. Fields that failed are in `data` as null.
pub(super) fn finish(response: &mut Response, request_id: &RequestId) {
    if response.errors.is_empty() {
        return;
    }
    response.errors.truncate(RESPONSE_ERRORS_MAX);
    for error in &mut response.errors {
        if is_field_error(error) {
            put_null(&mut response.data, &error.path);
        }
        let finished = finish_error(std::mem::replace(error, ServerError::new(String::new(), None)), request_id);
        *error = finished;
    }
}

fn finish_error(error: ServerError, request_id: &RequestId) -> ServerError {
    match code_of(&error) {
        Some(ErrorCode::Internal) => hide(error, request_id),
        Some(_) => error,
        None if is_field_error(&error) => {
            if is_about_input(&error.message) {
                with_code(ServerError { message: without_value(error.message), ..error }, ErrorCode::BadUserInput)
            } else {
                hide(error, request_id)
            }
        }
        None if is_over_limit(&error.message) => with_code(error, ErrorCode::DocumentTooComplex),
        None => with_code(error, ErrorCode::GraphqlValidationFailed),
    }
}

fn hide(error: ServerError, request_id: &RequestId) -> ServerError {
    let cause = error.source::<InternalCause>().map_or_else(|| error.message.clone(), ToString::to_string);
    let path = error.path.iter().map(segment).collect::<Vec<_>>().join(".");
    tracing::error!(request.id = %request_id, request.path = path, error = cause, "a field failed: {cause}");
    internal_error(ServerError::new(INTERNAL_MESSAGE, None).with_path(error.path), request_id)
}

fn segment(segment: &PathSegment) -> String {
    match segment {
        PathSegment::Field(name) => name.clone(),
        PathSegment::Index(index) => index.to_string(),
    }
}

fn internal_error(error: ServerError, request_id: &RequestId) -> ServerError {
    let mut error = with_code(error, ErrorCode::Internal);
    error.extensions.get_or_insert_default().set("requestId", request_id.as_str());
    error
}

/// The answer to a request whose resolver panicked. The panic itself was reported by the panic hook.
pub(super) fn panicked(request_id: &RequestId) -> Response {
    tracing::error!(request.id = %request_id, "a resolver panicked");
    Response::from_errors(vec![internal_error(ServerError::new(INTERNAL_MESSAGE, None), request_id)])
}

/// The message without the value that was wrong: what clients give may be secret, and messages end up in their logs.
fn without_value(message: String) -> String {
    match message.split_once(", found ") {
        Some((wanted, _)) => format!("{wanted}."),
        None => message,
    }
}

/// async-graphql's own words for values that a scalar, an enum, an input object or a validator refuses.
fn is_about_input(message: &str) -> bool {
    const STARTS: [&str; 4] =
        ["Failed to parse \"", "Expected input type \"", "Invalid value for argument ", "Variable "];
    STARTS.iter().any(|start| message.starts_with(start))
}

/// async-graphql's own words for documents over the limits of the schema.
fn is_over_limit(message: &str) -> bool {
    const STARTS: [&str; 4] = [
        "Query is too complex",
        "Query is nested too deep",
        "The recursion depth of the query",
        "The number of directives on the field",
    ];
    STARTS.iter().any(|start| message.starts_with(start))
}

/// A field that failed is left out of its object by async-graphql; GraphQL wants a null in its place.
fn put_null(data: &mut Value, path: &[PathSegment]) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut parent = data;
    for segment in parents {
        let next = match (parent, segment) {
            (Value::Object(fields), PathSegment::Field(name)) => fields.get_mut(name.as_str()),
            (Value::List(items), PathSegment::Index(index)) => items.get_mut(*index),
            _ => None,
        };
        match next {
            Some(value) => parent = value,
            None => return,
        }
    }
    if let (Value::Object(fields), PathSegment::Field(name)) = (parent, last) {
        fields.entry(async_graphql::Name::new(name)).or_insert(Value::Null);
    }
}

/// How far an operation got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has data, perhaps not all of it.
    Data,
    /// It was executed and a failure left nothing of its data.
    NoData,
    /// It has no result: it was refused before execution, or broke down in it. There is no `data` at all.
    Refused,
}

impl Outcome {
    /// How far the operation of this response got.
    pub fn of(response: &Response) -> Self {
        if response.data != Value::Null {
            Self::Data
        } else if response.errors.is_empty() || response.errors.iter().any(is_field_error) {
            Self::NoData
        } else {
            Self::Refused
        }
    }
}

/// The response as JSON. A request without a result has errors and no `data`, as the specification asks for.
pub fn response_json(response: &Response) -> Bytes {
    let mut json = JsonObject::new();
    if !response.errors.is_empty() {
        json.field("errors", &response.errors);
    }
    if Outcome::of(response) != Outcome::Refused {
        json.field("data", &response.data);
    }
    if !response.extensions.is_empty() {
        json.field("extensions", &response.extensions);
    }
    json.finish()
}

/// The errors as a JSON array.
pub fn errors_json(errors: &[ServerError]) -> Bytes {
    let mut json = Vec::with_capacity(256);
    serialize(&mut json, &errors);
    json.into()
}

/// An object written field by field, without a tree in between.
struct JsonObject(Vec<u8>);

impl JsonObject {
    fn new() -> Self {
        let mut json = Vec::with_capacity(512);
        json.push(b'{');
        Self(json)
    }

    fn field(&mut self, name: &'static str, value: &impl serde::Serialize) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        serialize(&mut self.0, value);
    }

    fn finish(mut self) -> Bytes {
        self.0.push(b'}');
        self.0.into()
    }
}

fn serialize(json: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(json, value).expect("GraphQL values have string keys, and writing to memory cannot fail");
}

#[cfg(test)]
mod tests;
