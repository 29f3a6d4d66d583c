//! What reaches an OpenTelemetry collector, and that a bad one changes nothing for those who are served.

use std::{collections::BTreeSet, path::Path};

use opentelemetry_proto::tonic::{
    metrics::v1::{Metric, metric::Data, number_data_point::Value},
    trace::v1::{Span, span::SpanKind},
};
use reqwest::header::AUTHORIZATION;
use serde_json::json;
use tests::{
    collector::{Collector, Mood, text},
    server::{Server, Start, eventually, temp_dir},
    shop::{self, ORDER_PLACE},
};

/// What nobody but the collector may see.
const KEY: &str = "Bearer 3b8f2c-very-secret";
/// Often enough for a test.
const INTERVAL_S: &str = "1";
/// So rarely that only the first and the last report are sent.
const HOUR_S: &str = "3600";

/// A server that sends to `collector`: all traces, and metrics in this interval.
fn sending_to(collector: &Collector, interval_s: &str) -> Start {
    let settings = [
        ("MILLRACE_OTLP__ENDPOINT", collector.url.as_str()),
        ("MILLRACE_OTLP__HEADERS", &format!("authorization={KEY},x-tenant=7")),
        ("MILLRACE_OTLP__INTERVAL_S", interval_s),
        ("MILLRACE_OTLP__TRACES_PER_MILLE", "1000"),
        ("MILLRACE_LOG__FORMAT", "json"),
    ];
    let environment = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Start { environment, ..Start::default() }
}

async fn start(folder: &Path, start: Start) -> Server {
    Server::start_in(&folder.join("data"), start).await
}

/// How many commands took effect, as the metric says; on the cluster profile, each process says it of itself.
fn commands(collector: &Collector) -> u64 {
    collector.metric("millrace_command_seconds").iter().map(commands_of).sum()
}

