//! What happens when a process starts: who serves which generation, what is gone on with, what is built.

use std::sync::Arc;

use infrastructure::{codec, event_store::Position, read_store::ReadStoreError};
use tokio::sync::{mpsc, watch};

use super::{Declared, Entry, ProjectionManager, Surroundings};
use crate::{
    LogFault, ManagerError, Pause,
    bookkeeping::{self, Generation, GenerationState},
    cluster::Leading,
    context::Context,
    origin, parking,
    rebuild::{self, Plan, discard},
    slot::{RebuildSlot, TakenSlot},
    standby::Standby,
    track::Track,
    worker::{Frozen, Held, Worker},
};

/// What a projection starts with.
struct Start {
    held: Held,
    rest: Rest,
}

/// What there is beside the generation that serves.
pub(super) struct Rest {
    standby: Option<(Held, domain::Timestamp)>,
    /// Whether a generation of this version is to be built.
    builds: bool,
    /// One that an earlier process has begun.
    begun: Option<Generation>,
    /// One that it has begun and that there is nothing of to go on with.
    abandoned: Option<i64>,
    /// The highest number given out so far.
    last_number: i64,
}

impl ProjectionManager {
    /// Starts a worker for each projection. One that has no generation of its version yet gets one built, all of them
    /// from one scan of the log; one of another version serves meanwhile, as it stands.
    pub(crate) async fn start(declared: Vec<Declared>, surroundings: Surroundings) -> Result<Self, ManagerError> {
        bookkeeping::prepare(&*surroundings.rows).await?;
        parking::sql::prepare(&*surroundings.rows).await?;
        origin::check(&*surroundings.events, &*surroundings.rows).await?;
        if let Some(cluster) = surroundings.options.cluster.clone() {
            return Self::start_shared(declared, surroundings, cluster).await;
        }
        let build = codec::fingerprint::<domain::Event>().into();
        let (mut entries, mut plans) = (Vec::new(), Vec::new());
        for declared in declared {
            let context = surroundings.context(declared, &build);
            let (name, lifecycle) = (context.name(), context.lifecycle.clone());
            let start = begin(&context).await?;
            let (orders, received) = mpsc::channel(16);
            let pause = surroundings.pause_of(name);
            let is_paused = pause.is_some();
            let mut worker = Worker::new(context.clone(), start.held, received, pause);
            worker.begin();
            lifecycle.spawn(worker.run());
            let (rebuilding, standby) = (RebuildSlot::default(), Standby::default());
            let entry = Entry { context, orders, rebuilding, standby, leading: Leading::always() };
            plans.extend(entry.go_on(start.rest, is_paused).await);
            entries.push(entry);
        }
        let Surroundings { events, log, rows, lifecycle, options, .. } = surroundings;
        let manager = Self {
            entries: entries.into(),
            events,
            log,
            rows,
            options: Arc::new(options),
            mailbox: None,
            log_fault: watch::Sender::new(None),
        };
        manager.run_rebuild(plans, &lifecycle);
        manager.watch_over(&lifecycle);
        Ok(manager)
    }

    /// Builds what has no generation of this version yet, and goes on with what an earlier process has begun. Called by a
    /// resume.
    pub(super) async fn build_missing(&self, entry: &Entry) -> Result<(), ManagerError> {
        // Taken before anything is read: a rebuild that is about to end must not be mistaken for one to go on with.
        let Some(slot) = entry.rebuilding.take() else { return Ok(()) };
        let sorted = Sorted::read(&entry.context).await?;
        if sorted.builds() {
            let plan = entry.plan(slot, sorted.begun, sorted.last_number + 1, None);
            self.run_rebuild(vec![plan], &entry.context.lifecycle);
        }
        Ok(())
    }

    pub(super) fn run_rebuild(&self, plans: Vec<Plan>, lifecycle: &infrastructure::lifecycle::Lifecycle) {
        for plan in &plans {
            plan.announce();
        }
        if !plans.is_empty() {
            lifecycle.spawn(rebuild::run(plans, self.options.rebuild_share));
        }
    }
}

