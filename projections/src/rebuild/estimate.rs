//! What a rebuild would take: events, time, room.

use std::time::Duration;

use infrastructure::{
    event_store::{Position, StoreError},
    read_store::{RawValue, ReadStore, ReadStoreError},
};
use tokio::time::Instant;

use crate::{
    Decoded, bookkeeping,
    context::Context,
    table::{count, some},
};

/// How many events or rows are looked at to tell of the others.
const SAMPLE: usize = 2_000;
/// How much longer folding and writing an event takes than reading and decoding it. Measured over the models of this
/// repository: between two and three times.
const WRITE_FACTOR: u32 = 3;
/// How much more room a row takes than its values: tree, indexes.
const ROOM_FACTOR: u64 = 2;

/// What an estimate relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimateBasis {
    /// The last rebuild of the same model.
    LastBuild,
    /// A sample of its events.
    Sample,
}

/// What a rebuild would take, about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildEstimate {
    /// Positions of the log to look at.
    pub positions: u64,
    /// Events to apply.
    pub events: u64,
    /// How long that takes without live traffic beside it.
    pub time: Duration,
    /// The room the new generation needs beside the old one, in bytes.
    pub bytes: u64,
    /// What it relies on.
    pub basis: EstimateBasis,
}

/// Why there is no estimate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EstimateError {
    #[error("the event store failed")]
    Events(#[from] StoreError),
    #[error("the read store failed")]
    Rows(#[from] ReadStoreError),
}

/// Estimates a rebuild from a position on. Changes nothing.
pub(crate) async fn estimate(context: &Context, from: Option<Position>) -> Result<RebuildEstimate, EstimateError> {
    let head = context.events.head().await?;
    let after = from.unwrap_or(Position::START);
    // The pages begin after it.
    let first = match from {
        Some(from) => context.events.event_at(from).await?,
        None => None,
    };
    let is_ours = first.as_ref().is_some_and(|event| context.shape.filter().passes(&event.type_name));
    let positions = context.events.distance(after, head) + u64::from(first.is_some());
    let started = Instant::now();
    let page = context.events.read_all(after, &context.shape.filter(), SAMPLE).await?;
    let decoded = page.events.iter().filter_map(|event| Decoded::decode(event).ok()).count();
    let took = started.elapsed();
    let looked_at = context.events.distance(after, page.scanned_to).max(1);
    let events = if page.is_end { page.events.len() as u64 } else { page.events.len() as u64 * positions / looked_at };
    let events = events + u64::from(is_ours);
    let serving = context.monitor.status().generation;
    let generations = bookkeeping::generations(&*context.rows, context.shape.name()).await?;
    let last = generations.iter().rfind(|generation| generation.built.events > 0 && generation.built.millis > 0);
    let (time, basis) = if let Some(last) = last {
        let millis = u128::from(events) * u128::from(last.built.millis) / u128::from(last.built.events);
        (Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)), EstimateBasis::LastBuild)
    } else {
        let each = took / u32::try_from(decoded.max(1)).unwrap_or(u32::MAX) * WRITE_FACTOR;
        let time = each.saturating_mul(u32::try_from(events).unwrap_or(u32::MAX));
        (time, EstimateBasis::Sample)
    };
    let bytes = match serving {
        Some(generation) => room_of(&*context.rows, &context.shape.tables(generation)).await?,
        None => {
            page.events.iter().map(|event| event.data.len() as u64).sum::<u64>() * events
                / (page.events.len() as u64).max(1)
        }
    };
    Ok(RebuildEstimate { positions, events, time, bytes, basis })
}

/// The room that tables take, about: what a sample of rows holds, times how many there are.
async fn room_of(store: &dyn ReadStore, tables: &[String]) -> Result<u64, ReadStoreError> {
    let mut bytes = 0;
    for table in tables {
        let rows = store.query(count(table)).await?;
        let rows = u64::try_from(rows.first().map_or(Ok(0), |row| row.int(0))?).unwrap_or(0);
        let sample = store.query(some(table, SAMPLE)).await?;
        let size = |value: &RawValue| match value {
            RawValue::Null => 1,
            RawValue::Int(_) | RawValue::Timestamp(_) => 8,
            RawValue::Uuid(_) => 16,
            RawValue::Text(text) => text.len() as u64,
            RawValue::Blob(bytes) => bytes.len() as u64,
        };
        let sampled: u64 = sample.iter().flat_map(|row| &row.0).map(size).sum();
        bytes += sampled * rows / (sample.len() as u64).max(1) * ROOM_FACTOR;
    }
    Ok(bytes)
}
