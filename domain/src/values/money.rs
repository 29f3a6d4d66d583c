//! Money: an amount in minor units of one ISO 4217 currency, with checked arithmetic.

use std::fmt;

use iso_currency::Currency;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Quantity;

/// The largest amount, in minor units: 10^15 - 1. Twelve digits before the point of a currency with cents and
/// exact in every JSON reader, which treats numbers as doubles.
pub const MINOR_UNITS_MAX: i64 = 999_999_999_999_999;

/// An amount of one currency. Never negative here: a price, a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    #[serde(deserialize_with = "valid_minor")]
    minor: i64,
    #[serde(serialize_with = "write_code", deserialize_with = "read_code")]
    currency: Currency,
}

/// Why an amount is not money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two currencies were added.
    #[error("{left} and {right} cannot be added")]
    CurrencyMismatch {
        /// The first currency's code.
        left: &'static str,
        /// The other one's.
        right: &'static str,
    },
    /// Over [`MINOR_UNITS_MAX`].
    #[error("the amount is over {MINOR_UNITS_MAX} minor units")]
    Overflow,
    /// Below zero.
    #[error("the amount is negative")]
    Negative,
    /// Not written as digits with at most one point.
    #[error("an amount is written in digits, such as 19.90")]
    Malformed,
    /// More digits behind the point than the currency has.
    #[error("{currency} has {digits} digits behind the point")]
    TooPrecise {
        /// The currency's code.
        currency: &'static str,
        /// Its number of fraction digits.
        digits: u16,
    },
}

impl Money {
    /// `minor` minor units of `currency`.
    pub fn try_new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor < 0 {
            return Err(MoneyError::Negative);
        }
        if minor > MINOR_UNITS_MAX {
            return Err(MoneyError::Overflow);
        }
        Ok(Self { minor, currency })
    }

    /// Reads a decimal amount such as `19.90`; digits behind the point may be left out, not added.
    pub fn parse(amount: &str, currency: Currency) -> Result<Self, MoneyError> {
        if amount.starts_with('-') {
            return Err(MoneyError::Negative);
        }
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || amount.ends_with('.') {
            return Err(MoneyError::Malformed);
        }
        let digits = fraction_digits(currency);
        if fraction.len() > usize::from(digits) {
            return Err(MoneyError::TooPrecise { currency: currency.code(), digits });
        }
        let text = format!("{whole}{fraction:0<width$}", width = usize::from(digits));
        let minor = text.parse::<i64>().map_err(|_| MoneyError::Overflow)?;
        Self::try_new(minor, currency)
    }

    /// The amount in minor units, such as cents.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum, if both are of one currency and it is not too large.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch { left: self.currency.code(), right: other.currency.code() });
        }
        Self::try_new(self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?, self.currency)
    }

    /// What is left without `other`, if both are of one currency and it is not more.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch { left: self.currency.code(), right: other.currency.code() });
        }
        Self::try_new(self.minor - other.minor, self.currency)
    }

    /// Nothing, in this currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The price of `quantity` pieces.
    pub fn checked_mul(self, quantity: Quantity) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(i64::from(quantity.units())).ok_or(MoneyError::Overflow)?;
        Self::try_new(minor, self.currency)
    }
}

/// The decimal amount without the currency: `19.90`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = u32::from(fraction_digits(self.currency));
        if digits == 0 {
            return write!(f, "{}", self.minor);
        }
        let unit = 10_i64.pow(digits);
        write!(f, "{}.{:0width$}", self.minor / unit, self.minor % unit, width = digits as usize)
    }
}

/// ISO 4217 gives no exponent for metals and funds codes; they count as whole units.
fn fraction_digits(currency: Currency) -> u16 {
    currency.exponent().unwrap_or(0)
}

fn valid_minor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let minor = i64::deserialize(deserializer)?;
    if (0..=MINOR_UNITS_MAX).contains(&minor) {
        Ok(minor)
    } else {
        Err(serde::de::Error::custom("amount out of range"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn write_code<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.code())
}

fn read_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    struct Code;
    impl serde::de::Visitor<'_> for Code {
        type Value = Currency;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an ISO 4217 currency code")
        }
        fn visit_str<E: serde::de::Error>(self, code: &str) -> Result<Currency, E> {
            Currency::from_code(code).ok_or_else(|| E::custom(format_args!("{code} is not an ISO 4217 currency code")))
        }
    }
    deserializer.deserialize_str(Code)
}
