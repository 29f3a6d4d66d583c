//! Values on their way to the server, as the type that it wants.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

use super::{
    super::{ReadStoreError, Value},
    error::nul,
};

/// PostgreSQL counts its microseconds from 2000-01-01.
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A value of the port, as a parameter of the type that the server inferred.
#[derive(Debug)]
pub(super) struct Param<'a>(pub(super) &'a Value);

/// One parameter of many rows, as an array.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) rows: &'a [Vec<Value>],
    pub(super) index: usize,
}

/// Finds what cannot be sent before anything is: a wrong number of values, or one that the server's type cannot hold.
pub(super) fn check(types: &[Type], values: &[Value]) -> Result<(), ReadStoreError> {
    if values.len() != types.len() {
        let (wanted, given) = (types.len(), values.len());
        return Err(ReadStoreError::Refused(format!("{given} values for a statement of {wanted}")));
    }
    for (number, (kind, value)) in (1..).zip(types.iter().zip(values)) {
        if let Value::Text(text) | Value::Json(text) = value
            && text.contains('\0')
        {
            return Err(nul());
        }
        if !fits(kind, value) {
            let given = word(value);
            return Err(ReadStoreError::Refused(format!("${number} is {given}, where PostgreSQL wants {kind}")));
        }
    }
    Ok(())
}

const fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Int(_) => "an integer",
        Value::Text(_) => "text",
        Value::Uuid(_) => "a uuid",
        Value::Timestamp(_) => "a timestamp",
        Value::Json(_) => "JSON",
    }
}

fn fits(kind: &Type, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Int(number) => match *kind {
            Type::INT8 | Type::NUMERIC => true,
            Type::INT4 => i32::try_from(*number).is_ok(),
            Type::INT2 => i16::try_from(*number).is_ok(),
            Type::BOOL => matches!(number, 0 | 1),
            _ => false,
        },
        Value::Text(_) => is_text(kind),
        Value::Uuid(_) => *kind == Type::UUID,
        Value::Timestamp(moment) => {
            *kind == Type::TIMESTAMPTZ && moment.timestamp_micros().checked_sub(EPOCH_MICROS).is_some()
        }
        Value::Json(_) => is_json(kind) || is_text(kind),
    }
}

fn is_text(kind: &Type) -> bool {
    [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME].contains(kind)
}

fn is_json(kind: &Type) -> bool {
    [Type::JSON, Type::JSONB].contains(kind)
}

type Written = Result<IsNull, Box<dyn Error + Sync + Send>>;

/// Appends the value in the binary form of this type. Needs [`check`].
fn write(value: &Value, kind: &Type, out: &mut BytesMut) -> Written {
    match value {
        Value::Null => return Ok(IsNull::Yes),
        Value::Int(number) => match *kind {
            Type::INT8 => out.extend_from_slice(&number.to_be_bytes()),
            Type::INT4 => out.extend_from_slice(&i32::try_from(*number)?.to_be_bytes()),
            Type::INT2 => out.extend_from_slice(&i16::try_from(*number)?.to_be_bytes()),
            Type::BOOL => out.extend_from_slice(&[u8::from(*number != 0)]),
            _ => write_numeric(*number, out),
        },
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Uuid(uuid) => out.extend_from_slice(uuid.as_bytes()),
        Value::Timestamp(moment) => {
            let micros = moment.timestamp_micros().checked_sub(EPOCH_MICROS).ok_or("a moment too far back")?;
            out.extend_from_slice(&micros.to_be_bytes());
        }
        Value::Json(json) => {
            if *kind == Type::JSONB {
                // The version of the binary form.
                out.extend_from_slice(&[1]);
            }
            out.extend_from_slice(json.as_bytes());
        }
    }
    Ok(IsNull::No)
}

/// A number in digits of ten thousand, the highest first.
fn write_numeric(number: i64, out: &mut BytesMut) {
    const NEGATIVE: u16 = 0x4000;
    let mut digits = Vec::new();
    let mut rest = number.unsigned_abs();
    while rest > 0 {
        digits.push(u16::try_from(rest % 10_000).expect("it is under ten thousand"));
        rest /= 10_000;
    }
    let count = u16::try_from(digits.len()).expect("an i64 has five digits of ten thousand at most");
    let sign = if number < 0 { NEGATIVE } else { 0 };
    // The count, the weight of the first digit, the sign, and no digits after the point.
    for field in [count, count.saturating_sub(1), sign, 0].into_iter().chain(digits.into_iter().rev()) {
        out.extend_from_slice(&field.to_be_bytes());
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Written {
        write(self.0, kind, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl ToSql for Column<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Written {
        let Kind::Array(element) = kind.kind() else { return Err("it is no array".into()) };
        let values = || self.rows.iter().map(|row| &row[self.index]);
        let has_null = values().any(|value| *value == Value::Null);
        // Dimensions, whether there are nulls, the elements' type, how many, and the number of the first.
        for field in [1, i32::from(has_null), element.oid().cast_signed(), i32::try_from(self.rows.len())?, 1] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        for value in values() {
            let start = out.len();
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            if let IsNull::No = write(value, element, out)? {
                let length = i32::try_from(out.len() - start - 4)?;
                out[start..start + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(kind.kind(), Kind::Array(_))
    }

    to_sql_checked!();
}
