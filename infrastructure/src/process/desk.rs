//! What is known and what is under way, for each key: no IO, no clock.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{Event, Process, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    ParkedKey, Performed, ProcessOptions, Todo,
    parked::{Mended, Place},
    status::Trouble,
};

/// How long a refused step waits for the event that explains the refusal, before it is tried again without.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// One key.
struct Entry<P: Process> {
    state: Arc<P::State>,
    cause: Option<Uuid>,
    /// How many events of the key were seen: tells whether something has changed while a step was under way.
    seen: u64,
    /// What was asked for and is not yet seen to be done.
    steps: HashMap<Uuid, Progress>,
    timer: Option<Timestamp>,
    /// What the notes hold of it; none: nothing.
    noted: Option<Mark>,
    /// What it waits for, if the notes do not say so yet.
    parked: Option<Arc<ParkedKey>>,
    /// Whether it waits no more, and the notes may still say so.
    is_released: bool,
}

/// A note, as the notes have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    due: Option<Timestamp>,
}

impl<P: Process> Default for Entry<P> {
    fn default() -> Self {
        let (state, steps) = (Arc::default(), HashMap::new());
        let (cause, timer, noted, parked) = (None, None, None, None);
        Self { state, cause, seen: 0, steps, timer, noted, parked, is_released: false }
    }
}

impl<P: Process> Entry<P> {
    /// When it has to be looked at again. What is not seen to be done is looked at first of all after a restart, whatever the
    /// clock shows then.
    fn due(&self) -> Option<Timestamp> {
        if self.steps.is_empty() { self.timer } else { Some(Timestamp::UNIX_EPOCH) }
    }

    /// Whether this note says what is the case now.
    fn is_as(&self, note: &Note<P::State>) -> bool {
        let is_state = match &note.state {
            Some(noted) => Arc::ptr_eq(noted, &self.state),
            None => *self.state == P::State::default(),
        };
        let waits_for = |parked: &Option<Arc<ParkedKey>>| parked.as_ref().map(Arc::as_ptr);
        is_state && note.due == self.due() && waits_for(&note.parked) == waits_for(&self.parked)
    }
}

/// How often a step failed, and why the last time.
#[derive(Clone, Debug, Default)]
struct Tried {
    times: u32,
    reason: Option<String>,
}

/// How far a step is. `seen`: how many events of its key were seen then.
#[derive(Clone, Debug)]
enum Progress {
    /// It waits for its turn.
    Queued { tried: Tried },
    /// It is being carried out.
    UnderWay { tried: Tried, seen: u64 },
    /// It was done; the log will show it.
    Done,
    /// Things have changed, or are about to: it is asked for again once they are seen.
    Waiting { seen: u64, until: Instant },
    /// It is to be tried again.
    Failed { tried: Tried, until: Instant },
    /// Somebody has to see to it, or something has to happen.
    Stuck { seen: u64, reason: String },
}

impl Progress {
    /// How often it was tried, if it is to be tried (again) now.
    fn is_ripe(&self, seen: u64, instant: Instant) -> Option<Tried> {
        match self {
            Self::Queued { .. } | Self::UnderWay { .. } | Self::Done => None,
            Self::Waiting { seen: then, until } => (*then != seen || *until <= instant).then(Tried::default),
            Self::Failed { tried, until } => (*until <= instant).then(|| tried.clone()),
            Self::Stuck { seen: then, .. } => (*then != seen).then(Tried::default),
        }
    }

    const fn until(&self) -> Option<Instant> {
        match self {
            Self::Waiting { until, .. } | Self::Failed { until, .. } => Some(*until),
            Self::Queued { .. } | Self::UnderWay { .. } | Self::Done | Self::Stuck { .. } => None,
        }
    }
}

/// What is written down of a key.
#[derive(Clone, Debug)]
pub(super) struct Note<S> {
    pub(super) key: Uuid,
    pub(super) cause: Option<Uuid>,
    /// When it has to be looked at again; none: when something happens.
    pub(super) due: Option<Timestamp>,
    /// What somebody has to look at.
    pub(super) concern: Option<String>,
    /// None: there is nothing to remember.
    pub(super) state: Option<Arc<S>>,
    /// Whether the notes hold something of it already.
    pub(super) is_known: bool,
    /// What it waits for, if that is new.
    pub(super) parked: Option<Arc<ParkedKey>>,
    /// Whether it waits no more.
    pub(super) is_released: bool,
}

