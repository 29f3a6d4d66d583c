//! An operator's orders: each is checked here, then carried out by the worker between two batches.

use infrastructure::event_store::Position;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{Entry, ProjectionManager};
use crate::{
    Difference, ManagerError, ParkedEvent, ParkedPage, Pause, ProjectionState, RebuildEstimate, RebuildProgress,
    Released, Repaired,
    bookkeeping::{self, GenerationState},
    parking,
    rebuild::{self, discard},
    shape::{CheckError, Checked},
    worker::{Held, Order, Which, ask},
};

/// How many differences a look at everything tells of.
const DIFFERENCES_MAX: usize = 100;

/// What a look at some rows found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkup {
    /// How many rows were folded anew.
    pub rows: u64,
    /// Those that differ.
    pub differences: Vec<Difference>,
    /// Why the first of those that cannot be folded cannot: a repair would be refused.
    pub unfoldable: Option<String>,
}

/// What a look at everything found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many rows there are.
    pub rows: u64,
    /// How many events they were folded from, anew.
    pub events: u64,
    /// At which position both were compared.
    pub position: Position,
    /// Rows that differ, the first hundred.
    pub differences: Vec<Difference>,
}

impl ProjectionManager {
    /// Whether a rebuild could be ordered; says why not.
    pub async fn can_rebuild(&self, names: &[&str], from: Option<Position>) -> Result<(), ManagerError> {
        for name in names {
            let entry = self.entry(name)?;
            let name = entry.context.name();
            if entry.rebuilding.is_taken() {
                return Err(ManagerError::AlreadyRebuilding(name));
            }
            if let Some(position) = from {
                self.is_within(position).await?;
                if !entry.context.shape.folds_rows() {
                    return Err(ManagerError::NotFromPosition { name, why: "its rows cannot be folded one by one" });
                }
                if !serves_own(entry) {
                    return Err(ManagerError::NotFromPosition { name, why: "it serves no generation to copy from" });
                }
            }
        }
        Ok(())
    }

    /// Starts to build the next generation of a projection. Gives its progress.
    pub async fn rebuild(&self, name: &str) -> Result<watch::Receiver<Option<RebuildProgress>>, ManagerError> {
        let mut all = self.rebuild_together(&[name], None).await?;
        Ok(all.swap_remove(0))
    }

    /// Starts to build the next generations of these projections from one scan of the log; with `from`, only the rows that
    /// events from there on have changed are folded anew. Gives their progress.
    pub async fn rebuild_together(
        &self,
        names: &[&str],
        from: Option<Position>,
    ) -> Result<Vec<watch::Receiver<Option<RebuildProgress>>>, ManagerError> {
        self.can_rebuild(names, from).await?;
        let (mut plans, mut progress) = (Vec::new(), Vec::new());
        for name in names {
            let entry = self.entry(name)?;
            // A plan that is dropped gives its slot back: all of them or none.
            let slot = entry.rebuilding.take().ok_or(ManagerError::AlreadyRebuilding(entry.context.name()))?;
            let next = next_number(entry).await?;
            plans.push(entry.plan(slot, None, next, from));
            progress.push(entry.context.monitor.watch_rebuild());
        }
        let Some(lifecycle) = plans.first().map(|plan| plan.context.lifecycle.clone()) else { return Ok(progress) };
        self.run_rebuild(plans, &lifecycle);
        Ok(progress)
    }

    /// What a rebuild would take. Changes nothing.
    pub async fn estimate(&self, name: &str, from: Option<Position>) -> Result<RebuildEstimate, ManagerError> {
        self.can_rebuild(&[name], from).await?;
        Ok(rebuild::estimate(&self.entry(name)?.context, from).await?)
    }

    /// The generation that a rollback would serve.
    pub async fn can_roll_back(&self, name: &str) -> Result<i64, ManagerError> {
        let entry = self.entry(name)?;
        let name = entry.context.name();
        if entry.rebuilding.is_taken() {
            return Err(ManagerError::AlreadyRebuilding(name));
        }
        entry.standby.number().await.ok_or(ManagerError::NoStandby(name))
    }

    /// Serves the generation on standby, once it is where the serving one is; that one stands by from then on. Gives the
    /// number of what serves now.
    pub async fn roll_back(&self, name: &str) -> Result<i64, ManagerError> {
        let entry = self.entry(name)?;
        let (context, name) = (&entry.context, entry.context.name());
        // No rebuild may put another generation in place meanwhile.
        let _slot = entry.rebuilding.take().ok_or(ManagerError::AlreadyRebuilding(name))?;
        let to = entry.standby.take(context).await.ok_or(ManagerError::NoStandby(name))?;
        let generation = match &to {
            Held::Nothing => return Err(ManagerError::NoStandby(name)),
            Held::Track(track) => track.generation,
            Held::Frozen(frozen) => frozen.generation,
        };
        infrastructure::failpoint!("rollback.before");
        // Going forward again, the older one is an ordinary standby; going back, no start may undo it.
        let is_back = context.monitor.status().generation.is_some_and(|serving| generation < serving);
        let before = if is_back { GenerationState::RolledBack } else { GenerationState::Standby };
        match entry.ask(|answer| Order::Switch { to, before, answer }).await? {
            Ok(old) => {
                infrastructure::failpoint!("rollback.after");
                entry.standby.keep(context, old).await;
                Ok(generation)
            }
            Err(error) => {
                let why = error.reason.clone();
                entry.standby.keep(context, error.held).await;
                Err(ManagerError::CannotServe { name, generation, why })
            }
        }
    }

