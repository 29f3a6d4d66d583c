//! The loop: what happened comes in, what is to be done goes out, what is known is written down.

mod mend;

use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use domain::{Process, retried};
use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle},
    time::Instant,
};
use uuid::Uuid;

use super::{
    Perform, Performed, ProcessOptions, ProcessStatus, Turn,
    desk::{Desk, Note, Troubles},
    notes::Notes,
    reader::{self, Page},
};
use crate::{
    clock::Clock,
    event_store::{EventStore, Position, StoreError},
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError},
    telemetry,
};

/// How often timers are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long to wait before a process that had to be given up is taken over again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the log says that steps fail.
const SAY_INTERVAL: Duration = Duration::from_secs(10);
/// How many troubles an operator is shown.
const TROUBLES_MAX: usize = 20;
/// After how many keys of which the notes do not know what is known is written down out of turn; with ten times as many, no
/// more events are taken in.
const UNNOTED: usize = 5_000;
/// How many pages are taken in at once.
const PAGES_MAX: usize = 4;

/// A process that runs, or waits for its turn.
#[derive(Clone, Debug)]
pub struct ProcessRunner {
    status: watch::Receiver<ProcessStatus>,
}

/// What the loop works with.
struct Surroundings<P: Process> {
    process: Arc<P>,
    perform: Arc<dyn Perform<P>>,
    events: Arc<dyn EventStore>,
    rows: Arc<dyn ReadStore>,
    clock: Arc<dyn Clock>,
    lifecycle: Lifecycle,
    options: ProcessOptions,
    status: watch::Sender<ProcessStatus>,
}

/// Why a turn is over.
enum Over {
    /// Everybody is asked to stop, or it is another node's turn.
    Done,
    /// Somebody else has taken over.
    Lost,
    /// Something does not work.
    Failed(String),
}

impl ProcessRunner {
    /// Runs `process` in a task of `lifecycle`, whenever it is its turn.
    pub fn start<P: Process>(
        process: P,
        perform: Arc<dyn Perform<P>>,
        events: Arc<dyn EventStore>,
        rows: Arc<dyn ReadStore>,
        clock: Arc<dyn Clock>,
        lifecycle: &Lifecycle,
        options: ProcessOptions,
    ) -> Self {
        let (sender, status) = watch::channel(ProcessStatus { name: P::NAME, ..ProcessStatus::default() });
        let surroundings = Surroundings {
            process: Arc::new(process),
            perform,
            events,
            rows,
            clock,
            lifecycle: lifecycle.clone(),
            options,
            status: sender,
        };
        lifecycle.spawn(surroundings.run());
        Self { status }
    }

    /// How it is.
    pub fn status(&self) -> ProcessStatus {
        self.status.borrow().clone()
    }

    /// How it is, as it changes.
    #[cfg(test)]
    pub(super) fn watch(&self) -> watch::Receiver<ProcessStatus> {
        self.status.clone()
    }
}

