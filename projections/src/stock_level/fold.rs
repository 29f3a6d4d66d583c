//! Row and event to row, and back again.

use domain::{Event, stock::StockEvent, values::Pieces};
use infrastructure::event_store::Revision;
use uuid::Uuid;

use super::StockLevelRow;
use crate::Decoded;

pub(super) fn key(event: &Decoded) -> Option<Uuid> {
    match &*event.event {
        Event::Stock(event) => Some(event.stock().uuid()),
        Event::Product(_)
        | Event::Order(_)
        | Event::Payment(_)
        | Event::Profile(_)
        | Event::Handle(_)
        | Event::Follow(_)
        | Event::Post(_)
        | Event::Reaction(_)
        | Event::Inbox(_)
        | Event::Operator(_) => None,
    }
}

/// Whether it is the first receipt: later ones add to what is there.
pub(super) fn starts(event: &Decoded) -> bool {
    event.revision == Revision::FIRST && matches!(&*event.event, Event::Stock(StockEvent::Received { .. }))
}

pub(super) fn fold(row: Option<StockLevelRow>, event: &Decoded) -> Option<StockLevelRow> {
    let Event::Stock(happened) = &*event.event else { return row };
    let known = row.filter(|_| !starts(event));
    let mut row = match (known, happened) {
        (Some(row), _) => row,
        (None, StockEvent::Received { stock, sku, warehouse, at, .. }) => StockLevelRow {
            stock: *stock,
            sku: sku.clone(),
            warehouse: warehouse.clone(),
            on_hand: Pieces::ZERO,
            reserved: Pieces::ZERO,
            updated_at: *at,
            revision: event.revision,
        },
        // Without a receipt nobody knows what lies where.
        (
            None,
            StockEvent::Adjusted { .. }
            | StockEvent::Reserved { .. }
            | StockEvent::Released { .. }
            | StockEvent::Committed { .. }
            | StockEvent::Restocked { .. },
        ) => return None,
    };
    // The aggregate never lets a sum leave its bounds; in a log that does all the same it stops there.
    match happened {
        StockEvent::Received { pieces, .. } | StockEvent::Restocked { pieces, .. } => {
            row.on_hand = row.on_hand.saturating_add(*pieces);
        }
        StockEvent::Adjusted { change, .. } => row.on_hand = row.on_hand.changed_by(*change).unwrap_or_default(),
        StockEvent::Reserved { pieces, .. } => row.reserved = row.reserved.saturating_add(*pieces),
        StockEvent::Released { pieces, .. } => row.reserved = row.reserved.saturating_sub(*pieces),
        StockEvent::Committed { pieces, .. } => {
            row.on_hand = row.on_hand.saturating_sub(*pieces);
            row.reserved = row.reserved.saturating_sub(*pieces);
        }
    }
    row.updated_at = happened.at();
    row.revision = event.revision;
    Some(row)
}

pub(super) fn take_back(row: &mut StockLevelRow, event: &StockEvent) {
    match event {
        StockEvent::Received { pieces, .. } | StockEvent::Restocked { pieces, .. } => {
            row.on_hand = row.on_hand.saturating_sub(*pieces);
        }
        StockEvent::Adjusted { change, .. } => {
            let back = change.checked_neg().and_then(|back| row.on_hand.changed_by(back).ok());
            row.on_hand = back.unwrap_or_default();
        }
        StockEvent::Reserved { pieces, .. } => row.reserved = row.reserved.saturating_sub(*pieces),
        StockEvent::Released { pieces, .. } => row.reserved = row.reserved.saturating_add(*pieces),
        StockEvent::Committed { pieces, .. } => {
            row.on_hand = row.on_hand.saturating_add(*pieces);
            row.reserved = row.reserved.saturating_add(*pieces);
        }
    }
}
