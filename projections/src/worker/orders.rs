//! Carrying out orders, between two batches.

use infrastructure::{
    event_store::{Batch, Position, StoreError},
    read_store::{ReadStoreError, Statement},
    telemetry::with_causes,
};
use uuid::Uuid;

use super::{CompareError, Compared, Frozen, Held, Order, SwitchError, Which, Worker, feed::Feed, some_keys};
use crate::{
    bookkeeping::{self, GenerationState},
    shape::{Audience, CheckError, Checked, Repaired},
    track::{ReleaseError, Released, Track},
};

/// How many times some parked keys are tried while whoever leads the projection holds it.
const RETRY_ROUNDS: usize = 16;

impl Worker {
    /// Ends a batch where it is to stand still. Where positions are not counters, `at` may be none of the log, and nobody
    /// could go on from there: it stands at the last event before.
    pub(super) async fn end_at(&mut self, at: Position, batch: &mut Batch) -> Result<(), StoreError> {
        if batch.scanned_to <= at {
            return Ok(());
        }
        // Not one event further than it was told.
        batch.events.retain(|event| event.position <= at);
        batch.scanned_to = at;
        if self.context.events.event_at(at).await?.is_none() {
            let last = batch.events.last().map(|event| event.position).or(self.held.position()).unwrap_or_default();
            batch.scanned_to = last;
            if let Some(pause) = &mut self.pause {
                pause.at = Some(last);
            }
        }
        self.feed.forget();
        Ok(())
    }

    /// Carries an order out and answers. Whoever asked may have gone away, which changes nothing.
    pub(crate) async fn obey(&mut self, order: Order) {
        match order {
            Order::Switch { to, before, answer } => drop(answer.send(self.switch(to, before).await)),
            Order::Pause { pause, answer } => {
                infrastructure::failpoint!("worker.pause");
                self.pause = Some(pause);
                self.show();
                let _ = answer.send(());
            }
            Order::Resume(answer) => {
                infrastructure::failpoint!("worker.resume");
                self.pause = None;
                self.go_on();
                let _ = answer.send(());
            }
            Order::Release { key, answer } => drop(answer.send(self.release(key).await)),
            Order::ReleaseAll(answer) => {
                let count = match &mut self.held {
                    Held::Track(track) => track.all_are_due(&self.context).await,
                    Held::Nothing | Held::Frozen(_) => Ok(0),
                };
                if self.stopped.is_some() {
                    self.retry_all_now().await;
                } else if self.context.is_shared {
                    self.retry_some_now().await;
                }
                match count {
                    Ok(count) => drop(answer.send(count)),
                    // Whoever asked sees that the order ends without an answer.
                    Err(error) => tracing::warn!(error = %error, "parked keys are not tried: {error}"),
                }
            }
            Order::Skip { key, position, reason, answer } => {
                drop(answer.send(self.skip(key, position, &reason).await));
            }
            Order::Check { which, answer } => drop(answer.send(self.check(which).await)),
            Order::Repair { keys, answer } => drop(answer.send(self.repair(&keys).await)),
            Order::Compare { with, limit, answer } => drop(answer.send(self.compare(with, limit).await)),
        }
        self.show_parked();
    }

    async fn release(&mut self, key: Uuid) -> Result<Released, ReleaseError> {
        let Held::Track(track) = &mut self.held else { return Ok(Released::default()) };
        let released = track.release(&self.context, key, Audience::Late).await?;
        self.room_again();
        Ok(released)
    }

    /// A projection that stands still because too much is parked does not come to its retries by itself.
    async fn retry_all_now(&mut self) {
        loop {
            let Held::Track(track) = &self.held else { return };
            if track.parked.due(self.context.clock.now()).is_empty() {
                return;
            }
            if !self.retry_due().await || self.stopped.is_none() {
                return;
            }
        }
    }

    /// Whoever works on the slices sees what is due when it has to write something, or begins anew: not soon, where nothing
    /// happens. So as many keys as do not keep the slices for long are tried here.
    async fn retry_some_now(&mut self) {
        for _ in 0..RETRY_ROUNDS {
            let Held::Track(track) = &self.held else { return };
            if track.parked.due(self.context.clock.now()).is_empty() || !self.retry_due().await {
                return;
            }
        }
    }

    async fn skip(&mut self, key: Uuid, position: Position, reason: &str) -> Result<Released, ReleaseError> {
        let Held::Track(track) = &mut self.held else { return Err(ReleaseError::NotWaiting { key, position }) };
        let released = track.skip(&self.context, (key, position), reason, Audience::Late).await?;
        self.room_again();
        Ok(released)
    }