impl Surroundings {
    /// What everything of a projection works with.
    pub(super) fn context(&self, declared: Declared, build: &Arc<str>) -> Context {
        let Declared { shape, monitor, on_failure, .. } = declared;
        let options = &self.options;
        Context {
            slices: if shape.is_divisible() { options.slices.get() } else { 1 },
            shape,
            on_failure,
            events: Arc::clone(&self.events),
            log: Arc::clone(&self.log),
            decoder: Arc::clone(&self.decoder),
            rows: Arc::clone(&self.rows),
            clock: Arc::clone(&self.clock),
            lifecycle: self.lifecycle.clone(),
            monitor,
            build: Arc::clone(build),
            batch_events_max: options.batch_events_max,
            event_limit: options.event_limit,
            is_shared: options.cluster.is_some(),
        }
    }

    /// Whether a projection starts paused, and why.
    pub(super) fn pause_of(&self, name: &str) -> Option<Pause> {
        self.options.all_paused.clone().or_else(|| self.options.paused.get(name).cloned())
    }
}

impl Entry {
    /// Goes on with what there is beside the generation that serves. Gives what is to be built.
    pub(super) async fn go_on(&self, rest: Rest, is_paused: bool) -> Option<Plan> {
        if let Some((held, since)) = rest.standby {
            self.standby.keep_since(&self.context, held, since).await;
        }
        if let Some(number) = rest.abandoned.filter(|_| !rest.builds) {
            rebuild::abandoned(&self.context, number);
        }
        // Who paused it wants nothing to move; the resume builds it.
        if !rest.builds || is_paused {
            return None;
        }
        let slot = self.rebuilding.take()?;
        Some(self.plan(slot, rest.begun, rest.last_number + 1, None))
    }

    /// What it takes to build a generation.
    pub(super) fn plan(&self, slot: TakenSlot, resumed: Option<Generation>, next: i64, from: Option<Position>) -> Plan {
        Plan {
            context: self.context.clone(),
            orders: self.orders.clone(),
            standby: self.standby.clone(),
            slot,
            number: resumed.as_ref().map_or(next, |generation| generation.number),
            resumed,
            from,
        }
    }
}

/// The generations of a projection, by what this build can do with them.
struct Sorted {
    /// Those of a later version.
    later: Vec<i64>,
    serving: Option<Generation>,
    serves_own: bool,
    rolled_back_own: bool,
    begun: Option<Generation>,
    /// One of this version without a checkpoint.
    abandoned: Option<i64>,
    /// The one on standby that served last of this version, and the last of any.
    standby_own: Option<Generation>,
    standby: Option<Generation>,
    go: Vec<i64>,
    last_number: i64,
}

impl Sorted {
    async fn read(context: &Context) -> Result<Self, ReadStoreError> {
        let (rows, name) = (&*context.rows, context.name());
        let last_number = bookkeeping::last_number(rows, name).await?;
        Ok(Self::of(context, bookkeeping::generations(rows, name).await?, last_number))
    }

    fn of(context: &Context, generations: Vec<Generation>, last_number: i64) -> Self {
        let mut sorted = Self {
            later: Vec::new(),
            serving: None,
            serves_own: false,
            rolled_back_own: false,
            begun: None,
            abandoned: None,
            standby_own: None,
            standby: None,
            go: Vec::new(),
            last_number,
        };
        for generation in generations {
            let own = generation.is_of(&*context.shape);
            if generation.version > i64::from(context.shape.version()) {
                sorted.later.push(generation.number);
            }
            match generation.state {
                GenerationState::Serving => {
                    sorted.serves_own = own;
                    sorted.serving = Some(generation);
                }
                GenerationState::Standby => {
                    if own {
                        keep_later(&mut sorted.standby_own, generation.clone());
                    }
                    keep_later(&mut sorted.standby, generation);
                }
                GenerationState::RolledBack => {
                    sorted.rolled_back_own |= own;
                    keep_later(&mut sorted.standby, generation);
                }
                // Without a checkpoint there is nothing to go on with.
                GenerationState::Building if own && generation.position > Position::START => {
                    sorted.go.extend(sorted.begun.replace(generation).map(|older| older.number));
                }
                GenerationState::Building => {
                    sorted.abandoned = own.then_some(generation.number);
                    sorted.go.push(generation.number);
                }
                GenerationState::Scratch | GenerationState::Retired => {
                    sorted.go.push(generation.number);
                }
            }
        }
        sorted
    }

