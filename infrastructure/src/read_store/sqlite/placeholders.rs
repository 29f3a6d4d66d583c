//! From the port's `$1` placeholders to SQLite's parameters.
//!
//! To SQLite `$1` is a parameter by the *name* of `$1`, and its number is that of its first appearance. So the text
//! is not touched: SQLite itself, which knows a string literal when it sees one, tells which names it found.

use rusqlite::{
    Statement, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    super::{ReadStoreError, Value},
    connection::failed,
};

/// Which value each of a statement's parameters takes, in SQLite's order.
pub(super) struct Placeholders {
    /// Indexes into the values.
    values: Vec<usize>,
    /// How many values there must be.
    count: usize,
}

impl Placeholders {
    /// Those of a prepared statement.
    pub(super) fn of(statement: &Statement<'_>) -> Result<Self, ReadStoreError> {
        let values = (1..=statement.parameter_count())
            .map(|parameter| {
                let name = statement.parameter_name(parameter).unwrap_or("?");
                let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
                number
                    .and_then(|number| number.checked_sub(1))
                    .ok_or_else(|| ReadStoreError::Refused(format!("a placeholder is written {name} instead of $1")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let count = values.iter().map(|value| value + 1).max().unwrap_or(0);
        Ok(Self { values, count })
    }

    /// Sets the parameters.
    pub(super) fn bind(&self, statement: &mut Statement<'_>, values: &[Value]) -> Result<(), ReadStoreError> {
        if values.len() != self.count {
            let (wanted, given) = (self.count, values.len());
            return Err(ReadStoreError::Refused(format!("{given} values for a statement of {wanted}")));
        }
        for (index, value) in self.values.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, Bound(&values[*value])).map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

/// A value as SQLite stores it. Texts and uuids are lent, not copied.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Uuid(uuid) => ValueRef::Blob(uuid.as_bytes()),
            Value::Timestamp(moment) => ValueRef::Integer(moment.timestamp_micros()),
            // A column declared JSONB would turn the text of a number into a number, and lose digits.
            Value::Json(json) if is_number(json) => ValueRef::Blob(json.as_bytes()),
            Value::Text(text) | Value::Json(text) => ValueRef::Text(text.as_bytes()),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// Whether a JSON document is a number and nothing else.
fn is_number(json: &str) -> bool {
    json.trim_start().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}
