//! What each process says of its part of the work, and what all of it together says of a projection.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use infrastructure::{
    clock::Clock,
    lease::ClusterView,
    lifecycle::Lifecycle,
    read_store::{ReadStore, ReadStoreError},
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Membership, Names, sql};
use crate::{
    Difference, Pause, ProjectionState, RebuildProgress, StandbyStatus,
    cluster::lead::Leading,
    status::{LeadStatus, Monitor},
};

/// How often a report is written and read.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often in a row they are not read before it is shown: in about a second.
const FAILURES_SHOWN: u32 = 4;

/// What one process says of one projection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    /// Of its worker, if it has one at work.
    work: Option<Work>,
    /// If it leads.
    lead: Option<Led>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Work {
    slices: Vec<u32>,
    state: ProjectionState,
    pause: Option<Pause>,
    applied: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Led {
    standby: Option<StandbyStatus>,
    differences: Vec<Difference>,
    rebuild: Option<RebuildProgress>,
}

impl From<Led> for LeadStatus {
    fn from(Led { standby, differences, rebuild }: Led) -> Self {
        Self { standby, differences, rebuild }
    }
}

/// What a process reports of a projection, and where it shows what all report.
#[derive(Debug)]
pub(crate) struct Reporting {
    pub(crate) names: Names,
    /// What everybody here sees; what the lead does is written into it too.
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) leading: Leading,
    /// The worker's own, and which slices it works on.
    pub(crate) work: Option<(Arc<Monitor>, watch::Receiver<Vec<u32>>)>,
}

impl Reporting {
    fn report(&self) -> Report {
        let work = self.work.as_ref().and_then(|(monitor, slices)| {
            let slices = slices.borrow().clone();
            let status = monitor.status();
            let is_trying = matches!(status.state, ProjectionState::Retrying { .. });
            let work = Work { slices, state: status.state, pause: status.pause, applied: status.applied };
            (!work.slices.is_empty() || is_trying).then_some(work)
        });
        let lead = self.leading.is_here().then(|| {
            let status = self.monitor.status();
            Led { standby: status.standby, differences: status.differences, rebuild: status.rebuild }
        });
        Report { work, lead }
    }

    /// Shows what all processes say.
    fn show(&self, reports: &[Report], view: &ClusterView) {
        let work: Vec<&Work> = reports.iter().filter_map(|report| report.work.as_ref()).collect();
        self.monitor.has_applied(work.iter().map(|work| work.applied).sum());
        if !self.leading.is_here() {
            let led = reports.iter().find_map(|report| report.lead.clone());
            self.monitor.is_led(led.map_or_else(|| self.without_lead(), LeadStatus::from));
        }
        self.is_in(self.state(&work, view));
        // After the state: whoever sees the pause sees that it stands still.
        self.monitor.is_to_pause(work.iter().find_map(|work| work.pause.clone()));
    }

    fn is_in(&self, state: ProjectionState) {
        let status = self.monitor.status();
        if status.generation.is_some() && status.frozen.is_none() {
            self.monitor.is_in(state);
        }
    }

    /// Nobody builds what the last lead was building. The next one goes on with it.
    fn without_lead(&self) -> LeadStatus {
        let status = self.monitor.status();
        let rebuild = status.rebuild.filter(RebuildProgress::is_over);
        LeadStatus { standby: status.standby, differences: status.differences, rebuild }
    }

    fn state(&self, work: &[&Work], view: &ClusterView) -> ProjectionState {
        let first = |is_it: fn(&ProjectionState) -> bool| {
            work.iter().map(|work| &work.state).find(|state| is_it(state)).cloned()
        };
        let unheld = self.names.unheld(view);
        first(|state| matches!(state, ProjectionState::Stopped(_)))
            .or_else(|| first(|state| matches!(state, ProjectionState::Retrying { .. })))
            .or_else(|| first(|state| matches!(state, ProjectionState::Paused(_))))
            .or((unheld > 0).then_some(ProjectionState::Unattended { slices: unheld }))
            .unwrap_or(ProjectionState::Running)
    }
}

/// Writes what this process has to say, and shows what all of them say, until the process stops.
pub(crate) async fn report_regularly(
    rows: Arc<dyn ReadStore>,
    membership: Membership,
    all: Vec<Reporting>,
    clock: Arc<dyn Clock>,
    lifecycle: Lifecycle,
) {
    let mut failures = 0;
    let mut written: BTreeMap<&'static str, Report> = BTreeMap::new();
    let reports_itself = membership.leases.is_some();
    loop {
        if reports_itself && let Err(error) = write(&*rows, membership.id, &all, &mut written).await {
            tracing::debug!(error = %error, "a report was not written");
        }
        match read_reports(&*rows, &membership, &all).await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                if failures == FAILURES_SHOWN {
                    // What was said last may not be so any more.
                    let error = format!("what others report cannot be read: {error}");
                    let state = ProjectionState::Retrying { error, attempts: failures, next: clock.now() + INTERVAL };
                    for reporting in &all {
                        reporting.is_in(state.clone());
                    }
                }
            }
        }
        tokio::select! {
            biased;
            () = lifecycle.stopping() => break,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
    if reports_itself {
        // Otherwise a lead clears it away.
        let _ = rows.transaction(vec![sql::remove_reports(membership.id)]).await;
    }
}

/// Shows what all processes have said until now.
pub(crate) async fn read_reports(
    rows: &dyn ReadStore,
    membership: &Membership,
    all: &[Reporting],
) -> Result<(), ReadStoreError> {
    let read = read(rows, membership, all).await;
    read.inspect_err(|error| tracing::debug!(error = %error, "the reports cannot be read"))
}

async fn write(
    rows: &dyn ReadStore,
    id: Uuid,
    all: &[Reporting],
    written: &mut BTreeMap<&'static str, Report>,
) -> Result<(), ReadStoreError> {
    for reporting in all {
        let (name, report) = (reporting.monitor.name(), reporting.report());
        if written.get(name) == Some(&report) {
            continue;
        }
        let body = serde_json::to_string(&report).expect("a report is JSON");
        rows.transaction(vec![sql::put_report(id, name, &body)]).await?;
        written.insert(name, report);
    }
    Ok(())
}

async fn read(rows: &dyn ReadStore, membership: &Membership, all: &[Reporting]) -> Result<(), ReadStoreError> {
    let mut reports: BTreeMap<String, Vec<Report>> = BTreeMap::new();
    let view = membership.view.borrow().clone();
    for (node, name, body) in sql::reports(rows).await? {
        // What a process said that is gone is not so any more; another version may say more than can be read here.
        if view.nodes.contains_key(&node)
            && let Ok(report) = serde_json::from_str(&body)
        {
            reports.entry(name).or_default().push(report);
        }
    }
    for reporting in all {
        let said = reports.get(reporting.monitor.name()).map_or(&[][..], Vec::as_slice);
        reporting.show(said, &view);
    }
    Ok(())
}
