//! How many pieces lie somewhere.

use serde::{Deserialize, Serialize};

use super::Quantity;

/// The most pieces of one SKU in one warehouse: what an `Int` of GraphQL holds with room to spare.
pub const PIECES_MAX: u64 = 1_000_000_000;

/// A number of pieces in stock, 0 to [`PIECES_MAX`]: what many quantities add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Pieces(u64);

/// A number of pieces that no warehouse holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stock has 0 to {PIECES_MAX} pieces, not {0}")]
pub struct PiecesError(pub i128);

impl Pieces {
    /// None at all.
    pub const ZERO: Self = Self(0);

    /// So many.
    pub fn try_new(number: i64) -> Result<Self, PiecesError> {
        u64::try_from(number).ok().filter(|valid| *valid <= PIECES_MAX).map(Self).ok_or(PiecesError(number.into()))
    }

    /// Their number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Whether there are none.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Both together, if a warehouse can hold so many.
    pub fn checked_add(self, other: Self) -> Result<Self, PiecesError> {
        let sum = self.0 + other.0;
        if sum > PIECES_MAX { Err(PiecesError(sum.into())) } else { Ok(Self(sum)) }
    }

    /// What is left without `other`; none if that is more than there are.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// What is left without `other`, at least none. For folds, which refuse nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Both together, at most [`PIECES_MAX`]. For folds, which refuse nothing.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(PIECES_MAX))
    }

    /// So many more or fewer, if a warehouse can hold that.
    pub fn changed_by(self, change: i64) -> Result<Self, PiecesError> {
        let changed = i128::from(self.0) + i128::from(change);
        i64::try_from(changed).map_err(|_| PiecesError(changed)).and_then(Self::try_new)
    }
}

impl From<Quantity> for Pieces {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.units().into())
    }
}

impl TryFrom<u64> for Pieces {
    type Error = PiecesError;
    fn try_from(number: u64) -> Result<Self, PiecesError> {
        if number > PIECES_MAX { Err(PiecesError(number.into())) } else { Ok(Self(number)) }
    }
}

impl From<Pieces> for u64 {
    fn from(pieces: Pieces) -> Self {
        pieces.0
    }
}
