//! What goes on beside the workers: rates, the watchdog, the drift check, the end of a generation's keeping.

use std::{collections::HashMap, time::Duration};

use domain::Timestamp;
use infrastructure::{
    event_store::Position,
    lifecycle::Lifecycle,
    telemetry::{self, with_causes},
};
use tokio::time::Instant;

use super::{Entry, ProjectionManager};
use crate::{ManagerError, ProjectionState, ProjectionStatus, RebuildPhase, Stall, origin};

/// How often rates are taken and the watchdog looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How much of the last rate the next one keeps: a mean over some five seconds.
const RATE_KEEPS: f64 = 0.8;
/// How often generations on standby are looked at.
const KEEPING_INTERVAL: Duration = Duration::from_secs(30);

/// What the watchdog remembers of a projection.
struct Seen {
    position: Position,
    applied: u64,
    rebuilt: u64,
    moved: Instant,
    moved_at: Timestamp,
    rate: f64,
}

impl ProjectionManager {
    /// Starts everything that goes on beside the workers.
    pub(super) fn watch_over(&self, lifecycle: &Lifecycle) {
        lifecycle.spawn(self.clone().look_regularly(lifecycle.clone()));
        lifecycle.spawn(self.clone().end_keeping(lifecycle.clone()));
        lifecycle.spawn(self.clone().watch_log(lifecycle.clone()));
        if let Some(interval) = self.options.drift_interval {
            lifecycle.spawn(self.clone().check_drift(interval, lifecycle.clone()));
        }
    }

    async fn look_regularly(self, lifecycle: Lifecycle) {
        let mut seen: HashMap<&'static str, Seen> = HashMap::new();
        let mut ticks = tokio::time::interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = lifecycle.stopping() => return,
                _ = ticks.tick() => {}
            }
            let elapsed = last.elapsed().as_secs_f64().max(0.001);
            last = Instant::now();
            for entry in self.entries.iter() {
                self.look_at(entry, &mut seen, elapsed).await;
            }
        }
    }

    async fn look_at(&self, entry: &Entry, seen: &mut HashMap<&'static str, Seen>, elapsed: f64) {
        let monitor = &entry.context.monitor;
        let (name, status) = (monitor.name(), monitor.status());
        let now = entry.context.clock.now();
        let rebuilt = status.rebuild.as_ref().map_or(0, |rebuild| rebuild.done);
        let known = seen.entry(name).or_insert_with(|| Seen {
            position: status.position,
            applied: status.applied,
            rebuilt,
            moved: Instant::now(),
            moved_at: now,
            rate: 0.0,
        });
        let applied = u32::try_from(status.applied.saturating_sub(known.applied)).unwrap_or(u32::MAX);
        known.rate = known.rate * RATE_KEEPS + f64::from(applied) / elapsed * (1.0 - RATE_KEEPS);
        if known.rate < 0.01 {
            known.rate = 0.0;
        }
        monitor.has_rate(known.rate);
        let has_moved =
            known.position != status.position || known.applied != status.applied || known.rebuilt != rebuilt;
        if has_moved {
            (known.moved, known.moved_at) = (Instant::now(), now);
        }
        (known.position, known.applied, known.rebuilt) = (status.position, status.applied, rebuilt);
        let (stands_for, since) = (known.moved.elapsed(), known.moved_at);
        let is_behind = match self.lag(&status).await {
            Ok((events, _)) => events > 0,
            // A log that cannot be read is a reason too.
            Err(_) => true,
        };
        let stall = (is_behind && stands_for >= self.options.stall_after)
            .then(|| Stall { since, reason: reason_of(&status, stands_for) });
        let text = stall.as_ref().map(|stall| stall.reason.clone());
        let is_stalled = if stall.is_some() { 1.0 } else { 0.0 };
        metrics::gauge!(telemetry::PROJECTION_STALLED, "projection" => name).set(is_stalled);
        if monitor.stalls(stall) {
            if let Some(reason) = text {
                tracing::warn!(projection.name = name, reason, "projection {name} does not move: {reason}");
            } else {
                tracing::info!(projection.name = name, "projection {name} moves again");
            }
        }
    }

    /// Writes everything about every projection that is a number to the metrics.
    pub async fn observe(&self) {
        for status in self.statuses() {
            let name = status.name;
            let gauge = |metric: &'static str, value: f64| metrics::gauge!(metric, "projection" => name).set(value);
            if let Ok((events, seconds)) = self.lag(&status).await {
                gauge(telemetry::PROJECTION_LAG_EVENTS, as_gauge(events));
                gauge(telemetry::PROJECTION_LAG_SECONDS, seconds);
            }
            gauge(telemetry::PROJECTION_POSITION, as_gauge(status.position.value()));
            gauge(telemetry::PROJECTION_RATE, status.rate);
            gauge(telemetry::PROJECTION_PARKED_KEYS, as_gauge(status.parked.keys));
            gauge(telemetry::PROJECTION_PARKED_EVENTS, as_gauge(status.parked.events));
            let is_paused = matches!(status.state, ProjectionState::Paused(_));
            gauge(telemetry::PROJECTION_PAUSED, if is_paused { 1.0 } else { 0.0 });
        }
    }

    async fn end_keeping(self, lifecycle: Lifecycle) {
        let interval = KEEPING_INTERVAL.min(self.options.keep_generation.max(Duration::from_millis(100)));
        loop {
            tokio::select! {
                biased;
                () = lifecycle.stopping() => return,
                () = tokio::time::sleep(interval) => {}
            }
            for entry in self.entries.iter().filter(|entry| entry.leading.is_here()) {
                entry.standby.discard_after(&entry.context, self.options.keep_generation).await;
            }
        }
    }

    /// Looks whether the log is still the same, until it is not. A store that is away says nothing about that.
    async fn watch_log(self, lifecycle: Lifecycle) {
        let mut suspected = None;
        loop {
            tokio::select! {
                biased;
                () = lifecycle.stopping() => return,
                () = tokio::time::sleep(self.options.log_look_interval) => {}
            }
            let found = match origin::keep_up(&*self.events, &*self.rows).await {
                Ok(()) => None,
                Err(ManagerError::Log(fault)) => Some(fault),
                Err(error) => {
                    tracing::debug!(error = %with_causes(&error), "whether the log is still the same cannot be told");
                    continue;
                }
            };
            // Twice, since it ends the process.
            if let Some(fault) = &found
                && found == suspected
            {
                tracing::error!(error = %fault, "the log is not the one that the read models are of: {fault}");
                self.log_fault.send_replace(found);
                return;
            }
            suspected = found;
        }
    }

    /// Folds some rows of each projection anew, now and then, and compares.
    async fn check_drift(self, interval: Duration, lifecycle: Lifecycle) {
        // Which rows are looked at is no secret: any number that is another one each time will do.
        let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
        loop {
            tokio::select! {
                biased;
                () = lifecycle.stopping() => return,
                () = tokio::time::sleep(interval) => {}
            }
            let looked_at = |entry: &&Entry| entry.leading.is_here() && entry.context.shape.folds_rows();
            for entry in self.entries.iter().filter(looked_at) {
                let moment = entry.context.clock.now().timestamp_micros().cast_unsigned();
                dice = mixed(dice ^ moment);
                let name = entry.context.name();
                infrastructure::failpoint!("drift.check");
                match self.check_some(name, dice, self.options.drift_rows).await {
                    Ok(_) | Err(ManagerError::Stopping) => {}
                    Err(error) => {
                        tracing::warn!(projection.name = name, error = %error, "the drift check of {name} failed");
                    }
                }
            }
        }
    }
}

