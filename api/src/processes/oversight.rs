//! How the processes are, wherever they run.

use std::sync::Arc;

use domain::{fulfilment::Fulfilment, payment::Asking};
use infrastructure::{
    event_store::{EventStore, StoreError},
    process::{self, Concern, ParkedKey, ProcessRunner, ProcessStatus, ProcessWatch},
    read_store::{ReadStore, ReadStoreError},
    telemetry,
};
use projections::ProjectionManager;
use uuid::Uuid;

/// Sees every process of the shop.
#[derive(Clone, Debug)]
pub struct Oversight {
    processes: Vec<Watched>,
    events: Arc<dyn EventStore>,
    projections: Arc<ProjectionManager>,
}

#[derive(Clone, Debug)]
struct Watched {
    watch: ProcessWatch,
    /// None if it cannot run in this node.
    runner: Option<ProcessRunner>,
}

impl Watched {
    /// How it is in this node; none if it cannot run here.
    fn here(&self) -> Option<ProcessStatus> {
        self.runner.as_ref().map(ProcessRunner::status)
    }
}

/// A process as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How it is: in this node, else as its runner has written it down.
    pub status: ProcessStatus,
    /// The node that holds its lease; none where work is not shared, or if no live node does.
    pub node: Option<String>,
    /// How many events it is behind.
    pub lag_events: u64,
    /// How many keys somebody has to look at.
    pub concerned: u64,
    /// How many keys wait for an event that cannot be read.
    pub parked: u64,
}

/// Why it is not known how a process is.
#[derive(Debug, thiserror::Error)]
pub enum OversightError {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Events(#[from] StoreError),
    /// The notes cannot be read.
    #[error("the notes cannot be read")]
    Rows(#[from] ReadStoreError),
}

impl Oversight {
    /// Sees the processes; `runners` are those that can run in this node.
    pub fn new(
        events: Arc<dyn EventStore>,
        rows: &Arc<dyn ReadStore>,
        projections: Arc<ProjectionManager>,
        runners: &[ProcessRunner],
    ) -> Self {
        let outlooks = [ProcessWatch::of::<Fulfilment>(Arc::clone(rows)), ProcessWatch::of::<Asking>(Arc::clone(rows))];
        let processes = outlooks.map(|watch| {
            let runner = runners.iter().find(|runner| runner.status().name == watch.name()).cloned();
            Watched { watch, runner }
        });
        Self { processes: processes.to_vec(), events, projections }
    }

    /// The names of all of them.
    pub fn names(&self) -> Vec<&'static str> {
        self.processes.iter().map(|watched| watched.watch.name()).collect()
    }

    fn find(&self, name: &str) -> Option<&Watched> {
        self.processes.iter().find(|watched| watched.watch.name() == name)
    }

    /// Every process as it is now.
    pub async fn all(&self) -> Result<Vec<Seen>, OversightError> {
        let mut all = Vec::with_capacity(self.processes.len());
        for watched in &self.processes {
            all.push(self.look(watched, watched.here()).await?);
        }
        Ok(all)
    }

    /// One process as it is now; none if there is none of this name.
    pub async fn one(&self, name: &str) -> Result<Option<Seen>, OversightError> {
        match self.find(name) {
            Some(watched) => Ok(Some(self.look(watched, watched.here()).await?)),
            None => Ok(None),
        }
    }

    /// `here` is how it is in this node, if it can run here.
    async fn look(&self, watched: &Watched, here: Option<ProcessStatus>) -> Result<Seen, OversightError> {
        let node = self.projections.holder(&process::lease_of(watched.watch.name()));
        let here = here.filter(|status| status.is_running || (status.error.is_some() && node.is_none()));
        let mut status = match here {
            Some(status) => status,
            None => watched.watch.status().await?,
        };
        if status.error.is_none() && !status.is_running && node.is_none() {
            status.error = Some(if self.projections.is_shared() {
                "no node runs it: start one with `millrace work`".to_owned()
            } else {
                "it does not run: it does while the server runs".to_owned()
            });
        }
        let lag_events = watched.watch.lag(&*self.events, status.position).await?;
        let concerned = watched.watch.concerned().await?;
        let parked = watched.watch.parked_count().await?;
        Ok(Seen { status, node, lag_events, concerned, parked })
    }

    /// What somebody has to look at, at most so many.
    pub async fn concerns(&self, name: &str, limit: usize) -> Result<Vec<Concern>, ReadStoreError> {
        match self.find(name) {
            Some(watched) => watched.watch.concerns(limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// Keys that wait for an event that cannot be read, at most so many.
    pub async fn parked(&self, name: &str, limit: usize) -> Result<Vec<ParkedKey>, ReadStoreError> {
        match self.find(name) {
            Some(watched) => watched.watch.parked(limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// Whether this key waits for an event that cannot be read.
    pub async fn is_parked(&self, name: &str, key: Uuid) -> Result<bool, ReadStoreError> {
        match self.find(name) {
            Some(watched) => watched.watch.is_parked(key).await,
            None => Ok(false),
        }
    }

    /// Writes everything about every process that is a number to the metrics. What cannot be read stays as it was.
    pub async fn observe(&self) {
        for watched in &self.processes {
            let name = watched.watch.name();
            let gauge = |metric: &'static str, value: f64| metrics::gauge!(metric, "process" => name).set(value);
            let flag = |is_so: bool| if is_so { 1.0 } else { 0.0 };
            // What another node runs is that node's to tell; how far it is behind is everybody's.
            let seen_here = watched.here();
            let here = seen_here.clone().unwrap_or_default();
            gauge(telemetry::PROCESS_RUNNING, flag(here.is_running));
            gauge(telemetry::PROCESS_FAILED, flag(here.error.is_some()));
            gauge(telemetry::PROCESS_KEYS, number(here.is_running, here.keys));
            gauge(telemetry::PROCESS_WAITING, number(here.is_running, here.waiting));
            gauge(telemetry::PROCESS_UNDER_WAY, number(here.is_running, here.under_way));
            gauge(telemetry::PROCESS_TROUBLES, number(here.is_running, here.in_trouble));
            gauge(telemetry::PROCESS_STUCK, number(here.is_running, here.stuck));
            match self.look(watched, seen_here).await {
                Ok(seen) => {
                    gauge(telemetry::PROCESS_POSITION, as_gauge(seen.status.position.value()));
                    gauge(telemetry::PROCESS_LAG_EVENTS, as_gauge(seen.lag_events));
                    gauge(telemetry::PROCESS_CONCERNS, as_gauge(seen.concerned));
                    gauge(telemetry::PROCESS_PARKED, as_gauge(seen.parked));
                }
                Err(error) => {
                    let cause = telemetry::with_causes(&error);
                    tracing::debug!(
                        process.name = name,
                        error = cause,
                        "the metrics of {name} stay as they were: {cause}"
                    );
                }
            }
        }
    }
}

fn number(is_running: bool, number: usize) -> f64 {
    if is_running { as_gauge(number as u64) } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge has room for 2^53")]
const fn as_gauge(number: u64) -> f64 {
    number as f64
}
