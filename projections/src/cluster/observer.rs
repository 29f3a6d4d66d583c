//! What serves and how far it is, as the read store says: for the queries and live updates of a process, whichever process
//! applies the events.
//!
//! A nudge says that there is something new; without one it is looked at anyway, a little later. So a nudge that is lost
//! costs time, never a message.

use std::{collections::HashSet, sync::Arc, time::Duration};

use infrastructure::{
    event_store::{Position, RecordedEvent, StoreError},
    read_store::{ReadStore, ReadStoreError},
    telemetry::with_causes,
};
use tokio::{sync::watch, time::Instant};

use super::sql::{self, Serving};
use crate::{
    Decoded, ProjectionState,
    context::Context,
    parking::{self, ParkedKeys},
    shape::{CheckError, Look},
};

/// How long until it looks without a nudge.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How often it looks at most: where somebody asks or listens, and where nobody does.
const LOOK_INTERVAL_SERVING: Duration = Duration::from_millis(2);
const LOOK_INTERVAL_WORKING: Duration = Duration::from_millis(100);
/// How many events are retold at once.
const RETELL_EVENTS: usize = 512;
/// How far it looks ahead for events that are still to be applied.
const PROVE_EVENTS: usize = 128;

/// Why a look was not finished. The next one goes on.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("the read store failed")]
    Rows(#[from] ReadStoreError),
    #[error("the event store failed")]
    Events(#[from] StoreError),
    #[error("a change cannot be told")]
    Retell(#[from] CheckError),
}

/// One projection as it is looked at.
#[derive(Debug)]
pub(crate) struct Observer {
    context: Context,
    /// The generation that serves, for the workers of this process.
    serving: watch::Sender<Option<i64>>,
    shown: Option<Shown>,
    parked_mark: Option<[i64; 3]>,
    keys: ParkedKeys,
    /// The events that wait or were skipped.
    left_out: HashSet<Position>,
}

/// What queries read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    generation: i64,
    is_frozen: bool,
}

impl Observer {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            serving: watch::Sender::new(None),
            shown: None,
            parked_mark: None,
            keys: ParkedKeys::default(),
            left_out: HashSet::new(),
        }
    }

    /// The generation that serves, once it is known.
    pub(crate) fn serving(&self) -> watch::Receiver<Option<i64>> {
        self.serving.subscribe()
    }

    async fn look(&mut self, serving: Option<&Serving>, mark: Option<[i64; 3]>) -> Result<(), LookError> {
        let Some(serving) = serving else { return Ok(()) };
        let is_other = self.shown.is_none_or(|shown| shown.generation != serving.generation);
        if is_other || self.parked_mark != mark {
            self.remember_parked(serving.generation, mark).await?;
        }
        let stored = serving.stored();
        if is_other && !self.begin(serving, stored) {
            return Ok(());
        }
        if self.shown.is_some_and(|shown| shown.is_frozen) {
            self.context.monitor.moved_to(stored);
            return Ok(());
        }
        self.show_up_to(serving.generation, stored).await?;
        if self.context.monitor.is_waited_for() {
            self.show_what_is_proven(serving).await?;
        }
        Ok(())
    }

    /// Queries read this generation from now on. False if this build cannot read it.
    fn begin(&mut self, serving: &Serving, stored: Position) -> bool {
        let Context { shape, monitor, .. } = &self.context;
        let is_own = serving.is_of(&**shape);
        if !is_own && !shape.reads(serving.version, &serving.form) {
            return false;
        }
        let before = self.shown.replace(Shown { generation: serving.generation, is_frozen: !is_own });
        monitor.serves(serving.generation, (!is_own).then_some(serving.version));
        if is_own {
            let is_followed = before.is_some_and(|before| !before.is_frozen);
            // What was shown up to here stays so; the rest is retold from there.
            let from = if is_followed { monitor.position() } else { stored };
            shape.serve(serving.generation, from, before.is_some() && !is_followed);
            monitor.moved_to(from);
        } else {
            shape.serve_frozen(serving.generation, &serving.form, stored);
            monitor.is_in(ProjectionState::Frozen { version: serving.version });
        }
        self.serving.send_replace(Some(serving.generation));
        true
    }

    async fn remember_parked(&mut self, generation: i64, mark: Option<[i64; 3]>) -> Result<(), LookError> {
        let Context { rows, monitor, shape, .. } = &self.context;
        let entries = match mark {
            None => Vec::new(),
            Some(_) => parking::sql::of_generation(&**rows, self.context.name(), generation).await?,
        };
        self.left_out = entries.iter().map(|entry| entry.position).collect();
        let keys = ParkedKeys::of(&entries);
        let released = self.keys.released_in(&keys);
        monitor.parks(keys.count(), keys.behind());
        if let Some(from) = released.iter().map(|(_, position)| *position).min() {
            let released: Vec<_> = released.into_iter().map(|(key, _)| key).collect();
            shape.tell_late(&released, Position::new(from.value().saturating_sub(1)));
        }
        (self.keys, self.parked_mark) = (keys, mark);
        Ok(())
    }

    /// Shows that everything up to here is applied; whoever listens hears of it first.
    async fn show_up_to(&self, generation: i64, to: Position) -> Result<(), LookError> {
        let Context { shape, monitor, events, rows, .. } = &self.context;
        loop {
            let from = monitor.position();
            if from >= to {
                return Ok(());
            }
            if shape.skip(to) {
                monitor.moved_to(to);
                return Ok(());
            }
            let page = events.read_all(from, &shape.filter(), RETELL_EVENTS).await?;
            let reached = page.scanned_to.min(to);
            let is_told = |event: &&RecordedEvent| event.position <= to;
            let told = page.events.iter().filter(is_told).filter_map(|event| Decoded::or_why(event).ok()).collect();
            let look = Look { store: &**rows, events: &**events, generation, position: reached };
            shape.retell(look, told, &self.left_out, reached).await?;
            monitor.moved_to(reached);
            if reached <= from {
                // The log that is read here is not yet where the rows are.
                return Ok(());
            }
        }
    }

    /// A worker stores how far it is with the rows it writes. Where there is nothing to write it may be further: up to the
    /// first event that its slice has not applied.
    async fn show_what_is_proven(&self, serving: &Serving) -> Result<(), LookError> {
        let Context { shape, monitor, events, .. } = &self.context;
        let from = monitor.position();
        if *events.tail().borrow() <= from {
            return Ok(());
        }
        let page = events.read_all(from, &shape.filter(), PROVE_EVENTS).await?;
        let is_applied = |event: &RecordedEvent| {
            let key = match Decoded::or_why(event) {
                Ok(decoded) => match shape.key(&decoded) {
                    Ok(None) => return true,
                    Ok(Some(key)) => key,
                    Err(_) => event.stream.id,
                },
                Err(_) => event.stream.id,
            };
            serving.stored_of(key).is_some_and(|stored| stored >= event.position)
        };
        // Only a position of the log: where they are not counters, there is none right before an event.
        let proven = match page.events.iter().position(|event| !is_applied(event)) {
            Some(first) => page.events[..first].last().map_or(from, |event| event.position),
            None => page.scanned_to,
        };
        self.show_up_to(serving.generation, proven).await
    }
}

