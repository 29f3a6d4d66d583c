//! The level of a stock as it is read.

use domain::{
    Timestamp,
    stock::{StockEvent, StockState},
    values::{Pieces, Sku, StockId, Warehouse},
};
use infrastructure::event_store::Revision;

use super::fold;

/// The pieces of one SKU in one warehouse.
#[derive(Clone, Debug, PartialEq)]
pub struct StockLevelRow {
    /// The stock.
    pub stock: StockId,
    /// Of what.
    pub sku: Sku,
    /// Where.
    pub warehouse: Warehouse,
    /// The pieces in the house, reserved ones too.
    pub on_hand: Pieces,
    /// Those promised to orders.
    pub reserved: Pieces,
    /// When anything about it changed last.
    pub updated_at: Timestamp,
    /// The revision of its stream.
    pub revision: Revision,
}

impl StockLevelRow {
    /// What the next order can have.
    pub const fn available(&self) -> Pieces {
        self.on_hand.saturating_sub(self.reserved)
    }

    /// The row that belongs to the state of this SKU's stock in this warehouse: what the fold of the same events gives.
    pub fn of(state: &StockState, sku: Sku, warehouse: Warehouse, revision: Revision) -> Option<Self> {
        let (stock, updated_at) = (state.stock?, state.updated_at?);
        let (on_hand, reserved) = (state.on_hand, state.reserved);
        Some(Self { stock, sku, warehouse, on_hand, reserved, updated_at, revision })
    }

    /// Takes the pieces of the last event back: `on_hand` and `reserved` are what they were right before it. When it was
    /// changed and its revision are for the event before to say.
    pub fn take_back(&mut self, event: &StockEvent) {
        fold::take_back(self, event);
    }
}