/// A state as it was noted.
#[derive(Debug)]
pub(super) struct Noted<S> {
    pub(super) key: Uuid,
    pub(super) cause: Option<Uuid>,
    /// When it has to be looked at again; none: when something happens.
    pub(super) due: Option<Timestamp>,
    pub(super) state: S,
}

/// What does not move.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// How many steps.
    pub(super) count: usize,
    /// How many of them wait for somebody.
    pub(super) stuck: usize,
    /// The worst of them.
    pub(super) worst: Vec<Trouble>,
}

/// Everything the runner has in its head.
pub(super) struct Desk<P: Process> {
    process: Arc<P>,
    options: ProcessOptions,
    entries: HashMap<Uuid, Entry<P>>,
    timers: BTreeSet<(Timestamp, Uuid)>,
    retries: BTreeSet<(Instant, Uuid)>,
    queue: VecDeque<(Uuid, P::Step)>,
    /// What the notes do not say yet.
    new: HashSet<Uuid>,
    /// Keys that wait for an event that cannot be read, on the desk or not.
    parked: HashMap<Uuid, Place>,
}

impl<P: Process> Desk<P> {
    pub(super) fn new(process: Arc<P>, options: ProcessOptions) -> Self {
        Self {
            process,
            options,
            entries: HashMap::new(),
            timers: BTreeSet::new(),
            retries: BTreeSet::new(),
            queue: VecDeque::new(),
            new: HashSet::new(),
            parked: HashMap::new(),
        }
    }

    pub(super) fn knows(&self, key: Uuid) -> bool {
        self.entries.contains_key(&key)
    }

    /// How many keys are in memory.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many keys the notes do not have as they are.
    pub(super) fn unnoted(&self) -> usize {
        self.new.len()
    }

    /// How many steps wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Drops from the queue what is wanted no more. For a long way through what happened before, when nothing is carried out.
    pub(super) fn sweep(&mut self) {
        let entries = &self.entries;
        self.queue.retain(|(key, step)| {
            let progress = entries.get(key).and_then(|entry| entry.steps.get(&P::step_id(step)));
            matches!(progress, Some(Progress::Queued { .. }))
        });
    }

    /// Puts a key on the desk, as the notes have it. What is there already is newer.
    pub(super) fn lay_out(&mut self, noted: Noted<P::State>) {
        let Noted { key, cause, due, state } = noted;
        let entry = Entry { state: Arc::new(state), cause, noted: Some(Mark { due }), ..Entry::default() };
        self.entries.entry(key).or_insert(entry);
    }

    /// Remembers what the notes say of keys that wait.
    pub(super) fn remember_parked(&mut self, parked: impl IntoIterator<Item = (Uuid, Place)>) {
        self.parked.extend(parked);
    }

    /// Whether the key waits for an event that cannot be read.
    pub(super) fn is_parked(&self, key: Uuid) -> bool {
        self.parked.contains_key(&key)
    }

    /// Lets a key wait for an event that cannot be read: nothing is done for it, and nothing more of it is taken in.
    pub(super) fn park(&mut self, parked: ParkedKey) {
        let key = parked.key;
        self.parked.insert(key, parked.place());
        let entry = self.entries.entry(key).or_default();
        (entry.parked, entry.is_released) = (Some(Arc::new(parked)), false);
        entry.seen += 1;
        self.new.insert(key);
    }

    /// The key of one that is parked and on the desk, as it was before its event.
    pub(super) fn before(&self, key: Uuid) -> Option<Mended<P::State>> {
        let (place, entry) = (*self.parked.get(&key)?, self.entries.get(&key));
        let (state, cause) = entry.map(|entry| ((*entry.state).clone(), entry.cause)).unwrap_or_default();
        Some(Mended { place, state, cause, still: None })
    }

    /// Takes back what was folded anew; call [`Desk::look`] then.
    pub(super) fn mended(&mut self, key: Uuid, mended: Mended<P::State>) {
        let entry = self.entries.entry(key).or_default();
        (entry.state, entry.cause) = (Arc::new(mended.state), mended.cause);
        if let Some(parked) = mended.still {
            self.park(parked);
            return;
        }
        self.parked.remove(&key);
        (entry.parked, entry.is_released) = (None, true);
        entry.seen += 1;
        self.new.insert(key);
    }

