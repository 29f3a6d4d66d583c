//! What operators write into their orders: keys, reasons.

use async_graphql::ID;
use domain::{
    operator::{OperatorRejection, REPAIR_KEYS_MAX},
    values::Label,
};
use uuid::Uuid;

use super::error::{ProjectionErrorCode, ProjectionUserError, Trouble};
use crate::graphql::user_error::path;

/// A key, written as a UUID.
pub(super) fn key(text: &ID) -> Result<Uuid, Trouble> {
    parse(text).ok_or_else(|| invalid_key(text, path([&"key"])).into())
}

/// Keys, each written as a UUID, not too many of them. What is wrong is said of each.
pub(super) fn keys(texts: &[ID]) -> Result<Vec<Uuid>, Trouble> {
    if texts.len() > REPAIR_KEYS_MAX {
        return Err(Trouble::of_log(&OperatorRejection::TooManyKeys(texts.len()), path([&"name"])));
    }
    let keys: Vec<Uuid> = texts.iter().filter_map(parse).collect();
    if keys.len() == texts.len() {
        return Ok(keys);
    }
    let wrong = texts.iter().enumerate().filter(|(_, text)| parse(text).is_none());
    Err(Trouble::Refused(wrong.map(|(index, text)| invalid_key(text, path([&"keys", &index]))).collect()))
}

fn parse(text: &ID) -> Option<Uuid> {
    Uuid::parse_str(text.as_str()).ok()
}

fn invalid_key(text: &ID, field: Vec<String>) -> ProjectionUserError {
    let message =
        format!("{:?} is no UUID; keys are shown as `parkedEvents` and `differences` show them", text.as_str());
    ProjectionUserError::new(ProjectionErrorCode::InvalidKey, message, field)
}

/// A reason as it can be written down.
pub(super) fn reason(text: Option<String>) -> Result<Option<String>, Trouble> {
    match text.as_deref().map(Label::parse).transpose() {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(ProjectionUserError::new(ProjectionErrorCode::InvalidReason, error.to_string(), path([&"reason"]))
                .into())
        }
    }
}

/// A reason where there must be one.
pub(super) fn needed_reason(text: String) -> Result<String, Trouble> {
    if text.trim().is_empty() {
        return Err(Trouble::of_log(&OperatorRejection::ReasonMissing, path([&"projection"])));
    }
    reason(Some(text.clone()))?;
    Ok(text)
}
