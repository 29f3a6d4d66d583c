//! What a log line looks like with hostile names in it, and what Prometheus is told.

use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString};

use super::*;

/// A text with every control character, and a few that only look dangerous.
fn hostile() -> String {
    let controls: String = (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control()).collect();
    format!("eve\"{controls}\u{1b}[31mé🦀")
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged by `say` with these settings.
fn logged(format: LogFormat, filter: &str, is_terminal: bool, say: impl FnOnce()) -> String {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let log = Log { format, filter: filter.to_owned() };
    let subscriber = subscriber(&log, move || writer.clone(), is_terminal, None).unwrap();
    tracing::subscriber::with_default(subscriber, say);
    String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
}

fn say_hostile_things() {
    let name = hostile();
    let span = tracing::info_span!("request", %name, debug = ?name);
    let _entered = span.enter();
    tracing::info!(name, shown = %name, debug = ?name, "hello {name}");
    tracing::error!(error = &io::Error::other(name.clone()) as &dyn std::error::Error, "failed");
}

#[test]
fn a_line_for_people_has_no_control_character_of_a_caller() {
    let text = logged(LogFormat::Pretty, "info", false, say_hostile_things);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    for line in lines {
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.contains("é🦀"), "{line:?}");
    }
}

#[test]
fn a_line_for_programs_has_no_control_character_and_tells_the_whole_text() {
    let text = logged(LogFormat::Json, "info", true, say_hostile_things);
    assert_eq!(text.lines().count(), 2, "{text}");
    for line in text.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(json["span"]["name"], "request");
    }
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["shown"], hostile());
    assert_eq!(first["message"], format!("hello {}", hostile()));
}

#[test]
fn an_error_is_told_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot save")]
    struct Outer(#[source] io::Error);
    let text = logged(LogFormat::Pretty, "info", false, || {
        let error = Outer(io::Error::other("disk full"));
        tracing::error!(error = &error as &dyn std::error::Error, code = 3, "order lost");
    });
    assert!(text.ends_with("order lost error=cannot save: disk full code=3\n"), "{text}");
}

#[test]
fn colours_are_for_terminals_only() {
    let say = || tracing::info!("hello");
    assert!(logged(LogFormat::Pretty, "info", true, say).contains('\u{1b}'));
    assert!(!logged(LogFormat::Pretty, "info", false, say).contains('\u{1b}'));
    assert!(!logged(LogFormat::Json, "info", true, say).contains('\u{1b}'));
}

#[test]
fn the_filter_chooses_by_level_and_module() {
    let say = || {
        tracing::debug!("quiet");
        tracing::debug!(target: "api::edge", "loud");
    };
    let text = logged(LogFormat::Pretty, "info,api::edge=debug", false, say);
    assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
}

#[test]
fn durations_and_batches_are_rendered_as_buckets_with_their_meaning() {
    let recorder = builder().unwrap().build_recorder();
    let metrics = Metrics(recorder.handle());
    metrics::with_local_recorder(&recorder, || {
        describe();
        for name in [names::APPEND_SECONDS, names::COMMAND_SECONDS, names::HTTP_SECONDS] {
            metrics::histogram!(name).record(0.004);
        }
        for name in [names::APPEND_BATCH_EVENTS, names::COMMAND_BATCH] {
            metrics::histogram!(name).record(3.0);
        }
        metrics::gauge!(names::SUBSCRIBERS, "transport" => "a\"b\nc").set(2.0);
        metrics::counter!(names::COMMAND_CONFLICTS).increment(1);
    });
    let text = metrics.render();
    for line in [
        "millrace_append_seconds_bucket{le=\"0.003\"} 0",
        "millrace_append_seconds_bucket{le=\"0.005\"} 1",
        "millrace_command_seconds_bucket{le=\"0.005\"} 1",
        "millrace_http_seconds_bucket{le=\"0.005\"} 1",
        "millrace_append_batch_events_bucket{le=\"2\"} 0",
        "millrace_append_batch_events_bucket{le=\"4\"} 1",
        "millrace_command_batch_commands_bucket{le=\"4\"} 1",
        "millrace_subscribers{transport=\"a\\\"b\\nc\"} 2",
        "millrace_command_conflicts_total 1",
        "# HELP millrace_http_seconds Time from an HTTP request to its response",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
    }
}

#[tokio::test]
async fn upkeep_ends_when_the_process_stops() {
    let recorder = builder().unwrap().build_recorder();
    let lifecycle = Lifecycle::new();
    let upkeep = lifecycle.spawn(Metrics(recorder.handle()).upkeep(lifecycle.clone()));
    tokio::task::yield_now().await;
    assert!(!upkeep.is_finished());
    assert!(lifecycle.stop(Duration::from_secs(10)).await);
}

/// Keeps which metrics are described, each with whether it is a counter.
#[derive(Default)]
struct Described(Mutex<Vec<(String, bool)>>);

impl Described {
    fn put(&self, name: &KeyName, is_counter: bool, description: &str) {
        assert!(!description.is_empty(), "{name:?} is described as nothing");
        self.0.lock().unwrap().push((name.as_str().to_owned(), is_counter));
    }
}

impl Recorder for Described {
    fn describe_counter(&self, name: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.put(&name, true, &description);
    }

    fn describe_gauge(&self, name: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.put(&name, false, &description);
    }

    fn describe_histogram(&self, name: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.put(&name, false, &description);
    }

    fn register_counter(&self, _key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn every_metric_is_described_once() {
    let described = Described::default();
    metrics::with_local_recorder(&described, describe);
    let mut described = described.0.into_inner().unwrap();
    described.sort();
    let source = include_str!("../../../infrastructure/src/telemetry.rs");
    let quoted = source.split('"').filter(|text| text.starts_with("millrace_"));
    let mut named: Vec<_> = quoted.map(|name| (name.to_owned(), name.ends_with("_total"))).collect();
    named.sort();
    assert!(named.len() > 40, "the names were not found");
    assert_eq!(described, named);
}
