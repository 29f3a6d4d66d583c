//! The client that is in use, and when another takes its place.
//!
//! A client looks for a node once and stays with it. After two failures in a row that smell of a dead node, and at once
//! if the node is not the leader, a new client takes over, which goes where the leader is said to be, or looks for the
//! nodes anew. Calls in flight end on the old one.
//!
//! **Invariant:** every call has a time limit of ours, and a panic inside the client is a failed call, no more.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use super::{
    address::Node,
    backoff::Backoff,
    client::Client,
    failure::{Failure, Health},
    link::Link,
    settings::Settings,
};
use crate::telemetry;

/// How many failures in a row condemn a client.
const FAILURES_MAX: u32 = 2;
/// The least time from one new client to the next, at first and at the most. A client that was made while the server was
/// away is dead, so this is also what everything waits for after an outage, however long that was.
const RENEWAL_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Owns the current client.
#[derive(Debug)]
pub(super) struct Supervisor {
    settings: Arc<Settings>,
    call_timeout: Duration,
    state: Mutex<State>,
    /// How many clients were made.
    made: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// The client in use and its number.
    current: Option<(u64, Client)>,
    /// How many of its calls failed in a row.
    failures: u32,
    /// The next call gets a new one.
    is_condemned: bool,
    /// Where that is to go, if it need not look.
    leader: Option<Node>,
    renewal: Backoff,
    /// No new client before this moment.
    not_before: Instant,
}

impl Supervisor {
    /// Nothing is made before the first call.
    pub(super) fn new(settings: Arc<Settings>, call_timeout: Duration) -> Self {
        let state = State {
            current: None,
            failures: 0,
            is_condemned: false,
            leader: None,
            renewal: Backoff::new(RENEWAL_PAUSES.0, RENEWAL_PAUSES.1),
            not_before: Instant::now(),
        };
        Self { settings, call_timeout, state: Mutex::new(state), made: AtomicU64::new(0) }
    }

    /// How many clients have been in use so far.
    pub(super) fn clients(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// The settings of every client.
    pub(super) const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Runs `call` on the current client's connection, within the time limit of a call.
    pub(super) async fn call<T, F>(&self, call: impl FnOnce(Link) -> F + Send) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        self.call_within(self.call_timeout, call).await
    }

    /// Runs `call` on the current client's connection, within `limit`. As long as no node is found nothing is sent.
    pub(super) async fn call_within<T, F>(
        &self,
        limit: Duration,
        call: impl FnOnce(Link) -> F + Send,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let deadline = Instant::now() + limit;
        let work = |client: Client| async move { within(deadline, client.link(), call).await };
        self.supervise(work).await
    }

    /// Does `work` with the current client, and learns from how it ends.
    async fn supervise<T, F>(&self, work: impl FnOnce(Client) -> F + Send) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let (number, client) = self.client().await;
        // Boxed: it is large, and would make every future above it so.
        let guarded = AssertUnwindSafe(Box::pin(async { work(client).await })).catch_unwind();
        let outcome = guarded.await.unwrap_or(Err(Failure::Panicked));
        self.observe(number, outcome.as_ref().err()).await;
        outcome
    }

    /// The client in use; a new one if that is condemned and the last one is not too young.
    async fn client(&self) -> (u64, Client) {
        let mut state = self.state.lock().await;
        if let Some(current) = &state.current
            && (!state.is_condemned || Instant::now() < state.not_before)
        {
            return current.clone();
        }
        let client = Client::new(Arc::clone(&self.settings), state.leader.take());
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::counter!(telemetry::EVENT_STORE_CLIENTS).increment(1);
        if number > 1 {
            tracing::warn!(client.number = number, "connecting to the event store anew, with client {number}");
        }
        state.not_before = Instant::now() + state.renewal.next();
        state.current = Some((number, client.clone()));
        state.is_condemned = false;
        state.failures = 0;
        (number, client)
    }

    /// Learns from the end of a call with the client of this number.
    async fn observe(&self, number: u64, failure: Option<&Failure>) {
        let mut state = self.state.lock().await;
        if state.current.as_ref().is_none_or(|(current, _)| *current != number) {
            // It was on an older one, which nobody judges any more.
            return;
        }
        match failure.map_or(Health::Sound, Failure::health) {
            Health::Sound => {
                state.failures = 0;
                state.is_condemned = false;
                state.renewal.reset();
            }
            Health::Doubtful => {
                state.failures += 1;
                state.is_condemned = state.failures >= FAILURES_MAX;
            }
            Health::Misplaced => state.is_condemned = true,
        }
        if let Some(Failure::NotLeader { leader }) = failure {
            state.leader.clone_from(leader);
        }
    }
}

/// The search for a node and then the call, both before `deadline`.
async fn within<L, T, F>(
    deadline: Instant,
    search: impl Future<Output = Result<L, Failure>>,
    call: impl FnOnce(L) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let link = match timeout_at(deadline, search).await {
        Ok(found) => found?,
        Err(_) => return Err(Failure::Unreachable("no node was found in time".to_owned())),
    };
    timeout_at(deadline, call(link)).await.unwrap_or(Err(Failure::TimedOut))
}

#[cfg(test)]
mod tests;
