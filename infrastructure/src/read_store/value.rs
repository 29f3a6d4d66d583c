//! Typed values and rows, the same for every engine.

use domain::Timestamp;
use uuid::Uuid;

use super::ReadStoreError;

/// A value on its way in or out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Nothing.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// Text.
    Text(String),
    /// A UUID.
    Uuid(Uuid),
    /// A moment in UTC, with microseconds.
    Timestamp(Timestamp),
    /// A JSON document as text.
    Json(String),
}

/// One row of a query's result. Getters convert from what the engine stores.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<RawValue>);

/// A value as an engine gives it back.
#[derive(Clone, Debug, PartialEq)]
pub enum RawValue {
    /// Nothing.
    Null,
    /// An integer, a truth (0 or 1), or a SQLite timestamp.
    Int(i64),
    /// Text or JSON.
    Text(String),
    /// A SQLite uuid, or JSON that is a bare number.
    Blob(Vec<u8>),
    /// A native uuid.
    Uuid(Uuid),
    /// A native timestamp.
    Timestamp(Timestamp),
}

impl Row {
    /// Column `column` as an integer.
    pub fn int(&self, column: usize) -> Result<i64, ReadStoreError> {
        match self.0.get(column) {
            Some(RawValue::Int(value)) => Ok(*value),
            _ => Err(ReadStoreError::Column { column, wanted: "an integer" }),
        }
    }

    /// Column `column` as text.
    pub fn text(&self, column: usize) -> Result<&str, ReadStoreError> {
        match self.0.get(column) {
            Some(RawValue::Text(value)) => Ok(value),
            _ => Err(ReadStoreError::Column { column, wanted: "text" }),
        }
    }

    /// Column `column` as text, or nothing.
    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, ReadStoreError> {
        if self.is_null(column) { Ok(None) } else { self.text(column).map(Some) }
    }

    /// Column `column` as a UUID.
    pub fn uuid(&self, column: usize) -> Result<Uuid, ReadStoreError> {
        let broken = ReadStoreError::Column { column, wanted: "a uuid" };
        match self.0.get(column) {
            Some(RawValue::Uuid(value)) => Ok(*value),
            Some(RawValue::Blob(bytes)) => Uuid::from_slice(bytes).map_err(|_| broken),
            _ => Err(broken),
        }
    }

    /// Column `column` as a moment.
    pub fn timestamp(&self, column: usize) -> Result<Timestamp, ReadStoreError> {
        let broken = ReadStoreError::Column { column, wanted: "a timestamp" };
        match self.0.get(column) {
            Some(RawValue::Timestamp(value)) => Ok(*value),
            Some(RawValue::Int(micros)) => Timestamp::from_timestamp_micros(*micros).ok_or(broken),
            _ => Err(broken),
        }
    }

    /// Column `column` as JSON text.
    pub fn json(&self, column: usize) -> Result<&str, ReadStoreError> {
        match self.0.get(column) {
            Some(RawValue::Text(json)) => Some(json.as_str()),
            Some(RawValue::Blob(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
        .ok_or(ReadStoreError::Column { column, wanted: "JSON" })
    }

    /// Column `column` as JSON text, or nothing.
    pub fn optional_json(&self, column: usize) -> Result<Option<&str>, ReadStoreError> {
        if self.is_null(column) { Ok(None) } else { self.json(column).map(Some) }
    }

    /// Whether column `column` holds nothing.
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(RawValue::Null))
    }
}
