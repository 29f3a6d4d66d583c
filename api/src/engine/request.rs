//! A GraphQL request as it arrives, in a body or in a message, and why it may be refused.

use async_graphql::{PathSegment, ServerError};
use serde_json::{Map, Value};

use super::guard::GuardError;
use crate::error_code::ErrorCode;

/// The parameters of one request. Unknown ones are ignored, as the draft of GraphQL over HTTP asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphQlRequest {
    /// The document.
    pub query: String,
    /// Which of its operations to execute; needed only where it has several.
    pub operation_name: Option<String>,
    /// Values of the operation's variables.
    pub variables: Map<String, Value>,
    /// Whatever else client and server agreed on.
    pub extensions: Map<String, Value>,
}

impl GraphQlRequest {
    /// Reads a request from JSON text.
    pub fn from_slice(json: &[u8]) -> Result<Self, RequestError> {
        let value = serde_json::from_slice(json).map_err(|error| {
            // The parser's message quotes nothing of the input beyond single characters.
            RequestError::Json { reason: error.to_string() }
        })?;
        Self::from_value(value)
    }

    /// Reads a request from JSON.
    pub fn from_value(value: Value) -> Result<Self, RequestError> {
        let mut fields = match value {
            Value::Object(fields) => fields,
            Value::Array(_) => return Err(RequestError::malformed("batches are not supported, send one request each")),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(RequestError::malformed(format!("the request is {}, not an object", kind_of(&value))));
            }
        };
        let query = match fields.remove("query") {
            Some(Value::String(query)) => query,
            None | Some(Value::Null) => return Err(RequestError::malformed("\"query\" is missing")),
            Some(other) => return Err(wrong_type("query", &other, "a string")),
        };
        let operation_name = match fields.remove("operationName") {
            Some(Value::String(name)) => Some(name),
            None | Some(Value::Null) => None,
            Some(other) => return Err(wrong_type("operationName", &other, "a string or null")),
        };
        Ok(Self {
            query,
            operation_name,
            variables: object(&mut fields, "variables")?,
            extensions: object(&mut fields, "extensions")?,
        })
    }
}

fn object(fields: &mut Map<String, Value>, name: &'static str) -> Result<Map<String, Value>, RequestError> {
    match fields.remove(name) {
        Some(Value::Object(object)) => Ok(object),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(other) => Err(wrong_type(name, &other, "an object or null")),
    }
}

fn wrong_type(name: &str, found: &Value, expected: &str) -> RequestError {
    RequestError::malformed(format!("\"{name}\" is {}, not {expected}", kind_of(found)))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Why a request is not executed at all.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RequestError {
    /// The text is no JSON.
    #[error("the request is not valid JSON: {reason}")]
    Json {
        /// What the JSON parser says.
        reason: String,
    },
    /// The JSON is no GraphQL request.
    #[error("malformed request: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The document or the variables are over a limit.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The document's syntax is wrong.
    #[error("{}", .0.message)]
    Syntax(ServerError),
    /// The document does not fit the schema, or the operation or its variables do not fit the document.
    #[error("{}", summary(.0))]
    Invalid(Vec<ServerError>),
}

impl RequestError {
    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed { reason: reason.into() }
    }

    pub(super) fn invalid(message: impl Into<String>, position: Option<async_graphql::Pos>) -> Self {
        Self::invalid_all(vec![ServerError::new(message, position)])
    }

    pub(super) fn invalid_all(errors: Vec<ServerError>) -> Self {
        Self::Invalid(errors.into_iter().map(|error| with_code(error, ErrorCode::GraphqlValidationFailed)).collect())
    }

    /// The stable code of the first thing that is wrong.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Json { .. } | Self::Malformed { .. } => ErrorCode::BadRequest,
            Self::Guard(GuardError::OverLimit { .. }) => ErrorCode::DocumentTooComplex,
            Self::Guard(GuardError::FragmentCycle { .. }) => ErrorCode::GraphqlValidationFailed,
            Self::Syntax(_) => ErrorCode::GraphqlParseFailed,
            Self::Invalid(errors) => errors.first().and_then(code_of).unwrap_or(ErrorCode::GraphqlValidationFailed),
        }
    }

    /// All that is wrong, as GraphQL errors with their codes.
    pub fn errors(&self) -> Vec<ServerError> {
        match self {
            Self::Invalid(errors) => errors.clone(),
            Self::Syntax(error) => vec![error.clone()],
            Self::Json { .. } | Self::Malformed { .. } | Self::Guard(_) => {
                vec![with_code(ServerError::new(self.to_string(), None), self.code())]
            }
        }
    }
}

impl From<async_graphql::parser::Error> for RequestError {
    fn from(error: async_graphql::parser::Error) -> Self {
        let error = ServerError::from(error);
        let message = without_source(&error.message);
        Self::Syntax(with_code(ServerError { message, ..error }, ErrorCode::GraphqlParseFailed))
    }
}

/// What the parser says without the line of the document that it shows: there may be a secret in it, and messages end up in
/// logs. The error's location names the place.
fn without_source(message: &str) -> String {
    let says = message.lines().find_map(|line| line.trim_start().strip_prefix("= "));
    says.map_or_else(|| message.to_owned(), |says| format!("the document's syntax is wrong: {says}"))
}

fn summary(errors: &[ServerError]) -> &str {
    errors.first().map_or("the request is invalid", |error| error.message.as_str())
}

/// The error with this code.
pub(super) fn with_code(mut error: ServerError, code: ErrorCode) -> ServerError {
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("code", code.as_str());
    if code.is_retryable() {
        extensions.set("retryable", true);
    }
    error
}

/// The code an error carries, if it is one of ours.
pub(super) fn code_of(error: &ServerError) -> Option<ErrorCode> {
    let code = error.extensions.as_ref()?.get("code")?;
    let async_graphql::Value::String(code) = code else { return None };
    ErrorCode::ALL.iter().copied().find(|known| known.as_str() == code)
}

/// Whether an error happened while a field was resolved, and not before.
pub(super) fn is_field_error(error: &ServerError) -> bool {
    matches!(error.path.first(), Some(PathSegment::Field(_)))
}
