//! How many pieces.

use serde::{Deserialize, Serialize};

/// The most pieces one order line may ask for.
pub const QUANTITY_UNITS_MAX: u32 = 100_000;

/// A number of pieces, 1 to [`QUANTITY_UNITS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quantity(u32);

/// A number of pieces that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is 1 to {QUANTITY_UNITS_MAX}, not {0}")]
pub struct QuantityError(pub i64);

impl Quantity {
    /// `units` pieces.
    pub fn try_new(units: i64) -> Result<Self, QuantityError> {
        match u32::try_from(units) {
            Ok(valid @ 1..=QUANTITY_UNITS_MAX) => Ok(Self(valid)),
            _ => Err(QuantityError(units)),
        }
    }

    /// The number of pieces.
    pub const fn units(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = QuantityError;
    fn try_from(units: i64) -> Result<Self, QuantityError> {
        Self::try_new(units)
    }
}

impl From<Quantity> for i64 {
    fn from(quantity: Quantity) -> Self {
        Self::from(quantity.0)
    }
}
