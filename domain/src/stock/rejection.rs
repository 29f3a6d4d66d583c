//! Why a stock's command is refused.

use crate::{
    Timestamp,
    values::{PIECES_MAX, Pieces},
};

/// An answer to whoever asked; never stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StockRejection {
    /// Nothing of this SKU ever came into this warehouse.
    #[error("nothing of this SKU was ever received in this warehouse")]
    NotFound,
    /// Nothing is received, reserved, committed or changed with no pieces.
    #[error("the number of pieces must not be zero")]
    NoPieces,
    /// More than a warehouse holds.
    #[error("a stock has at most {PIECES_MAX} pieces")]
    TooMany,
    /// Not enough is free. Nothing was reserved.
    #[error("{requested} pieces were asked for, {available} are available", requested = requested.number(), available = available.number())]
    Insufficient {
        /// What was asked for.
        requested: Pieces,
        /// What is free.
        available: Pieces,
    },
    /// The order has another reservation here.
    #[error("the order has {} pieces reserved already", reserved.number())]
    ReservedOtherwise {
        /// How many.
        reserved: Pieces,
    },
    /// More leaves the house than the order has reserved.
    #[error("the order has only {} pieces reserved", reserved.number())]
    NotReserved {
        /// How many it has.
        reserved: Pieces,
    },
    /// Fewer pieces than are promised to orders.
    #[error("at least {} pieces must stay: so many are reserved", reserved.number())]
    BelowReserved {
        /// How many are promised.
        reserved: Pieces,
    },
    /// It is kept still.
    #[error("the reservation is kept until {until}")]
    NotExpired {
        /// Until when.
        until: Timestamp,
    },
}
