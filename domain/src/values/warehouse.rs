//! Warehouses: where goods lie.

use std::{fmt, sync::Arc};

/// The longest name of a warehouse in bytes.
pub const WAREHOUSE_BYTES_MAX: usize = 32;

/// The shop's short name of a place where goods lie: lower-case ASCII letters, digits and `-`, starting with a letter or
/// digit. A shop with one place calls it `main`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Warehouse(Arc<str>);

/// Text that names no warehouse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a warehouse has a name of 1 to {WAREHOUSE_BYTES_MAX} letters, digits or '-', and starts with a letter or digit"
)]
pub struct WarehouseError;

impl Warehouse {
    /// Reads a name; upper-case letters are taken as lower-case ones.
    pub fn parse(text: &str) -> Result<Self, WarehouseError> {
        let starts_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !starts_well || text.len() > WAREHOUSE_BYTES_MAX || !text.bytes().all(is_allowed) {
            return Err(WarehouseError);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The only warehouse of a shop that has one.
impl Default for Warehouse {
    fn default() -> Self {
        Self("main".into())
    }
}

impl fmt::Display for Warehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_in_json!(Warehouse);
