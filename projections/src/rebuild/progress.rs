//! How far a rebuild is, and how it ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::shape::Verified;

/// What a rebuild is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RebuildPhase {
    /// It reads the log and fills the new generation.
    Filling,
    /// It sorts the indexes, and looks whether everything is there and right.
    Verifying,
    /// It waits for the worker to switch.
    Switching,
    /// The new generation serves.
    Done,
    /// It gave up; the old generation serves on.
    Failed(String),
}

/// How far a rebuild is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RebuildProgress {
    /// The generation it fills.
    pub generation: i64,
    /// What it is at.
    pub phase: RebuildPhase,
    /// How much of the log it has looked at, in positions.
    pub done: u64,
    /// How much there is.
    pub total: u64,
    /// Where this process began: further than the start if an earlier one had begun it.
    pub resumed_at: u64,
    /// How many events of this projection it has applied.
    pub events: u64,
    /// How many keys are parked in the new generation.
    pub parked_keys: u64,
    /// How long this process has been at it.
    pub elapsed: Duration,
    /// How much of that it held back so that live traffic goes first.
    pub held_back: Duration,
    /// What the look at the new generation found to be right.
    pub verified: Option<Verified>,
}

impl RebuildProgress {
    /// One that has done nothing yet.
    pub(crate) const fn blank(generation: i64, phase: RebuildPhase) -> Self {
        Self {
            generation,
            phase,
            done: 0,
            total: 0,
            resumed_at: 0,
            events: 0,
            parked_keys: 0,
            elapsed: Duration::ZERO,
            held_back: Duration::ZERO,
            verified: None,
        }
    }

    /// Positions per second so far.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        let done = self.done.saturating_sub(self.resumed_at);
        let done = u32::try_from(done).map_or(f64::from(u32::MAX), f64::from);
        if seconds > 0.0 { done / seconds } else { 0.0 }
    }

    /// How long it will take still, at this rate.
    pub fn remaining(&self) -> Option<Duration> {
        let left = u32::try_from(self.total.saturating_sub(self.done)).ok()?;
        let rate = self.rate();
        (rate > 0.0).then(|| Duration::from_secs_f64(f64::from(left) / rate))
    }

    /// Whether it is over, one way or the other.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, RebuildPhase::Done | RebuildPhase::Failed(_))
    }
}
