//! What the collector is told is what the recorder holds.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use super::*;
use crate::telemetry::{BATCH, builder, describe, names};

const PERIOD: Period = Period { started: 7, now: 9 };

fn metrics(text: &str) -> Vec<Metric> {
    let report = from_prometheus(text, Resource::default(), PERIOD);
    report.scope_metrics.into_iter().flat_map(|scope| scope.metrics).collect()
}

/// The metrics that are recorded by `record`.
fn recorded(record: impl FnOnce()) -> Vec<Metric> {
    let recorder = builder().unwrap().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        describe();
        record();
    });
    metrics(&recorder.handle().render())
}

fn labels(attributes: &[KeyValue]) -> Vec<(&str, String)> {
    let text = |attribute: &KeyValue| match &attribute.value.as_ref().unwrap().value {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        other => panic!("not a text: {other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.as_str(), text(attribute))).collect()
}

#[test]
fn a_counter_is_a_cumulative_sum_of_whole_numbers() {
    let metrics = recorded(|| {
        metrics::counter!(names::PROJECTION_EVENTS, "projection" => "order_summary").increment(u64::from(u32::MAX));
        metrics::counter!(names::PROJECTION_EVENTS, "projection" => "product_sales").increment(2);
    });
    let [metric] = metrics.as_slice() else { panic!("{metrics:?}") };
    assert_eq!(metric.name, "millrace_projection_events_total");
    assert_eq!(metric.description, "Events that a projection has applied");
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
    let mut points: Vec<_> =
        sum.data_points.iter().map(|point| (labels(&point.attributes)[0].1.clone(), point.value.unwrap())).collect();
    points.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [("order_summary", u32::MAX.into()), ("product_sales", 2)];
    assert_eq!(points, expected.map(|(name, value)| (name.to_owned(), Value::AsInt(value))));
    assert!(sum.data_points.iter().all(|point| (point.start_time_unix_nano, point.time_unix_nano) == (7, 9)));
}

#[test]
fn a_gauge_is_what_it_was_set_to_last() {
    for value in [0.0, 1.0, 0.125, -3.5, 1e300, f64::INFINITY] {
        let metrics = recorded(|| {
            let gauge = metrics::gauge!(names::PROJECTION_LAG_SECONDS, "projection" => "order_summary");
            gauge.set(77.0);
            gauge.set(value);
        });
        let [metric] = metrics.as_slice() else { panic!("{metrics:?}") };
        assert_eq!(metric.unit, "s");
        let Some(Data::Gauge(gauge)) = &metric.data else { panic!("{metric:?}") };
        assert_eq!(gauge.data_points.len(), 1);
        assert_eq!(gauge.data_points[0].value, Some(Value::AsDouble(value)));
    }
}

#[test]
fn a_histogram_keeps_its_buckets_each_with_its_own_count() {
    let metrics = recorded(|| {
        for category in ["order", "product"] {
            let histogram = metrics::histogram!(names::COMMAND_BATCH, "category" => category);
            for value in [1.0, 1.0, 3.0, 1024.0, 5000.0] {
                histogram.record(value);
            }
        }
    });
    let [metric] = metrics.as_slice() else { panic!("{metrics:?}") };
    let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
    assert_eq!(histogram.aggregation_temporality(), AggregationTemporality::Cumulative);
    assert_eq!(histogram.data_points.len(), 2);
    for point in &histogram.data_points {
        assert_eq!(point.explicit_bounds, BATCH);
        assert_eq!(point.bucket_counts, [2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((point.count, point.sum), (5, Some(6029.0)));
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (7, 9));
    }
}

#[test]
fn a_histogram_that_nobody_gave_buckets_has_some() {
    let metrics = recorded(|| metrics::histogram!("of_tomorrow").record(1.0));
    assert!(matches!(metrics[0].data, Some(Data::Histogram(_))), "{metrics:?}");
}

#[test]
fn labels_arrive_as_they_were_given() {
    for value in ["plain", "", "a\"b", "a\\", "a\nb", "a,b=\"c\"}", "{le=\"1\"} 7", "é🦀"] {
        let metrics = recorded(|| metrics::gauge!(names::SUBSCRIBERS, "transport" => value, "other" => "x").set(2.0));
        let [metric] = metrics.as_slice() else { panic!("{value:?}: {metrics:?}") };
        let Some(Data::Gauge(gauge)) = &metric.data else { panic!("{metric:?}") };
        let labels = labels(&gauge.data_points[0].attributes);
        assert_eq!(labels, [("transport", value.to_owned()), ("other", "x".to_owned())]);
        assert_eq!(gauge.data_points[0].value, Some(Value::AsDouble(2.0)));
    }
}

#[test]
fn what_is_not_understood_is_left_out_and_the_rest_is_sent() {
    let text = "\
        # HELP odd Odd\n# TYPE odd summary\nodd{quantile=\"0.5\"} 3\nodd_count 1\n\n# EOF\n# TYPE a counter\na{b=\"unfinished} 1\na x\n\
        a 4\nb 5\n# TYPE c gauge\nc 1.5\nc{\n";
    let metrics = metrics(text);
    let points = |name: &str| -> Vec<Value> {
        match &metrics.iter().find(|metric| metric.name == name).unwrap().data {
            Some(Data::Sum(sum)) => sum.data_points.iter().map(|point| point.value.unwrap()).collect(),
            Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(|point| point.value.unwrap()).collect(),
            other => panic!("{name} is {other:?}"),
        }
    };
    let names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(points("a"), [Value::AsInt(4)]);
    assert_eq!(points("c"), [Value::AsDouble(1.5)]);
}