    /// Whether the generation is the one on standby.
    pub async fn can_discard(&self, name: &str, generation: i64) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        match entry.standby.number().await {
            Some(number) if number == generation => Ok(()),
            Some(_) | None => Err(ManagerError::UnknownGeneration { name: entry.context.name(), generation }),
        }
    }

    /// Removes the generation on standby.
    pub async fn discard_generation(&self, name: &str, generation: i64) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        if entry.standby.discard(&entry.context, generation).await {
            return Ok(());
        }
        Err(ManagerError::UnknownGeneration { name: entry.context.name(), generation })
    }

    /// Whether a pause could be ordered.
    pub fn can_pause(&self, name: &str) -> Result<(), ManagerError> {
        let status = self.status(name)?;
        if status.pause.is_some() { Err(ManagerError::AlreadyPaused(status.name)) } else { Ok(()) }
    }

    /// Lets a projection stand still, at once or at a position, which may lie beyond the end of the log. It keeps
    /// serving.
    pub async fn pause(&self, name: &str, pause: Pause) -> Result<(), ManagerError> {
        self.can_pause(name)?;
        self.entry(name)?.ask(|answer| Order::Pause { pause, answer }).await
    }

    /// Whether a resume could be ordered.
    pub fn can_resume(&self, name: &str) -> Result<(), ManagerError> {
        let status = self.status(name)?;
        if status.pause.is_some() {
            return Ok(());
        }
        match status.state {
            ProjectionState::Paused(_) | ProjectionState::Stopped(_) => Ok(()),
            ProjectionState::Building
            | ProjectionState::Running
            | ProjectionState::Retrying { .. }
            | ProjectionState::Frozen { .. } => Err(ManagerError::NotPaused(status.name)),
        }
    }

    /// Lets a projection go on, from a pause or from an event that it stopped at. What was to be built meanwhile is
    /// built now.
    pub async fn resume(&self, name: &str) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        entry.ask(Order::Resume).await?;
        self.build_missing(entry).await
    }

    /// What is parked, in the generations that serve.
    pub async fn parked(&self, page: &ParkedPage) -> Result<Vec<ParkedEvent>, ManagerError> {
        Ok(parking::sql::page(&*self.rows, page).await?)
    }

    /// Whether the key is parked.
    pub fn is_parked(&self, name: &str, key: Uuid) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        match entry.context.monitor.behind_of(key) {
            Some(_) => Ok(()),
            None => Err(ManagerError::NotParked { name: entry.context.name(), key }),
        }
    }

    /// Tries the events of a parked key now.
    pub async fn retry(&self, name: &str, key: Uuid) -> Result<Released, ManagerError> {
        self.is_parked(name, key)?;
        let entry = self.entry(name)?;
        let released = entry.ask(|answer| Order::Release { key, answer }).await?;
        released.map_err(|error| ManagerError::of_release(error, entry.context.name()))
    }

    /// Tries the events of every parked key, beside the live ones. Gives how many keys that are.
    pub async fn retry_all(&self, name: &str) -> Result<u64, ManagerError> {
        self.entry(name)?.ask(Order::ReleaseAll).await
    }

    /// Whether the key waits for this event.
    pub fn can_skip(&self, name: &str, key: Uuid, position: Position) -> Result<(), ManagerError> {
        self.is_parked(name, key)?;
        let entry = self.entry(name)?;
        let waits = entry.context.monitor.behind_of(key).is_some_and(|behind| behind.position == position);
        if waits { Ok(()) } else { Err(ManagerError::NotWaiting { name: entry.context.name(), key, position }) }
    }

    /// Passes over the event that a parked key waits for, then tries the others of the key. A rebuild of the same version
    /// passes over it too; another version tries it again.
    pub async fn skip(
        &self,
        name: &str,
        key: Uuid,
        position: Position,
        reason: &str,
    ) -> Result<Released, ManagerError> {
        self.can_skip(name, key, position)?;
        let entry = self.entry(name)?;
        let reason = reason.to_owned();
        let released = entry.ask(|answer| Order::Skip { key, position, reason, answer }).await?;
        released.map_err(|error| ManagerError::of_release(error, entry.context.name()))
    }

    /// Folds these rows anew and compares.
    pub async fn check(&self, name: &str, keys: &[Uuid]) -> Result<Checkup, ManagerError> {
        self.look(name, Which::Keys(keys.to_vec())).await
    }

    /// Folds some rows anew, which ones `dice` decides, and compares.
    pub async fn check_some(&self, name: &str, dice: u64, count: usize) -> Result<Checkup, ManagerError> {
        self.look(name, Which::Some { dice, count }).await
    }

    async fn look(&self, name: &str, which: Which) -> Result<Checkup, ManagerError> {
        let entry = self.entry(name)?;
        let is_asked_for = matches!(which, Which::Keys(_));
        let checked = entry.ask(|answer| Order::Check { which, answer }).await?;
        let checked = checked.map_err(|error| ManagerError::of_check(error, entry.context.name()))?;
        if is_asked_for && !checked.missing.is_empty() {
            return Err(ManagerError::of_check(CheckError::Missing(checked.missing), entry.context.name()));
        }
        entry.report(&checked.differences, checked.rows);
        let Checked { rows, differences, unfoldable, .. } = checked;
        Ok(Checkup { rows, differences, unfoldable })
    }

    /// Whether rows of the projection can be repaired one by one now.
    pub fn can_repair(&self, name: &str) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        let name = entry.context.name();
        if !entry.context.shape.folds_rows() {
            return Err(ManagerError::NotByKey(name));
        }
        if serves_own(entry) { Ok(()) } else { Err(ManagerError::NotServing(name)) }
    }

    /// Folds these rows anew and writes them: all of them or none.
    pub async fn repair(&self, name: &str, keys: &[Uuid]) -> Result<Vec<Repaired>, ManagerError> {
        self.can_repair(name)?;
        let entry = self.entry(name)?;
        let keys = keys.to_vec();
        let repaired = entry.ask(|answer| Order::Repair { keys, answer }).await?;
        repaired.map_err(|error| ManagerError::of_check(error, entry.context.name()))
    }

    /// Folds everything anew into a generation of its own and compares it with the serving one, row by row. The
    /// projection stands still for the comparison alone.
    pub async fn verify(&self, name: &str) -> Result<VerifyReport, ManagerError> {
        let entry = self.entry(name)?;
        let (context, name) = (&entry.context, entry.context.name());
        if !serves_own(entry) {
            return Err(ManagerError::NotServing(name));
        }
        let _slot = entry.rebuilding.take().ok_or(ManagerError::AlreadyRebuilding(name))?;
        let number = next_number(entry).await?;
        let report = self.compare(entry, number).await;
        discard(context, number, Some(bookkeeping::is_scratch(name, number))).await;
        let report = report?;
        entry.report(&report.differences, report.rows);
        Ok(report)
    }

    async fn compare(&self, entry: &Entry, number: i64) -> Result<VerifyReport, ManagerError> {
        let failed = |error: &dyn std::error::Error| ManagerError::NotVerified(error.to_string());
        let member = rebuild::scratch(&entry.context, number, self.options.rebuild_share).await;
        let member =
            member.map_err(|error| ManagerError::NotVerified(infrastructure::telemetry::with_causes(&error)))?;
        let (events, rows) = member.counts();
        let with = member.into_track();
        infrastructure::failpoint!("verify.filled");
        let compared = entry.ask(|answer| Order::Compare { with, limit: DIFFERENCES_MAX, answer }).await?;
        let compared = compared.map_err(|error| failed(&error))?;
        let crate::worker::Compared { position, differences, with } = compared;
        drop(with);
        Ok(VerifyReport { rows, events, position, differences })
    }

    async fn is_within(&self, position: Position) -> Result<(), ManagerError> {
        let head = self.events.head().await?;
        if position > head { Err(ManagerError::BeyondHead { position, head }) } else { Ok(()) }
    }
}

