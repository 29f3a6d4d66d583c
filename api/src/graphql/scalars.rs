//! Scalars of the schema: text on the wire, values behind it.

use std::fmt;

use async_graphql::{InputObject, InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::values::{Currency, Money, MoneyError};
use infrastructure::event_store::Position;

/// Marks the version of the token's form, so that an old client's token is recognised if the form ever changes.
const POSITION_FORM: u8 = 1;

/// A place in the log of events. Opaque. A mutation's `position` given as `minPosition` to a query shows the mutation's
/// effect; given as `after` to a subscription it continues right behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PositionToken(pub Position);

impl PositionToken {
    /// Reads a token.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (form, number) = bytes.split_first()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        (*form == POSITION_FORM).then_some(Self(Position::new(number)))
    }
}

impl fmt::Display for PositionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [POSITION_FORM; 9];
        bytes[1..].copy_from_slice(&self.0.value().to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// A place in the log of events. Opaque. A mutation's `position` given as `minPosition` to a query shows the mutation's
/// effect; given as `after` to a subscription it continues right behind it.
#[Scalar(name = "Position")]
impl ScalarType for PositionToken {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        Self::parse(text).ok_or_else(|| InputValueError::custom("it is not a position this server gave out"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// A decimal number as text, such as "19.90". Never a float: amounts are exact.
#[derive(Clone, Debug)]
pub(super) struct Decimal(pub String);

#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else {
            return Err(InputValueError::custom("a decimal number is written as text, such as \"19.90\""));
        };
        Ok(Self(text))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A currency's code after ISO 4217, such as "EUR".
#[derive(Clone, Debug)]
pub(super) struct CurrencyCode(pub String);

#[Scalar(name = "CurrencyCode", specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html")]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else { return Err(InputValueError::expected_type(value)) };
        Ok(Self(text))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// An amount of one currency.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "Money")]
pub(super) struct MoneyValue {
    /// The amount, with the currency's digits behind the point.
    pub amount: Decimal,
    /// The currency.
    pub currency_code: CurrencyCode,
}

impl From<Money> for MoneyValue {
    fn from(money: Money) -> Self {
        Self { amount: Decimal(money.to_string()), currency_code: CurrencyCode(money.currency().code().to_owned()) }
    }
}

/// An amount of one currency, as a client gives it.
#[derive(Debug, InputObject)]
pub(super) struct MoneyInput {
    /// The amount, such as "19.90".
    pub amount: Decimal,
    /// The currency.
    pub currency_code: CurrencyCode,
}

/// What is wrong with an amount.
#[derive(Debug, thiserror::Error)]
pub(super) enum MoneyInputError {
    /// Its currency.
    #[error("it is not an ISO 4217 currency code")]
    Currency,
    /// Its number.
    #[error(transparent)]
    Amount(MoneyError),
}

impl MoneyInput {
    /// The amount as a value.
    pub(super) fn money(&self) -> Result<Money, MoneyInputError> {
        let currency = Currency::from_code(&self.currency_code.0).ok_or(MoneyInputError::Currency)?;
        Money::parse(&self.amount.0, currency).map_err(MoneyInputError::Amount)
    }
}

/// A payment token as a client gives it. Whoever has it may be able to pay with it, so neither a log nor an error nor an
/// answer shows it.
#[derive(Clone)]
pub(super) struct PaymentTokenInput(pub String);

impl fmt::Debug for PaymentTokenInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentTokenInput(..)")
    }
}

/// What the payment provider gave for a card or an account: 1 to 255 visible ASCII characters, never a card's number.
/// Only ever an input; best given as a variable.
#[Scalar(name = "PaymentToken")]
impl ScalarType for PaymentTokenInput {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else { return Err(InputValueError::custom("a payment token is text")) };
        Ok(Self(text))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}
