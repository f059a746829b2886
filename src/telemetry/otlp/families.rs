//! The page of `/metrics` as OTLP has it. The registry counts once and renders one page; what is pushed is read back from
//! that page, so the two cannot differ.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric::Data,
    number_data_point::Value,
};

/// When the counts of a page began and when it was made, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// When counters were zero.
    pub(super) since: u64,
    /// The page's time.
    pub(super) now: u64,
}

/// One line with a value.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: &'a str,
}

/// The families of a page in the Prometheus text format: counters as cumulative monotonic sums, gauges, and histograms with
/// explicit bounds. What is none of them is left out.
pub(super) fn metrics(page: &str, span: Span) -> Vec<Metric> {
    let mut families: Vec<Metric> = Vec::new();
    let mut help = ("", "");
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap_or((rest, ""));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let description = if help.0 == name { help.1 } else { "" };
            families.extend(empty(kind).map(|data| family(name, description, data)));
        } else if let Some((sample, family)) = sample(line).zip(families.last_mut()) {
            add(family, &sample, span);
        }
    }
    families
}

/// How many points some families have.
pub(super) fn points(families: &[Metric]) -> usize {
    let of = |family: &Metric| match &family.data {
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        _ => 0,
    };
    families.iter().map(of).sum()
}

fn empty(kind: &str) -> Option<Data> {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    match kind {
        "counter" => Some(Data::Sum(Sum { data_points: Vec::new(), aggregation_temporality, is_monotonic: true })),
        "gauge" => Some(Data::Gauge(Gauge::default())),
        "histogram" => Some(Data::Histogram(Histogram { data_points: Vec::new(), aggregation_temporality })),
        _ => None,
    }
}

