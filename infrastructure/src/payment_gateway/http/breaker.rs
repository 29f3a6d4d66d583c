//! A circuit breaker: whoever fails again and again, or asks for a pause, is left alone for a while, then asked once.
//!
//! **Invariant:** while it is open nobody is asked but one at a time, and one who goes away without a word frees that place.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// So many failures in a row open it.
    pub(super) failures: u32,
    /// So long nobody is asked then.
    pub(super) rest: Duration,
}

/// The breaker of one provider.
#[derive(Debug)]
pub(super) struct Breaker {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// Somebody asks, to see whether it is better.
    Probing,
}

/// Somebody may ask, and is to say how it went.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

/// What has become of the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing new.
    None,
    /// It has just opened.
    Opened,
    /// It has just closed.
    Closed,
}

impl Breaker {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    /// Lets somebody ask, or says how long nobody is to.
    pub(super) fn pass(&self) -> Result<Pass<'_>, Duration> {
        let mut state = self.locked();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return Err(left);
                }
                *state = State::Probing;
                true
            }
            // It will be known soon; another rest is the longest it can take to matter.
            State::Probing => return Err(self.limits.rest),
        };
        Ok(Pass { breaker: self, is_probe })
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// It answered.
    pub(super) fn answered(mut self) -> Change {
        let was_probe = std::mem::take(&mut self.is_probe);
        let mut state = self.breaker.locked();
        match *state {
            // A late answer from before it opened says nothing about now.
            State::Open { .. } | State::Probing if !was_probe => Change::None,
            State::Open { .. } | State::Probing => {
                *state = State::Closed { failures: 0 };
                Change::Closed
            }
            State::Closed { .. } => {
                *state = State::Closed { failures: 0 };
                Change::None
            }
        }
    }

    /// It answered that it wants to be left alone for so long.
    pub(super) fn rest(mut self, pause: Duration) -> Change {
        self.is_probe = false;
        *self.breaker.locked() = State::Open { until: Instant::now() + pause };
        Change::None
    }

    /// It failed.
    pub(super) fn failed(mut self) -> Change {
        let was_probe = std::mem::take(&mut self.is_probe);
        let Limits { failures: failures_max, rest } = self.breaker.limits;
        let mut state = self.breaker.locked();
        match *state {
            State::Closed { failures } if failures + 1 < failures_max => {
                *state = State::Closed { failures: failures + 1 };
                Change::None
            }
            State::Closed { .. } => {
                *state = State::Open { until: Instant::now() + rest };
                Change::Opened
            }
            State::Open { .. } | State::Probing => {
                if was_probe {
                    *state = State::Open { until: Instant::now() + rest };
                }
                Change::None
            }
        }
    }
}

/// Whoever probes and goes away leaves the place to the next one.
impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            *self.breaker.locked() = State::Open { until: Instant::now() };
        }
    }
}

#[cfg(test)]
mod tests;
