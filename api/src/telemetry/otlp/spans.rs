//! Spans: from `tracing` to a bounded queue, and from there to the collector.
//!
//! **Invariant:** ending a span never waits. What the queue has no room for is lost, counted, and told now and then.

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use infrastructure::lifecycle::Lifecycle;
use opentelemetry::{
    Context,
    trace::{SpanKind, TracerProvider as _},
};
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanLimits, SpanProcessor},
};
use prost::Message as _;
use tokio::{sync::mpsc, time::Instant};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use super::collector::{Route, Sent};
use crate::telemetry::trace::REQUEST_SPAN;

/// Spans that wait to be sent.
const QUEUE_SPANS_MAX: usize = 8_192;
/// Spans that are sent at once.
const BATCH_SPANS_MAX: usize = 512;
/// How long a span waits for others to go with it.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// How long a collector that is away is left alone.
const RETRY_PAUSE: Duration = Duration::from_secs(3);
/// How often the log hears of spans that are lost.
const LOSS_INTERVAL: Duration = Duration::from_secs(60);
const _: () = assert!(BATCH_SPANS_MAX <= QUEUE_SPANS_MAX);

/// The crates whose spans are recorded: ours.
const CRATES: [&str; 4] = ["api", "projections", "infrastructure", "millrace"];

/// Puts spans that have ended into the queue.
#[derive(Debug)]
struct Enqueue {
    queue: mpsc::Sender<SpanData>,
    lost: Arc<AtomicU64>,
}

impl SpanProcessor for Enqueue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        if span.name == REQUEST_SPAN {
            span.span_kind = SpanKind::Server;
        }
        if span.span_context.is_sampled() && self.queue.try_send(span).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Spans on their way out.
pub(super) struct Spans {
    route: Route,
    resource: ResourceAttributesWithSchema,
    queue: mpsc::Receiver<SpanData>,
    lost: Arc<AtomicU64>,
    loss_told: Option<Instant>,
}

/// A layer that records this part of all traces, and what sends them over `route`.
pub(super) fn record<S>(route: Route, resource: &Resource, ratio: f64) -> (impl Layer<S> + Send + Sync, Spans)
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let (sender, queue) = mpsc::channel(QUEUE_SPANS_MAX);
    let lost = Arc::new(AtomicU64::new(0));
    let provider = SdkTracerProvider::builder()
        .with_span_processor(Enqueue { queue: sender, lost: Arc::clone(&lost) })
        .with_resource(resource.clone())
        // By the trace's id alone, so that all parts of a trace agree. A caller that marks its request to be recorded
        // is not obeyed: anybody could make this server send all it does.
        .with_sampler(Sampler::TraceIdRatioBased(ratio))
        // Otherwise the environment would have a say.
        .with_span_limits(SpanLimits::default())
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("millrace"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(filter_fn(is_recorded));
    let resource = ResourceAttributesWithSchema::from(resource);
    (layer, Spans { route, resource, queue, lost, loss_told: None })
}

/// Our own spans, and what went wrong inside them. The log's filter has no say here.
fn is_recorded(metadata: &Metadata<'_>) -> bool {
    let level_max = if metadata.is_span() { Level::DEBUG } else { Level::WARN };
    let name = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= level_max && CRATES.contains(&name)
}

impl Spans {
    /// Sends spans as they end, until the process stops; then what is left.
    pub(super) async fn run(mut self, lifecycle: Lifecycle) {
        let mut batch = Vec::with_capacity(BATCH_SPANS_MAX);
        loop {
            let is_over = tokio::select! {
                () = lifecycle.stopping() => true,
                () = fill(&mut self.queue, &mut batch) => false,
            };
            if is_over {
                return self.flush(batch).await;
            }
            let (spans, body) = self.encode(&mut batch);
            while self.send(spans, body.clone()).await == Sent::Later && !lifecycle.is_stopping() {
                tokio::select! {
                    () = lifecycle.stopping() => {}
                    () = tokio::time::sleep(RETRY_PAUSE) => {}
                }
            }
        }
    }

    /// Sends everything that waits, once.
    async fn flush(mut self, mut batch: Vec<SpanData>) {
        loop {
            while batch.len() < BATCH_SPANS_MAX
                && let Ok(span) = self.queue.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            let (spans, body) = self.encode(&mut batch);
            if self.send(spans, body).await != Sent::Taken {
                return;
            }
        }
    }

    /// Empties the batch into a message; how many there were, and the message.
    fn encode(&self, batch: &mut Vec<SpanData>) -> (usize, Bytes) {
        let spans = batch.len();
        let batch = std::mem::replace(batch, Vec::with_capacity(BATCH_SPANS_MAX));
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        (spans, ExportTraceServiceRequest { resource_spans }.encode_to_vec().into())
    }

    async fn send(&mut self, spans: usize, body: Bytes) -> Sent {
        let sent = self.route.send(body).await;
        match sent {
            Sent::Taken => self.tell_losses(),
            Sent::Later => {}
            Sent::Never => {
                self.lost.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        }
        sent
    }

    /// Says how many spans were lost, unless it has just said so.
    fn tell_losses(&mut self) {
        let is_told = self.loss_told.is_some_and(|told| told.elapsed() < LOSS_INTERVAL);
        if is_told || self.lost.load(Ordering::Relaxed) == 0 {
            return;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        self.loss_told = Some(Instant::now());
        tracing::warn!(
            telemetry.spans_lost = lost,
            "{lost} spans were lost: the collector was away or slow, or there are too many (`otlp.traces_per_mille`)"
        );
    }
}

/// Waits for spans until there are enough, or the first has waited long enough. Takes none away when it is dropped.
async fn fill(queue: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    let mut due = None;
    while batch.len() < BATCH_SPANS_MAX {
        let room = BATCH_SPANS_MAX - batch.len();
        let received = match due {
            None => queue.recv_many(batch, room).await,
            Some(due) => match tokio::time::timeout_at(due, queue.recv_many(batch, room)).await {
                Ok(received) => received,
                Err(_) => return,
            },
        };
        if received == 0 {
            // The subscriber is gone; what there is goes out, and then there is nothing to wait for.
            if batch.is_empty() {
                std::future::pending::<()>().await;
            }
            return;
        }
        due.get_or_insert_with(|| Instant::now() + BATCH_WAIT);
    }
}
