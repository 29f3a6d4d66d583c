//! What a projection does about an event that it cannot apply.

use std::time::Duration;

use uuid::Uuid;

/// What a projection does about an event that it cannot apply. Each projection says so in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnFailure {
    /// Whether the event's key is parked while the others go on. Otherwise the projection stops there.
    pub(crate) parks: bool,
    /// How often the event is tried, the first time included.
    pub(crate) attempts_max: u32,
    /// The pause before the second try; it doubles with each.
    pub(crate) pause_min: Duration,
    /// The longest pause.
    pub(crate) pause_max: Duration,
    /// How many events may be parked before the projection stops: a defect that fails every event is no matter of keys.
    pub(crate) parked_max: u64,
}

impl OnFailure {
    /// The event's key is parked; every other key goes on. Tried again five times, then it waits for an operator or a new
    /// build.
    pub const fn park() -> Self {
        Self {
            parks: true,
            attempts_max: 5,
            pause_min: Duration::from_millis(200),
            pause_max: Duration::from_secs(30),
            parked_max: 10_000,
        }
    }

    /// The projection tries five times and stops at the event: for models where an event of one key means something for
    /// the rows of others.
    pub const fn stop() -> Self {
        Self { parks: false, ..Self::park() }
    }

    /// The same, with so many tries.
    #[must_use]
    pub const fn attempts(mut self, max: u32) -> Self {
        self.attempts_max = max;
        self
    }

    /// The same, stopping when so many events are parked.
    #[must_use]
    pub const fn parked_max(mut self, max: u64) -> Self {
        self.parked_max = max;
        self
    }

    /// The pause after try number `attempts` of this key; none if it was the last one. Half to all of the doubling
    /// pause, a part that depends on key and try, so that keys that failed together do not come back together.
    pub(crate) fn pause_after(&self, attempts: u32, key: Uuid) -> Option<Duration> {
        if attempts >= self.attempts_max {
            return None;
        }
        let doubled = self.pause_min.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(self.pause_max);
        let spread = (key.as_u128() ^ u128::from(attempts).wrapping_mul(0x9e37_79b9_7f4a_7c15)) % 1_024;
        Some(doubled / 2 + doubled / 2 * u32::try_from(spread).unwrap_or(0) / 1_024)
    }
}
