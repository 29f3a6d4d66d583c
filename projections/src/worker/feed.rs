//! Where a worker's next step comes from, and when.

use std::{sync::Arc, time::Duration};

use infrastructure::event_store::{Batch, EventStore, StoreError, Subscription};
use tokio::time::Instant;

use super::{Held, order::Order};
use crate::context::Context;

/// The first and the longest pause before another try. Subscribers and whoever waits for a position are as late after an
/// outage.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long after the start of one batch the next one starts, unless the worker is behind. The first event after a quiet
/// moment is applied at once; a busy log is applied in batches that are worth their transaction, instead of one for each
/// commit of the event store.
const BATCH_INTERVAL_MIN: Duration = Duration::from_millis(3);

/// What a worker does next.
pub(super) enum Next {
    Order(Order),
    Batch(Result<Batch, StoreError>),
    /// The time of some parked keys has come.
    Retries,
}

/// A worker's place in the log, and its patience.
#[derive(Debug, Default)]
pub(super) struct Feed {
    subscription: Option<Subscription>,
    not_before: Option<Instant>,
    pause: Option<Duration>,
}

impl Feed {
    /// The next step. Never comes while the worker is halted, or holds nothing that it could carry on. Cancel-safe.
    pub(super) async fn next(&mut self, context: &Context, held: &Held, is_halted: bool) -> Next {
        let Held::Track(track) = held else { return std::future::pending().await };
        if is_halted {
            return std::future::pending().await;
        }
        if let Some(moment) = self.not_before {
            tokio::time::sleep_until(moment).await;
        }
        let subscription = self.subscription.get_or_insert_with(|| {
            let log = Arc::clone(&context.log) as Arc<dyn EventStore>;
            Subscription::new(log, track.position, context.shape.filter())
        });
        let due = track.parked.next_retry().map(|due| (due - context.clock.now()).to_std().unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => Next::Retries,
            batch = subscription.next(context.batch_events_max) => Next::Batch(batch),
        }
    }

    /// Waits before the next step, longer each time, and reads again from what is applied. Gives the pause.
    pub(super) fn again(&mut self) -> Duration {
        let pause = self.pause.unwrap_or(RETRY_PAUSE_MIN);
        self.pause = Some((pause * 2).min(RETRY_PAUSE_MAX));
        self.not_before = Some(Instant::now() + pause);
        self.subscription = None;
        pause
    }

    /// A step succeeded.
    pub(super) const fn is_well(&mut self) {
        self.pause = None;
        self.not_before = None;
    }

    /// Reads again from what is applied.
    pub(super) fn forget(&mut self) {
        self.subscription = None;
    }

    /// The next batch comes a little after the start of this one.
    pub(super) fn pace(&mut self, started: Instant) {
        self.not_before = Some(started + BATCH_INTERVAL_MIN);
    }
}
