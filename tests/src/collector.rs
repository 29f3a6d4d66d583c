//! An OpenTelemetry collector for tests: takes OTLP over HTTP with protobuf, and is away or silent when told to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value},
    metrics::v1::Metric,
    trace::v1::Span,
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinSet};

/// How it treats whatever comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Takes it.
    #[default]
    Taking,
    /// Answers with this status, and forgets it.
    Refusing(u16),
    /// Never answers.
    Silent,
}

/// A running collector. It ends when it is dropped.
#[derive(Debug)]
pub struct Collector {
    /// Its address, such as `http://127.0.0.1:4318`.
    pub url: String,
    seen: Arc<Seen>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Seen(Mutex<Inner>);

#[derive(Clone, Debug, Default)]
struct Inner {
    mood: Mood,
    requests: usize,
    headers: Vec<HeaderMap>,
    metrics: Vec<ExportMetricsServiceRequest>,
    traces: Vec<ExportTraceServiceRequest>,
}

impl Seen {
    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn take(&self, headers: HeaderMap, keep: impl FnOnce(&mut Inner)) -> StatusCode {
        let mood = self.with(|inner| {
            inner.requests += 1;
            inner.headers.push(headers);
            inner.mood
        });
        match mood {
            Mood::Taking => {
                self.with(keep);
                StatusCode::OK
            }
            Mood::Refusing(status) => StatusCode::from_u16(status).expect("a status"),
            Mood::Silent => std::future::pending().await,
        }
    }
}

async fn metrics(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let request = decoded(&body);
    seen.take(headers, |inner| inner.metrics.push(request)).await
}

async fn traces(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let request = decoded(&body);
    seen.take(headers, |inner| inner.traces.push(request)).await
}

fn decoded<M: Message + Default>(body: &[u8]) -> M {
    M::decode(body).expect("the body is the message of its path")
}

impl Collector {
    /// A collector on a port of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seen = Arc::new(Seen::default());
        let router = Router::new()
            .route("/v1/metrics", post(metrics))
            .route("/v1/traces", post(traces))
            .with_state(Arc::clone(&seen));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.expect("it serves until it is dropped") });
        Self { url, seen, _serving: serving }
    }

    /// How it goes on.
    pub fn set(&self, mood: Mood) {
        self.seen.with(|inner| inner.mood = mood);
    }

    /// How many requests have come, taken or not.
    pub fn requests(&self) -> usize {
        self.seen.with(|inner| inner.requests)
    }

    /// The headers of every request.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.seen.with(|inner| inner.headers.clone())
    }

    /// The resources of everything that was taken, each with its attributes.
    pub fn resources(&self) -> Vec<Vec<KeyValue>> {
        let (metrics, traces) = self.seen.with(|inner| (inner.metrics.clone(), inner.traces.clone()));
        let metrics = metrics.into_iter().flat_map(|request| request.resource_metrics).map(|part| part.resource);
        let traces = traces.into_iter().flat_map(|request| request.resource_spans).map(|part| part.resource);
        metrics.chain(traces).map(|resource| resource.expect("whose it is").attributes).collect()
    }

    /// The latest report of all metrics, of each process that sends.
    pub fn metrics(&self) -> Vec<Metric> {
        let all = self.seen.with(|inner| inner.metrics.clone());
        let mut last: HashMap<Option<String>, Vec<Metric>> = HashMap::new();
        for report in all.into_iter().flat_map(|request| request.resource_metrics) {
            let sender = report.resource.and_then(|sender| text(&sender.attributes, "service.instance.id"));
            last.insert(sender, report.scope_metrics.into_iter().flat_map(|scope| scope.metrics).collect());
        }
        last.into_values().flatten().collect()
    }

    /// One metric of the latest report of each process that has it.
    pub fn metric(&self, name: &str) -> Vec<Metric> {
        self.metrics().into_iter().filter(|metric| metric.name == name).collect()
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        let traces = self.seen.with(|inner| inner.traces.clone());
        let scopes = traces.into_iter().flat_map(|request| request.resource_spans).flat_map(|part| part.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

/// The text of an attribute.
pub fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    if let any_value::Value::StringValue(text) = value { Some(text) } else { Some(format!("{value:?}")) }
}
