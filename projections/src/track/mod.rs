//! A generation in somebody's hands: applying events to it, parking those that fail, releasing them.
//!
//! Whoever holds a track is the only one that writes to its slices of the generation; their epochs see to that.

mod release;

use std::collections::{HashMap, HashSet};

use infrastructure::{
    event_store::{Position, RecordedEvent, StoreError},
    read_store::{ReadStoreError, Statement},
    telemetry,
};
use uuid::Uuid;

use crate::{
    Decoded, ParkedEvent, ParkedState, bookkeeping,
    context::Context,
    decoded::{Place, Undecodable},
    parking::{ParkedKeys, sql},
    shape::{ApplyError, Audience, Batch, Failure, Look},
    slices::{self, Slices},
};

pub(crate) use release::ReleaseError;
pub use release::Released;

/// How many positions without an event of ours are passed before the checkpoint follows.
const CHECKPOINT_EVERY_POSITIONS: u64 = 10_000;

/// Slices of a generation, their checkpoints, and what is parked in them.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) generation: i64,
    /// What it holds of the generation, and how far that is stored.
    pub(crate) slices: Slices,
    /// Everything up to here is applied, except what is parked. It may be further than what is stored where no event was
    /// ours.
    pub(crate) position: Position,
    /// Whether what a builder has counted may still be written down.
    is_counted: bool,
    pub(crate) parked: ParkedKeys,
    /// Events that an operator has skipped for this version of the projection, with the reason.
    pub(crate) skips: HashMap<Position, String>,
}

/// Why events were not applied. Nothing of them was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrackError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// One more would be too many.
    #[error("{parked} events are parked; event {} would be one too many", .event.position)]
    TooManyParked { event: Box<RecordedEvent>, parked: u64 },
}

/// Why a generation that nobody reads was not taken further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Events(#[from] StoreError),
    #[error(transparent)]
    Track(#[from] TrackError),
}

impl FollowError {
    /// Whether somebody else has one of the slices by now.
    pub(crate) const fn is_guard(&self) -> bool {
        matches!(self, Self::Track(TrackError::Apply(ApplyError::Store(ReadStoreError::Guard { .. }))))
    }
}

impl From<ReadStoreError> for TrackError {
    fn from(error: ReadStoreError) -> Self {
        Self::Apply(error.into())
    }
}

impl Track {
    /// Takes slices of a generation over: all, or those that are wanted.
    pub(crate) async fn claim(
        context: &Context,
        generation: i64,
        wanted: Option<&[u32]>,
    ) -> Result<Self, ReadStoreError> {
        let (rows, name) = (&*context.rows, context.name());
        let slices = slices::sql::claim(rows, name, generation, wanted).await?;
        let position = slices.stored();
        let skips = skips(context).await?;
        let mut track = Self { generation, slices, position, is_counted: true, parked: ParkedKeys::of(&[]), skips };
        track.remember_parked(context).await?;
        Ok(track)
    }

    /// Reads what is parked again: what is in memory may not be what is stored.
    pub(crate) async fn remember_parked(&mut self, context: &Context) -> Result<(), ReadStoreError> {
        let mut entries = sql::of_generation(&*context.rows, context.name(), self.generation).await?;
        entries.retain(|entry| self.slices.holds(entry.key));
        self.parked = ParkedKeys::of(&entries);
        Ok(())
    }

    /// Whether everything is still its own, after a write that may or may not have happened; goes on from what is stored
    /// then.
    pub(crate) async fn is_still_ours(&mut self, context: &Context) -> Result<bool, ReadStoreError> {
        let standing = slices::sql::standing(&*context.rows, context.name(), self.generation).await?;
        let Some(slices) = self.slices.still_at(&standing) else { return Ok(false) };
        // What was parked with such a write was not noted.
        self.remember_parked(context).await?;
        self.position = slices.stored();
        self.slices = slices;
        Ok(true)
    }