/// SplitMix64's last step (Steele, Lea and Flood, 2014): every bit of the result depends on every bit given.
const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Why a projection does not move, as far as can be told.
fn reason_of(status: &ProjectionStatus, stands_for: Duration) -> String {
    let rebuild = status.rebuild.as_ref().filter(|rebuild| !rebuild.is_over());
    let building = || match rebuild {
        Some(rebuild) if rebuild.phase == RebuildPhase::Filling => {
            format!("generation {} is being built, at {} of {}", rebuild.generation, rebuild.done, rebuild.total)
        }
        Some(rebuild) => format!("generation {} is being indexed and verified", rebuild.generation),
        None => "no generation is being built: see how the last rebuild ended".to_owned(),
    };
    match &status.state {
        ProjectionState::Building => format!("it has nothing to serve yet; {}", building()),
        ProjectionState::Frozen { version } => {
            format!("it serves a generation of version {version} as it stood; {}", building())
        }
        ProjectionState::Paused(pause) => {
            let reason = pause.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("{} paused it at {}{reason}", pause.by, pause.since.to_rfc3339())
        }
        ProjectionState::Retrying { error, attempts, .. } => {
            format!("it tries again and again, {attempts} times so far: {error}")
        }
        ProjectionState::Stopped(stopped) => {
            format!("it stopped at event {}: {}", stopped.position, stopped.error)
        }
        ProjectionState::Unattended { slices } => {
            format!("no process works on {slices} of its slices: start another one that works (`millrace work`)")
        }
        ProjectionState::Running => format!(
            "its worker has been busy with the batch after position {} for {} s",
            status.position,
            stands_for.as_secs()
        ),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
const fn as_gauge(value: u64) -> f64 {
    value as f64
}