/// Everything this process looks at.
#[derive(Debug)]
pub(crate) struct Observers {
    rows: Arc<dyn ReadStore>,
    all: Vec<Observer>,
    interval_min: Duration,
}

impl Observers {
    pub(crate) fn new(rows: Arc<dyn ReadStore>, all: Vec<Observer>, serves: bool) -> Self {
        let interval_min = if serves { LOOK_INTERVAL_SERVING } else { LOOK_INTERVAL_WORKING };
        Self { rows, all, interval_min }
    }

    /// Looks once, before anybody asks.
    pub(crate) async fn begin(&mut self) -> Result<(), ReadStoreError> {
        match self.look().await {
            Ok(()) => Ok(()),
            Err(LookError::Rows(error)) => Err(error),
            Err(error) => Err(ReadStoreError::Unavailable(with_causes(&error))),
        }
    }

    pub(crate) async fn run(mut self) {
        let Some(first) = self.all.first() else { return };
        let (lifecycle, events) = (first.context.lifecycle.clone(), Arc::clone(&first.context.events));
        let (mut nudges, mut tail) = (self.rows.nudges(), events.tail());
        let mut is_blind = false;
        loop {
            let started = Instant::now();
            let looked = self.look().await;
            if let Err(error) = &looked {
                // Once, not with every look.
                if !is_blind {
                    tracing::warn!(error = %with_causes(error), "what other processes have written cannot be seen");
                }
            } else if is_blind {
                tracing::info!("what other processes have written is seen again");
            }
            is_blind = looked.is_err();
            tokio::time::sleep_until(started + if is_blind { LOOK_AGAIN } else { self.interval_min }).await;
            tokio::select! {
                biased;
                () = lifecycle.stopping() => break,
                _ = nudges.changed() => {}
                changed = tail.changed() => if changed.is_err() { tokio::time::sleep(LOOK_AGAIN).await },
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
        for observer in &self.all {
            observer.context.shape.close();
        }
    }

    async fn look(&mut self) -> Result<(), LookError> {
        // In this order: everything that was parked up to a position is seen with it.
        let serving = sql::serving(&*self.rows).await?;
        let marks = sql::parked_marks(&*self.rows).await?;
        let mut failed = None;
        for observer in &mut self.all {
            let name = observer.context.name();
            let serving = serving.get(name);
            let mark = serving.and_then(|serving| marks.get(&(name.to_owned(), serving.generation)).copied());
            // One that cannot be shown does not keep the others back.
            if let Err(error) = observer.look(serving, mark).await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