impl Entry {
    /// Orders something and waits for the answer.
    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, ManagerError> {
        ask(&self.orders, order).await.ok_or(ManagerError::Stopping)
    }

    /// Makes what a check found known.
    pub(super) fn report(&self, differences: &[Difference], rows: u64) {
        let name = self.context.name();
        metrics::counter!(infrastructure::telemetry::PROJECTION_CHECKED, "projection" => name).increment(rows);
        if differences.is_empty() {
            return;
        }
        let count = differences.len() as u64;
        metrics::counter!(infrastructure::telemetry::PROJECTION_DRIFT, "projection" => name).increment(count);
        for difference in differences {
            tracing::error!(
                projection.name = name, row.key = %difference.key, stored = ?difference.stored, folded = ?difference.folded,
                "row {} of {name} is not what its events make of it; repair it with `millrace projections repair {name} {}`",
                difference.key, difference.key
            );
        }
        self.context.monitor.differs(differences.to_vec());
    }
}

/// Whether it serves a generation that this build carries on.
fn serves_own(entry: &Entry) -> bool {
    let status = entry.context.monitor.status();
    status.generation.is_some() && status.frozen.is_none()
}

async fn next_number(entry: &Entry) -> Result<i64, ManagerError> {
    Ok(bookkeeping::last_number(&*entry.context.rows, entry.context.name()).await? + 1)
}
