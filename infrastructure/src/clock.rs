//! Time and ids as ports, so that a whole run can be simulated from a seed.
//!
//! **Invariant:** the system's clock and randomness are read in this file and nowhere else.

use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Now, in UTC, with microseconds: what every store can keep.
    fn now(&self) -> Timestamp;
}

/// Gives out ids.
pub trait IdSource: Send + Sync + std::fmt::Debug {
    /// A fresh UUIDv7 (RFC 9562): unique, and growing with time, so that indexes stay compact.
    fn fresh(&self) -> Uuid;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
        let now = chrono::Utc::now();
        chrono::SubsecRound::trunc_subsecs(now, 6)
    }
}

/// The machine's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    fn fresh(&self) -> Uuid {
        #[expect(clippy::disallowed_methods, reason = "the one place that makes random ids")]
        Uuid::now_v7()
    }
}

/// 32 bytes that nobody can guess: enough for a key.
pub fn unguessable() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// A clock that moves only when told to. For tests and simulation.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves the clock, backwards too.
    pub fn advance(&self, by: chrono::TimeDelta) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids that count up from a seed: the same seed, the same ids. For tests and simulation.
#[derive(Debug)]
pub struct CountingIds(std::sync::atomic::AtomicU64, u64);

impl CountingIds {
    /// Ids of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(std::sync::atomic::AtomicU64::new(0), seed)
    }
}

impl IdSource for CountingIds {
    fn fresh(&self) -> Uuid {
        let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Uuid::from_u64_pair(self.1, count | 1 << 63)
    }
}
