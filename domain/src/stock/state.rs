//! What a stock remembers.

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::StockEvent;
use crate::{
    Timestamp,
    values::{OrderId, Pieces, StockId},
};

/// The version of what is written as a snapshot, and of the fold that made it.
pub(super) const SNAPSHOT_VERSION: u32 = 1;

/// What lies there, and whom it is promised to. Small however long the stream is: what is settled is forgotten. Written as a
/// snapshot, so that a long stream is not read from its start: whoever changes fields or fold raises `SNAPSHOT_VERSION`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockState {
    /// The stock, once something was received.
    pub stock: Option<StockId>,
    /// The pieces in the house, reserved ones too.
    pub on_hand: Pieces,
    /// The sum of the reservations.
    pub reserved: Pieces,
    /// When anything about it changed last.
    pub updated_at: Option<Timestamp>,
    /// What is promised, by order. Each command has the state before it and the one after it: so a clone shares what it
    /// does not change, however many reservations are open.
    pub reservations: OrdMap<OrderId, Reservation>,
}

/// Pieces promised to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// How many were asked for.
    pub requested: Pieces,
    /// How many of them are still in the house.
    pub left: Pieces,
    /// Until when they are kept if nothing else happens.
    pub until: Timestamp,
}

impl StockState {
    /// What the next order can have.
    pub const fn available(&self) -> Pieces {
        self.on_hand.saturating_sub(self.reserved)
    }
}

pub(super) fn evolve(mut state: StockState, event: &StockEvent) -> StockState {
    state.updated_at = Some(event.at());
    match event {
        StockEvent::Received { stock, pieces, .. } => {
            state.stock = Some(*stock);
            state.on_hand = state.on_hand.saturating_add(*pieces);
        }
        StockEvent::Restocked { pieces, .. } => state.on_hand = state.on_hand.saturating_add(*pieces),
        StockEvent::Adjusted { change, .. } => {
            // `decide` never lets it go below zero; a log that does all the same must still fold.
            state.on_hand = state.on_hand.changed_by(*change).unwrap_or_default();
        }
        StockEvent::Reserved { order, pieces, until, .. } => {
            let reservation = Reservation { requested: *pieces, left: *pieces, until: *until };
            if state.reservations.insert(*order, reservation).is_none() {
                state.reserved = state.reserved.saturating_add(*pieces);
            }
        }
        StockEvent::Released { order, .. } => {
            if let Some(reservation) = state.reservations.remove(order) {
                state.reserved = state.reserved.saturating_sub(reservation.left);
            }
        }
        StockEvent::Committed { order, pieces, .. } => {
            state.on_hand = state.on_hand.saturating_sub(*pieces);
            state.reserved = state.reserved.saturating_sub(*pieces);
            if let Some(reservation) = state.reservations.get_mut(order) {
                reservation.left = reservation.left.saturating_sub(*pieces);
                if reservation.left.is_zero() {
                    state.reservations.remove(order);
                }
            }
        }
    }
    state
}
