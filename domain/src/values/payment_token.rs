//! What a payment provider knows a customer's card by.

use std::{fmt, sync::Arc};

/// The longest token in bytes.
pub const PAYMENT_TOKEN_BYTES_MAX: usize = 255;

/// The provider's name for a means of payment: visible ASCII without white space. Never the number of a card. Whoever has it
/// may be able to pay with it, so it is not shown in logs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PaymentToken(Arc<str>);

/// Text that is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentTokenError {
    /// Empty, too long, or with other characters.
    #[error("a payment token has 1 to {PAYMENT_TOKEN_BYTES_MAX} visible ASCII characters without white space")]
    Malformed,
    /// It could be the number of a card, which must never come here.
    #[error("a payment token is what the provider gave for a card, never the card's number")]
    CardNumber,
}

impl PaymentToken {
    /// Reads a token. Refuses what looks like the number of a card: 12 to 19 digits that pass the check of ISO/IEC 7812-1.
    pub fn parse(text: &str) -> Result<Self, PaymentTokenError> {
        if text.is_empty() || text.len() > PAYMENT_TOKEN_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(PaymentTokenError::Malformed);
        }
        if is_card_number(text) {
            return Err(PaymentTokenError::CardNumber);
        }
        Ok(Self(text.into()))
    }

    /// The token as text, for the provider.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_card_number(text: &str) -> bool {
    let digits = text.bytes().filter(|byte| *byte != b'-');
    if !digits.clone().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let luhn = |(index, byte): (usize, u8)| {
        let digit = u32::from(byte - b'0') * if index % 2 == 1 { 2 } else { 1 };
        digit / 10 + digit % 10
    };
    let sum: u32 = digits.clone().rev().enumerate().map(luhn).sum();
    (12..=19).contains(&digits.count()) && sum.is_multiple_of(10)
}

impl fmt::Debug for PaymentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentToken(..)")
    }
}

text_in_json!(PaymentToken);
