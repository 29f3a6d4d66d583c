//! One queue per stream, and the task that empties it.
//!
//! A lane exists while it is worked on. Its folded stream is in the lane's hands then, in the cache otherwise, so
//! nobody ever sees a state that is being changed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::Decider;
use metrics::Histogram;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use tokio::{sync::oneshot, time::Instant};
use tracing::{Instrument as _, Span, field::Empty};
use uuid::Uuid;

use super::{
    BATCH_COMMANDS_MAX, Current, EXECUTE_ATTEMPTS_MAX, ExecutorOptions, Request,
    error::ExecuteError,
    loaded::Loaded,
    plan::{Answer, Plan},
    snapshots::{Draft, Keeper, Snapshots},
};
use crate::{
    clock::Clock,
    event_store::{Append, AppendError, Appended, EventStore, Name, StoreError, StreamId},
    lifecycle::Lifecycle,
    telemetry,
};

/// Locks over the lanes, so that streams do not wait for each other.
const SHARDS: usize = 64;
/// The first and the longest pause between two tries to learn an append's outcome.
const RESEND_PAUSE_MIN: Duration = Duration::from_millis(50);
const RESEND_PAUSE_MAX: Duration = Duration::from_secs(2);
/// A guess for the cache's tables; it grows as needed.
const CACHED_STREAMS_GUESS: usize = 10_000;
/// The cache is divided into parts with a lock each, and what is heavier than its part is not kept: a long stream would
/// be loaded for each command. So parts are at least that large, and there are few of them.
const CACHE_PART_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// The outcome of a command that took effect, in metrics.
const OUTCOME_OK: &str = "ok";

fn seconds(category: &'static str, outcome: &'static str) -> Histogram {
    metrics::histogram!(telemetry::COMMAND_SECONDS, "category" => category, "outcome" => outcome)
}

type CurrentAnswer<D> = Result<Current<<D as Decider>::State>, ExecuteError<<D as Decider>::Rejection>>;

/// What waits in a lane.
enum Job<D: Decider> {
    Execute(Request<D::Command>, oneshot::Sender<Answer<D>>),
    Look(oneshot::Sender<CurrentAnswer<D>>),
    /// Dropped unanswered if there is no need for a snapshot.
    Draft(oneshot::Sender<Draft<D>>),
}

/// Commands that were taken from the lane and not answered yet.
type Undecided<D> = VecDeque<(Request<<D as Decider>::Command>, oneshot::Sender<Answer<D>>)>;

type Shard<D> = HashMap<Uuid, VecDeque<Job<D>>>;

struct ByWeight;

impl<D: Decider> Weighter<Uuid, Arc<Loaded<D>>> for ByWeight {
    fn weight(&self, _: &Uuid, loaded: &Arc<Loaded<D>>) -> u64 {
        loaded.weight()
    }
}

impl Clone for ByWeight {
    fn clone(&self) -> Self {
        Self
    }
}

fn cache<D: Decider>(bytes_max: u64) -> Cache<Uuid, Arc<Loaded<D>>, ByWeight> {
    let parts = usize::try_from(bytes_max / CACHE_PART_BYTES_MIN).unwrap_or(SHARDS).clamp(1, SHARDS);
    let options = OptionsBuilder::new()
        .estimated_items_capacity(CACHED_STREAMS_GUESS)
        .weight_capacity(bytes_max)
        .shards(1 << parts.ilog2())
        .build()
        .expect("both capacities are given");
    Cache::with_options(options, ByWeight, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

/// The lanes of one aggregate's streams.
pub(super) struct Lanes<D: Decider> {
    category: Name,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    lifecycle: Lifecycle,
    options: ExecutorOptions,
    snapshots: Option<Snapshots<D>>,
    shards: Vec<Mutex<Shard<D>>>,
    cache: Cache<Uuid, Arc<Loaded<D>>, ByWeight>,
    /// Of commands that took effect: the usual case is looked up once.
    seconds: Histogram,
    batch: Histogram,
}

impl<D: Decider> std::fmt::Debug for Lanes<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes").field("category", &self.category).finish_non_exhaustive()
    }
}