    /// Takes an event in; call [`Desk::look`] once all of a batch are.
    pub(super) fn take_in(&mut self, key: Uuid, event: &Event, id: Uuid) {
        if self.is_parked(key) {
            return; // It is taken in with what it waits for.
        }
        let entry = self.entries.entry(key).or_default();
        let state = Arc::make_mut(&mut entry.state);
        *state = P::evolve(std::mem::take(state), event);
        entry.cause = Some(id);
        entry.seen += 1;
        self.new.insert(key);
    }

    /// Asks the process what is to be done for a key as things stand, and puts what is new into the queue.
    pub(super) fn look(&mut self, key: Uuid, now: Timestamp, instant: Instant) {
        let is_parked = self.is_parked(key);
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let had_steps = !entry.steps.is_empty();
        // What follows from a state with a hole may be wrong.
        let wanted = if is_parked { Vec::new() } else { self.process.next(&entry.state, now) };
        if had_steps {
            let ids: HashSet<Uuid> = wanted.iter().map(P::step_id).collect();
            // What is not wanted any more was done, or things have changed. What is under way is heard of first.
            entry.steps.retain(|id, progress| ids.contains(id) || matches!(progress, Progress::UnderWay { .. }));
        }
        for step in wanted {
            let id = P::step_id(&step);
            let tried = match entry.steps.get(&id) {
                None => Some(Tried::default()),
                Some(progress) => progress.is_ripe(entry.seen, instant),
            };
            if let Some(tried) = tried {
                entry.steps.insert(id, Progress::Queued { tried });
                self.queue.push_back((key, step));
            }
        }
        self.retries.extend(entry.steps.values().filter_map(Progress::until).map(|until| (until, key)));
        if had_steps && entry.steps.is_empty() {
            // The notes still say that there is something to do.
            self.new.insert(key);
        }
        let timer = if is_parked { None } else { self.process.wake_at(&entry.state, now) };
        if timer != entry.timer {
            if let Some(before) = std::mem::replace(&mut entry.timer, timer) {
                self.timers.remove(&(before, key));
            }
            self.timers.extend(timer.map(|timer| (timer, key)));
        }
    }

    /// The same for a key that is on the desk because the notes say that there is something to do.
    pub(super) fn look_again(&mut self, key: Uuid, now: Timestamp, instant: Instant) {
        self.look(key, now, instant);
        if self.entries.get(&key).is_some_and(|entry| entry.noted != Some(Mark { due: entry.due() })) {
            self.new.insert(key);
        }
    }

    /// The next step to carry out.
    pub(super) fn next(&mut self) -> Option<Todo<P>> {
        loop {
            let (key, step) = self.queue.pop_front()?;
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            // What has changed while it waited for its turn may have made it needless.
            let Some(progress) = entry.steps.get_mut(&P::step_id(&step)) else { continue };
            if let Progress::Queued { tried } = progress {
                *progress = Progress::UnderWay { tried: std::mem::take(tried), seen: entry.seen };
                return Some(Todo { key, state: Arc::clone(&entry.state), step, cause: entry.cause });
            }
        }
    }

    /// Hears what became of a step.
    pub(super) fn finished(&mut self, key: Uuid, step: Uuid, performed: Performed, now: Timestamp, instant: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let Some(Progress::UnderWay { tried, seen }) = entry.steps.get(&step).cloned() else { return };
        let progress = match performed {
            Performed::Done => Progress::Done,
            // What has come meanwhile may be what it waits for, or not: it is looked at before long.
            Performed::Wait if seen != entry.seen => {
                Progress::Waiting { seen: entry.seen, until: instant + self.options.retry_first }
            }
            Performed::Wait => Progress::Waiting { seen, until: instant + WAIT_MAX },
            // Should it never be told, asking again does no harm.
            Performed::Later => Progress::Waiting { seen: entry.seen, until: instant + self.options.retry_max },
            Performed::Stuck(reason) => Progress::Stuck { seen, reason },
            Performed::Failed(reason) => {
                let pause = self.options.retry_first.saturating_mul(1 << tried.times.min(16));
                let tried = Tried { times: tried.times + 1, reason: Some(reason) };
                Progress::Failed { tried, until: instant + pause.min(self.options.retry_max) }
            }
        };
        entry.steps.insert(step, progress);
        self.look(key, now, instant);
    }

