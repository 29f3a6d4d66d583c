//! Holding a rebuild back while there is live traffic.

use std::time::Duration;

use infrastructure::event_store::Position;
use tokio::{sync::watch, time::Instant};

/// How many rows one transaction writes when nobody else wants the read store.
const ROWS_MAX: usize = 32_768;
/// And when somebody does: a live batch waits for no more than these.
const ROWS_MAX_LIVE: usize = 2_048;
/// The most payload of events whose rows are held in memory.
const BYTES_MAX: usize = 24 * 1024 * 1024;
/// How long after the last append there still counts as traffic.
const TRAFFIC_LASTS: Duration = Duration::from_secs(1);

/// Tells a rebuild how much to do at once and when to rest.
#[derive(Debug)]
pub(super) struct Throttle {
    tail: watch::Receiver<Position>,
    last_append: Option<Instant>,
    /// The share of the time, in percent, that a rebuild works while there is traffic.
    share: u32,
    worked_since: Instant,
    held_back: Duration,
}

impl Throttle {
    pub(super) fn new(mut tail: watch::Receiver<Position>, share: u32) -> Self {
        tail.borrow_and_update();
        Self {
            tail,
            last_append: None,
            share: share.clamp(1, 100),
            worked_since: Instant::now(),
            held_back: Duration::ZERO,
        }
    }

    /// Whether somebody appended a moment ago.
    pub(super) fn is_live(&mut self) -> bool {
        if self.tail.has_changed().unwrap_or(false) {
            self.tail.borrow_and_update();
            self.last_append = Some(Instant::now());
        }
        self.last_append.is_some_and(|last| last.elapsed() < TRAFFIC_LASTS)
    }

    /// Whether so many rows and bytes are to be written before more are taken.
    pub(super) fn is_full(&mut self, (rows, bytes): (usize, usize)) -> bool {
        let rows_max = if self.is_live() { ROWS_MAX_LIVE } else { ROWS_MAX };
        rows >= rows_max || bytes >= BYTES_MAX
    }

    /// Rests as long as the last piece of work asks for.
    pub(super) async fn rest(&mut self) {
        let worked = self.worked_since.elapsed();
        if self.is_live() && self.share < 100 {
            let rest = worked * (100 - self.share) / self.share;
            tokio::time::sleep(rest).await;
            self.held_back += rest;
        }
        self.worked_since = Instant::now();
    }

    /// How long it has rested in all.
    pub(super) const fn held_back(&self) -> Duration {
        self.held_back
    }
}
