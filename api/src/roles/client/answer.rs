//! What an answer in GraphQL means to the command line: data, or a failure with a code and a way out.

#[cfg(test)]
mod tests;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::super::Failure;
use crate::error_code::ErrorCode;

/// The code of a server that does not answer.
pub(in crate::roles) const UNREACHABLE: &str = "SERVER_UNREACHABLE";

/// One of a payload's user errors.
#[derive(Debug, Deserialize)]
struct UserError {
    code: String,
    message: String,
}

/// The data of this answer. `unnamed` is the code of an error that has none.
pub(super) fn data(mut answer: Value, unnamed: &'static str) -> Result<Value, Failure> {
    let Some(error) = answer.pointer("/errors/0") else {
        return Ok(answer.get_mut("data").map(Value::take).unwrap_or_default());
    };
    let text = |pointer: &str| error.pointer(pointer).and_then(Value::as_str);
    let code = text("/extensions/code").unwrap_or(unnamed).to_owned();
    let message = text("/message").unwrap_or("the server gave no reason").to_owned();
    let is = |known: ErrorCode| code == known.as_str();
    let advice = if is(ErrorCode::Unauthenticated) {
        "check the token in MILLRACE_TOKEN: it may have expired, or be another issuer's"
    } else if is(ErrorCode::Forbidden) {
        "use the token of an operator"
    } else if is(ErrorCode::Internal) {
        "see the server's log under the request id, and docs/errors.md"
    } else {
        "see docs/errors.md"
    };
    let is_typed = is(ErrorCode::BadUserInput);
    let message = match text("/extensions/requestId") {
        Some(id) => format!("{message} (request {id})"),
        None => message,
    };
    let failure = Failure::said(code, message, advice);
    Err(if is_typed { failure.typed() } else { failure })
}

/// Fails if the payload says that the order was refused.
pub(super) fn refusal(payload: &Value) -> Result<(), Failure> {
    let errors: Vec<UserError> = parsed(payload.get("userErrors").cloned().unwrap_or_default())?;
    let Some(first) = errors.first() else { return Ok(()) };
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    let (advice, is_typed) = way_out(&first.code);
    let failure = Failure::said(first.code.clone(), messages.join("; "), advice);
    Err(if is_typed { failure.typed() } else { failure })
}

/// Reads what a server of this version answers with.
pub(super) fn parsed<T: DeserializeOwned>(data: Value) -> Result<T, Failure> {
    serde_json::from_value(data).map_err(|error| {
        Failure::new("ANSWER_UNREADABLE", &error, "use the `millrace` of the server's own version to speak to it")
    })
}

/// What to do about a refused order, and whether what was typed is to blame.
fn way_out(code: &str) -> (&'static str, bool) {
    let (advice, is_typed) = match code {
        "UNKNOWN_PROJECTION" => ("see `millrace projections list` for the names", true),
        "UNKNOWN_PROCESS" => ("see `millrace processes list` for the names", true),
        "NOT_IN_TROUBLE" => ("see `millrace processes show` for what is", false),
        "INVALID_KEY" => ("a key is a UUID, as `parked list`, `check` and `verify` print it", true),
        "NO_KEYS" | "TOO_MANY_KEYS" | "REPEATED_KEY" => ("name 1 to 1,000 keys, each once", true),
        "INVALID_REASON" => ("write a reason of one line", true),
        "REASON_MISSING" => ("say why with `--reason`", true),
        "BEYOND_HEAD" => ("see `millrace projections list` for the end of the log", true),
        "ALREADY_VERIFYING" => ("try again when it is over", false),
        "ALREADY_REBUILDING" => ("see it with `millrace projections watch`, and try again when it is over", false),
        "NOT_FROM_POSITION" => ("leave out `--from`", false),
        "NO_STANDBY" => ("rebuild it; only what a rebuild has replaced can be gone back to", false),
        "CANNOT_SERVE" => ("start the build that made that generation, or rebuild", false),
        "UNKNOWN_GENERATION" => ("see `millrace projections show` for the generation on standby", false),
        "ALREADY_PAUSED" => ("see `millrace projections show` for who paused it and why", false),
        "NOT_PAUSED" => ("see `millrace projections show` for what it is doing", false),
        "NOT_PARKED" | "NOT_WAITING" => ("see `millrace projections parked list` for what waits", false),
        "NOT_BY_KEY" | "UNFOLDABLE" => ("rebuild it instead", false),
        "UNKNOWN_KEYS" => ("check the keys; none of these rows was ever there", false),
        "NOT_SERVING" => ("wait until it is built: `millrace projections watch`", false),
        _ => ("see docs/errors.md", false),
    };
    (advice, is_typed)
}
