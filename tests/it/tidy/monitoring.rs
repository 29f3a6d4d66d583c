//! The dashboard, the alerts and their page speak of the metrics that there are, and of all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{read, report};

const NAMES: &str = "infrastructure/src/telemetry.rs";
const DASHBOARD: &str = "docs/operations/grafana-dashboard.json";
const ALERTS: &str = "docs/operations/alerts.yml";
const PAGE: &str = "docs/operations/monitoring.md";
/// What all names begin with.
const PREFIX: &str = "millrace_";
/// What Prometheus puts behind the name of a histogram.
const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The names of all metrics: the texts of the constants.
fn names() -> BTreeSet<String> {
    let source = read(NAMES);
    let literals = source.lines().filter(|line| line.contains("&str = \"")).filter_map(|line| line.split('"').nth(1));
    let names: BTreeSet<_> = literals.map(str::to_owned).collect();
    assert!(names.len() > 20 && names.iter().all(|name| name.starts_with(PREFIX)), "not the names: {names:?}");
    names
}

/// Every metric that a text mentions, as it is mentioned.
fn mentioned(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with(PREFIX)).collect()
}

/// The metric that a mention means: a part of a histogram means the histogram.
fn metric<'a>(mention: &'a str, names: &BTreeSet<String>) -> Option<&'a str> {
    let whole = PARTS.iter().filter_map(|part| mention.strip_suffix(part));
    [mention].into_iter().chain(whole).find(|name| names.contains(*name))
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).expect("the dashboard is JSON")
}

/// Every panel, those inside rows too.
fn panels(of: &Value) -> Vec<&Value> {
    let here = of["panels"].as_array().into_iter().flatten();
    here.flat_map(|panel| std::iter::once(panel).chain(panels(panel))).collect()
}

#[test]
fn what_is_watched_is_a_metric() {
    let names = names();
    let mut problems = Vec::new();
    for path in [DASHBOARD, ALERTS, PAGE] {
        let text = read(path);
        let mentioned = mentioned(&text);
        assert!(!mentioned.is_empty(), "{path} mentions no metric");
        let unknown = mentioned.into_iter().filter(|mention| metric(mention, &names).is_none());
        problems.extend(unknown.map(|mention| format!("{path}: {mention}")));
    }
    report("These are no metrics of infrastructure::telemetry. Correct the name, or add it there.", &problems);
}

#[test]
fn every_metric_is_shown_and_explained() {
    let names = names();
    let mut problems = Vec::new();
    for path in [DASHBOARD, PAGE] {
        let text = read(path);
        let shown: BTreeSet<_> = mentioned(&text).into_iter().filter_map(|mention| metric(mention, &names)).collect();
        let missing = names.iter().filter(|name| !shown.contains(name.as_str()));
        problems.extend(missing.map(|name| format!("{path}: {name}")));
    }
    report("A metric that nobody sees helps nobody. Give it a panel and a line on the page.", &problems);
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(39), "an old form: {}", dashboard["schemaVersion"]);
    assert!(dashboard["id"].is_null(), "the id of one Grafana means nothing to another");
    let panels = panels(&dashboard);
    let mut problems = Vec::new();
    let mut titles = BTreeMap::new();
    for panel in &panels {
        let title = panel["title"].as_str().unwrap_or("a panel without title");
        let id = panel["id"].as_u64().expect("every panel has an id");
        if let Some(other) = titles.insert(id, title) {
            problems.push(format!("{title} and {other} have the same id"));
        }
        let sources = panel["targets"].as_array().into_iter().flatten().map(|target| &target["datasource"]["uid"]);
        if sources.into_iter().any(|uid| uid != "${datasource}") {
            problems.push(format!("{title} has a data source of its own"));
        }
    }
    assert!(panels.len() > 20, "the panels were not found");
    report("Ids are unique, and the data source is the variable `${datasource}`.", &problems);
}

#[test]
fn every_alert_says_what_to_do() {
    let (alerts, page) = (read(ALERTS), read(PAGE));
    let names: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() >= 5, "the alerts were not found");
    let silent = names.iter().filter(|name| !page.contains(&format!("| `{name}` |")));
    report(
        &format!("Say in {PAGE} what these mean and what to do."),
        &silent.map(|name| (*name).to_owned()).collect::<Vec<_>>(),
    );
}

#[test]
fn a_part_of_a_histogram_means_the_histogram() {
    let names = BTreeSet::from(["millrace_a_seconds".to_owned(), "millrace_b_count".to_owned()]);
    let text = "rate(millrace_a_seconds_bucket{le=\"1\"}[5m]) > millrace_b_count or nomillrace_c, millrace_d_sum";
    let found: Vec<_> = mentioned(text).into_iter().map(|mention| metric(mention, &names)).collect();
    assert_eq!(found, [Some("millrace_a_seconds"), Some("millrace_b_count"), None]);
}