impl<D: Decider> Lanes<D> {
    pub(super) fn new(
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        lifecycle: Lifecycle,
        options: ExecutorOptions,
    ) -> Self {
        Self {
            category: Name::from(D::CATEGORY),
            store,
            clock,
            lifecycle,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            cache: cache(options.cache_bytes_max),
            snapshots: Snapshots::try_new(options.snapshots.clone()),
            options,
            seconds: seconds(D::CATEGORY, OUTCOME_OK),
            batch: metrics::histogram!(telemetry::COMMAND_BATCH, "category" => D::CATEGORY),
        }
    }

    pub(super) async fn execute(this: &Arc<Self>, request: Request<D::Command>) -> Answer<D> {
        let span = tracing::debug_span!(
            "command.execute",
            stream.category = D::CATEGORY,
            stream.id = %request.stream,
            command.id = %request.metadata.command_id,
            command.outcome = Empty,
            event.position = Empty,
        );
        Self::execute_in(this, request, span.clone()).instrument(span).await
    }

    async fn execute_in(this: &Arc<Self>, request: Request<D::Command>, span: Span) -> Answer<D> {
        let command = request.metadata.command_id;
        let stream = request.stream;
        let started = Instant::now();
        let (sender, receiver) = oneshot::channel();
        let answer = match this.enqueue(stream, Job::Execute(request, sender)) {
            // A lane that ends without an answer panicked; whether it had appended is unknown.
            Ok(()) => receiver.await.unwrap_or(Err(ExecuteError::OutcomeUnknown(command))),
            Err(error) => Err(error),
        };
        let outcome = answer.as_ref().map_or_else(ExecuteError::outcome, |_| OUTCOME_OK);
        if answer.is_ok() {
            this.seconds.record(started.elapsed());
        } else {
            seconds(D::CATEGORY, outcome).record(started.elapsed());
        }
        let position = answer.as_ref().ok().map(|executed| executed.position.value());
        span.record("command.outcome", outcome).record("event.position", position);
        tracing::debug!(command.outcome = outcome, event.position = position, "command executed");
        answer
    }

    pub(super) async fn current(this: &Arc<Self>, stream: Uuid) -> CurrentAnswer<D> {
        if !this.options.is_shared
            && let Some(loaded) = this.cache.get(&stream)
        {
            return Ok(loaded.current());
        }
        let (sender, receiver) = oneshot::channel();
        this.enqueue(stream, Job::Look(sender))?;
        receiver.await.unwrap_or_else(|_| Err(ExecuteError::Panicked(this.name(stream))))
    }

    pub(super) fn name(&self, stream: Uuid) -> StreamId {
        StreamId::new(self.category.clone(), stream)
    }

    pub(super) const fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    pub(super) const fn snapshots(&self) -> Option<&Snapshots<D>> {
        self.snapshots.as_ref()
    }

    /// Asks the lane for what a snapshot is made of, if the stream is in memory and has grown.
    pub(super) fn draft(this: &Arc<Self>, stream: Uuid, sender: oneshot::Sender<Draft<D>>) {
        this.push(stream, Job::Draft(sender), usize::MAX);
    }

    fn shard(&self, stream: Uuid) -> MutexGuard<'_, Shard<D>> {
        let (high, low) = stream.as_u64_pair();
        let index = usize::try_from((high ^ low) % SHARDS as u64).unwrap_or_default();
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(self: &Arc<Self>, stream: Uuid, job: Job<D>) -> Result<(), ExecuteError<D::Rejection>> {
        let is_taken = self.push(stream, job, self.options.lane_commands_max);
        if is_taken { Ok(()) } else { Err(ExecuteError::Overloaded(self.name(stream))) }
    }

    /// Puts a job into its lane, and somebody to work on it; not where `max` wait already.
    fn push(self: &Arc<Self>, stream: Uuid, job: Job<D>, max: usize) -> bool {
        let mut shard = self.shard(stream);
        if let Some(waiting) = shard.get_mut(&stream) {
            let is_taken = waiting.len() < max;
            if is_taken {
                waiting.push_back(job);
            }
            return is_taken;
        }
        shard.insert(stream, VecDeque::from([job]));
        drop(shard);
        self.lifecycle.spawn(LaneTask { lanes: Arc::clone(self), stream, is_done: false }.run());
        true
    }