    /// The keys whose timers or retries have come.
    pub(super) fn due(&mut self, now: Timestamp, instant: Instant) -> Vec<Uuid> {
        let mut keys = Vec::new();
        while let Some((at, key)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, key));
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.timer = None;
                // The timer stands in the notes until they say otherwise.
                self.new.insert(key);
            }
            keys.push(key);
        }
        while let Some((at, key)) = self.retries.first().copied().filter(|(at, _)| *at <= instant) {
            self.retries.remove(&(at, key));
            keys.push(key);
        }
        keys
    }

    /// What is not written down yet.
    pub(super) fn to_note(&self) -> Vec<Note<P::State>> {
        let note = |key: &Uuid| {
            let entry = self.entries.get(key)?;
            let is_empty = *entry.state == P::State::default();
            let state = (!is_empty).then(|| Arc::clone(&entry.state));
            Some(Note {
                key: *key,
                cause: entry.cause,
                due: entry.due(),
                concern: P::concern(&entry.state),
                state,
                is_known: entry.noted.is_some(),
                parked: entry.parked.clone(),
                is_released: entry.is_released,
            })
        };
        self.new.iter().filter_map(note).collect()
    }

    /// What was to be noted is written down. Takes off the desk what is not needed there.
    pub(super) fn noted(&mut self, notes: &[Note<P::State>], now: Timestamp) {
        let horizon = now + self.options.horizon;
        for note in notes {
            let Some(entry) = self.entries.get_mut(&note.key) else { continue };
            // The notes hold this now, whatever has happened since.
            entry.noted = note.state.is_some().then_some(Mark { due: note.due });
            entry.is_released &= !note.is_released;
            if !entry.is_as(note) {
                continue;
            }
            self.new.remove(&note.key);
            entry.parked = None;
            if !entry.steps.is_empty() {
                continue; // They are noted as due; once they are seen to be done, it is noted anew.
            }
            if entry.timer.is_none_or(|timer| timer > horizon) {
                if let Some(timer) = entry.timer {
                    self.timers.remove(&(timer, note.key));
                }
                self.entries.remove(&note.key);
            }
        }
    }

    /// What of this key did not work is to be tried again now.
    pub(super) fn retry(&mut self, key: Uuid, instant: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        for progress in entry.steps.values_mut() {
            match progress {
                Progress::Stuck { .. } | Progress::Failed { .. } => {
                    *progress = Progress::Waiting { seen: entry.seen, until: instant };
                }
                Progress::Queued { .. } | Progress::UnderWay { .. } | Progress::Waiting { .. } | Progress::Done => {}
            }
        }
    }

    /// What does not move: how much of it, and the worst, at most so many. First what somebody has to see to, then what was
    /// tried most often.
    pub(super) fn troubles(&self, limit: usize) -> Troubles {
        let steps = self.entries.iter().flat_map(|(key, entry)| entry.steps.iter().map(move |step| (key, step)));
        let mut found: Vec<_> = steps.filter_map(|(key, (step, progress))| in_trouble(*key, *step, progress)).collect();
        let (count, stuck) = (found.len(), found.iter().filter(|found| found.is_stuck).count());
        let rank = |found: &InTrouble<'_>| (!found.is_stuck, std::cmp::Reverse(found.tries), found.key, found.step);
        if limit < count {
            found.select_nth_unstable_by_key(limit, rank);
            found.truncate(limit);
        }
        found.sort_unstable_by_key(rank);
        let worst = found.into_iter().map(|InTrouble { key, step, reason, tries, is_stuck }| Trouble {
            key,
            step,
            reason: reason.to_owned(),
            tries,
            is_stuck,
        });
        Troubles { count, stuck, worst: worst.collect() }
    }
}

/// A step that does not move, as it stands on the desk.
struct InTrouble<'a> {
    key: Uuid,
    step: Uuid,
    reason: &'a str,
    tries: u32,
    is_stuck: bool,
}

fn in_trouble(key: Uuid, step: Uuid, progress: &Progress) -> Option<InTrouble<'_>> {
    match progress {
        Progress::Stuck { reason, .. } => Some(InTrouble { key, step, reason, tries: 1, is_stuck: true }),
        // Also while it is tried again.
        Progress::Failed { tried, .. } | Progress::Queued { tried } | Progress::UnderWay { tried, .. } => {
            let reason = tried.reason.as_deref()?;
            Some(InTrouble { key, step, reason, tries: tried.times, is_stuck: false })
        }
        Progress::Waiting { .. } | Progress::Done => None,
    }
}
