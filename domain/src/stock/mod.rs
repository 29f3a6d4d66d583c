//! Stock: the pieces of one SKU in one warehouse, and whom they are promised to.
//!
//! Pieces are received, counted anew, reserved for an order, released, and committed when they leave the house. All of it
//! stands in one stream, so that a reservation is one decision: whoever comes second finds what the first one left.
//! **Invariant:** there are never fewer pieces than are reserved; what is available is never negative.
//! Slice map: api/src/graphql/stock/mutation.rs, domain/src/stock/decide.rs, projections/src/stock_level/mod.rs,
//! tests/it/stock.rs

mod command;
mod decide;
mod event;
mod rejection;
mod state;
#[cfg(test)]
mod tests;

pub use command::StockCommand;
pub use event::{ReleaseReason, StockEvent};
pub use rejection::StockRejection;
pub use state::{Reservation, StockState};

use crate::{
    Decider, SnapshotForm, Timestamp,
    values::{OrderId, Sku, StockId, Warehouse},
};

/// The stock aggregate.
#[derive(Debug)]
pub enum Stock {}

impl Decider for Stock {
    const CATEGORY: &'static str = "stock";
    type State = StockState;
    type Command = StockCommand;
    type Event = StockEvent;
    type Rejection = StockRejection;
    const SNAPSHOT: Option<SnapshotForm<StockState>> = Some(SnapshotForm::json(state::SNAPSHOT_VERSION));

    fn decide(state: &StockState, command: StockCommand, now: Timestamp) -> Result<Vec<StockEvent>, StockRejection> {
        decide::decide(state, command, now)
    }

    fn evolve(state: StockState, event: &StockEvent) -> StockState {
        state::evolve(state, event)
    }

    fn weight(state: &StockState) -> usize {
        // The nodes of the map are not full.
        size_of::<StockState>() + 2 * state.reservations.len() * size_of::<(OrderId, Reservation)>()
    }
}

/// The stock of this SKU in this warehouse.
pub fn id_of(sku: &Sku, warehouse: &Warehouse) -> StockId {
    // No SKU has an `@` in it.
    StockId::named(&format!("{sku}@{warehouse}"))
}
