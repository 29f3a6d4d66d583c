//! How many events lie between two positions, by estimate.
//!
//! Positions are offsets in the server's log, in bytes. How many bytes an event takes there, with what the server adds
//! and with the system's events in between, is learned from the pages that are read anyway.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{super::Position, page::Seen};

/// What an event takes before anything was read: some hundred bytes of ours and the server's own.
const BYTES_AT_FIRST: u64 = 1_000;
/// Fewer events than this say nothing.
const EVENTS_MIN: u64 = 4;

/// Bytes of the log per event, as learned.
#[derive(Debug)]
pub(super) struct Density(AtomicU64);

impl Density {
    /// Nothing learned yet.
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(BYTES_AT_FIRST))
    }

    /// Learns from events of all types that were read one after the other.
    pub(super) fn learn(&self, after: Position, seen: &[Seen]) {
        let Some(last) = seen.last() else { return };
        let first = seen.iter().map(|seen| seen.position).find(|position| *position > after).unwrap_or(after);
        // From the first to the last there is one distance less than there are events.
        let steps = (seen.len() as u64).saturating_sub(1);
        let bytes = last.position.value().saturating_sub(first.value());
        if steps < EVENTS_MIN || bytes == 0 {
            return;
        }
        let known = self.0.load(Ordering::Relaxed);
        let measured = (bytes / steps).max(1);
        // Half and half: it follows a log that changes and does not jump. Another writer's loss is no harm.
        self.0.store(known.midpoint(measured).max(1), Ordering::Relaxed);
    }

    /// How many events lie after `after`, up to `to`.
    pub(super) fn events(&self, after: Position, to: Position) -> u64 {
        let bytes = to.value().saturating_sub(after.value());
        bytes.div_ceil(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(positions: impl IntoIterator<Item = u64>) -> Vec<Seen> {
        positions.into_iter().map(|position| Seen { position: Position::new(position), event: None }).collect()
    }

    #[test]
    fn the_estimate_comes_to_what_the_pages_show() {
        let density = Density::new();
        assert_eq!(density.events(Position::START, Position::new(10_000)), 10);
        for page in 0..40_u64 {
            density.learn(Position::new(page * 3_000), &log((1..=10).map(|event| page * 3_000 + event * 300)));
        }
        assert_eq!(density.events(Position::new(500), Position::new(500 + 30_000)), 100);
    }

    #[test]
    fn where_something_is_left_the_estimate_is_not_nothing() {
        let density = Density::new();
        assert_eq!(density.events(Position::new(7), Position::new(8)), 1);
        assert_eq!(density.events(Position::new(8), Position::new(8)), 0);
        assert_eq!(density.events(Position::new(9), Position::new(8)), 0);
    }

    #[test]
    fn a_few_events_and_pages_of_nothing_teach_nothing() {
        let density = Density::new();
        density.learn(Position::START, &[]);
        density.learn(Position::START, &log([1, 2]));
        assert_eq!(density.events(Position::START, Position::new(5_000)), 5);
    }
}
