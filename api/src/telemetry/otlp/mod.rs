//! OpenTelemetry: metrics and traces on their way to a collector, if the settings name one.
//!
//! **Invariant:** serving never waits for any of this. Metrics are read from the recorder now and then, spans go
//! through a bounded queue, and a collector that is away costs a line in the log. Why the transport is our own:
//! docs/adr/0013-otlp.md.

mod collector;
mod metrics;
mod spans;

use std::{fmt, sync::Arc, time::Duration};

use infrastructure::{
    clock::{Clock, IdSource},
    lifecycle::Lifecycle,
};
use opentelemetry::KeyValue;
use opentelemetry_proto::{
    tonic::{collector::metrics::v1::ExportMetricsServiceRequest, resource::v1},
    transform::common::tonic::ResourceAttributesWithSchema,
};
use opentelemetry_sdk::Resource;
use prost::Message as _;
use tokio::time::MissedTickBehavior;
use tracing::Subscriber;
use tracing_subscriber::{Layer, registry::LookupSpan};

use self::{
    collector::{Collector, Route},
    metrics::Period,
    spans::Spans,
};
use super::{Metrics, TelemetryError};
use crate::{config::Otlp, edge::operations::Observation};

/// How long the measuring may take that is done for a report.
const OBSERVATION_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a stop waits for the last report and the last spans.
pub const FLUSH_WAIT_MAX: Duration = Duration::from_secs(3);

/// Sends metrics and traces, once it is started.
pub struct Exporter {
    metrics: Route,
    interval: Duration,
    clock: Arc<dyn Clock>,
    started: u64,
    resource: v1::Resource,
    spans: Option<Spans>,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Exporter").field("interval", &self.interval).finish_non_exhaustive()
    }
}

/// An exporter, and the layer that records spans for it.
pub(super) type Prepared<S> = (Exporter, Option<Box<dyn Layer<S> + Send + Sync>>);

/// What `settings` ask for; nothing if they name no collector. Nothing is sent yet.
pub(super) fn prepare<S>(
    settings: &Otlp,
    clock: Arc<dyn Clock>,
    ids: &dyn IdSource,
) -> Result<Option<Prepared<S>>, TelemetryError>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let Some(target) = settings.target()? else { return Ok(None) };
    let collector = Arc::new(Collector::new(target)?);
    // Nothing but this: the SDK's own builder would ask the environment.
    let resource = Resource::builder_empty()
        .with_service_name(settings.service_name.clone())
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", ids.fresh().to_string()),
        ])
        .build();
    let (layer, spans) = if settings.traces_per_mille == 0 {
        (None, None)
    } else {
        let route = Route::new(&collector, "traces", "v1/traces");
        let (layer, spans) = spans::record::<S>(route, &resource, settings.trace_ratio());
        (Some(Box::new(layer) as Box<dyn Layer<S> + Send + Sync>), Some(spans))
    };
    let attributes = ResourceAttributesWithSchema::from(&resource).attributes.0;
    let exporter = Exporter {
        metrics: Route::new(&collector, "metrics", "v1/metrics"),
        interval: Duration::from_secs(settings.interval_s.get()),
        started: nanos(&*clock),
        clock,
        resource: v1::Resource { attributes, ..v1::Resource::default() },
        spans,
    };
    Ok(Some((exporter, layer)))
}

impl Exporter {
    /// Sends until `lifecycle` stops, which then waits for what is left. `observation` measures what is measured only
    /// when somebody asks.
    pub fn start(self, metrics: Metrics, observation: Observation, lifecycle: &Lifecycle) {
        let Self { metrics: route, interval, clock, started, resource, spans } = self;
        if let Some(spans) = spans {
            lifecycle.spawn(spans.run(lifecycle.clone()));
        }
        let reports = Reports { route, interval, clock, started, resource, metrics, observation };
        lifecycle.spawn(reports.run(lifecycle.clone()));
    }
}

/// Reports of all metrics.
struct Reports {
    route: Route,
    interval: Duration,
    clock: Arc<dyn Clock>,
    started: u64,
    resource: v1::Resource,
    metrics: Metrics,
    observation: Observation,
}

impl Reports {
    async fn run(mut self, lifecycle: Lifecycle) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_over = tokio::select! {
                () = lifecycle.stopping() => true,
                _ = ticks.tick() => false,
            };
            if !is_over {
                // Old numbers are better than none. At a stop there is nothing left to measure.
                let _ = tokio::time::timeout(OBSERVATION_WAIT_MAX, (self.observation)()).await;
            }
            self.send().await;
            if is_over {
                return;
            }
        }
    }

    /// Sends a report. One that is not taken is not sent again: the next one says the same and more.
    async fn send(&mut self) {
        let period = Period { started: self.started, now: nanos(&*self.clock) };
        let report = metrics::from_prometheus(&self.metrics.render(), self.resource.clone(), period);
        let request = ExportMetricsServiceRequest { resource_metrics: vec![report] };
        self.route.send(request.encode_to_vec().into()).await;
    }
}

fn nanos(clock: &dyn Clock) -> u64 {
    clock.now().timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or_default()
}
