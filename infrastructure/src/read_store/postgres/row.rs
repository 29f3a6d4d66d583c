//! Rows on their way back: the server's types as values of the port.

use std::error::Error;

use domain::Timestamp;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::{
    super::{RawValue, ReadStoreError, Row, canonical_json},
    value::EPOCH_MICROS,
};

/// The row as the port gives it.
pub(super) fn row(found: &tokio_postgres::Row) -> Result<Row, ReadStoreError> {
    let value = |column| match found.try_get::<_, Read>(column) {
        Ok(read) => read.0.ok_or(ReadStoreError::Column { column, wanted: "an exact value" }),
        Err(_) => Err(ReadStoreError::Corrupt(format!("column {column} does not have the form of its type"))),
    };
    Ok(Row((0..found.len()).map(value).collect::<Result<_, _>>()?))
}

/// A value; none if the port has none for it.
pub(super) struct Read(pub(super) Option<RawValue>);

type Broken = Box<dyn Error + Sync + Send>;

impl<'a> FromSql<'a> for Read {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Broken> {
        let value = match *kind {
            Type::INT8 => Some(RawValue::Int(i64::from_be_bytes(raw.try_into()?))),
            Type::INT4 => Some(RawValue::Int(i32::from_be_bytes(raw.try_into()?).into())),
            Type::INT2 => Some(RawValue::Int(i16::from_be_bytes(raw.try_into()?).into())),
            Type::BOOL => Some(RawValue::Int(i64::from(raw.first().ok_or("no byte")? != &0))),
            Type::NUMERIC => integer(raw)?.map(RawValue::Int),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => {
                Some(RawValue::Text(std::str::from_utf8(raw)?.to_owned()))
            }
            Type::UUID => Some(RawValue::Uuid(Uuid::from_slice(raw)?)),
            Type::TIMESTAMPTZ => moment(i64::from_be_bytes(raw.try_into()?)).map(RawValue::Timestamp),
            Type::JSON => Some(RawValue::Text(canonical_json(std::str::from_utf8(raw)?)?)),
            Type::JSONB => {
                let (_version, text) = raw.split_first().ok_or("no version")?;
                Some(RawValue::Text(canonical_json(std::str::from_utf8(text)?)?))
            }
            _ => None,
        };
        Ok(Self(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Broken> {
        Ok(Self(Some(RawValue::Null)))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// None: `infinity`, or further than anybody counts.
fn moment(micros: i64) -> Option<Timestamp> {
    micros.checked_add(EPOCH_MICROS).and_then(Timestamp::from_timestamp_micros)
}

/// A number in digits of ten thousand, the highest first. None: it has a fraction, or is none, or is too large.
fn integer(raw: &[u8]) -> Result<Option<i64>, Broken> {
    const POSITIVE: u16 = 0;
    const NEGATIVE: u16 = 0x4000;
    let field = |index: usize| -> Result<u16, Broken> {
        let bytes = raw.get(2 * index..2 * index + 2).ok_or("a number ends early")?;
        Ok(u16::from_be_bytes(bytes.try_into()?))
    };
    let (count, weight, sign) = (field(0)?, field(1)?.cast_signed(), field(2)?);
    if sign != POSITIVE && sign != NEGATIVE {
        return Ok(None);
    }
    let mut number: i128 = 0;
    for index in 0..count {
        let digit = i128::from(field(4 + usize::from(index))?);
        let Ok(power) = u32::try_from(i32::from(weight) - i32::from(index)) else {
            if digit == 0 {
                continue;
            }
            return Ok(None);
        };
        // More than five digits of ten thousand are more than an i64 holds.
        let Some(scale) = (power < 5).then(|| 10_000_i128.pow(power)) else { return Ok(None) };
        number += digit * scale;
    }
    Ok(i64::try_from(if sign == NEGATIVE { -number } else { number }).ok())
}
