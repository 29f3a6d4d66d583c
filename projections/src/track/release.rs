//! Releasing parked keys: one more try, or passing over an event with a reason.

use std::collections::HashSet;

use infrastructure::{
    event_store::{Direction, Position, StoreError},
    read_store::ReadStoreError,
    telemetry,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Track;
use crate::{
    Decoded, ParkedEvent, ParkedState,
    context::Context,
    parking::sql,
    shape::{ApplyError, Audience, Batch, Failure},
};

/// What came of a try to release a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// How many of its events were applied.
    pub applied: u64,
    /// The event at which it waits still, and why.
    pub waits_at: Option<(Position, String)>,
}

/// Why a key was not released.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReleaseError {
    #[error("the event store failed")]
    Events(#[from] StoreError),
    #[error("the read store failed")]
    Rows(#[from] ReadStoreError),
    #[error("event {position} is not the one that key {key} waits for")]
    NotWaiting { key: Uuid, position: Position },
}

impl Track {
    /// Tries the events of a key that waits, in order, as far as they go.
    pub(crate) async fn release(
        &mut self,
        context: &Context,
        key: Uuid,
        audience: Audience,
    ) -> Result<Released, ReleaseError> {
        let mut released = Released::default();
        let mut at_once = sql::ENTRIES_AT_ONCE;
        loop {
            let entries = sql::waiting(&*context.rows, context.name(), self.generation, key, at_once).await?;
            if entries.is_empty() {
                self.parked.replace(key, &[]);
                return Ok(released);
            }
            let (applied, failed) = match self.try_entries(context, &entries, audience).await {
                Err(TryError::OneByOne) => {
                    // One of several cannot be written: one by one it shows which.
                    at_once = 1;
                    continue;
                }
                Err(TryError::Release(error)) => {
                    if matches!(error, ReleaseError::Rows(ReadStoreError::Guard { .. })) {
                        // Somebody else was at these entries: the table knows.
                        self.remember_parked(context).await?;
                    }
                    return Err(error);
                }
                Ok(tried) => tried,
            };
            released.applied += applied;
            if let Some(waits_at) = failed {
                let entries =
                    sql::waiting(&*context.rows, context.name(), self.generation, key, usize::MAX >> 1).await?;
                self.parked.replace(key, &entries);
                metrics::counter!(telemetry::PROJECTION_FAILURES, "projection" => context.name()).increment(1);
                released.waits_at = Some(waits_at);
                return Ok(released);
            }
        }
    }

    /// Passes over the event that a key waits for, then tries the others of the key.
    pub(crate) async fn skip(
        &mut self,
        context: &Context,
        (key, position): (Uuid, Position),
        reason: &str,
        audience: Audience,
    ) -> Result<Released, ReleaseError> {
        let waiting = sql::waiting(&*context.rows, context.name(), self.generation, key, 1).await?;
        let Some(entry) = waiting.into_iter().next().filter(|entry| entry.position == position) else {
            return Err(ReleaseError::NotWaiting { key, position });
        };
        let error = entry.error.as_deref().unwrap_or_default();
        let text = format!("skipped: {reason}; it failed with: {error}");
        self.pass_over(context, entry, text, audience).await
    }

    async fn pass_over(
        &mut self,
        context: &Context,
        mut entry: ParkedEvent,
        text: String,
        audience: Audience,
    ) -> Result<Released, ReleaseError> {
        let (key, position) = (entry.key, entry.position);
        entry.error = Some(text.clone());
        entry.state = ParkedState::Skipped;
        entry.next_retry = None;
        entry.last_at = context.clock.now();
        entry.version = i64::from(context.shape.version());
        infrastructure::failpoint!("skip.write");
        let mut statements = self.guard(context);
        statements.push(sql::put(&[entry]));
        context.rows.transaction(statements).await?;
        infrastructure::failpoint!("skip.written");
        self.skips.insert(position, text);
        self.release(context, key, audience).await
    }

    /// Passes over what an operator has skipped while another generation served.
    pub(crate) async fn pass_over_skipped(&mut self, context: &Context) -> Result<(), ReleaseError> {
        self.skips = super::skips(context).await?;
        while let Some((key, position)) = self.parked.first_among(&self.skips) {
            let waiting = sql::waiting(&*context.rows, context.name(), self.generation, key, 1).await?;
            let Some(entry) = waiting.into_iter().next().filter(|entry| entry.position == position) else {
                return Ok(self.remember_parked(context).await?);
            };
            let text = self.skips.get(&position).cloned().unwrap_or_default();
            self.pass_over(context, entry, text, Audience::Nobody).await?;
        }
        Ok(())
    }

    /// What another version or another build parked is tried again by this one.
    pub(crate) async fn is_due_for_new_build(&mut self, context: &Context) -> Result<(), ReadStoreError> {
        let entries = sql::of_generation(&*context.rows, context.name(), self.generation).await?;
        let version = i64::from(context.shape.version());
        let is_others = |entry: &&ParkedEvent| entry.version != version || entry.build != *context.build;
        let now = context.clock.now();
        for entry in entries.iter().filter(is_others) {
            self.parked.is_due(entry.key, now);
        }
        Ok(())
    }

    /// Everything that waits is due now.
    pub(crate) async fn all_are_due(&mut self, context: &Context) -> Result<u64, ReadStoreError> {
        let now = context.clock.now();
        if context.is_shared {
            // Whoever works on the slices next has to know it.
            let mut statements = self.guard(context);
            statements.push(sql::all_are_due(context.name(), self.generation, now));
            context.rows.transaction(statements).await?;
        }
        Ok(self.parked.all_are_due(now))
    }

    /// Applies these entries of one key as far as they go. Gives how many, and where it failed.
    async fn try_entries(
        &self,
        context: &Context,
        entries: &[ParkedEvent],
        audience: Audience,
    ) -> Result<(u64, Option<(Position, String)>), TryError> {
        let mut events = Vec::new();
        let mut failed: Option<(usize, String)> = None;
        for (index, entry) in entries.iter().enumerate() {
            match self.find(context, entry).await? {
                Ok(event) => events.push(event),
                Err(error) => {
                    failed = Some((index, error));
                    break;
                }
            }
        }
        let mut not_applied: HashSet<usize> = (events.len()..entries.len()).collect();
        let guard = self.guard(context);
        let mut finish = |failures: &[Failure]| {
            for failure in failures {
                not_applied.insert(failure.index);
                if let Some(error) = &failure.error
                    && failed.as_ref().is_none_or(|(first, _)| failure.index < *first)
                {
                    failed = Some((failure.index, error.clone()));
                }
            }
            let is_applied = |(index, _): &(usize, &ParkedEvent)| !not_applied.contains(index);
            let applied: Vec<ParkedEvent> =
                entries.iter().enumerate().filter(is_applied).map(|(_, entry)| entry.clone()).collect();
            let mut statements = guard.clone();
            statements.push(sql::remove(&applied));
            if let Some((index, error)) = &failed {
                statements.push(sql::put(&[retried(context, &entries[*index], error)]));
            }
            statements
        };
        let batch = Batch {
            store: &*context.rows,
            generation: self.generation,
            events,
            scanned_to: self.position,
            limit: context.event_limit,
            audience,
            finish: &mut finish,
        };
        infrastructure::failpoint!("release.write");
        match context.shape.apply(batch).await {
            Ok(_) => {
                infrastructure::failpoint!("release.written");
                let applied = (entries.len() - not_applied.len()) as u64;
                Ok((applied, failed.map(|(index, error)| (entries[index].position, error))))
            }
            Err(error) if error.is_of_event() && entries.len() > 1 => Err(TryError::OneByOne),
            Err(error) if error.is_of_event() => {
                let error = error.to_string();
                let mut statements = guard;
                statements.push(sql::put(&[retried(context, &entries[0], &error)]));
                context.rows.transaction(statements).await.map_err(ReleaseError::Rows)?;
                Ok((0, Some((entries[0].position, error))))
            }
            Err(ApplyError::Store(error)) => Err(ReleaseError::Rows(error).into()),
            Err(ApplyError::Batch(_)) => unreachable!("a failing batch is of its events"),
        }
    }

    /// The event that an entry points to, or why it cannot be applied.
    async fn find(&self, context: &Context, entry: &ParkedEvent) -> Result<Result<Decoded, String>, ReleaseError> {
        let page = context.events.read_stream(&entry.stream, entry.revision, Direction::Forwards, 1).await?;
        let Some(event) = page.events.first().filter(|event| event.revision == entry.revision) else {
            return Ok(Err("the event is not in the event store any more".to_owned()));
        };
        let event = match Decoded::or_why(event) {
            Ok(event) => event,
            Err(why) => return Ok(Err(why.error)),
        };
        // Now that it can be read it may turn out to belong to a row that waits for another event.
        Ok(match context.shape.key(&event) {
            Ok(Some(key)) if key != entry.key && self.parked.contains(key) => {
                Err(format!("its row {key} waits itself"))
            }
            Ok(_) => Ok(event),
            Err(error) => Err(error),
        })
    }
}

enum TryError {
    OneByOne,
    Release(ReleaseError),
}

impl From<ReleaseError> for TryError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(error)
    }
}

/// The entry after one more try that failed.
fn retried(context: &Context, entry: &ParkedEvent, error: &str) -> ParkedEvent {
    let attempts = entry.attempts + 1;
    let now = context.clock.now();
    ParkedEvent {
        state: ParkedState::Failed,
        error: Some(error.to_owned()),
        attempts,
        last_at: now,
        next_retry: context.on_failure.pause_after(attempts, entry.key).map(|pause| now + pause),
        version: i64::from(context.shape.version()),
        build: context.build.to_string(),
        ..entry.clone()
    }
}