impl<P: Process> Surroundings<P> {
    async fn run(self) {
        let mut turn = self.options.turn.clone();
        loop {
            if !is_my_turn(turn.as_mut(), &self.lifecycle).await {
                return;
            }
            // The state of a turn goes with it; the next one begins with the notes.
            let over = AssertUnwindSafe(Hold::run(&self)).catch_unwind().await;
            let over = over.unwrap_or_else(|_| Over::Failed("it panicked; the log says where".to_owned()));
            self.status.send_modify(|status| {
                status.is_running = false;
                status.is_caught_up = false;
                status.under_way = 0;
            });
            match over {
                Over::Done if self.lifecycle.is_stopping() => return,
                Over::Done => tracing::info!(process = P::NAME, "process given to another node"),
                Over::Lost => tracing::warn!(process = P::NAME, "process was taken over by another node"),
                Over::Failed(error) => {
                    tracing::error!(process = P::NAME, error, "process cannot go on; it is taken up again");
                    self.status.send_modify(|status| status.error = Some(error));
                }
            }
            tokio::select! {
                () = self.lifecycle.stopping() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// Waits for this node's turn. False once everybody is asked to stop.
async fn is_my_turn(turn: Option<&mut Turn>, lifecycle: &Lifecycle) -> bool {
    let Some(turn) = turn else { return !lifecycle.is_stopping() };
    tokio::select! {
        () = lifecycle.stopping() => false,
        is_known = turn.comes(true) => is_known,
    }
}

/// Resolves once it is not this node's turn any more.
async fn turn_is_over(turn: Option<&mut Turn>) {
    match turn {
        None => std::future::pending().await,
        Some(turn) => drop(turn.comes(false).await),
    }
}

/// A process in this node's hands.
struct Hold<'a, P: Process> {
    around: &'a Surroundings<P>,
    notes: Arc<Notes>,
    desk: Desk<P>,
    /// Everything up to here is on the desk or in the notes.
    position: Position,
    /// Up to here the log has to be seen before anything is done.
    head: Position,
    is_caught_up: bool,
    noted: Position,
    /// How the process was said to be.
    told: ProcessStatus,
    noted_at: Instant,
    /// How long the queue may become before what is wanted no more is dropped from it.
    sweep_at: usize,
    far_timers_at: Instant,
    done: u64,
    /// Until then the log says no more of steps that failed.
    quiet_until: Option<Instant>,
    writing: Option<JoinHandle<Result<Written<P>, ReadStoreError>>>,
}

/// Notes that are written.
struct Written<P: Process> {
    notes: Vec<Note<P::State>>,
    position: Position,
}

type WriteOutcome<P> = Result<Result<Written<P>, ReadStoreError>, JoinError>;

/// Resolves once what is being written is written.
async fn written<P: Process>(writing: &mut Option<JoinHandle<Result<Written<P>, ReadStoreError>>>) -> WriteOutcome<P> {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

impl<'a, P: Process> Hold<'a, P> {
    async fn run(around: &'a Surroundings<P>) -> Over {
        match Self::take_over(around).await {
            Ok(mut turn) => turn.work().await,
            Err(over) => over,
        }
    }

    async fn take_over(around: &'a Surroundings<P>) -> Result<Self, Over> {
        let (notes, position) =
            Notes::take_over::<P>(Arc::clone(&around.rows)).await.map_err(|error| notes_failed(&error))?;
        let head = around.events.head().await.map_err(|error| log_failed(&error))?;
        let desk = Desk::new(Arc::clone(&around.process), around.options.clone());
        let now = Instant::now();
        let done = around.status.borrow().done;
        let mut turn = Self {
            around,
            notes: Arc::new(notes),
            desk,
            position,
            head,
            is_caught_up: false,
            noted: position,
            told: ProcessStatus::default(),
            noted_at: now,
            sweep_at: around.options.waiting_max,
            far_timers_at: now,
            done,
            quiet_until: None,
            writing: None,
        };
        turn.mend_with_this_build().await?;
        turn.look_far().await?;
        // Whatever it was that did not work, it works now.
        around.status.send_modify(|status| status.error = None);
        Ok(turn)
    }

    async fn work(&mut self) -> Over {
        let around = self.around;
        let options = &around.options;
        let (mut turn, log) = (options.turn.clone(), options.log.as_ref().unwrap_or(&around.events));
        let mut pages = reader::read::<P>(log, self.position, options.batch_events_max, &around.lifecycle);
        let mut under_way = FuturesUnordered::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tracing::info!(process = P::NAME, position = self.position.value(), "process taken over");
        loop {
            self.is_caught_up |= self.position >= self.head;
            while self.is_caught_up
                && under_way.len() < around.options.steps_max
                && let Some(todo) = self.desk.next()
            {
                let perform = Arc::clone(&around.perform);
                under_way.push(async move {
                    let performed = perform.perform(&todo).await;
                    (todo.key, P::step_id(&todo.step), performed)
                });
            }
            // Before everything is seen nothing is carried out, so the queue is no reason to wait.
            let is_full = self.is_caught_up && self.desk.waiting() >= around.options.waiting_max;
            let has_room = !is_full && self.desk.unnoted() < 10 * UNNOTED;
            let step = tokio::select! {
                biased;
                () = around.lifecycle.stopping() => Err(Over::Done),
                () = turn_is_over(turn.as_mut()) => Err(Over::Done),
                _ = tick.tick() => self.tick(under_way.len()).await,
                written = written(&mut self.writing) => self.written(written),
                Some(done) = under_way.next(), if !under_way.is_empty() => {
                    self.heard(done);
                    while let Some(Some(done)) = under_way.next().now_or_never() {
                        self.heard(done);
                    }
                    Ok(())
                }
                page = pages.recv(), if has_room => self.take_in(page, &mut pages).await,
            };
            if let Err(over) = step {
                // What is under way is carried out by the executors; whether it was is seen in the log.
                return self.leave(over).await;
            }
        }
    }

    fn heard(&mut self, (key, step, performed): (Uuid, Uuid, Performed)) {
        let outcome = match &performed {
            Performed::Done => "done",
            Performed::Wait => "wait",
            Performed::Later => "later",
            Performed::Stuck(reason) => {
                tracing::error!(process = P::NAME, key = %key, step = %step, reason, "a step needs somebody to see to it");
                "stuck"
            }
            Performed::Failed(reason) => {
                self.say_failed(key, step, reason);
                "failed"
            }
        };
        metrics::counter!(telemetry::PROCESS_STEPS, "process" => P::NAME, "outcome" => outcome).increment(1);
        self.done += u64::from(performed == Performed::Done);
        self.desk.finished(key, step, performed, self.around.clock.now(), Instant::now());
    }

    /// In an outage every step fails again and again: the log says it now and then, the status holds the rest.
    fn say_failed(&mut self, key: Uuid, step: Uuid, reason: &str) {
        let now = Instant::now();
        if self.quiet_until.is_some_and(|until| now < until) {
            tracing::debug!(process = P::NAME, key = %key, step = %step, reason, "a step failed; it is tried again");
            return;
        }
        self.quiet_until = Some(now + SAY_INTERVAL);
        tracing::warn!(process = P::NAME, key = %key, step = %step, reason, "a step failed; it is tried again, as are others");
    }

    /// Takes in what has happened: this page, and those that wait behind it.
    async fn take_in(
        &mut self,
        page: Option<Result<Page, String>>,
        pages: &mut mpsc::Receiver<Result<Page, String>>,
    ) -> Result<(), Over> {
        // The reader ends with the lifecycle only.
        let mut next = Some(page.ok_or(Over::Done)?);
        let mut touched = BTreeSet::new();
        let mut pages_left = PAGES_MAX;
        while let Some(page) = next {
            match page {
                Ok(page) => self.take_in_page(page, &mut touched).await?,
                Err(error) => self.around.status.send_modify(|status| status.error = Some(error)),
            }
            pages_left -= 1;
            next = if pages_left > 0 { pages.try_recv().ok() } else { None };
        }
        let (now, instant) = (self.around.clock.now(), Instant::now());
        for key in touched {
            self.desk.look(key, now, instant);
        }
        if !self.is_caught_up && self.desk.waiting() >= self.sweep_at {
            self.desk.sweep();
            self.sweep_at = self.around.options.waiting_max.max(2 * self.desk.waiting());
        }
        Ok(())
    }

    async fn take_in_page(&mut self, page: Page, touched: &mut BTreeSet<Uuid>) -> Result<(), Over> {
        let mut missing = BTreeSet::new();
        let mut begun = BTreeSet::new();
        for (_, read) in &page.events {
            let (key, is_first) = match read {
                Ok(event) => (P::key(event), P::starts(event)),
                Err(parked) => (Some(parked.key), false),
            };
            let Some(key) = key.filter(|key| !self.desk.is_parked(*key)) else { continue };
            if is_first {
                begun.insert(key);
            } else if !begun.contains(&key) && !self.desk.knows(key) {
                missing.insert(key);
            }
        }
        self.lay_out(missing).await?;
        let mut mended = BTreeSet::new();
        for (id, read) in page.events {
            let event = match read {
                Ok(event) => event,
                Err(parked) => {
                    touched.insert(parked.key);
                    self.park(parked);
                    continue;
                }
            };
            if let Some(key) = P::key(&event) {
                self.desk.take_in(key, &event, id);
                touched.insert(key);
            }
            if let Some(key) = retried(P::NAME, &event) {
                self.desk.retry(key, Instant::now());
                touched.insert(key);
                mended.insert(key);
            }
        }
        self.position = page.scanned_to;
        self.mend(mended).await?;
        self.around.status.send_if_modified(|status| status.error.take().is_some());
        Ok(())
    }

    /// Timers, retries, and now and then the notes.
    async fn tick(&mut self, under_way: usize) -> Result<(), Over> {
        let (now, instant) = (self.around.clock.now(), Instant::now());
        for key in self.desk.due(now, instant) {
            self.desk.look(key, now, instant);
        }
        self.show(under_way);
        let is_due = instant >= self.noted_at + self.around.options.note_interval;
        if is_due {
            self.show_troubles();
        }
        if is_due || self.desk.unnoted() >= UNNOTED {
            self.note();
        }
        if instant >= self.far_timers_at {
            self.look_far().await?;
        }
        Ok(())
    }

    fn show(&self, under_way: usize) {
        self.around.status.send_modify(|status| {
            status.is_running = true;
            status.is_caught_up = self.is_caught_up;
            status.position = self.position;
            status.keys = self.desk.len();
            status.waiting = self.desk.waiting();
            status.under_way = under_way;
            status.done = self.done;
        });
    }

    /// Looks through everything, so not that often.
    fn show_troubles(&self) {
        let Troubles { count, stuck, worst } = self.desk.troubles(TROUBLES_MAX);
        self.around.status.send_modify(|status| {
            status.in_trouble = count;
            status.stuck = stuck;
            status.troubles = worst;
        });
    }

    /// Writes down what has changed, beside everything else.
    fn note(&mut self) {
        self.noted_at = Instant::now();
        if self.writing.is_some() {
            return;
        }
        let (new, status) = (self.desk.to_note(), self.around.status.borrow().clone());
        if new.is_empty() && self.position == self.noted && status == self.told {
            return;
        }
        self.told = status.clone();
        let (notes, position) = (Arc::clone(&self.notes), self.position);
        self.writing = Some(self.around.lifecycle.spawn(async move {
            notes.write::<P>(&new, position, &status).await.map(|()| Written { notes: new, position })
        }));
    }

    fn written(&mut self, written: WriteOutcome<P>) -> Result<(), Over> {
        self.writing = None;
        let written = written.map_err(|_| Over::Failed("writing the notes panicked".to_owned()))?;
        let written = written.map_err(|error| notes_failed(&error))?;
        self.desk.noted(&written.notes, self.around.clock.now());
        self.noted = written.position;
        Ok(())
    }

    /// Leaves notes that are as new as can be. What is under way is carried out by the executors; whether it was is seen in
    /// the log.
    async fn leave(&mut self, over: Over) -> Over {
        if !matches!(over, Over::Done) {
            return over;
        }
        for _ in 0..2 {
            if let Some(writing) = self.writing.take()
                && let Err(over) = self.written(writing.await)
            {
                return over;
            }
            self.note();
        }
        match self.writing.take() {
            Some(writing) => self.written(writing.await).err().unwrap_or(Over::Done),
            None => Over::Done,
        }
    }

    /// Puts on the desk what has to be looked at before long.
    async fn look_far(&mut self) -> Result<(), Over> {
        let (now, instant) = (self.around.clock.now(), Instant::now());
        let horizon = self.around.options.horizon;
        let mut due = self.notes.due(now + horizon).await.map_err(|error| notes_failed(&error))?;
        // What is on the desk is looked at when its time comes.
        due.retain(|key| !self.desk.knows(*key));
        for noted in self.notes.of_keys::<P>(&due).await.map_err(|error| notes_failed(&error))? {
            let key = noted.key;
            self.desk.lay_out(noted);
            self.desk.look_again(key, now, instant);
        }
        // Half way to what was not looked at, so that nothing comes late.
        self.far_timers_at = instant + horizon / 2;
        Ok(())
    }
}

fn notes_failed(error: &ReadStoreError) -> Over {
    if matches!(error, ReadStoreError::Guard { .. }) {
        return Over::Lost;
    }
    Over::Failed(format!("the notes cannot be read or written: {}", telemetry::with_causes(error)))
}

fn log_failed(error: &StoreError) -> Over {
    Over::Failed(format!("the log cannot be read: {error}"))
}
