//! What the provider tells by itself over HTTP: whether it is genuine, and what it says.
//!
//! Pure: the time is an argument, and nothing is written. The provider signs the moment of sending and the body with a
//! secret that both know (HMAC-SHA256, RFC 2104), so that nobody else can tell us of money, and nobody can send again
//! tomorrow what was true today.

use std::fmt;

use aws_lc_rs::hmac;
use chrono::TimeDelta;
use domain::Timestamp;

use super::{ProviderNotice, http::noticed};

/// The header with moment and signatures: `t=<unix seconds>,v1=<hex>`.
pub const SIGNATURE_HEADER: &str = "millrace-signature";
/// How far the moment of sending may be from now, to both sides.
pub const TOLERANCE: TimeDelta = TimeDelta::seconds(300);
/// The shortest secret, in bytes.
pub const SECRET_BYTES_MIN: usize = 16;
/// The most signatures in a header. Two are needed while a secret is exchanged.
const SIGNATURES_MAX: usize = 8;
/// The longest header.
const HEADER_BYTES_MAX: usize = 1_024;

/// What tells genuine notices from others. Its secret is never shown.
pub struct NoticeVerifier {
    key: hmac::Key,
}

impl fmt::Debug for NoticeVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NoticeVerifier(..)")
    }
}

/// A secret that is too short to keep anybody out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret has less than {SECRET_BYTES_MIN} bytes")]
pub struct WeakSecret;

/// Why a notice is not genuine. For the log: whoever sends it is told no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is not `t=<unix seconds>,v1=<hex>`.
    #[error("the signature header is malformed")]
    Malformed,
    /// No signature is one of this body and moment with our secret.
    #[error("no signature fits")]
    Mismatch,
    /// It was sent too long ago, or the clocks differ.
    #[error("it was sent {} s ago", age.num_seconds())]
    TooOld {
        /// How long ago.
        age: TimeDelta,
    },
    /// It was sent in the future: the clocks differ.
    #[error("it was sent {} s in the future", ahead.num_seconds())]
    FromTheFuture {
        /// How far.
        ahead: TimeDelta,
    },
}

/// A genuine body that says nothing that can be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoticeMalformed(pub String);

impl NoticeVerifier {
    /// Verifies with this secret.
    pub fn try_new(secret: &[u8]) -> Result<Self, WeakSecret> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(WeakSecret);
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) })
    }

    /// Whether the provider has sent this body about now.
    pub fn verify(&self, header: &str, body: &[u8], now: Timestamp) -> Result<(), SignatureError> {
        let Signed { moment, signatures } = Signed::parse(header).ok_or(SignatureError::Malformed)?;
        let signed = [moment.as_bytes(), b".", body].concat();
        // Each is compared in constant time; that there are several is no secret.
        let fits = |signature: &Vec<u8>| hmac::verify(&self.key, &signed, signature).is_ok();
        if !signatures.iter().any(fits) {
            return Err(SignatureError::Mismatch);
        }
        let seconds = moment.parse().map_err(|_| SignatureError::Malformed)?;
        let sent = Timestamp::from_timestamp(seconds, 0).ok_or(SignatureError::Malformed)?;
        let age = now - sent;
        if age > TOLERANCE {
            return Err(SignatureError::TooOld { age });
        }
        if age < -TOLERANCE {
            return Err(SignatureError::FromTheFuture { ahead: -age });
        }
        Ok(())
    }
}

/// What a genuine body says.
pub fn notice(body: &[u8]) -> Result<ProviderNotice, NoticeMalformed> {
    noticed(body).map_err(NoticeMalformed)
}

/// The parts of the header.
struct Signed<'a> {
    /// As it was written: that is what was signed.
    moment: &'a str,
    signatures: Vec<Vec<u8>>,
}

impl<'a> Signed<'a> {
    /// What has a name that is not known is for other readers.
    fn parse(header: &'a str) -> Option<Self> {
        if header.len() > HEADER_BYTES_MAX {
            return None;
        }
        let (mut moment, mut signatures) = (None, vec![]);
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", _) if moment.is_some() => return None,
                ("t", text) if text.bytes().all(|byte| byte.is_ascii_digit()) => moment = Some(text),
                ("t", _) => return None,
                ("v1", _) if signatures.len() == SIGNATURES_MAX => return None,
                ("v1", text) => signatures.push(unhex(text)?),
                _ => {}
            }
        }
        let is_signed = !signatures.is_empty();
        moment.filter(|_| is_signed).map(|moment| Self { moment, signatures })
    }
}

/// Bytes from hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests;
