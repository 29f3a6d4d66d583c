//! How fast a socket may start operations: a bucket that refills while it is left alone.

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Pace {
    burst: f64,
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Pace {
    pub(super) fn new(burst: u32, per_minute: u32, now: Instant) -> Self {
        Self { burst: burst.into(), per_second: f64::from(per_minute) / 60.0, left: burst.into(), at: now }
    }

    /// Takes one. False if there is none left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let refill = now.duration_since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + refill).min(self.burst);
        self.at = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}
