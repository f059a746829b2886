//! The dashboard and the alerts: every query asks for metrics and labels that exist, every alert has its entry in the runbook,
//! and a server on Redis tells of what they ask for.

use super::files::{read, yaml};
use crate::support::redis::{RedisServer, until};
use crate::support::{Options, Server, cli};
use serde_json::Value;
use std::collections::BTreeSet;

const DASHBOARD: &str = "deploy/grafana/quotad.json";
const ALERTS: &str = "deploy/prometheus/alerts.yaml";
/// The series that says whether Redis answers.
const REDIS_UP: &str = "quotad_backend_up{backend=\"redis\"}";
/// What is put to every series by whoever scrapes, and the bound of a histogram's bucket.
const LABELS_OF_OTHERS: [&str; 3] = ["job", "instance", "le"];

/// The names of `telemetry/metrics.rs`, and whether each is a histogram's.
fn metrics() -> Vec<(String, bool)> {
    let source = read("src/telemetry/metrics.rs");
    let names = source.lines().filter_map(|line| {
        let (constant, value) = line.strip_prefix("pub const ")?.split_once(": &str = \"quotad_")?;
        let name = format!("quotad_{}", value.trim_end_matches("\";"));
        Some((name, source.contains(&format!("h!({constant},"))))
    });
    names.collect()
}

/// The series under which a metric is told of.
fn series() -> BTreeSet<String> {
    let of = |(name, histogram): (String, bool)| match histogram {
        false => vec![name],
        true => ["_bucket", "_sum", "_count"].iter().map(|part| format!("{name}{part}")).collect(),
    };
    metrics().into_iter().flat_map(of).collect()
}

/// The values of `telemetry/fields.rs`.
fn labels() -> BTreeSet<String> {
    let source = read("src/telemetry/fields.rs");
    let value =
        |line: &str| Some(line.strip_prefix("pub const ")?.split_once('"')?.1.trim_end_matches("\";").to_owned());
    source.lines().filter_map(value).chain(LABELS_OF_OTHERS.map(str::to_owned)).collect()
}

/// Every text that stands under `name`, however deep.
fn all(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| all(item, name, found)),
        Value::Object(entries) => {
            found.extend(entries.get(name).and_then(Value::as_str).map(str::to_owned));
            entries.values().for_each(|inner| all(inner, name, found));
        }
        _ => {}
    }
}

/// All queries, each with the file that it stands in.
fn queries() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    for name in ["expr", "definition"] {
        all(&dashboard, name, &mut found);
    }
    let mut queries: Vec<_> = found.drain(..).map(|query| (DASHBOARD, query)).collect();
    all(&yaml(ALERTS)[0], "expr", &mut found);
    queries.extend(found.into_iter().map(|query| (ALERTS, query)));
    queries
}

/// The words of a query that are not between quotation marks.
fn names(query: &str) -> Vec<&str> {
    let outside = query.split('"').step_by(2);
    outside
        .flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|word| !word.is_empty())
        .collect()
}

/// The names of labels in a query: before `=`, and in the brackets of `by` and `on`.
fn named_labels(query: &str) -> Vec<String> {
    let outside: String = query.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    let matchers = outside.split(['{', ',', '}']).filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        value.trim_start_matches('~').starts_with('"').then(|| name.trim_end_matches('!').trim().to_owned())
    });
    let grouped = ["by (", "on ("].into_iter().flat_map(|word| {
        outside.split(word).skip(1).flat_map(|rest| rest.split(')').next().unwrap().split(',').map(str::trim))
    });
    matchers.chain(grouped.map(str::to_owned)).collect()
}

#[test]
fn every_query_asks_for_what_exists() {
    let (series, labels) = (series(), labels());
    let queries = queries();
    assert!(queries.len() > 50, "{}", queries.len());
    for (file, query) in &queries {
        let asked: Vec<&str> = names(query).into_iter().filter(|word| word.starts_with("quotad_")).collect();
        assert!(!asked.is_empty() || query.starts_with("up{"), "{file}: no metric of quotad in {query}");
        for name in asked {
            assert!(series.contains(name), "{file}: no metric {name}, in {query}");
            // Of a counter only its growth says something.
            let grows = ["rate(", "increase("].iter().any(|function| query.contains(&format!("{function}{name}")));
            assert!(grows || !name.ends_with("_total"), "{file}: the value of a counter, in {query}");
        }
        for label in named_labels(query) {
            assert!(labels.contains(&label), "{file}: no label {label:?}, in {query}");
        }
    }
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let shown: String =
        queries().into_iter().filter(|(file, _)| *file == DASHBOARD).map(|(_, query)| query + "\n").collect();
    for (name, _) in metrics() {
        assert!(shown.contains(&name), "{name} is on no panel");
    }
}

#[test]
fn every_alert_has_its_entry_in_the_runbook() {
    let (mut alerts, mut summaries) = (Vec::new(), Vec::new());
    let rules = yaml(ALERTS).remove(0);
    all(&rules, "alert", &mut alerts);
    all(&rules, "summary", &mut summaries);
    assert!(alerts.len() > 10 && summaries.len() == alerts.len());
    let runbook = read("deploy/RUNBOOK.md");
    let entries: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("### Quotad")).collect();
    let named: BTreeSet<&str> = alerts.iter().map(|alert| alert.strip_prefix("Quotad").unwrap()).collect();
    assert_eq!(entries, named, "the runbook's entries and the alerts");
}

#[test]
fn a_server_on_redis_tells_of_its_stores() {
    let redis = RedisServer::start();
    let server = Server::start(Options::new().example("ai-platform").redis(&redis.url(), "metrics:"));
    let hold = |id: &str, ttl: &str| {
        let args =
            ["reserve", "--addr", server.grpc_addr(), "--account", "tenants/ai/users/u1", "--meter", "training.runs"];
        let output = cli(args.iter().chain(&["--amount", "1", "--ttl", ttl, "--id", id]));
        assert_eq!(output.status, Some(0), "{output:?}");
    };
    hold("left-alone", "1s");
    hold("open", "60s");
    assert_eq!(server.metric(REDIS_UP), 1);
    assert_eq!(server.metric("quotad_verifies_total"), 0, "a start is none");
    assert!(server.metric("quotad_script_seconds_count") >= 2);
    // The number of calls first: they go on between the two looks.
    let calls = server.metric("quotad_batch_commands_count");
    assert!(server.metric("quotad_batch_commands_sum") >= calls);
    until("the hold's end is counted", || server.metric("quotad_expired_total{rule=\"charge\"}") == 1);
    drop(redis);
    until("Redis is missed", || server.metric(REDIS_UP) == 0);
}
