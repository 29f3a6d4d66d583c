//! Carrying orders out, in the process that leads the projection: by its worker, between two batches.

use infrastructure::event_store::Position;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Entry, ProjectionManager};
use crate::{
    Checkup, Difference, ManagerError, Released, Repaired, VerifyReport,
    bookkeeping::{self, GenerationState},
    cluster::{Ask, Said},
    rebuild::{self, discard},
    shape::{CheckError, Checked},
    worker::{Held, Order, Which, ask},
};

/// How many differences a look at everything tells of.
const DIFFERENCES_MAX: usize = 100;

impl ProjectionManager {
    /// Carries an order out.
    pub(super) async fn carry_out(&self, entry: &Entry, ask: Ask) -> Result<Said, ManagerError> {
        Ok(match ask {
            Ask::Rebuild { from } => Said::Generation(self.rebuild_here(&[entry], from).await?.unwrap_or_default()),
            Ask::RollBack => Said::Generation(self.roll_back_here(entry).await?),
            Ask::Discard { generation } => {
                discard_here(entry, generation).await?;
                Said::Done
            }
            Ask::BuildMissing => {
                self.build_missing(entry).await?;
                Said::Done
            }
            Ask::Retry { key } => Said::Released(release_here(entry, |answer| Order::Release { key, answer }).await?),
            Ask::RetryAll => Said::Keys(entry.ask(Order::ReleaseAll).await?),
            Ask::Skip { key, position, reason } => {
                let order = |answer| Order::Skip { key, position, reason, answer };
                Said::Released(release_here(entry, order).await?)
            }
            Ask::Check { keys } => Said::Checked(look_here(entry, Which::Keys(keys)).await?),
            Ask::Repair { keys } => Said::Repaired(repair_here(entry, keys).await?),
            Ask::Verify => Said::Verified(self.verify_here(entry).await?),
        })
    }

    /// Starts to build next generations from one scan of the log. Gives the number of the first one.
    pub(super) async fn rebuild_here(
        &self,
        entries: &[&Entry],
        from: Option<Position>,
    ) -> Result<Option<i64>, ManagerError> {
        let mut plans = Vec::new();
        for entry in entries {
            // A plan that is dropped gives its slot back: all of them or none.
            let slot = entry.rebuilding.take().ok_or(ManagerError::AlreadyRebuilding(entry.context.name()))?;
            let next = next_number(entry).await?;
            plans.push(entry.plan(slot, None, next, from));
        }
        let Some(first) = plans.first() else { return Ok(None) };
        let (number, lifecycle) = (first.number, first.context.lifecycle.clone());
        self.run_rebuild(plans, &lifecycle);
        Ok(Some(number))
    }

    async fn roll_back_here(&self, entry: &Entry) -> Result<i64, ManagerError> {
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
                context.monitor.is_repaired(None);
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

    async fn verify_here(&self, entry: &Entry) -> Result<VerifyReport, ManagerError> {
        let (context, name) = (&entry.context, entry.context.name());
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

    /// Folds some rows anew, which ones `dice` decides, and compares.
    pub(super) async fn check_some(&self, name: &str, dice: u64, count: usize) -> Result<Checkup, ManagerError> {
        look_here(self.entry(name)?, Which::Some { dice, count }).await
    }
}

async fn discard_here(entry: &Entry, generation: i64) -> Result<(), ManagerError> {
    if entry.standby.discard(&entry.context, generation).await {
        return Ok(());
    }
    Err(ManagerError::UnknownGeneration { name: entry.context.name(), generation })
}

async fn release_here(
    entry: &Entry,
    order: impl FnOnce(oneshot::Sender<Result<Released, crate::track::ReleaseError>>) -> Order,
) -> Result<Released, ManagerError> {
    entry.ask(order).await?.map_err(|error| ManagerError::of_release(error, entry.context.name()))
}

async fn look_here(entry: &Entry, which: Which) -> Result<Checkup, ManagerError> {
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

async fn repair_here(entry: &Entry, keys: Vec<Uuid>) -> Result<Vec<Repaired>, ManagerError> {
    let order = |answer| Order::Repair { keys: keys.clone(), answer };
    let repaired = entry.ask(order).await?.map_err(|error| ManagerError::of_check(error, entry.context.name()))?;
    entry.context.monitor.is_repaired(Some(&keys));
    Ok(repaired)
}

impl Entry {
    /// Orders something and waits for the answer.
    pub(super) async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, ManagerError> {
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

async fn next_number(entry: &Entry) -> Result<i64, ManagerError> {
    Ok(bookkeeping::last_number(&*entry.context.rows, entry.context.name()).await? + 1)
}
