//! The client that is in use, and when another takes its place.
//!
//! The client of the makers looks for a node once. When that node dies it goes on asking for it, and when looking fails
//! it is dead for good, so what it cannot do is done from outside: after two failures in a row that smell of a dead
//! connection, and at once if the node is not the leader, a new client takes over, which looks for the nodes anew. Calls
//! in flight end on the old one.
//!
//! **Invariant:** every call has a time limit of ours, and a panic inside the client is a failed call, no more.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use eventstore::{Client, ClientSettings};
use futures_util::FutureExt as _;
use tokio::{
    sync::{Mutex, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    backoff::Backoff,
    failure::{Failure, Health},
};
use crate::telemetry;

/// How many failures in a row condemn a connection.
const FAILURES_MAX: u32 = 2;
/// The least time from one new client to the next, at first and at the most. A client that was made while the server was
/// away is dead, so this is also what everything waits for after an outage, however long that was.
const RENEWAL_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// One client, and the thread its own task runs on.
#[derive(Clone)]
pub(super) struct Connection {
    client: Client,
    /// Whether it has found a node.
    has_node: Arc<AtomicBool>,
    /// The client's task never ends by itself; it goes with its thread when the last call has ended.
    _thread: Arc<DropGuard>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client shows its settings, user and password included.
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// A new client. It looks for a node at its first call.
    pub(super) async fn start(settings: ClientSettings) -> Result<Self, String> {
        let (answer, client) = oneshot::channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(answer.send(Err(error.to_string()))),
            };
            let client = Client::with_runtime_handle(runtime.handle().clone(), settings);
            let is_made = client.is_ok();
            // Whoever waited may have left; then `stop` is cancelled too.
            drop(answer.send(client.map_err(|error| format!("{error:#}"))));
            if is_made {
                runtime.block_on(stopped.cancelled());
            }
        };
        let spawned = thread::Builder::new().name("eventstoredb".to_owned()).spawn(run);
        let guard = stop.drop_guard();
        spawned.map_err(|error| format!("no thread: {error}"))?;
        let client = client.await.unwrap_or_else(|_| Err("the client panicked while it was set up".to_owned()))?;
        Ok(Self { client, has_node: Arc::default(), _thread: Arc::new(guard) })
    }

    /// Waits until it has found a node.
    async fn find_node(&self) -> Result<(), Failure> {
        if !self.has_node.load(Ordering::Relaxed) {
            self.client.server_info().await?;
            self.has_node.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Owns the current client.
#[derive(Debug)]
pub(super) struct Supervisor {
    settings: Hidden,
    call_timeout: Duration,
    state: Mutex<State>,
    /// How many clients were made.
    made: AtomicU64,
}

/// Settings hold the password and are never shown.
struct Hidden(ClientSettings);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[hidden]")
    }
}

#[derive(Debug)]
struct State {
    /// The connection in use and its number.
    current: Option<(u64, Connection)>,
    /// How many of its calls failed in a row.
    failures: u32,
    /// The next call gets a new one.
    is_condemned: bool,
    renewal: Backoff,
    /// No new client before this moment.
    not_before: Instant,
}

impl Supervisor {
    /// Nothing is made before the first call.
    pub(super) fn new(settings: ClientSettings, call_timeout: Duration) -> Self {
        let state = State {
            current: None,
            failures: 0,
            is_condemned: false,
            renewal: Backoff::new(RENEWAL_PAUSES.0, RENEWAL_PAUSES.1),
            not_before: Instant::now(),
        };
        Self { settings: Hidden(settings), call_timeout, state: Mutex::new(state), made: AtomicU64::new(0) }
    }

    /// How many clients have been in use so far.
    pub(super) fn clients(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// The settings of every client.
    pub(super) const fn settings(&self) -> &ClientSettings {
        &self.settings.0
    }

    /// Runs `call` with the current client, within the time limit of a call.
    pub(super) async fn call<T, F>(&self, call: impl FnOnce(Client) -> F + Send) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        self.call_within(self.call_timeout, call).await
    }

    /// Runs `call` with the current client, within `limit`. As long as no node is found nothing is sent.
    pub(super) async fn call_within<T, F>(
        &self,
        limit: Duration,
        call: impl FnOnce(Client) -> F + Send,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let deadline = Instant::now() + limit;
        let work = |connection: Connection| async move {
            let call = async { call(connection.client.clone()).await };
            within(deadline, connection.find_node(), call).await
        };
        self.supervise(work).await
    }

    /// Does `work` with the current connection, and learns from how it ends.
    async fn supervise<T, F>(&self, work: impl FnOnce(Connection) -> F + Send) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let (number, connection) = self.connection().await.map_err(Failure::Unreachable)?;
        // Boxed: it is large, and would make every future above it so.
        let guarded = AssertUnwindSafe(Box::pin(async { work(connection).await })).catch_unwind();
        let outcome = guarded.await.unwrap_or(Err(Failure::Panicked));
        self.observe(number, outcome.as_ref().map_or_else(Failure::health, |_| Health::Sound)).await;
        outcome
    }

    /// The connection in use; a new one if that is condemned and the last one is not too young.
    async fn connection(&self) -> Result<(u64, Connection), String> {
        let mut state = self.state.lock().await;
        if let Some(current) = &state.current
            && (!state.is_condemned || Instant::now() < state.not_before)
        {
            return Ok(current.clone());
        }
        let connection = Connection::start(self.settings.0.clone()).await?;
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::counter!(telemetry::EVENT_STORE_CLIENTS).increment(1);
        if number > 1 {
            tracing::warn!(client.number = number, "connecting to the event store anew, with client {number}");
        }
        state.not_before = Instant::now() + state.renewal.next();
        state.current = Some((number, connection.clone()));
        state.is_condemned = false;
        state.failures = 0;
        Ok((number, connection))
    }

    /// Learns from the end of a call on the connection with this number.
    async fn observe(&self, number: u64, health: Health) {
        let mut state = self.state.lock().await;
        if state.current.as_ref().is_none_or(|(current, _)| *current != number) {
            // It was on an older one, which nobody judges any more.
            return;
        }
        match health {
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
    }
}

/// The search for a node and then the call, both before `deadline`.
async fn within<T>(
    deadline: Instant,
    search: impl Future<Output = Result<(), Failure>>,
    call: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout_at(deadline, search).await {
        Ok(found) => found?,
        Err(_) => return Err(Failure::Unreachable("no node was found in time".to_owned())),
    }
    timeout_at(deadline, call).await.unwrap_or(Err(Failure::TimedOut))
}

#[cfg(test)]
mod tests;