    pub(crate) fn look<'a>(&self, context: &'a Context) -> Look<'a> {
        Look { store: &*context.rows, events: &*context.events, generation: self.generation, position: self.position }
    }

    /// Applies events in order, with the checkpoint in one transaction. Those that fail are parked, and so are those
    /// behind them; a projection that is to stop instead gets the error.
    pub(crate) async fn apply(
        &mut self,
        context: &Context,
        events: &[RecordedEvent],
        scanned_to: Position,
        audience: Audience,
    ) -> Result<(), TrackError> {
        let decoded = context.decoder.decode(events);
        let (ready, mut entries) = self.intake(context, events, decoded)?;
        let applied = ready.len() as u64;
        let checkpoint = self.checkpoint(context, scanned_to);
        let (name, parks) = (context.name(), context.on_failure.parks);
        let this: &Self = self;
        let mut is_full = false;
        let mut finish = |failures: &[Failure]| {
            for failure in failures {
                entries.push(this.entry_at(context, failure.place.clone(), failure.key, failure.error.clone()));
            }
            this.settle(&mut entries);
            let mut statements = Vec::new();
            if !entries.is_empty() {
                infrastructure::failpoint!("track.park");
                statements.push(sql::put(&entries));
            }
            // Where a failure is to stop the projection, nothing of the batch may be written.
            is_full = parks && this.is_too_many(context, waiting(&entries));
            if is_full || (!parks && !failures.is_empty()) {
                statements.extend(checkpoint.clone().into_iter().map(|statement| statement.must_change(u64::MAX)));
            } else {
                statements.extend(checkpoint.clone());
            }
            statements
        };
        let batch = Batch {
            store: &*context.rows,
            generation: self.generation,
            events: ready,
            scanned_to,
            limit: context.event_limit,
            audience,
            finish: &mut finish,
        };
        infrastructure::failpoint!("track.apply");
        let failures = match context.shape.apply(batch).await {
            Err(ApplyError::Store(ReadStoreError::Guard { expected: u64::MAX, .. })) => {
                if let Some(last) = events.last().filter(|_| is_full) {
                    self.has_room(context, last, waiting(&entries))?;
                }
                return Err(ApplyError::Batch(first_error(&entries)).into());
            }
            outcome => outcome?,
        };
        infrastructure::failpoint!("track.applied");
        if !entries.is_empty() {
            infrastructure::failpoint!("track.parked");
        }
        self.has_parked(name, &entries);
        if audience == Audience::Live {
            let applied = applied - failures.len() as u64;
            context.monitor.applies(applied);
            metrics::counter!(telemetry::PROJECTION_EVENTS, "projection" => name).increment(applied);
        }
        self.is_stored_to(scanned_to);
        context.tell();
        Ok(())
    }

    /// The same for a generation that nobody reads: an event that only shows alone what is wrong is parked alone.
    pub(crate) async fn apply_or_park(
        &mut self,
        context: &Context,
        events: &[RecordedEvent],
        scanned_to: Position,
    ) -> Result<(), TrackError> {
        match self.apply(context, events, scanned_to, Audience::Nobody).await {
            Err(TrackError::Apply(error)) if error.is_of_event() && context.on_failure.parks => {}
            outcome => return outcome,
        }
        for event in events {
            match self.apply(context, std::slice::from_ref(event), event.position, Audience::Nobody).await {
                Err(TrackError::Apply(error)) if error.is_of_event() => {
                    self.park(context, event, error.to_string()).await?;
                }
                outcome => outcome?,
            }
        }
        Ok(self.pass(context, scanned_to).await?)
    }

    /// Takes a generation that nobody reads exactly to `to`, so many events at once.
    pub(crate) async fn follow_to(&mut self, context: &Context, to: Position, limit: usize) -> Result<(), FollowError> {
        while self.position < to {
            self.follow(context, to, limit).await?;
        }
        Ok(())
    }

    /// Takes a generation that nobody reads at most `limit` events further, not beyond `to`.
    pub(crate) async fn follow(&mut self, context: &Context, to: Position, limit: usize) -> Result<(), FollowError> {
        let mut page = context.events.read_all(self.position, &context.shape.filter(), limit).await?;
        page.events.retain(|event| event.position <= to);
        let reached = page.scanned_to.min(to);
        if page.events.is_empty() {
            self.pass(context, reached).await.map_err(TrackError::from)?;
        } else {
            self.apply_or_park(context, &page.events, reached).await?;
        }
        Ok(())
    }

    /// Parks one event, and passes it.
    pub(crate) async fn park(
        &mut self,
        context: &Context,
        event: &RecordedEvent,
        error: String,
    ) -> Result<(), TrackError> {
        let decoded = Decoded::or_why(event).ok();
        let key = decoded.and_then(|event| context.shape.key(&event).ok().flatten()).unwrap_or(event.stream.id);
        self.has_room(context, event, 1)?;
        let entries = [self.entry_at(context, Place::of_recorded(event), key, Some(error))];
        let mut statements = vec![sql::put(&entries)];
        statements.extend(self.checkpoint(context, event.position));
        context.rows.transaction(statements).await?;
        self.has_parked(context.name(), &entries);
        self.is_stored_to(event.position);
        context.tell();
        Ok(())
    }

    /// Moves past positions without events of ours.
    pub(crate) async fn pass(&mut self, context: &Context, to: Position) -> Result<(), ReadStoreError> {
        self.position = self.position.max(to);
        if self.position.value() - self.slices.stored().value() >= CHECKPOINT_EVERY_POSITIONS {
            self.store_position(context).await?;
        }
        Ok(())
    }

    pub(crate) async fn store_position(&mut self, context: &Context) -> Result<(), ReadStoreError> {
        if self.position > self.slices.stored() {
            infrastructure::failpoint!("track.store");
            context.rows.transaction(self.checkpoint(context, self.position)).await?;
            self.is_stored_to(self.position);
            context.tell();
        }
        Ok(())
    }

    fn is_stored_to(&mut self, to: Position) {
        self.slices.are_stored_to(to);
        self.position = to;
        self.is_counted = false;
    }

    fn checkpoint(&self, context: &Context, to: Position) -> Vec<Statement> {
        self.with_count(context, self.slices.checkpoint(context.name(), self.generation, to))
    }

    /// A statement that rolls back if somebody else has one of the slices by now.
    pub(crate) fn fence(&self, context: &Context) -> Statement {
        self.slices.guard(context.name(), self.generation)
    }

    /// The same before rows are changed.
    pub(crate) fn guard(&self, context: &Context) -> Vec<Statement> {
        self.with_count(context, self.fence(context))
    }

    /// Whoever writes rows after the builder says that its count holds no longer.
    fn with_count(&self, context: &Context, statement: Statement) -> Vec<Statement> {
        let mut statements = vec![statement];
        if self.is_counted {
            statements.push(bookkeeping::uncount(context.name(), self.generation));
        }
        statements
    }

    /// Events whose keys wait already, and those that do not decode, become entries; the others are ready. For builders
    /// too, which decode elsewhere.
    pub(crate) fn sort_in(
        &self,
        context: &Context,
        decoded: Vec<Result<Decoded, Undecodable>>,
    ) -> (Vec<Decoded>, Vec<ParkedEvent>) {
        let mut blocked = HashSet::new();
        let (mut ready, mut entries) = (Vec::with_capacity(decoded.len()), Vec::new());
        for event in decoded {
            if let Some(entry) = self.skipped(context, &event) {
                if self.slices.takes(entry.key, entry.position) {
                    entries.push(entry);
                }
                continue;
            }
            let is_blocked = |blocked: &HashSet<Uuid>, key| blocked.contains(&key) || self.parked.contains(key);
            let (key, error, place) = match event {
                Ok(event) => {
                    let place = Place::of(&event);
                    if is_blocked(&blocked, event.stream.id) {
                        (event.stream.id, None, place)
                    } else {
                        match context.shape.key(&event) {
                            Ok(None) => continue,
                            Ok(Some(key)) if !self.slices.takes(key, place.position) => continue,
                            Ok(Some(key)) if is_blocked(&blocked, key) => (key, None, place),
                            Ok(Some(_)) => {
                                ready.push(event);
                                continue;
                            }
                            Err(error) => (event.stream.id, Some(error), place),
                        }
                    }
                }
                Err(event) => (event.place.stream.id, Some(event.error), event.place),
            };
            if !self.slices.takes(key, place.position) {
                continue;
            }
            blocked.insert(key);
            entries.push(self.entry_at(context, place, key, error));
        }
        (ready, entries)
    }

    /// The entry of an event that was skipped for this version: it is passed over without a try, so that every generation
    /// leaves out the same.
    fn skipped(&self, context: &Context, event: &Result<Decoded, Undecodable>) -> Option<ParkedEvent> {
        let position = match event {
            Ok(event) => event.position,
            Err(event) => event.place.position,
        };
        let reason = self.skips.get(&position)?;
        let (place, key) = match event {
            Ok(event) => (Place::of(event), context.shape.key(event).ok().flatten()),
            Err(event) => (event.place.clone(), None),
        };
        let key = key.unwrap_or(place.stream.id);
        let entry = self.entry_at(context, place, key, Some(reason.clone()));
        Some(ParkedEvent { state: ParkedState::Skipped, next_retry: None, ..entry })
    }

    fn intake(
        &self,
        context: &Context,
        events: &[RecordedEvent],
        decoded: Vec<Result<Decoded, Undecodable>>,
    ) -> Result<(Vec<Decoded>, Vec<ParkedEvent>), TrackError> {
        let (ready, entries) = self.sort_in(context, decoded);
        let waiting = waiting(&entries);
        if !context.on_failure.parks && waiting > 0 {
            return Err(ApplyError::Batch(first_error(&entries)).into());
        }
        if let Some(last) = events.last() {
            self.has_room(context, last, waiting)?;
        }
        Ok((ready, entries))
    }

    fn has_room(&self, context: &Context, event: &RecordedEvent, more: u64) -> Result<(), TrackError> {
        if self.is_too_many(context, more) {
            let parked = self.parked.events();
            return Err(TrackError::TooManyParked { event: Box::new(event.clone()), parked });
        }
        Ok(())
    }

    pub(crate) fn is_too_many(&self, context: &Context, more: u64) -> bool {
        more > 0 && self.parked.events() + more > context.on_failure.parked_max
    }

    /// The entry for an event that failed now, or waits.
    pub(crate) fn entry_at(&self, context: &Context, at: Place, key: Uuid, error: Option<String>) -> ParkedEvent {
        let now = context.clock.now();
        let attempts = u32::from(error.is_some());
        let state = if error.is_some() { ParkedState::Failed } else { ParkedState::Queued };
        let pause = (state == ParkedState::Failed).then(|| context.on_failure.pause_after(attempts, key)).flatten();
        ParkedEvent {
            projection: context.name().to_owned(),
            generation: self.generation,
            key,
            position: at.position,
            stream: at.stream,
            revision: at.revision,
            type_name: at.type_name,
            state,
            error,
            attempts,
            first_at: now,
            last_at: now,
            next_retry: pause.map(|pause| now + pause),
            version: i64::from(context.shape.version()),
            build: context.build.to_string(),
        }
    }

    /// Puts entries in order; of each key only the first one has failed, the others wait behind it.
    pub(crate) fn settle(&self, entries: &mut [ParkedEvent]) {
        entries.sort_by_key(|entry| entry.position);
        let mut waiting = HashSet::new();
        for entry in entries {
            let is_behind = self.parked.contains(entry.key) || waiting.contains(&entry.key);
            match entry.state {
                ParkedState::Skipped => {}
                ParkedState::Failed if is_behind => {
                    entry.state = ParkedState::Queued;
                    (entry.error, entry.attempts, entry.next_retry) = (None, 0, None);
                }
                ParkedState::Failed | ParkedState::Queued => {
                    waiting.insert(entry.key);
                }
            }
        }
    }

    /// Entries were stored.
    pub(crate) fn has_parked(&mut self, name: &'static str, entries: &[ParkedEvent]) {
        for entry in entries {
            self.parked.add(entry);
            if entry.state == ParkedState::Failed {
                metrics::counter!(telemetry::PROJECTION_FAILURES, "projection" => name).increment(1);
                tracing::error!(
                    projection.name = name, event.position = %entry.position, event.type = %entry.type_name,
                    stream.id = %entry.stream, parked.key = %entry.key, error = entry.error.as_deref().unwrap_or_default(),
                    "projection {name} parked key {}: event {} cannot be applied; every other key goes on. See \
                     `millrace projections parked list {name}`",
                    entry.key, entry.position
                );
            }
        }
    }
}

/// How many of these keep their keys back.
pub(crate) fn waiting(entries: &[ParkedEvent]) -> u64 {
    entries.iter().filter(|entry| entry.state != ParkedState::Skipped).count() as u64
}

fn first_error(entries: &[ParkedEvent]) -> String {
    entries.iter().find_map(|entry| entry.error.clone()).unwrap_or_else(|| "an event waits for another one".to_owned())
}

async fn skips(context: &Context) -> Result<HashMap<Position, String>, ReadStoreError> {
    let skipped = sql::skipped(&*context.rows, context.name(), i64::from(context.shape.version())).await?;
    Ok(skipped.into_iter().map(|entry| (entry.position, entry.error.unwrap_or_default())).collect())
}
