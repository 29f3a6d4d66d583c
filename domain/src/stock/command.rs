//! What somebody may want of a stock.

use super::ReleaseReason;
use crate::{
    Timestamp,
    values::{Label, OrderId, Pieces, Sku, Warehouse},
};

/// A command to the stock of one SKU in one warehouse.
#[derive(Clone, Debug, PartialEq)]
pub enum StockCommand {
    /// Pieces came in.
    Receive {
        /// Of what.
        sku: Sku,
        /// Where.
        warehouse: Warehouse,
        /// How many.
        pieces: Pieces,
        /// The delivery note, the return, or whatever else they came with.
        reference: Option<Label>,
    },
    /// There are more or fewer than was thought.
    Adjust {
        /// How many more; negative: fewer.
        change: i64,
        /// Why: counted, broken, found.
        reason: Label,
    },
    /// Promise pieces to an order, all of them or none.
    Reserve {
        /// Which order.
        order: OrderId,
        /// How many: of all its lines with this SKU together.
        pieces: Pieces,
        /// Until when it is kept if nothing else happens.
        until: Timestamp,
    },
    /// The order does not need what is left of its reservation.
    Release {
        /// Which order.
        order: OrderId,
        /// Why.
        reason: ReleaseReason,
    },
    /// Reserved pieces leave the house.
    Commit {
        /// For which order.
        order: OrderId,
        /// How many of them.
        pieces: Pieces,
    },
    /// Pieces came back from a customer and can be sold again.
    Restock {
        /// From which order.
        order: OrderId,
        /// Which of its returns, counted from 1.
        number: u32,
        /// How many.
        pieces: Pieces,
    },
}