fn commands_of(metric: &Metric) -> u64 {
    let Some(Data::Histogram(histogram)) = &metric.data else { panic!("not a histogram: {metric:?}") };
    let point = |outcome: &str| {
        let points = histogram.data_points.iter();
        let points = points.filter(|point| text(&point.attributes, "outcome").as_deref() == Some(outcome));
        points.map(|point| point.count).sum::<u64>()
    };
    point("ok")
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The lines that have this text in the log of the process that serves.
fn logged(server: &Server, wanted: &str) -> usize {
    server.log().lines().filter(|line| line.contains(wanted)).count()
}

#[tokio::test]
async fn metrics_arrive_with_the_names_and_values_that_prometheus_sees() {
    let (collector, folder) = (Collector::start().await, temp_dir());
    let server = start(folder.path(), sending_to(&collector, INTERVAL_S)).await;
    let product = shop::register(&server.operator(), "TEA-1").await;
    shop::place(&server.customer("alice"), &product.id).await;

    let metric = eventually("both commands are reported", async || {
        collector.metric("millrace_command_seconds").into_iter().find(|metric| commands_of(metric) == 2)
    })
    .await;
    assert_eq!(metric.unit, "s");
    assert_eq!(metric.description, "Time from a command's arrival to its answer");
    let Some(Data::Histogram(histogram)) = metric.data else { panic!("not a histogram") };
    for point in histogram.data_points {
        assert_eq!(point.explicit_bounds.len() + 1, point.bucket_counts.len());
        assert_eq!(point.explicit_bounds[0].to_bits(), 0.000_25_f64.to_bits());
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        assert!(point.start_time_unix_nano > 0 && point.start_time_unix_nano <= point.time_unix_nano);
    }

    // What is measured only when somebody asks is measured for the collector too.
    let lag = eventually("the projections have caught up", async || {
        let lag = collector.metric("millrace_projection_lag_events");
        let is_zero = |value: &Option<Value>| matches!(value, Some(Value::AsDouble(value)) if *value == 0.0);
        let is_none = |lag: &Metric| {
            let Some(Data::Gauge(gauge)) = &lag.data else { panic!("not a gauge: {lag:?}") };
            gauge.data_points.iter().all(|point| is_zero(&point.value))
        };
        (lag.len() == server.processes() && lag.iter().all(is_none)).then_some(lag)
    })
    .await;
    assert!(format!("{lag:?}").contains("order_summary"));

    let page = reqwest::get(format!("{}/metrics", server.url)).await.expect("an answer").text().await.expect("a text");
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let scraped: BTreeSet<&str> = types.map(|(name, _)| name).collect();
    assert!(scraped.len() >= 8, "{page}");
    let reported = collector.metrics();
    let reported: BTreeSet<&str> = reported.iter().map(|metric| metric.name.as_str()).collect();
    assert!(reported.is_superset(&scraped), "not sent: {:?}", scraped.difference(&reported));
    server.stop().await;
}

#[tokio::test]
async fn a_request_is_a_trace_from_the_edge_to_the_command() {
    let (collector, folder) = (Collector::start().await, temp_dir());
    let server = start(folder.path(), sending_to(&collector, HOUR_S)).await;
    let product = shop::register(&server.operator(), "TEA-1").await;
    let customer = server.customer("alice");
    let body = json!({ "query": ORDER_PLACE, "variables": { "input": shop::order_input(&product.id, 1) } });
    let answer = reqwest::Client::new()
        .post(format!("{}/graphql", server.url))
        .bearer_auth(&customer.token)
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .json(&body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);

    let spans = eventually("the spans of both requests have come", async || {
        let spans = collector.spans();
        (named(&spans, "http.handle").len() == 2).then_some(spans)
    })
    .await;
    for http in named(&spans, "http.handle") {
        assert_eq!(http.kind, i32::from(SpanKind::Server));
        assert_eq!(text(&http.attributes, "http.response.status_code").as_deref(), Some("IntValue(200)"));
        assert_eq!(text(&http.attributes, "request.path").as_deref(), Some("/graphql"));
        let child = |name: &str, parent: &Span| {
            let children = named(&spans, name);
            let child = children.into_iter().find(|span| span.parent_span_id == parent.span_id);
            let child = child.unwrap_or_else(|| panic!("{} has no child {name}", parent.name)).clone();
            assert_eq!(child.trace_id, http.trace_id);
            assert!(child.start_time_unix_nano >= parent.start_time_unix_nano);
            child
        };
        let graphql = child("graphql.execute", http);
        assert_eq!(text(&graphql.attributes, "graphql.operation.type").as_deref(), Some("mutation"));
        let command = child("command.execute", &graphql);
        assert_eq!(text(&command.attributes, "command.outcome").as_deref(), Some("ok"));
    }
    // The caller's trace goes on here.
    let continued = named(&spans, "http.handle").into_iter().filter(|span| span.trace_id[..2] == [0x0a, 0xf7]);
    let parents: Vec<_> = continued.map(|span| span.parent_span_id.clone()).collect();
    assert_eq!(parents, [0xb7ad_6b71_6920_3331_u64.to_be_bytes()]);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_sends_what_is_left() {
    let (collector, folder) = (Collector::start().await, temp_dir());
    let server = start(folder.path(), sending_to(&collector, HOUR_S)).await;
    let product = shop::register(&server.operator(), "TEA-1").await;
    shop::place(&server.customer("alice"), &product.id).await;
    server.stop().await;
    assert_eq!(commands(&collector), 2);
    assert_eq!(named(&collector.spans(), "command.execute").len(), 2);
}

#[tokio::test]
async fn the_key_goes_to_the_collector_and_nowhere_else() {
    let (collector, folder) = (Collector::start().await, temp_dir());
    let mut start = sending_to(&collector, INTERVAL_S);
    start.environment.push(("MILLRACE_LOG__FILTER".to_owned(), "trace".to_owned()));
    start.environment.push(("MILLRACE_OTLP__SERVICE_NAME".to_owned(), "shop-a".to_owned()));
    // A collector that refuses makes the server say more than one that takes.
    collector.set(Mood::Refusing(500));
    let server = self::start(folder.path(), start).await;
    shop::register(&server.operator(), "TEA-1").await;
    eventually("both kinds are refused", async || (logged(&server, "does not take") == 2).then_some(())).await;
    collector.set(Mood::Taking);
    shop::register(&server.operator(), "TEA-2").await;
    eventually("both kinds are taken", async || {
        (!collector.spans().is_empty() && !collector.metrics().is_empty()).then_some(())
    })
    .await;

    for headers in collector.headers() {
        assert_eq!(headers[AUTHORIZATION], KEY);
        assert_eq!(headers["x-tenant"], "7");
        assert_eq!(headers["content-type"], "application/x-protobuf");
    }
    for resource in collector.resources() {
        assert_eq!(text(&resource, "service.name").as_deref(), Some("shop-a"));
        assert!(text(&resource, "service.instance.id").is_some());
    }
    let log = server.stderr();
    assert!(log.lines().count() > 20, "the log is not at its loudest:\n{log}");
    assert!(!log.contains("very-secret"), "{log}");
    let printed = server.millrace(&["config"]);
    assert!(!printed.ok().contains("very-secret"));
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_unless_the_settings_say_where() {
    let (collector, folder) = (Collector::start().await, temp_dir());
    let names =
        ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    let environment = names.iter().map(|name| ((*name).to_owned(), collector.url.clone())).collect();
    let server = start(folder.path(), Start { environment, ..Start::default() }).await;
    shop::register(&server.operator(), "TEA-1").await;
    // A stop would send what is left.
    server.stop().await;
    assert_eq!(collector.requests(), 0);
}

#[tokio::test]
async fn an_outage_of_the_collector_is_told_once_and_costs_nobody_anything() {
    let (collector, folder) = (Collector::start().await, temp_dir());
    collector.set(Mood::Refusing(503));
    let server = start(folder.path(), sending_to(&collector, INTERVAL_S)).await;
    let operator = server.operator();
    let product = shop::register(&operator, "TEA-1").await;
    let tries = 4 * server.processes();
    eventually("several tries have failed", async || {
        let is_told = logged(&server, "does not take metrics") > 0 && logged(&server, "does not take traces") > 0;
        (is_told && collector.requests() >= tries).then_some(())
    })
    .await;
    shop::place(&server.customer("alice"), &product.id).await;
    assert_eq!(logged(&server, "does not take metrics"), 1, "{}", server.stderr());
    assert_eq!(logged(&server, "does not take traces"), 1, "{}", server.stderr());

    collector.set(Mood::Taking);
    eventually("the server notices", async || {
        let is_back = logged(&server, "takes metrics again") == 1 && logged(&server, "takes traces again") == 1;
        is_back.then_some(())
    })
    .await;
    // Spans of the outage were kept for later.
    eventually("both commands are traced", async || {
        (named(&collector.spans(), "command.execute").len() == 2).then_some(())
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_collector_that_never_answers_does_not_keep_a_server_from_ending() {
    let (collector, folder) = (Collector::start().await, temp_dir());
    collector.set(Mood::Silent);
    let server = start(folder.path(), sending_to(&collector, INTERVAL_S)).await;
    shop::register(&server.operator(), "TEA-1").await;
    eventually("something is under way", async || (collector.requests() >= 2).then_some(())).await;
    server.stop().await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_told_and_nothing_more() {
    let (mut collector, folder) = (Collector::start().await, temp_dir());
    // Nobody listens on this port of the loopback.
    collector.url = "http://127.0.0.1:1".to_owned();
    let server = start(folder.path(), sending_to(&collector, INTERVAL_S)).await;
    let product = shop::register(&server.operator(), "TEA-1").await;
    eventually("it is told", async || (logged(&server, "does not take") == 2).then_some(())).await;
    assert!(server.stderr().contains("Connection refused"), "{}", server.stderr());
    shop::place(&server.customer("alice"), &product.id).await;
    server.stop().await;
}