    /// A stream that is not in memory, as it stands in the store.
    async fn load(&self, stream: &StreamId) -> Result<Loaded<D>, ExecuteError<D::Rejection>> {
        if let Some(snapshots) = &self.snapshots
            && let Some(loaded) = snapshots.load(&*self.store, stream).await?
        {
            return Ok(loaded);
        }
        Loaded::default().catch_up(&*self.store, stream).await
    }

    /// Works on one batch; gives back what did not fit, and the stream as it is then, if that is known.
    async fn work(
        &self,
        stream: &StreamId,
        mut loaded: Option<Loaded<D>>,
        requests: &[Request<D::Command>],
    ) -> (Vec<Answer<D>>, Option<Loaded<D>>) {
        let mut attempts = 0;
        // Whether the stream may be further than what it is decided on.
        let mut may_be_old = self.options.is_shared && loaded.is_some();
        loop {
            let base = match loaded.take() {
                Some(loaded) => loaded,
                // Ids made up for this very command need no look; should one be taken, the append finds out.
                None if attempts == 0 && requests.iter().all(|request| request.is_fresh) => Loaded::default(),
                None => match self.load(stream).await {
                    Ok(loaded) => loaded,
                    Err(error) => return (requests.iter().map(|_| Err(error.clone())).collect(), None),
                },
            };
            let mut plan = Plan::<D>::decide(base, stream, requests.iter(), &*self.clock);
            let Some(append) = plan.append() else {
                if std::mem::take(&mut may_be_old) {
                    // No append has shown that the stream is still there: a refusal must not rest on what was.
                    match plan.undo().catch_up(&*self.store, stream).await {
                        Ok(caught_up) => loaded = Some(caught_up),
                        Err(error) => return (requests.iter().map(|_| Err(error.clone())).collect(), None),
                    }
                    continue;
                }
                let (answers, after) = plan.commit(None);
                return (answers, Some(after));
            };
            self.batch.record(u32::try_from(plan.taken()).unwrap_or(u32::MAX));
            match self.append(append).await {
                Ok(appended) => {
                    let (answers, after) = plan.commit(Some(&appended));
                    return (answers, Some(after));
                }
                Err(error @ AppendError::WrongExpectedRevision { .. }) => {
                    attempts += 1;
                    metrics::counter!(telemetry::COMMAND_CONFLICTS, "category" => D::CATEGORY).increment(1);
                    if attempts >= EXECUTE_ATTEMPTS_MAX {
                        return (plan.fail(requests, &error), None);
                    }
                    may_be_old = false;
                    match plan.undo().catch_up(&*self.store, stream).await {
                        Ok(caught_up) => loaded = Some(caught_up),
                        Err(error) => return (requests.iter().map(|_| Err(error.clone())).collect(), None),
                    }
                }
                Err(error) => {
                    tracing::error!(stream.id = %stream, error = &error as &dyn std::error::Error, "append failed");
                    return (plan.fail(requests, &error), None);
                }
            }
        }
    }

    /// Appends, and pursues an unknown outcome by sending the same bytes again until it is known or the budget is
    /// spent.
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let deadline = Instant::now() + self.options.unknown_outcome_budget;
        let mut pause = RESEND_PAUSE_MIN;
        let mut unknown: Option<StoreError> = None;
        loop {
            let sent = tokio::time::timeout(self.options.append_timeout, self.store.append(append.clone())).await;
            let error = match sent {
                Ok(Err(AppendError::OutcomeUnknown(error))) => error,
                // Not written this time says nothing about the time before.
                Ok(Err(AppendError::NotWritten(error))) if unknown.is_some() => error,
                Ok(known) => return known,
                Err(_) => StoreError::Unavailable("the append was not answered in time".to_owned()),
            };
            let is_hopeless = matches!(error, StoreError::Stopped(_) | StoreError::Corrupt(_));
            if is_hopeless || Instant::now() + pause > deadline {
                return Err(AppendError::OutcomeUnknown(unknown.unwrap_or(error)));
            }
            unknown = Some(error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RESEND_PAUSE_MAX);
        }
    }
}

/// What was asked of a lane beside commands.
struct Asked<D: Decider> {
    looks: Vec<oneshot::Sender<CurrentAnswer<D>>>,
    drafts: Vec<oneshot::Sender<Draft<D>>>,
}

