//! Warehouses: where goods lie.

use std::{fmt, sync::Arc};

use super::is_short_name;

/// The longest name of a warehouse in bytes.
pub const WAREHOUSE_BYTES_MAX: usize = 32;

/// The shop's short name of a place where goods lie: lower-case ASCII letters, digits and `-`, starting with a letter or
/// digit. A shop with one place calls it [`Warehouse::MAIN`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Warehouse(Arc<str>);

/// Text that names no warehouse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a warehouse has a name of 1 to {WAREHOUSE_BYTES_MAX} letters, digits or '-', and starts with a letter or digit"
)]
pub struct WarehouseError;

impl Warehouse {
    /// The name of the only warehouse of a shop that has one.
    pub const MAIN: &'static str = "main";

    /// The only warehouse of a shop that has one: what is meant where nobody names another.
    pub fn main() -> Self {
        Self(Self::MAIN.into())
    }

    /// Reads a name; upper-case letters are taken as lower-case ones.
    pub fn parse(text: &str) -> Result<Self, WarehouseError> {
        let is_warehouse = is_short_name(text, WAREHOUSE_BYTES_MAX, b"-");
        if is_warehouse { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(WarehouseError) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Warehouse {
    fn default() -> Self {
        Self::main()
    }
}

impl fmt::Display for Warehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_in_json!(Warehouse);
