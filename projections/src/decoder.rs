//! Decodes each event once for all projections of a process.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use infrastructure::event_store::{Name, Position, RecordedEvent};

use crate::{Decoded, decoded::Undecodable};

#[cfg(test)]
mod tests;

/// How much is kept. The projections of a process are rarely further apart.
const EVENTS_KEPT_MAX: usize = 4_096;
const BYTES_KEPT_MAX: usize = 8 * 1024 * 1024;

/// What was decoded lately.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    at: HashMap<Position, Arc<Slot>>,
    /// The positions of `at` in the order in which they came.
    order: VecDeque<Position>,
    bytes: usize,
}

/// An event as it is stored, and what it says once somebody has looked.
#[derive(Debug)]
struct Slot {
    type_name: Name,
    data: String,
    decoded: OnceLock<Result<Decoded, Undecodable>>,
}

impl Decoder {
    /// These events decoded, or why they cannot be.
    pub(crate) fn decode(&self, events: &[RecordedEvent]) -> Vec<Result<Decoded, Undecodable>> {
        let slots: Vec<_> = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            events.iter().map(|event| kept.slot(event)).collect()
        };
        let decoded = |(slot, event): (&Arc<Slot>, _)| slot.decoded.get_or_init(|| Decoded::or_why(event)).clone();
        slots.iter().zip(events).map(decoded).collect()
    }
}

impl Kept {
    fn slot(&mut self, event: &RecordedEvent) -> Arc<Slot> {
        // A file that was mended by hand may say something else at the same position.
        if let Some(slot) = self.at.get(&event.position).filter(|slot| slot.is_of(event)) {
            return Arc::clone(slot);
        }
        while self.order.len() >= EVENTS_KEPT_MAX || self.bytes > BYTES_KEPT_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.at.remove(&oldest).map_or(0, |slot| slot.data.len());
        }
        let (type_name, data) = (event.type_name.clone(), event.data.clone());
        let slot = Arc::new(Slot { type_name, data, decoded: OnceLock::new() });
        self.bytes += slot.data.len();
        match self.at.insert(event.position, Arc::clone(&slot)) {
            Some(former) => self.bytes -= former.data.len(),
            None => self.order.push_back(event.position),
        }
        slot
    }
}

impl Slot {
    fn is_of(&self, event: &RecordedEvent) -> bool {
        self.type_name == event.type_name && self.data == event.data
    }
}
