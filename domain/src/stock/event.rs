//! What happened to a stock.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    EventPayload, Timestamp,
    values::{Label, OrderId, Pieces, Sku, StockId, Warehouse},
};

/// An event of the stock of one SKU in one warehouse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StockEvent {
    /// Pieces came in. The first event of every stock.
    #[serde(rename = "stock.received.v1")]
    Received {
        /// The stock.
        stock: StockId,
        /// Of what.
        sku: Sku,
        /// Where.
        warehouse: Warehouse,
        /// How many.
        pieces: Pieces,
        /// What they came with.
        reference: Option<Label>,
        /// When.
        at: Timestamp,
    },
    /// There are more or fewer than was thought.
    #[serde(rename = "stock.adjusted.v1")]
    Adjusted {
        /// The stock.
        stock: StockId,
        /// How many more; negative: fewer.
        change: i64,
        /// Why.
        reason: Label,
        /// When.
        at: Timestamp,
    },
    /// Pieces are promised to an order.
    #[serde(rename = "stock.reserved.v1")]
    Reserved {
        /// The stock.
        stock: StockId,
        /// The order.
        order: OrderId,
        /// How many.
        pieces: Pieces,
        /// Until when, if nothing else happens.
        until: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// They are free again.
    #[serde(rename = "stock.released.v1")]
    Released {
        /// The stock.
        stock: StockId,
        /// The order.
        order: OrderId,
        /// How many: all that was left of its reservation.
        pieces: Pieces,
        /// Why.
        reason: ReleaseReason,
        /// When.
        at: Timestamp,
    },
    /// They left the house.
    #[serde(rename = "stock.committed.v1")]
    Committed {
        /// The stock.
        stock: StockId,
        /// The order.
        order: OrderId,
        /// How many.
        pieces: Pieces,
        /// When.
        at: Timestamp,
    },
    /// They came back and can be sold again.
    #[serde(rename = "stock.restocked.v1")]
    Restocked {
        /// The stock.
        stock: StockId,
        /// The order.
        order: OrderId,
        /// Which of its returns, counted from 1.
        number: u32,
        /// How many.
        pieces: Pieces,
        /// When.
        at: Timestamp,
    },
}

/// Why a reservation ended before its pieces left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseReason {
    /// The order was cancelled.
    OrderCancelled,
    /// Another line of the order was not to be had.
    OrderIncomplete,
    /// It was kept no longer.
    Expired,
}

impl StockEvent {
    /// The stock it happened to.
    pub const fn stock(&self) -> StockId {
        match self {
            Self::Received { stock, .. }
            | Self::Adjusted { stock, .. }
            | Self::Reserved { stock, .. }
            | Self::Released { stock, .. }
            | Self::Committed { stock, .. }
            | Self::Restocked { stock, .. } => *stock,
        }
    }

    /// The order it happened for, if it happened for one.
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::Received { .. } | Self::Adjusted { .. } => None,
            Self::Reserved { order, .. }
            | Self::Released { order, .. }
            | Self::Committed { order, .. }
            | Self::Restocked { order, .. } => Some(*order),
        }
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Received { at, .. }
            | Self::Adjusted { at, .. }
            | Self::Reserved { at, .. }
            | Self::Released { at, .. }
            | Self::Committed { at, .. }
            | Self::Restocked { at, .. } => *at,
        }
    }
}

impl EventPayload for StockEvent {
    fn types() -> Vec<&'static str> {
        vec![
            "stock.received.v1",
            "stock.adjusted.v1",
            "stock.reserved.v1",
            "stock.released.v1",
            "stock.committed.v1",
            "stock.restocked.v1",
        ]
    }

    fn deserialize_tagged<'de, D: Deserializer<'de>>(_type_name: &str, tagged: D) -> Result<Self, D::Error> {
        Self::deserialize(tagged)
    }
}
