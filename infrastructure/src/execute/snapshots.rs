//! Snapshots of one aggregate's streams: read when a stream is cold, written in the background when it has grown.
//!
//! **A snapshot cannot lie.** It counts only if it was written in the form of this build and if the stream holds, at the
//! snapshot's revision, the very event that the snapshot ends with. So one of another log, or of a log that was set back, is
//! passed over like one that is missing or damaged, and the stream is folded from its start.
//!
//! **Nobody waits for one to be written,** and nobody fails with the store they are in.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{Decider, SnapshotForm};
use tokio::{
    sync::{Semaphore, SemaphorePermit, oneshot},
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::{
    SnapshotOptions,
    error::ExecuteError,
    lane::Lanes,
    loaded::Loaded,
    receipts::{Copied, Receipts},
};
use crate::{
    event_store::{Direction, EventStore, PAGE_EVENTS_MAX, StreamId},
    snapshot_store::{Snapshot, Tip},
    telemetry,
};

/// How long a command waits for a snapshot before the stream is folded without.
const LOAD_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long one may take to be stored.
const SAVE_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long no snapshot is looked for after the store has failed.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(10);
/// After a snapshot was written, nothing is written for this many times as long: so they take a small share of the machine
/// and of the store, however many streams are hot.
const REST_SHARE: u32 = 10;
/// The longest such rest.
const REST_MAX: Duration = Duration::from_secs(10);

/// What a snapshot is made of.
#[derive(Debug)]
pub(super) struct Draft<D: Decider> {
    state: Arc<D::State>,
    tip: Tip,
    receipts: Copied,
}

impl<D: Decider> Draft<D> {
    /// Of the stream as it is; none if it has no events.
    pub(super) fn of(loaded: &Loaded<D>) -> Option<Self> {
        Some(Self { state: Arc::clone(&loaded.state), tip: loaded.tip?, receipts: loaded.receipts.copy() })
    }
}

/// The snapshots of one aggregate's streams.
pub(super) struct Snapshots<D: Decider> {
    form: SnapshotForm<D::State>,
    options: SnapshotOptions,
    /// The streams that grow, each with a task that writes its snapshots.
    growing: Mutex<HashSet<Uuid>>,
    /// One is written at a time.
    turn: Semaphore,
    /// When the store failed last, if it has not answered since.
    failed: Mutex<Option<Instant>>,
}

impl<D: Decider> Snapshots<D> {
    /// None where there is no place for them, or where the aggregate has none.
    pub(super) fn try_new(options: Option<SnapshotOptions>) -> Option<Self> {
        let (form, options) = (D::SNAPSHOT?, options?);
        Some(Self { form, options, growing: Mutex::default(), turn: Semaphore::new(1), failed: Mutex::default() })
    }

    /// Whether so much of the stream is in no snapshot that one is worth its while.
    pub(super) fn is_due(&self, loaded: &Loaded<D>) -> bool {
        loaded.events().saturating_sub(loaded.in_snapshot) >= self.options.every_events.get()
    }

    /// The stream, from its snapshot on; none if it has to be folded from its start.
    pub(super) async fn load(
        &self,
        store: &dyn EventStore,
        stream: &StreamId,
    ) -> Result<Option<Loaded<D>>, ExecuteError<D::Rejection>> {
        if self.is_resting() {
            return Ok(None);
        }
        let found = timeout(LOAD_WAIT_MAX, self.options.store.load(stream)).await;
        let found = found.map_err(|_| "no answer in time".to_owned());
        let Some(snapshot) = self.note(found.and_then(|found| found.map_err(|error| error.to_string()))).flatten()
        else {
            return Ok(None);
        };
        let Some(mut loaded) = self.restore(&snapshot) else { return Ok(None) };
        // The event that it ends with, and what came after.
        let page = store
            .read_stream(stream, snapshot.tip.revision, Direction::Forwards, PAGE_EVENTS_MAX)
            .await
            .map_err(ExecuteError::Store)?;
        let Some((_, after)) = page.events.split_first().filter(|(last, _)| Tip::from(*last) == snapshot.tip) else {
            tracing::info!(stream.id = %stream, "a snapshot is of another log, and is not used");
            return Ok(None);
        };
        loaded.apply(after, stream)?;
        if page.is_end { Ok(Some(loaded)) } else { loaded.catch_up(store, stream).await.map(Some) }
    }

    /// None if it was written in another form.
    fn restore(&self, snapshot: &Snapshot) -> Option<Loaded<D>> {
        let Snapshot { version, tip, state, receipts } = snapshot;
        if *version != self.form.version {
            return None;
        }
        let (state, receipts) = ((self.form.read)(state)?, Receipts::of_text(receipts)?);
        Some(Loaded { state: Arc::new(state), tip: Some(*tip), receipts, in_snapshot: tip.revision.value() + 1 })
    }

    /// Writes it down. What goes wrong is in the log.
    async fn save(&self, stream: &StreamId, draft: Draft<D>) {
        let SnapshotForm { version, write, read: _ } = self.form;
        let written = spawn_blocking(move || {
            let Draft { state, tip, receipts } = draft;
            Snapshot { version, tip, state: write(&state), receipts: receipts.to_text() }
        });
        let Ok(snapshot) = written.await else {
            tracing::error!(stream.id = %stream, "writing down a state panicked");
            return;
        };
        let saved = timeout(SAVE_WAIT_MAX, self.options.store.save(stream, snapshot)).await;
        let saved = saved.map_err(|_| "no answer in time".to_owned());
        if self.note(saved.and_then(|saved| saved.map_err(|error| error.to_string()))).is_some() {
            metrics::counter!(telemetry::SNAPSHOTS_WRITTEN, "category" => D::CATEGORY).increment(1);
        }
    }

    /// What the store answered. The first failure of several, and their end, are in the log.
    fn note<T>(&self, answer: Result<T, String>) -> Option<T> {
        let mut failed = lock(&self.failed);
        match answer {
            Ok(answer) => {
                if failed.take().is_some() {
                    tracing::info!(stream.category = D::CATEGORY, "snapshots are stored again");
                }
                Some(answer)
            }
            Err(error) => {
                metrics::counter!(telemetry::SNAPSHOT_FAILURES, "category" => D::CATEGORY).increment(1);
                if failed.replace(Instant::now()).is_none() {
                    tracing::error!(
                        stream.category = D::CATEGORY,
                        error,
                        "snapshots cannot be stored or loaded; streams are folded from their start"
                    );
                }
                None
            }
        }
    }

    /// Whether the store has failed so lately that nobody is made to wait for it.
    fn is_resting(&self) -> bool {
        lock(&self.failed).is_some_and(|failed| failed.elapsed() < REST_AFTER_FAILURE)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the snapshots of one stream as long as it grows.
pub(super) struct Keeper<D: Decider> {
    lanes: Arc<Lanes<D>>,
    stream: Uuid,
}

impl<D: Decider> Keeper<D> {
    /// None if the stream has one, or needs none.
    pub(super) fn for_stream(lanes: &Arc<Lanes<D>>, stream: Uuid, loaded: &Loaded<D>) -> Option<Self> {
        let snapshots = lanes.snapshots().filter(|snapshots| snapshots.is_due(loaded))?;
        let is_first = lock(&snapshots.growing).insert(stream);
        is_first.then(|| Self { lanes: Arc::clone(lanes), stream })
    }

    pub(super) async fn run(self) {
        let Some(snapshots) = self.lanes.snapshots() else { return };
        let (name, lifecycle) = (self.lanes.name(self.stream), self.lanes.lifecycle());
        loop {
            // At a stop it is written once more, and the next start finds all of the stream in it.
            let is_last = lifecycle.is_stopping();
            let Ok(turn) = snapshots.turn.acquire().await else { return };
            if is_last && snapshots.is_resting() {
                return; // Each stream would wait for a store that does not answer.
            }
            let (sender, receiver) = oneshot::channel();
            Lanes::draft(&self.lanes, self.stream, sender);
            // None: it has not grown by much since, or is no longer in memory.
            let Ok(draft) = receiver.await else { return };
            let started = Instant::now();
            snapshots.save(&name, draft).await;
            if is_last {
                return;
            }
            let pause = async {
                rest(turn, started.elapsed()).await;
                sleep(snapshots.options.pause).await;
            };
            tokio::select! {
                () = pause => {}
                () = lifecycle.stopping() => {}
            }
        }
    }
}

/// Keeps the turn, so that nobody writes, for a multiple of the time that writing took.
async fn rest(turn: SemaphorePermit<'_>, took: Duration) {
    sleep((took * REST_SHARE).min(REST_MAX)).await;
    drop(turn);
}

impl<D: Decider> Drop for Keeper<D> {
    fn drop(&mut self) {
        if let Some(snapshots) = self.lanes.snapshots() {
            lock(&snapshots.growing).remove(&self.stream);
        }
    }
}
