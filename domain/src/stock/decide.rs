//! A stock's rules.

use super::{ReleaseReason, StockCommand, StockEvent, StockRejection, StockState, id_of};
use crate::{
    Timestamp,
    values::{Label, OrderId, Pieces, Sku, StockId, Warehouse},
};

pub(super) fn decide(
    state: &StockState,
    command: StockCommand,
    now: Timestamp,
) -> Result<Vec<StockEvent>, StockRejection> {
    match command {
        StockCommand::Receive { sku, warehouse, pieces, reference } => {
            receive(state, sku, warehouse, pieces, reference, now)
        }
        StockCommand::Adjust { change, reason } => adjust(state, change, reason, now),
        StockCommand::Reserve { order, pieces, until } => reserve(state, order, pieces, until, now),
        StockCommand::Release { order, reason } => release(state, order, reason, now),
        StockCommand::Commit { order, pieces } => commit(state, order, pieces, now),
        StockCommand::Restock { order, number, pieces } => restock(state, order, number, pieces, now),
    }
}

fn receive(
    state: &StockState,
    sku: Sku,
    warehouse: Warehouse,
    pieces: Pieces,
    reference: Option<Label>,
    at: Timestamp,
) -> Result<Vec<StockEvent>, StockRejection> {
    some(pieces)?;
    state.on_hand.checked_add(pieces).map_err(|_| StockRejection::TooMany)?;
    let stock = id_of(&sku, &warehouse);
    Ok(vec![StockEvent::Received { stock, sku, warehouse, pieces, reference, at }])
}

fn adjust(state: &StockState, change: i64, reason: Label, at: Timestamp) -> Result<Vec<StockEvent>, StockRejection> {
    let stock = known(state)?;
    if change == 0 {
        return Err(StockRejection::NoPieces);
    }
    let reserved = state.reserved;
    let too_far = if change > 0 { StockRejection::TooMany } else { StockRejection::BelowReserved { reserved } };
    let changed = state.on_hand.changed_by(change).map_err(|_| too_far)?;
    if changed < reserved {
        return Err(StockRejection::BelowReserved { reserved });
    }
    Ok(vec![StockEvent::Adjusted { stock, change, reason, at }])
}

fn reserve(
    state: &StockState,
    order: OrderId,
    pieces: Pieces,
    until: Timestamp,
    at: Timestamp,
) -> Result<Vec<StockEvent>, StockRejection> {
    some(pieces)?;
    if let Some(reservation) = state.reservations.get(&order) {
        // Already so: success, nothing new.
        let is_same = reservation.requested == pieces;
        let reserved = reservation.requested;
        return if is_same { Ok(vec![]) } else { Err(StockRejection::ReservedOtherwise { reserved }) };
    }
    let available = state.available();
    match state.stock {
        // What was never received is not to be had, like what is gone.
        Some(stock) if pieces <= available => Ok(vec![StockEvent::Reserved { stock, order, pieces, until, at }]),
        Some(_) | None => Err(StockRejection::Insufficient { requested: pieces, available }),
    }
}

fn release(
    state: &StockState,
    order: OrderId,
    reason: ReleaseReason,
    at: Timestamp,
) -> Result<Vec<StockEvent>, StockRejection> {
    let (Some(stock), Some(reservation)) = (state.stock, state.reservations.get(&order)) else {
        return Ok(vec![]); // Nothing of it is held: success, nothing new.
    };
    let until = reservation.until;
    match reason {
        ReleaseReason::Expired if at < until => Err(StockRejection::NotExpired { until }),
        ReleaseReason::Expired | ReleaseReason::OrderCancelled | ReleaseReason::OrderIncomplete => {
            Ok(vec![StockEvent::Released { stock, order, pieces: reservation.left, reason, at }])
        }
    }
}

fn commit(
    state: &StockState,
    order: OrderId,
    pieces: Pieces,
    at: Timestamp,
) -> Result<Vec<StockEvent>, StockRejection> {
    some(pieces)?;
    let stock = known(state)?;
    let reserved = state.reservations.get(&order).map_or(Pieces::ZERO, |reservation| reservation.left);
    if pieces > reserved {
        return Err(StockRejection::NotReserved { reserved });
    }
    Ok(vec![StockEvent::Committed { stock, order, pieces, at }])
}

fn restock(
    state: &StockState,
    order: OrderId,
    number: u32,
    pieces: Pieces,
    at: Timestamp,
) -> Result<Vec<StockEvent>, StockRejection> {
    some(pieces)?;
    let stock = known(state)?;
    state.on_hand.checked_add(pieces).map_err(|_| StockRejection::TooMany)?;
    Ok(vec![StockEvent::Restocked { stock, order, number, pieces, at }])
}

fn known(state: &StockState) -> Result<StockId, StockRejection> {
    state.stock.ok_or(StockRejection::NotFound)
}

const fn some(pieces: Pieces) -> Result<(), StockRejection> {
    if pieces.is_zero() { Err(StockRejection::NoPieces) } else { Ok(()) }
}