fn family(name: &str, description: &str, data: Data) -> Metric {
    let bare = name.trim_end_matches("_total");
    let unit = match bare.rsplit_once('_') {
        Some((_, "seconds")) => "s",
        Some((_, "bytes")) => "By",
        _ => "",
    };
    Metric {
        name: name.to_owned(),
        description: description.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

/// Adds a line to its family; a line of another family, of a kind that is left out, changes nothing.
fn add(family: &mut Metric, sample: &Sample<'_>, span: Span) {
    let Some(part) = sample.name.strip_prefix(&*family.name) else { return };
    match &mut family.data {
        Some(Data::Sum(sum)) if part.is_empty() => sum.data_points.extend(number(sample, Some(span.since), span.now)),
        Some(Data::Gauge(gauge)) if part.is_empty() => gauge.data_points.extend(number(sample, None, span.now)),
        Some(Data::Histogram(histogram)) => add_part(&mut histogram.data_points, part, sample, span),
        _ => {}
    }
}

/// A point of a counter, which has a beginning, or of a gauge.
fn number(sample: &Sample<'_>, since: Option<u64>, now: u64) -> Option<NumberDataPoint> {
    let value = match since {
        Some(_) => Value::AsInt(sample.value.parse().ok()?),
        None => Value::AsDouble(sample.value.parse().ok()?),
    };
    Some(NumberDataPoint {
        attributes: attributes(&sample.labels),
        start_time_unix_nano: since.unwrap_or(0),
        time_unix_nano: now,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

/// A line of a histogram. Those of one point follow each other: its buckets by their bounds, its sum, its count. Buckets count
/// what lies at or below their bound on the page, and what lies between two bounds in OTLP.
fn add_part(points: &mut Vec<HistogramDataPoint>, part: &str, sample: &Sample<'_>, span: Span) {
    let (le, labels): (Vec<_>, Vec<_>) = sample.labels.iter().cloned().partition(|(name, _)| *name == "le");
    let attributes = attributes(&labels);
    if points.last().is_none_or(|point| point.attributes != attributes) {
        points.push(HistogramDataPoint {
            attributes,
            start_time_unix_nano: span.since,
            time_unix_nano: span.now,
            ..HistogramDataPoint::default()
        });
    }
    let Some(point) = points.last_mut() else { return };
    match (part, le.first()) {
        ("_sum", None) => point.sum = sample.value.parse().ok(),
        ("_count", None) => point.count = sample.value.parse().unwrap_or(0),
        ("_bucket", Some((_, bound))) => {
            let below: u64 = point.bucket_counts.iter().sum();
            let count: u64 = sample.value.parse().unwrap_or(below);
            point.bucket_counts.push(count.saturating_sub(below));
            // The last bucket has no bound.
            point.explicit_bounds.extend(bound.parse::<f64>().ok().filter(|bound| bound.is_finite()));
        }
        _ => {}
    }
}

fn attributes(labels: &[(&str, String)]) -> Vec<KeyValue> {
    let attribute = |(name, value): &(&str, String)| KeyValue {
        key: (*name).to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.clone())) }),
        ..KeyValue::default()
    };
    labels.iter().map(attribute).collect()
}

/// Reads `name{label="value",...} value`; `None` for an empty line or a comment.
fn sample(line: &str) -> Option<Sample<'_>> {
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while let Some((label, after)) = rest.split_once("=\"") {
            let (value, after) = quoted(after)?;
            labels.push((label, value));
            rest = after.strip_prefix(',').unwrap_or(after);
            if rest.starts_with('}') {
                break;
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    Some(Sample { name, labels, value: rest.trim() })
}

/// A value up to its closing quotation mark, without its escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            plain => value.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# HELP calls_total Calls answered
# TYPE calls_total counter
calls_total{rpc="a/B",code="OK"} 18446744
calls_total{rpc="x\"\\\n,}={",code=""} 1

# TYPE age_seconds gauge
age_seconds 0.25

# TYPE other summary
other{quantile="0.5"} 3

# TYPE took_seconds histogram
took_seconds_bucket{rpc="a",le="0.5"} 2
took_seconds_bucket{rpc="a",le="1"} 2
took_seconds_bucket{rpc="a",le="+Inf"} 5
took_seconds_sum{rpc="a"} 7.5
took_seconds_count{rpc="a"} 5
took_seconds_bucket{rpc="b",le="0.5"} 0
took_seconds_bucket{rpc="b",le="1"} 1
took_seconds_bucket{rpc="b",le="+Inf"} 1
took_seconds_sum{rpc="b"} 0.75
took_seconds_count{rpc="b"} 1
"#;

    fn labels(attributes: &[KeyValue]) -> Vec<(&str, &str)> {
        let text = |attribute: &KeyValue| match attribute.value.clone()?.value? {
            any_value::Value::StringValue(text) => Some(text),
            _ => None,
        };
        attributes.iter().map(|one| (one.key.as_str(), &*text(one).expect("text").leak())).collect()
    }

    #[test]
    fn every_kind_becomes_its_own_and_what_is_none_is_left_out() {
        let families = metrics(PAGE, Span { since: 10, now: 20 });
        let names: Vec<_> = families.iter().map(|family| (family.name.as_str(), family.unit.as_str())).collect();
        assert_eq!(names, [("calls_total", ""), ("age_seconds", "s"), ("took_seconds", "s")]);
        assert_eq!((families[0].description.as_str(), families[1].description.as_str()), ("Calls answered", ""));
        assert_eq!(points(&families), 5);

        let Some(Data::Sum(sum)) = &families[0].data else { panic!("{:?}", families[0]) };
        assert!(sum.is_monotonic && sum.aggregation_temporality == AggregationTemporality::Cumulative as i32);
        let first = &sum.data_points[0];
        assert_eq!((first.start_time_unix_nano, first.time_unix_nano), (10, 20));
        assert_eq!(
            (labels(&first.attributes), first.value),
            (vec![("rpc", "a/B"), ("code", "OK")], Some(Value::AsInt(18_446_744)))
        );
        assert_eq!(labels(&sum.data_points[1].attributes), [("rpc", "x\"\\\n,}={"), ("code", "")]);

        let Some(Data::Gauge(gauge)) = &families[1].data else { panic!("{:?}", families[1]) };
        assert_eq!(gauge.data_points[0].value, Some(Value::AsDouble(0.25)));
    }

    #[test]
    fn buckets_count_what_lies_between_their_bounds() {
        let families = metrics(PAGE, Span { since: 10, now: 20 });
        let Some(Data::Histogram(histogram)) = &families[2].data else { panic!("{:?}", families[2]) };
        assert_eq!(histogram.aggregation_temporality, AggregationTemporality::Cumulative as i32);
        let seen: Vec<_> = histogram
            .data_points
            .iter()
            .map(|point| (labels(&point.attributes), point.bucket_counts.clone(), point.sum, point.count))
            .collect();
        let expected =
            [(vec![("rpc", "a")], vec![2, 0, 3], Some(7.5), 5), (vec![("rpc", "b")], vec![0, 1, 0], Some(0.75), 1)];
        assert_eq!(seen, expected);
        assert!(histogram.data_points.iter().all(|point| point.explicit_bounds == [0.5, 1.0]));
    }
}
