//! What statements and queries are given.

use domain::{Timestamp, values::UserId};
use infrastructure::read_store::Value;
use uuid::Uuid;

/// A person.
pub(crate) const fn person(user: UserId) -> Value {
    Value::Uuid(user.uuid())
}

/// A moment, in microseconds since 1970.
pub(crate) const fn micros(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

/// Placeholders from `$first` on for these, at most `most`, and their values. Always the same number, so that it stays one
/// prepared statement; repeating one is harmless.
pub(crate) fn several(most: usize, first: usize, ids: impl Iterator<Item = Uuid>) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = ids.map(Value::Uuid).collect();
    let filler = values.last().cloned().unwrap_or(Value::Uuid(Uuid::nil()));
    values.resize(most, filler);
    let marks = (first..first + most).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    (marks, values)
}
