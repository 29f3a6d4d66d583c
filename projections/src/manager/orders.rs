//! An operator's orders: each is checked here, then carried out by whoever leads the projection.

use std::time::Duration;

use infrastructure::event_store::{Position, Whereabouts};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Entry, ProjectionManager};
use crate::{
    Difference, ManagerError, ParkedEvent, ParkedPage, Pause, ProjectionState, ProjectionStatus, RebuildEstimate,
    RebuildProgress, Released, Repaired, StandbyStatus,
    cluster::{Ask, Said},
    parking, rebuild,
    worker::Order,
};

/// How long it is waited for what another process has done to be seen here.
const SEEN_WITHIN: Duration = Duration::from_secs(5);

/// What a look at some rows found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    /// How many rows were folded anew.
    pub rows: u64,
    /// Those that differ.
    pub differences: Vec<Difference>,
    /// Why the first of those that cannot be folded cannot: a repair would be refused.
    pub unfoldable: Option<String>,
}

/// What a look at everything found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
            if entry.is_rebuilding() {
                return Err(ManagerError::AlreadyRebuilding(name));
            }
            if let Some(position) = from {
                self.is_within(name, position).await?;
                let refused = |why: &'static str| Err(ManagerError::NotFromPosition { name, why: why.into() });
                if !entry.context.shape.folds_rows() {
                    return refused("its rows cannot be folded one by one");
                }
                if !entry.serves_own() {
                    return refused("it serves no generation to copy from");
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

    /// Starts to build the next generations of these projections; with `from`, only the rows that events from there on
    /// have changed are folded anew. A process that has everything to itself scans the log once for all of them; where
    /// there are several, each projection is built by the process that leads it. Gives their progress.
    pub async fn rebuild_together(
        &self,
        names: &[&str],
        from: Option<Position>,
    ) -> Result<Vec<watch::Receiver<Option<RebuildProgress>>>, ManagerError> {
        self.can_rebuild(names, from).await?;
        let entries = names.iter().map(|name| self.entry(name)).collect::<Result<Vec<_>, _>>()?;
        if self.mailbox.is_none() {
            self.rebuild_here(&entries, from).await?;
        } else {
            for entry in &entries {
                let generation = self.have(entry, Ask::Rebuild { from }).await?.generation()?;
                let is_shown = |status: &ProjectionStatus| {
                    status.rebuild.as_ref().is_some_and(|rebuild| rebuild.generation >= generation)
                };
                entry.until(is_shown).await;
            }
        }
        Ok(entries.iter().map(|entry| entry.context.monitor.watch_rebuild()).collect())
    }

    /// What a rebuild would take. Changes nothing.
    pub async fn estimate(&self, name: &str, from: Option<Position>) -> Result<RebuildEstimate, ManagerError> {
        self.can_rebuild(&[name], from).await?;
        Ok(rebuild::estimate(&self.entry(name)?.context, from).await?)
    }

    /// The generation that a rollback would serve.
    pub fn can_roll_back(&self, name: &str) -> Result<i64, ManagerError> {
        let entry = self.entry(name)?;
        let name = entry.context.name();
        if entry.is_rebuilding() {
            return Err(ManagerError::AlreadyRebuilding(name));
        }
        entry.standby_number().ok_or(ManagerError::NoStandby(name))
    }

    /// Serves the generation on standby, once it is where the serving one is; that one stands by from then on. Gives the
    /// number of what serves now.
    pub async fn roll_back(&self, name: &str) -> Result<i64, ManagerError> {
        let entry = self.entry(name)?;
        let generation = self.have(entry, Ask::RollBack).await?.generation()?;
        // What served stands by: that is told by another way than what serves, so it may be seen later.
        let stands_by = |standby: &StandbyStatus| standby.generation != generation;
        entry
            .until(|status| status.generation == Some(generation) && status.standby.as_ref().is_some_and(stands_by))
            .await;
        Ok(generation)
    }

    /// Whether the generation is the one on standby.
    pub fn can_discard(&self, name: &str, generation: i64) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        match entry.standby_number() {
            Some(number) if number == generation => Ok(()),
            Some(_) | None => Err(ManagerError::UnknownGeneration { name: entry.context.name(), generation }),
        }
    }

    /// Removes the generation on standby.
    pub async fn discard_generation(&self, name: &str, generation: i64) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        self.have(entry, Ask::Discard { generation }).await?.done()?;
        entry.until(|status| status.standby.as_ref().is_none_or(|standby| standby.generation != generation)).await;
        Ok(())
    }

    /// Whether a pause could be ordered.
    pub fn can_pause(&self, name: &str) -> Result<(), ManagerError> {
        let status = self.status(name)?;
        if status.pause.is_some() { Err(ManagerError::AlreadyPaused(status.name)) } else { Ok(()) }
    }

    /// Lets a projection stand still, at once or at a position, which may lie beyond the end of the log. It keeps
    /// serving. Where several processes work they read it in the operators' log, which must say so before this is called.
    pub async fn pause(&self, name: &str, pause: Pause) -> Result<(), ManagerError> {
        self.can_pause(name)?;
        let entry = self.entry(name)?;
        if self.mailbox.is_none() {
            return entry.ask(|answer| Order::Pause { pause, answer }).await;
        }
        entry.until(|status| status.pause.is_some()).await;
        Ok(())
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
            | ProjectionState::Unattended { .. }
            | ProjectionState::Frozen { .. } => Err(ManagerError::NotPaused(status.name)),
        }
    }

    /// Lets a projection go on, from a pause or from an event that it stopped at. What was to be built meanwhile is
    /// built now.
    pub async fn resume(&self, name: &str) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        if self.mailbox.is_none() {
            entry.ask(Order::Resume).await?;
        } else {
            entry.until(|status| status.pause.is_none()).await;
        }
        self.have(entry, Ask::BuildMissing).await?.done()
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
        let released = self.have(entry, Ask::Retry { key }).await?.released()?;
        entry.until_released(key, &released).await;
        Ok(released)
    }

    /// Tries the events of every parked key, beside the live ones. Gives how many keys that are.
    pub async fn retry_all(&self, name: &str) -> Result<u64, ManagerError> {
        self.have(self.entry(name)?, Ask::RetryAll).await?.keys()
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
        let released = self.have(entry, Ask::Skip { key, position, reason: reason.to_owned() }).await?.released()?;
        entry.until_released(key, &released).await;
        Ok(released)
    }

    /// Folds these rows anew and compares.
    pub async fn check(&self, name: &str, keys: &[Uuid]) -> Result<Checkup, ManagerError> {
        let entry = self.entry(name)?;
        let checked = self.have(entry, Ask::Check { keys: keys.to_vec() }).await?.checked()?;
        entry.until_known(&checked.differences).await;
        Ok(checked)
    }

    /// Whether rows of the projection can be repaired one by one now.
    pub fn can_repair(&self, name: &str) -> Result<(), ManagerError> {
        let entry = self.entry(name)?;
        let name = entry.context.name();
        if !entry.context.shape.folds_rows() {
            return Err(ManagerError::NotByKey(name));
        }
        if entry.serves_own() { Ok(()) } else { Err(ManagerError::NotServing(name)) }
    }

    /// Folds these rows anew and writes them: all of them or none.
    pub async fn repair(&self, name: &str, keys: &[Uuid]) -> Result<Vec<Repaired>, ManagerError> {
        self.can_repair(name)?;
        let entry = self.entry(name)?;
        let repaired = self.have(entry, Ask::Repair { keys: keys.to_vec() }).await?.repaired()?;
        entry.until(|status| !status.differences.iter().any(|known| keys.contains(&known.key))).await;
        Ok(repaired)
    }

    /// Folds everything anew into a generation of its own and compares it with the serving one, row by row. The
    /// projection stands still for the comparison alone.
    pub async fn verify(&self, name: &str) -> Result<VerifyReport, ManagerError> {
        let entry = self.entry(name)?;
        if !entry.serves_own() {
            return Err(ManagerError::NotServing(entry.context.name()));
        }
        let report = self.have(entry, Ask::Verify).await?.verified()?;
        entry.until_known(&report.differences).await;
        Ok(report)
    }

    /// Has an order carried out: here, or by the process that leads the projection.
    async fn have(&self, entry: &Entry, ask: Ask) -> Result<Said, ManagerError> {
        match &self.mailbox {
            None => self.carry_out(entry, ask).await,
            Some(mailbox) => mailbox.ask((entry.context.name(), entry.context.shape.version()), &ask).await,
        }
    }

    async fn is_within(&self, name: &'static str, position: Position) -> Result<(), ManagerError> {
        match self.events.locate(position).await? {
            Whereabouts::Inside => Ok(()),
            Whereabouts::Beyond { head } => Err(ManagerError::BeyondHead { position, head }),
            Whereabouts::Nowhere => {
                Err(ManagerError::NotFromPosition { name, why: format!("{position} is no position of the log").into() })
            }
        }
    }
}