    /// Whether there is a generation of this version to build, or to go on with.
    const fn builds(&self) -> bool {
        !self.serves_own && !self.rolled_back_own || self.begun.is_some()
    }
}

/// Of two generations on standby the one that served last is kept: a process may have ended before the other one was gone.
fn keep_later(kept: &mut Option<Generation>, other: Generation) {
    if kept.as_ref().is_none_or(|kept| kept.since <= other.since) {
        *kept = Some(other);
    }
}

/// Decides what a projection starts with, and removes what nobody needs.
async fn begin(context: &Context) -> Result<Start, ManagerError> {
    let sorted = Sorted::read(context).await?;
    // Before anything is claimed: whoever comes with the wrong log must not drive away the worker that has the right one.
    if let Some(serving) = &sorted.serving {
        is_within_log(context, serving.furthest).await?;
    }
    infrastructure::failpoint!("start.sorted");
    let (rest, serving) = sorted.rest(context).await?;
    let held = match &serving {
        None => Held::Nothing,
        Some(serving) => hold(context, serving).await?,
    };
    if let Held::Frozen(frozen) = &held {
        let (name, version) = (context.name(), context.shape.version());
        let next = if rest.builds { "is being rebuilt" } else { "stays so until an operator decides" };
        tracing::warn!(
            projection.name = name,
            "projection {name} serves generation {} of version {} as it stood at {}; this build has version {version}, \
             and the projection {next}",
            frozen.generation,
            frozen.version,
            frozen.position
        );
    }
    Ok(Start { held, rest })
}

/// Refuses a read store that has seen more than there is.
pub(super) async fn is_within_log(context: &Context, checkpoint: Position) -> Result<(), ManagerError> {
    let head = context.events.head().await?;
    if checkpoint > head {
        return Err(LogFault::Ahead { name: context.name(), checkpoint, head }.into());
    }
    Ok(())
}

/// What a process that leads a projection from now on goes on with.
pub(super) async fn begin_lead(context: &Context) -> Result<Rest, ManagerError> {
    let mut sorted = Sorted::read(context).await?;
    // A later version may be at work on its own.
    sorted.go.retain(|number| !sorted.later.contains(number));
    Ok(sorted.rest(context).await?.0)
}

impl Sorted {
    /// Removes what nobody needs, goes back to a generation of this version if there is one, and takes what stands by.
    /// Gives what serves, too.
    async fn rest(mut self, context: &Context) -> Result<(Rest, Option<Generation>), ManagerError> {
        for number in &self.go {
            discard(context, *number, None).await;
        }
        // A build that comes back finds the generation of its version, and serves it at once.
        if !self.serves_own
            && !self.rolled_back_own
            && let Some(own) = self.standby_own.take()
        {
            let (name, now) = (context.name(), context.clock.now());
            let statements = bookkeeping::switch(name, own.number, GenerationState::Standby, now);
            context.rows.transaction(statements).await?;
            context.tell();
            tracing::info!(
                projection.name = name,
                "projection {name} goes back to generation {}, which this version made",
                own.number
            );
            self.standby = self.serving.replace(own);
            self.serves_own = true;
        }
        let standby = match &self.standby {
            None => None,
            Some(standby) => Some((hold(context, standby).await?, standby.since)),
        };
        let rest = Rest {
            builds: self.builds(),
            standby,
            begun: self.begun,
            abandoned: self.abandoned,
            last_number: self.last_number,
        };
        Ok((rest, self.serving))
    }
}

/// Takes a generation: to carry it on if it is this version's, to read it as it stands otherwise.
async fn hold(context: &Context, generation: &Generation) -> Result<Held, ManagerError> {
    if generation.is_of(&*context.shape) {
        let mut track = Track::claim(context, generation.number, None).await?;
        infrastructure::failpoint!("start.claimed");
        track.is_due_for_new_build(context).await?;
        return Ok(Held::Track(Box::new(track)));
    }
    let Generation { number, version, position, ref form, .. } = *generation;
    let is_readable = context.shape.reads(version, form);
    Ok(Held::Frozen(Frozen { generation: number, version, form: form.clone(), position, is_readable }))
}
