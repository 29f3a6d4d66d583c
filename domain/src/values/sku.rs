//! Stock keeping units: the shop's own name of a product.

use std::{fmt, sync::Arc};

use super::is_short_name;

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
        let is_sku = is_short_name(text, SKU_BYTES_MAX, b"-_.");
        if is_sku { Ok(Self(text.to_ascii_uppercase().into())) } else { Err(SkuError) }
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
