//! Logs, metrics and traces: how they leave the process.
//!
//! **Invariant:** no control character of a caller reaches the log: a name with a line break does not make a second
//! line, and one with an escape sequence does not move a terminal's cursor.

mod fields;
mod otlp;
#[cfg(test)]
mod tests;
pub mod trace;

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    time::Duration,
};

use infrastructure::{
    clock::{SystemClock, SystemIds},
    lifecycle::Lifecycle,
    telemetry as names,
};
use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::ParseError,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
};

use self::fields::{EscapedWriter, OneLineFields};
pub use self::otlp::{Exporter, FLUSH_WAIT_MAX};
use crate::config::{Config, ConfigError, Log, LogFormat};

/// Upper bounds of the buckets of durations, in seconds: fine around the few milliseconds of a commit.
const SECONDS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of the buckets of batch sizes.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
/// How often recorded values are folded into their buckets, so that they do not pile up when nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Why logs, metrics or traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter cannot be read")]
    Filter(#[from] ParseError),
    /// Somebody else in this process did it before.
    #[error("logs are already set up")]
    LogsTaken(#[from] tracing::subscriber::SetGlobalDefaultError),
    /// The recorder refuses its settings, or there is one already.
    #[error("metrics cannot be set up")]
    Metrics(#[from] BuildError),
    /// The collector cannot be used as it is configured.
    #[error(transparent)]
    Collector(#[from] ConfigError),
    /// The collector is behind TLS, and this system knows nobody to trust.
    #[error("the system's certificates cannot be read")]
    Certificates(#[source] io::Error),
}

/// What observes this process.
#[derive(Debug)]
pub struct Telemetry {
    /// The recorder of metrics.
    pub metrics: Metrics,
    /// What sends metrics and traces to a collector, if there is one. Not started yet.
    pub exporter: Option<Exporter>,
}

impl Telemetry {
    /// Sends the log to the standard error stream, and records metrics and, if there is a collector, traces, from now
    /// to the end of the process.
    pub fn install(config: &Config) -> Result<Self, TelemetryError> {
        let is_terminal = io::stderr().is_terminal();
        let (exporter, spans) = otlp::prepare(&config.otlp, Arc::new(SystemClock), &SystemIds)?.unzip();
        tracing::subscriber::set_global_default(subscriber(&config.log, io::stderr, is_terminal, spans.flatten())?)?;
        Ok(Self { metrics: Metrics::install()?, exporter })
    }
}

type BoxLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The log, and what records `spans`, which has a filter of its own: how much is logged says nothing about what is
/// traced.
fn subscriber<W>(
    log: &Log,
    writer: W,
    is_terminal: bool,
    spans: Option<BoxLayer>,
) -> Result<Box<dyn Subscriber + Send + Sync>, ParseError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let log = log_layer(log.format, writer, is_terminal);
    Ok(match spans {
        // A filter for everybody is quicker than one for each.
        None => Box::new(Registry::default().with(log).with(filter)),
        Some(spans) => Box::new(Registry::default().with(vec![spans, log.with_filter(filter).boxed()])),
    })
}

fn log_layer<W>(format: LogFormat, writer: W, is_terminal: bool) -> BoxLayer
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer();
    match format {
        LogFormat::Pretty => layer.with_ansi(is_terminal).fmt_fields(OneLineFields).with_writer(writer).boxed(),
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(true).with_span_list(false);
            layer.with_writer(EscapedWriter(writer)).boxed()
        }
    }
}

/// The metrics of this process, in Prometheus' text format.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Records all metrics of this process, from now to its end.
    pub fn install() -> Result<Self, TelemetryError> {
        let handle = builder()?.install_recorder()?;
        describe();
        Ok(Self(handle))
    }

    /// The metrics of one recorder, which a test installs for itself.
    #[cfg(test)]
    pub(crate) fn of(recorder: &metrics_exporter_prometheus::PrometheusRecorder) -> Self {
        Self(recorder.handle())
    }

    /// Everything recorded so far.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the memory of recorded values small until the process stops. To be spawned once.
    pub async fn upkeep(self, lifecycle: Lifecycle) {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            tokio::select! {
                () = lifecycle.stopping() => return,
                _ = ticks.tick() => self.0.run_upkeep(),
            }
        }
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let exact = |name: &str| Matcher::Full(name.to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(exact(names::APPEND_SECONDS), SECONDS)?
        .set_buckets_for_metric(exact(names::COMMAND_SECONDS), SECONDS)?
        .set_buckets_for_metric(exact(names::HTTP_SECONDS), SECONDS)?
        .set_buckets_for_metric(exact(names::PAYMENT_CALL_SECONDS), SECONDS)?
        .set_buckets_for_metric(exact(names::APPEND_BATCH_EVENTS), BATCH)?
        .set_buckets_for_metric(exact(names::COMMAND_BATCH), BATCH)?
        // Whatever is recorded besides: a histogram without buckets would become a summary, which cannot be added up.
        .set_buckets(SECONDS)
}

/// Says what each metric means, as its documentation does in `infrastructure::telemetry`.
fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    histogram!(names::APPEND_SECONDS, Unit::Seconds, "Time from the request of an append until it is durable");
    histogram!(names::APPEND_BATCH_EVENTS, Unit::Count, "Events in one commit of the event store");
    histogram!(names::COMMAND_SECONDS, Unit::Seconds, "Time from a command's arrival to its answer");
    histogram!(names::COMMAND_BATCH, Unit::Count, "Commands that went out as one append");
    counter!(names::EVENT_STORE_CLIENTS, Unit::Count, "Clients of EventStoreDB that were made");
    counter!(names::TAIL_SUBSCRIPTIONS_LOST, Unit::Count, "Subscriptions to EventStoreDB that ended or went deaf");
    counter!(names::COMMAND_CONFLICTS, Unit::Count, "Times that a stream had moved under a command");
    counter!(names::SNAPSHOTS_WRITTEN, Unit::Count, "Snapshots of streams that were stored");
    counter!(names::SNAPSHOT_FAILURES, Unit::Count, "Times that a snapshot could not be stored or loaded");
    gauge!(names::PROJECTION_LAG_EVENTS, Unit::Count, "Events that a projection is behind");
    gauge!(names::PROJECTION_LAG_SECONDS, Unit::Seconds, "Age of the oldest event that a projection has not applied");
    gauge!(names::PROJECTION_POSITION, Unit::Count, "Position that a projection has reached");
    gauge!(names::PROJECTION_STOPPED, Unit::Count, "1 if a projection stopped at an event that it cannot apply");
    describe_operations();
    describe_processes();
    gauge!(names::SUBSCRIBERS, Unit::Count, "Open subscriptions");
    histogram!(
        names::PAYMENT_CALL_SECONDS,
        Unit::Seconds,
        "Time from a try of a call to a payment provider to its end"
    );
    counter!(names::PAYMENT_NOTICES, Unit::Count, "Notices of a payment provider");
    histogram!(names::HTTP_SECONDS, Unit::Seconds, "Time from an HTTP request to its response");
}