impl<D: Decider> Default for Asked<D> {
    fn default() -> Self {
        Self { looks: Vec::new(), drafts: Vec::new() }
    }
}

/// Works on a lane until it is empty.
struct LaneTask<D: Decider> {
    lanes: Arc<Lanes<D>>,
    stream: Uuid,
    is_done: bool,
}

impl<D: Decider> LaneTask<D> {
    async fn run(mut self) {
        let name = self.lanes.name(self.stream);
        let mut loaded = self.lanes.cache.remove(&self.stream).map(|(_, loaded)| Arc::unwrap_or_clone(loaded));
        let mut rest = Undecided::<D>::new();
        loop {
            let mut asked = Asked::default();
            if !self.take(&mut rest, &mut asked, &mut loaded) {
                return;
            }
            if !rest.is_empty() {
                let (mut requests, mut senders): (Vec<_>, Vec<_>) = rest.drain(..).unzip();
                let (answers, after) = self.lanes.work(&name, loaded.take(), &requests).await;
                loaded = after;
                let undecided = requests.drain(..).skip(answers.len()).zip(senders.split_off(answers.len()));
                rest.extend(undecided);
                for (answer, sender) in answers.into_iter().zip(senders) {
                    // Whoever asked may have gone away; the command is done all the same.
                    let _ = sender.send(answer);
                }
            }
            self.show(&name, &mut loaded, asked.looks).await;
            if let Some(loaded) = &mut loaded {
                self.give(loaded, asked.drafts);
                if let Some(keeper) = Keeper::for_stream(&self.lanes, self.stream, loaded) {
                    self.lanes.lifecycle.spawn(keeper.run());
                }
            }
        }
    }

    /// Takes what waits. False, and the lane is gone, if there is nothing left to do.
    fn take(&mut self, rest: &mut Undecided<D>, asked: &mut Asked<D>, loaded: &mut Option<Loaded<D>>) -> bool {
        let mut shard = self.lanes.shard(self.stream);
        let waiting = shard.entry(self.stream).or_default();
        while rest.len() < BATCH_COMMANDS_MAX
            && let Some(job) = waiting.pop_front()
        {
            match job {
                Job::Execute(request, sender) => rest.push_back((request, sender)),
                Job::Look(sender) => asked.looks.push(sender),
                Job::Draft(sender) => asked.drafts.push(sender),
            }
        }
        if !(rest.is_empty() && asked.looks.is_empty() && asked.drafts.is_empty()) {
            return true;
        }
        // Under the lock, so that the next command finds the state in the cache.
        if let Some(loaded) = loaded.take() {
            self.lanes.cache.insert(self.stream, Arc::new(loaded));
        }
        shard.remove(&self.stream);
        self.is_done = true;
        false
    }

    async fn show(
        &self,
        name: &StreamId,
        loaded: &mut Option<Loaded<D>>,
        looks: Vec<oneshot::Sender<CurrentAnswer<D>>>,
    ) {
        if looks.is_empty() {
            return;
        }
        let found = match loaded.take() {
            Some(loaded) if !self.lanes.options.is_shared => Ok(loaded),
            Some(loaded) => loaded.catch_up(&*self.lanes.store, name).await,
            None => self.lanes.load(name).await,
        };
        for sender in looks {
            let _ = sender.send(found.as_ref().map(Loaded::current).map_err(Clone::clone));
        }
        *loaded = found.ok();
    }

    /// Gives the stream to whoever writes its snapshot, if it has grown.
    fn give(&self, loaded: &mut Loaded<D>, drafts: Vec<oneshot::Sender<Draft<D>>>) {
        for sender in drafts {
            let is_due = self.lanes.snapshots.as_ref().is_some_and(|snapshots| snapshots.is_due(loaded));
            if is_due && let Some(draft) = Draft::of(loaded) {
                // Whether it comes to be stored or not: it is not tried again before the stream has grown once more.
                loaded.in_snapshot = loaded.events();
                let _ = sender.send(draft);
            }
        }
    }
}

impl<D: Decider> Drop for LaneTask<D> {
    /// After a panic the lane must not stay: its waiting jobs are dropped, which their callers notice.
    fn drop(&mut self) {
        if !self.is_done {
            self.lanes.shard(self.stream).remove(&self.stream);
        }
    }
}