impl Entry {
    fn is_rebuilding(&self) -> bool {
        let is_going_on = |progress: &RebuildProgress| !progress.is_over();
        self.rebuilding.is_taken()
            || (self.context.is_shared && self.context.monitor.status().rebuild.as_ref().is_some_and(is_going_on))
    }

    fn standby_number(&self) -> Option<i64> {
        self.context.monitor.status().standby.map(|standby| standby.generation)
    }

    /// Whether it serves a generation that this build carries on.
    pub(super) fn serves_own(&self) -> bool {
        let status = self.context.monitor.status();
        status.generation.is_some() && status.frozen.is_none()
    }

    /// Waits a while until an order that was carried out is seen here, too: by then whoever gave it can go on from it.
    async fn until(&self, is_so: impl Fn(&ProjectionStatus) -> bool) {
        let monitor = &self.context.monitor;
        let mut changes = monitor.watch_changes();
        let seen = changes.wait_for(|_| is_so(&monitor.status()));
        let _ = tokio::time::timeout(SEEN_WITHIN, seen).await;
    }

    /// The last of them: of many, the first ones may be forgotten again.
    async fn until_known(&self, found: &[Difference]) {
        let Some(last) = found.last() else { return };
        self.until(|status| status.differences.contains(last)).await;
    }

    async fn until_released(&self, key: Uuid, released: &Released) {
        let waits_at = released.waits_at.as_ref().map(|(position, _)| *position);
        self.until(|_| self.context.monitor.behind_of(key).map(|behind| behind.position) == waits_at).await;
    }
}
