//! Metrics: from Prometheus' text, which the recorder renders anyway, to OTLP's messages.
//!
//! So there is one recorder, one set of names and one set of buckets, and recording costs nothing more. Counters and
//! histograms are cumulative since the start of the process, as Prometheus has them.

#[cfg(test)]
mod tests;

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric::Data, number_data_point::Value,
    },
    resource::v1::Resource,
};

/// When the process began to count, and now, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub(super) started: u64,
    pub(super) now: u64,
}

/// Everything in `text`, which is in Prometheus' text format, as one report about `resource`.
pub(super) fn from_prometheus(text: &str, resource: Resource, period: Period) -> ResourceMetrics {
    let mut reader = Reader { period, metrics: Vec::new() };
    for line in text.lines() {
        // A line that is not understood is left out; the others are worth sending all the same.
        let _ = reader.read(line);
    }
    reader.metrics.retain(|metric| metric.data.is_some());
    ResourceMetrics {
        resource: Some(resource),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope { name: "millrace".to_owned(), ..InstrumentationScope::default() }),
            metrics: reader.metrics,
            ..ScopeMetrics::default()
        }],
        ..ResourceMetrics::default()
    }
}

struct Reader {
    period: Period,
    metrics: Vec<Metric>,
}

impl Reader {
    /// Reads one line; none if it says nothing that is sent.
    fn read(&mut self, line: &str) -> Option<()> {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, description) = help.split_once(' ')?;
            self.metric(name).description = unescaped(description);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ')?;
            self.metric(name).data = Some(empty(kind)?);
        } else if !line.is_empty() && !line.starts_with('#') {
            self.add(Sample::parse(line)?)?;
        }
        Some(())
    }

    /// The metric of this name, which is the last one: its lines stand together.
    fn metric(&mut self, name: &str) -> &mut Metric {
        if self.metrics.last().is_none_or(|last| last.name != name) {
            // The names say it, after Prometheus' custom; the text format has no other place for a unit.
            let unit = if name.ends_with("_seconds") { "s" } else { "" };
            self.metrics.push(Metric { name: name.to_owned(), unit: unit.to_owned(), ..Metric::default() });
        }
        self.metrics.last_mut().expect("it was pushed if there was none")
    }

    fn add(&mut self, sample: Sample<'_>) -> Option<()> {
        let (start_time_unix_nano, time_unix_nano) = (self.period.started, self.period.now);
        let metric = self.metrics.last_mut()?;
        let part = sample.name.strip_prefix(metric.name.as_str())?;
        let number = |value, attributes| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            value: Some(value),
            ..NumberDataPoint::default()
        };
        match metric.data.as_mut()? {
            Data::Sum(sum) if part.is_empty() => {
                sum.data_points.push(number(count(sample.value)?, sample.attributes));
            }
            Data::Gauge(gauge) if part.is_empty() => {
                let value = Value::AsDouble(sample.value.parse().ok()?);
                gauge.data_points.push(NumberDataPoint { start_time_unix_nano: 0, ..number(value, sample.attributes) });
            }
            Data::Histogram(histogram) => {
                let points = &mut histogram.data_points;
                if points.last().is_none_or(|point| point.attributes != sample.attributes) {
                    points.push(HistogramDataPoint {
                        attributes: sample.attributes,
                        start_time_unix_nano,
                        time_unix_nano,
                        ..HistogramDataPoint::default()
                    });
                }
                put(points.last_mut()?, part, sample.bound, sample.value)?;
            }
            Data::Sum(_) | Data::Gauge(_) | Data::ExponentialHistogram(_) | Data::Summary(_) => return None,
        }
        Some(())
    }
}

/// A metric without points. Of the kinds that there are, summaries are not sent: all histograms have buckets.
fn empty(kind: &str) -> Option<Data> {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    match kind {
        "counter" => Some(Data::Sum(Sum { aggregation_temporality, is_monotonic: true, ..Sum::default() })),
        "gauge" => Some(Data::Gauge(Gauge::default())),
        "histogram" => Some(Data::Histogram(Histogram { aggregation_temporality, ..Histogram::default() })),
        _ => None,
    }
}

/// A counter's value, whole if it is.
fn count(text: &str) -> Option<Value> {
    text.parse().map(Value::AsInt).or_else(|_| text.parse().map(Value::AsDouble)).ok()
}

/// Puts one line of a histogram into its point. Prometheus counts what is at most a bound; OTLP what is between two.
fn put(point: &mut HistogramDataPoint, part: &str, bound: Option<&str>, value: &str) -> Option<()> {
    match part {
        "_bucket" => {
            let below: u64 = value.parse().ok()?;
            let counted: u64 = point.bucket_counts.iter().sum();
            point.bucket_counts.push(below.saturating_sub(counted));
            match bound? {
                // The bucket above all bounds has none.
                "+Inf" => {}
                bound => point.explicit_bounds.push(bound.parse().ok()?),
            }
        }
        "_sum" => point.sum = Some(value.parse().ok()?),
        "_count" => point.count = value.parse().ok()?,
        _ => return None,
    }
    Some(())
}

/// One line with a value.
#[derive(Debug)]
struct Sample<'a> {
    name: &'a str,
    attributes: Vec<KeyValue>,
    /// The label `le`: the upper bound of a bucket.
    bound: Option<&'a str>,
    value: &'a str,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let end_of_name = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(end_of_name);
        let mut sample = Self { name, attributes: Vec::new(), bound: None, value: "" };
        let value = match rest.strip_prefix('{') {
            Some(labels) => sample.read_labels(labels)?,
            None => rest,
        };
        sample.value = value.trim();
        Some(sample)
    }

    /// Reads `key="value",key="value"}`; what follows.
    fn read_labels(&mut self, mut rest: &'a str) -> Option<&'a str> {
        loop {
            rest = rest.trim_start_matches(',');
            if let Some(after) = rest.strip_prefix('}') {
                return Some(after);
            }
            let (key, quoted) = rest.split_once("=\"")?;
            let end = end_of_quotation(quoted)?;
            let (value, after) = (&quoted[..end], &quoted[end + 1..]);
            if key == "le" {
                self.bound = Some(value);
            } else {
                let value = AnyValue { value: Some(any_value::Value::StringValue(unescaped(value))) };
                self.attributes.push(KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() });
            }
            rest = after;
        }
    }
}

/// Where the first quotation mark is that is not escaped.
fn end_of_quotation(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end.then_some(at)
    })
}

/// A text with its escapes resolved: `\\`, `\"` and `\n`.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            plain => plain,
        });
    }
    plain
}