/// What an operator watches and steers of projections.
fn describe_operations() {
    use metrics::{describe_counter as counter, describe_gauge as gauge};
    counter!(names::PROJECTION_EVENTS, Unit::Count, "Events that a projection has applied");
    counter!(names::PROJECTION_FAILURES, Unit::Count, "Tries of a projection to apply an event that failed");
    gauge!(names::PROJECTION_PARKED_KEYS, Unit::Count, "Keys of a projection that are parked");
    gauge!(names::PROJECTION_PARKED_EVENTS, Unit::Count, "Events that are parked: failed, or queued behind one");
    gauge!(names::PROJECTION_PAUSED, Unit::Count, "1 if an operator has paused a projection");
    gauge!(names::PROJECTION_STALLED, Unit::Count, "1 if a projection makes no progress although it is behind");
    gauge!(names::PROJECTION_GENERATION, Unit::Count, "Generation of tables that a projection serves");
    gauge!(names::PROJECTION_RATE, Unit::CountPerSecond, "Events that a projection applies in a second, lately");
    counter!(names::PROJECTION_CHECKED, Unit::Count, "Rows that the drift check of a projection folded anew");
    counter!(names::PROJECTION_DRIFT, Unit::Count, "Rows that differed from those folded anew by the drift check");
    gauge!(names::REBUILD_RUNNING, Unit::Count, "1 while a projection is rebuilt");
    gauge!(names::REBUILD_DONE, Unit::Count, "Positions of the log that a rebuild has gone through");
    gauge!(names::REBUILD_TOTAL, Unit::Count, "Positions of the log that a rebuild has to go through");
    counter!(names::REBUILD_EVENTS, Unit::Count, "Events that rebuilds have folded");
    gauge!(names::LEASES_HELD, Unit::Count, "Leases that this node holds");
    counter!(names::LEASE_TAKEOVERS, Unit::Count, "Leases freed because the node that held them was dead");
}

/// What an operator watches of the shop's processes.
fn describe_processes() {
    use metrics::{describe_counter as counter, describe_gauge as gauge};
    counter!(names::PROCESS_STEPS, Unit::Count, "Steps of a process that were carried out, or tried");
    gauge!(names::PROCESS_POSITION, Unit::Count, "Position up to which a process has seen everything");
    gauge!(names::PROCESS_LAG_EVENTS, Unit::Count, "Events that a process is behind");
    gauge!(names::PROCESS_RUNNING, Unit::Count, "1 in the node that runs a process");
    gauge!(names::PROCESS_KEYS, Unit::Count, "Keys that a process has in memory");
    gauge!(names::PROCESS_WAITING, Unit::Count, "Steps of a process that wait for their turn");
    gauge!(names::PROCESS_UNDER_WAY, Unit::Count, "Steps of a process that are under way");
    gauge!(names::PROCESS_TROUBLES, Unit::Count, "Steps of a process that do not work, stuck ones too");
    gauge!(names::PROCESS_STUCK, Unit::Count, "Steps of a process that are not tried again by themselves");
    gauge!(names::PROCESS_CONCERNS, Unit::Count, "Keys of a process that somebody has to look at");
    gauge!(names::PROCESS_PARKED, Unit::Count, "Keys of a process that wait for an event that cannot be read");
    gauge!(names::PROCESS_FAILED, Unit::Count, "1 if a process cannot follow the log or keep its notes");
}
