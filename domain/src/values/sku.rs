//! Stock keeping units: the shop's own name of a product.

use std::{fmt, sync::Arc};

/// The longest SKU in bytes.
pub const SKU_BYTES_MAX: usize = 64;

/// A SKU: upper-case ASCII letters, digits, `-`, `_` and `.`, starting with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(Arc<str>);

/// Text that is no SKU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SKU has 1 to {SKU_BYTES_MAX} letters, digits, '-', '_' or '.', and starts with a letter or digit")]
pub struct SkuError;

impl Sku {
    /// Reads a SKU; lower-case letters are taken as upper-case ones, so that `tea-1` and `TEA-1` are one product.
    pub fn parse(text: &str) -> Result<Self, SkuError> {
        let starts_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !starts_well || text.len() > SKU_BYTES_MAX || !text.bytes().all(is_allowed) {
            return Err(SkuError);
        }
        Ok(Self(text.to_ascii_uppercase().into()))
    }

    /// The SKU as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_in_json!(Sku);
