//! What happens when a process starts: who serves which generation, what is gone on with, what is built.

use std::{collections::HashMap, sync::Arc};

use infrastructure::{codec, event_store::Position, read_store::ReadStoreError};
use tokio::sync::mpsc;

use super::{Declared, Entry, ProjectionManager, Surroundings};
use crate::{
    ManagerError,
    bookkeeping::{self, Generation, GenerationState},
    context::Context,
    parking,
    rebuild::{self, Plan, discard},
    slot::{RebuildSlot, TakenSlot},
    standby::Standby,
    track::Track,
    worker::{Frozen, Held, Worker},
};

/// What a projection starts with.
struct Start {
    held: Held,
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
        let Surroundings { events, rows, clock, lifecycle, options } = surroundings;
        bookkeeping::prepare(&*rows).await?;
        parking::sql::prepare(&*rows).await?;
        let build: Arc<str> = codec::fingerprint::<domain::Event>().into();
        let (mut entries, mut plans) = (Vec::new(), Vec::new());
        for (shape, monitor, on_failure) in declared {
            let shape_is_divisible = shape.is_divisible();
            let context = Context {
                shape,
                on_failure,
                events: Arc::clone(&events),
                rows: Arc::clone(&rows),
                clock: Arc::clone(&clock),
                lifecycle: lifecycle.clone(),
                monitor,
                build: Arc::clone(&build),
                batch_events_max: options.batch_events_max,
                slices: if shape_is_divisible { options.slices.get() } else { 1 },
                event_limit: options.event_limit,
            };
            let start = begin(&context).await?;
            let (orders, received) = mpsc::channel(16);
            let (rebuilding, standby) = (RebuildSlot::default(), Standby::default());
            let pause = options.all_paused.clone().or_else(|| options.paused.get(context.name()).cloned());
            let is_paused = pause.is_some();
            let mut worker = Worker::new(context.clone(), start.held, received, pause);
            worker.begin();
            lifecycle.spawn(worker.run());
            if let Some((held, since)) = start.standby {
                standby.keep_since(&context, held, since).await;
            }
            let entry = Entry { context, orders, rebuilding, standby };
            if let Some(number) = start.abandoned.filter(|_| !start.builds) {
                rebuild::abandoned(&entry.context, number);
            }
            // Who paused it wants nothing to move; the resume builds it.
            if start.builds
                && !is_paused
                && let Some(slot) = entry.rebuilding.take()
            {
                plans.push(entry.plan(slot, start.begun, start.last_number + 1, None));
            }
            entries.push(entry);
        }
        let manager = Self { entries: entries.into(), events, rows, options: Arc::new(options) };
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

impl Entry {
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
    own: HashMap<i64, Generation>,
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
        let (version, form) = (i64::from(context.shape.version()), context.shape.form());
        // A release that kept no form had the tables of today.
        let is_own = |generation: &Generation| {
            generation.version == version && (generation.form == form || generation.form.is_empty())
        };
        let mut sorted = Self {
            own: HashMap::new(),
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
            let own = is_own(&generation);
            if own {
                sorted.own.insert(generation.number, generation.clone());
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
    let mut sorted = Sorted::read(context).await?;
    // Before anything is claimed: whoever comes with the wrong log must not drive away the worker that has the right one.
    let end = context.events.head().await?;
    if let Some(serving) = &sorted.serving
        && serving.position > end
    {
        let (name, checkpoint) = (context.name(), serving.position);
        return Err(ManagerError::AheadOfLog { name, checkpoint, head: end });
    }
    infrastructure::failpoint!("start.sorted");
    for number in &sorted.go {
        discard(context, *number, None).await;
    }
    // A build that comes back finds the generation of its version, and serves it at once.
    if !sorted.serves_own
        && !sorted.rolled_back_own
        && let Some(own) = sorted.standby_own.take()
    {
        let (name, now) = (context.name(), context.clock.now());
        let statements = bookkeeping::switch(name, own.number, GenerationState::Standby, now);
        context.rows.transaction(statements).await?;
        tracing::info!(
            projection.name = name,
            "projection {name} goes back to generation {}, which this version made",
            own.number
        );
        sorted.standby = sorted.serving.replace(own);
        sorted.serves_own = true;
    }
    let since = |generation: &Generation| generation.since;
    let held = match &sorted.serving {
        None => Held::Nothing,
        Some(serving) => hold(context, serving, sorted.serves_own).await?,
    };
    let standby = match &sorted.standby {
        None => None,
        Some(standby) => {
            let is_own = sorted.own.contains_key(&standby.number);
            Some((hold(context, standby, is_own).await?, since(standby)))
        }
    };
    if let Held::Frozen(frozen) = &held {
        let (name, version) = (context.name(), context.shape.version());
        let next = if sorted.rolled_back_own { "stays so until an operator decides" } else { "is being rebuilt" };
        tracing::warn!(
            projection.name = name,
            "projection {name} serves generation {} of version {} as it stood at {}; this build has version {version}, \
             and the projection {next}",
            frozen.generation,
            frozen.version,
            frozen.position
        );
    }
    Ok(Start {
        builds: sorted.builds(),
        held,
        standby,
        begun: sorted.begun,
        abandoned: sorted.abandoned,
        last_number: sorted.last_number,
    })
}

/// Takes a generation: to carry it on if it is this version's, to read it as it stands otherwise.
async fn hold(context: &Context, generation: &Generation, is_own: bool) -> Result<Held, ManagerError> {
    if is_own {
        let mut track = Track::claim(context, generation.number, None).await?;
        infrastructure::failpoint!("start.claimed");
        release_for_new_build(context, &mut track).await?;
        return Ok(Held::Track(Box::new(track)));
    }
    let Generation { number, version, position, ref form, .. } = *generation;
    let is_readable = context.shape.reads(version, form);
    Ok(Held::Frozen(Frozen { generation: number, version, form: form.clone(), position, is_readable }))
}

/// What another version or another build parked is tried again by this one.
async fn release_for_new_build(context: &Context, track: &mut Track) -> Result<(), ReadStoreError> {
    let entries = parking::sql::of_generation(&*context.rows, context.name(), track.generation).await?;
    let version = i64::from(context.shape.version());
    let is_others = |entry: &&crate::ParkedEvent| entry.version != version || entry.build != *context.build;
    let now = context.clock.now();
    for entry in entries.iter().filter(is_others) {
        track.parked.is_due(entry.key, now);
    }
    Ok(())
}