    async fn check(&self, which: Which) -> Result<Checked, CheckError> {
        let Held::Track(track) = &self.held else { return Ok(Checked::default()) };
        let look = track.look(&self.context);
        let keys = match which {
            Which::Keys(keys) => keys,
            Which::Some { dice, count } => some_keys(&self.context, look, dice, count).await?,
        };
        self.context.shape.check(look, &keys).await
    }

    async fn repair(&self, keys: &[Uuid]) -> Result<Vec<Repaired>, CheckError> {
        let Held::Track(track) = &self.held else { return Err(CheckError::Missing(keys.to_vec())) };
        let guard = track.guard(&self.context);
        infrastructure::failpoint!("repair.write");
        let repaired = self.context.shape.repair(track.look(&self.context), keys, guard).await?;
        infrastructure::failpoint!("repair.written");
        Ok(repaired)
    }

    async fn compare(&self, mut with: Box<Track>, limit: usize) -> Result<Compared, CompareError> {
        let Held::Track(track) = &self.held else {
            return Err(CompareError { reason: "no generation of this version serves".to_owned(), with });
        };
        if let Err(reason) = self.catch_up(&mut with, track.position).await {
            return Err(CompareError { reason, with });
        }
        match self.context.shape.compare(track.look(&self.context), with.generation, limit).await {
            Ok(differences) => Ok(Compared { position: track.position, differences, with }),
            Err(error) => Err(CompareError { reason: error.to_string(), with }),
        }
    }

    /// Makes another generation the serving one, once it is where the old one is. Gives the old one.
    async fn switch(&mut self, mut to: Held, before: GenerationState) -> Result<Held, SwitchError> {
        let result = self.try_switch(&mut to, before).await;
        if let Err(reason) = result {
            tracing::error!(projection.name = self.context.name(), error = %reason, "the generation does not serve");
            return Err(SwitchError { reason, held: to });
        }
        let old_position = self.held.position();
        let has_gap = old_position.is_some_and(|old| to.position() != Some(old));
        let old = std::mem::replace(&mut self.held, to);
        self.feed = Feed::default();
        (self.stopped, self.failing) = (None, None);
        self.serve(has_gap);
        self.show();
        Ok(old)
    }

    async fn try_switch(&self, to: &mut Held, before: GenerationState) -> Result<(), String> {
        let generation = match to {
            Held::Nothing => return Err("there is no generation to serve".to_owned()),
            Held::Track(track) => {
                if let Some(old) = self.held.position() {
                    self.catch_up(track, old).await?;
                }
                self.release_alike(track).await.map_err(|error| with_causes(&error))?;
                track.generation
            }
            Held::Frozen(frozen) => {
                let Frozen { generation, version, is_readable, .. } = frozen;
                if !*is_readable {
                    return Err(format!("this build cannot read a generation of version {version}"));
                }
                *generation
            }
        };
        let (name, now) = (self.context.name(), self.context.clock.now());
        // Whoever has lost one of the two to somebody else must not decide what serves.
        let held = [&self.held, &*to].into_iter().filter_map(Held::track);
        let mut statements: Vec<Statement> = held.map(|track| track.fence(&self.context)).collect();
        statements.extend(bookkeeping::switch(name, generation, before, now));
        infrastructure::failpoint!("switch.before");
        let switched = self.context.rows.transaction(statements).await;
        infrastructure::failpoint!("switch.after");
        switched.map_err(|error| match error {
            ReadStoreError::Guard { .. } => {
                "the generation is not there any more, or another process has taken the projection over".to_owned()
            }
            ReadStoreError::Refused(_)
            | ReadStoreError::Full
            | ReadStoreError::Unavailable(_)
            | ReadStoreError::Corrupt(_)
            | ReadStoreError::Column { .. } => error.to_string(),
        })
    }

    /// What was released or skipped in the serving generation does not wait in the other one either.
    async fn release_alike(&self, track: &mut Track) -> Result<(), ReleaseError> {
        track.pass_over_skipped(&self.context).await?;
        let Held::Track(serving) = &self.held else { return Ok(()) };
        for key in track.parked.further_back_than(&serving.parked) {
            track.release(&self.context, key, Audience::Nobody).await?;
        }
        Ok(())
    }

    /// Applies to a generation what the serving one has more; not beyond it, since what comes after is still to be
    /// announced.
    async fn catch_up(&self, track: &mut Track, to: Position) -> Result<(), String> {
        let caught_up = track.follow_to(&self.context, to, self.context.batch_events_max).await;
        caught_up.map_err(|error| error.to_string())
    }
}
