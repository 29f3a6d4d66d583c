//! The last position as it moves.
//!
//! A subscription says at once that something is new (ear.rs); a paced look at the head is the safety net under it and
//! notices when it has gone deaf. Both only move the tail to what the leader has already shown, so a reader that is
//! woken finds what it was woken for. Events are never taken from here: whoever is woken reads.
//!
//! **Invariant:** a subscription begins at a position that was seen, never at "the end", so it leaves nothing out.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{super::Position, Shared, backoff::Backoff, ear::Ear};
use crate::telemetry;

/// The pause before another subscription, at first and at the most.
const SUBSCRIBE_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Moves the tail as long as it is held.
#[derive(Debug)]
pub(super) struct Tail {
    last: Arc<watch::Sender<Position>>,
    _follower: AbortOnDropHandle<()>,
}

impl Tail {
    /// Follows the log from `head` on.
    pub(super) fn start(shared: Arc<Shared>, head: Position) -> Self {
        let last = Arc::new(watch::Sender::new(head));
        let tail = Arc::clone(&last);
        let follow = async move {
            tokio::join!(poll(&shared, &tail), listen(&shared, &tail));
        };
        // Owned and ended by the store, so it is none of the process's own tasks.
        let follower = tokio::runtime::Handle::current().spawn(follow);
        Self { last, _follower: AbortOnDropHandle::new(follower) }
    }

    /// Where it is now.
    pub(super) fn last(&self) -> Position {
        *self.last.borrow()
    }

    /// A view of it.
    pub(super) fn subscribe(&self) -> watch::Receiver<Position> {
        self.last.subscribe()
    }
}

/// The tail only rises.
fn raise(tail: &watch::Sender<Position>, to: Position) {
    tail.send_if_modified(|last| {
        let is_new = to > *last;
        *last = to.max(*last);
        is_new
    });
}

/// Looks at the head whenever nothing has moved for a while.
async fn poll(shared: &Shared, tail: &watch::Sender<Position>) {
    let pause = shared.options.poll_interval;
    let mut ticks = interval_at(Instant::now() + pause, pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = *tail.borrow();
    loop {
        ticks.tick().await;
        let now = *tail.borrow();
        if now > before {
            before = now;
            continue;
        }
        match shared.head_once().await {
            Ok(head) => raise(tail, head),
            // Whoever reads will say so too.
            Err(failure) => tracing::debug!(error = %failure, "the head of the log is not known: {failure}"),
        }
    }
}

/// Keeps a subscription, and replaces one that has ended or gone deaf.
async fn listen(shared: &Shared, tail: &watch::Sender<Position>) {
    let mut pauses = Backoff::new(SUBSCRIBE_PAUSES.0, SUBSCRIBE_PAUSES.1);
    loop {
        let from = *tail.borrow();
        let has_heard = attend(shared, tail, from).await;
        if has_heard {
            pauses.reset();
        }
        sleep_until(Instant::now() + pauses.next()).await;
    }
}

/// Moves the tail by what a subscription hears, until that ends or is deaf. Says whether anything was heard.
async fn attend(shared: &Shared, tail: &watch::Sender<Position>, from: Position) -> bool {
    let mut ear = Ear::open(Arc::clone(shared.supervisor.settings()), from);
    let mut heard = from;
    let mut missed = tail.subscribe();
    loop {
        let deaf = async {
            // The poll has seen what the subscription has not told, and that stays so.
            if missed.wait_for(|last| *last > heard).await.is_ok() {
                tokio::time::sleep(shared.options.silence_max).await;
            }
        };
        tokio::select! {
            biased;
            position = ear.hear() => match position {
                Some(position) => {
                    heard = position;
                    raise(tail, position);
                }
                None => break,
            },
            () = deaf => break,
        }
    }
    let why = ear.close().await;
    tracing::warn!(reason = %why, "the subscription to the event store ended: {why}; subscribing again");
    metrics::counter!(telemetry::TAIL_SUBSCRIPTIONS_LOST).increment(1);
    heard > from
}
