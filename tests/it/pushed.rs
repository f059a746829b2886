//! Metrics by OTLP: what a collector is sent is what `/metrics` shows, and a collector that is away is told of once.

use crate::api::helpers::*;
use crate::support::redis::until;
use crate::support::{Collector, Options, Server, Shared, TempDir, authority, certificate, unused_addr};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, ResourceMetrics, metric::Data, number_data_point::Value,
};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

const RESERVES: &str = "quotad_decisions_total{rpc=\"Reserve\",outcome=\"granted\",cause=\"none\"}";
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that pushes to `endpoint` every second, and every span almost at once.
fn options(endpoint: &str) -> Options {
    let options = Options::new().catalog(catalog()).arg("--otlp-endpoint").arg(endpoint);
    options.arg("--otlp-metrics-interval-seconds").arg("1").env("OTEL_BSP_SCHEDULE_DELAY", "50")
}

/// The lines of a page that are values, in the order of their names, each value as a number.
fn page(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let value = |text: &str| text.parse::<f64>().unwrap().to_string();
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(name, text)| (name.to_owned(), value(text))).collect()
}

/// What was pushed, as the same lines.
fn pushed(push: &ResourceMetrics) -> BTreeMap<String, String> {
    push.scope_metrics.iter().flat_map(|scope| &scope.metrics).flat_map(lines).collect()
}

fn text(attribute: &KeyValue) -> String {
    match attribute.value.clone().unwrap().value.unwrap() {
        any_value::Value::StringValue(text) => text,
        other => panic!("{other:?}"),
    }
}

fn lines(metric: &Metric) -> Vec<(String, String)> {
    let named = |part: &str, attributes: &[KeyValue], le: Option<String>| {
        let labels =
            attributes.iter().map(|one| (one.key.clone(), text(one))).chain(le.map(|le| ("le".to_owned(), le)));
        let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={value:?}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        format!("{}{part}{labels}", metric.name)
    };
    let number = |value: Option<Value>| match value.unwrap() {
        Value::AsInt(count) => count.to_string(),
        Value::AsDouble(value) => value.to_string(),
    };
    let cumulative = AggregationTemporality::Cumulative as i32;
    match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => {
            assert!(sum.is_monotonic && sum.aggregation_temporality == cumulative, "{metric:?}");
            let begun = |begin: u64, end: u64| assert!(begin > 0 && begin <= end, "{metric:?}");
            sum.data_points.iter().for_each(|point| begun(point.start_time_unix_nano, point.time_unix_nano));
            sum.data_points.iter().map(|point| (named("", &point.attributes, None), number(point.value))).collect()
        }
        Data::Gauge(gauge) => {
            gauge.data_points.iter().map(|point| (named("", &point.attributes, None), number(point.value))).collect()
        }
        Data::Histogram(histogram) => {
            assert_eq!(histogram.aggregation_temporality, cumulative, "{metric:?}");
            let mut lines = Vec::new();
            for point in &histogram.data_points {
                let bounds = point.explicit_bounds.iter().map(f64::to_string).chain([String::from("+Inf")]);
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1, "{metric:?}");
                let mut count = 0;
                for (bound, more) in bounds.zip(&point.bucket_counts) {
                    count += more;
                    lines.push((named("_bucket", &point.attributes, Some(bound)), count.to_string()));
                }
                lines.push((named("_sum", &point.attributes, None), point.sum.unwrap().to_string()));
                lines.push((named("_count", &point.attributes, None), point.count.to_string()));
            }
            lines
        }
        other => panic!("{other:?}"),
    }
}

/// Waits for a push that says what the page says: all of it, to the last label and value.
async fn the_same_is_pushed(server: &Server, collector: &Collector) {
    let begin = Instant::now();
    loop {
        let shown = page(&server.metrics());
        let seen = collector.pushes().len();
        while collector.pushes().len() == seen {
            assert!(begin.elapsed() < PATIENCE, "{seen} pushes and no more: {}", server.stderr());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let sent = pushed(&collector.pushes()[seen]);
        if sent == shown {
            return;
        }
        // Something was still going on; the names are the same all the same, once all have come up.
        assert!(begin.elapsed() < PATIENCE, "pushed:\n{sent:#?}\nshown:\n{shown:#?}");
    }
}

async fn work(server: &Server) {
    for number in 0..5 {
        granted(server.quota().reserve(reserve(&format!("r{number}"), runs("u2", 1))).await.unwrap().into_inner());
    }
    server.quota().commit(commit("r1", vec![])).await.unwrap();
    server.quota().commit(commit("none", vec![])).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_what_is_shown() {
    let (collector, endpoint) = Collector::start().await;
    let token = ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken");
    let mut server = Server::start(options(&endpoint).env(token.0, token.1));
    work(&server).await;
    the_same_is_pushed(&server, &collector).await;
    let all = pushed(collector.pushes().last().unwrap());
    assert_eq!(all.get(RESERVES).map(String::as_str), Some("5"), "{all:#?}");
    assert!(all.contains_key("quotad_request_seconds_bucket{rpc=\"quotad.v1.QuotaService/Reserve\",le=\"0.00005\"}"));
    assert!(
        collector.tokens().iter().all(|token| token.as_deref() == Some("Bearer t0ken")),
        "{:?}",
        collector.tokens()
    );

    let resource = collector.pushes()[0].resource.clone().unwrap().attributes;
    let of = |key: &str| resource.iter().find(|one| one.key == key).map(text).unwrap_or_default();
    assert_eq!((of("service.name"), of("service.version")), ("quotad".into(), env!("CARGO_PKG_VERSION").into()));
    assert!(!of("service.instance.id").is_empty(), "replicas can't be told apart");

    // The last push comes after the last flush: it knows of everything, and of nothing that is left.
    granted(server.quota().reserve(reserve("last", runs("u2", 1))).await.unwrap().into_inner());
    assert!(server.terminate().success(), "{}", server.stderr());
    let all = pushed(collector.pushes().last().unwrap());
    let of = |name: &str| all.get(name).map(String::as_str);
    assert_eq!(of(RESERVES), Some("6"), "{all:#?}");
    assert_eq!(of("quotad_unflushed_entries"), Some("0"), "{all:#?}");
    assert!(
        of("quotad_journal_head").is_some() && of("quotad_journal_head") == of("quotad_journal_watermark"),
        "{all:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_from_redis_is_what_is_shown() {
    let shared = Shared::with_postgres();
    let (collector, endpoint) = Collector::start().await;
    let server = Server::start(shared.installation(options(&endpoint)));
    work(&server).await;
    let names = |lines: &BTreeMap<String, String>| lines.keys().cloned().collect::<Vec<_>>();
    let begin = Instant::now();
    // It never rests here: what each replica knows of the catalog has a time, and the flusher looks what others did.
    while collector.pushes().last().is_none_or(|push| names(&pushed(push)) != names(&page(&server.metrics()))) {
        assert!(begin.elapsed() < PATIENCE, "{:#?}", collector.pushes().last().map(pushed));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let all = pushed(collector.pushes().last().unwrap());
    assert_eq!(all.get(RESERVES).map(String::as_str), Some("5"), "{all:#?}");
    assert_eq!(all.get("quotad_backend_up{backend=\"redis\"}").map(String::as_str), Some("1"), "{all:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_pushed_only_where_they_are_asked_for() {
    let (collector, endpoint) = Collector::start().await;
    let options = Options::new().catalog(catalog()).arg("--otlp-endpoint").arg(&endpoint).arg("--trace-ratio").arg("1");
    let mut server = Server::start(options.arg("--otlp-metrics-interval-seconds").arg("0"));
    work(&server).await;
    assert!(server.terminate().success(), "{}", server.stderr());
    assert_eq!((collector.pushes().len(), collector.spans().is_empty()), (0, false), "traces only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_is_told_of_once_and_once_when_it_is_back() {
    let port = unused_addr().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let server = Server::start(options(&endpoint).arg("--trace-ratio").arg("1"));
    let of =
        |metric: &str, signal: &str| server.metric(&format!("quotad_telemetry_{metric}_total{{signal=\"{signal}\"}}"));
    let told = |what: &str| {
        let log = server.stderr();
        let about = |signal: &str| {
            log.lines().filter(|line| line.contains(what) && line.contains(&format!("signal=\"{signal}\""))).count()
        };
        (about("traces"), about("metrics"))
    };
    for signal in ["traces", "metrics"] {
        until("two exports failed", || {
            // Calls go on, and each leaves spans that nobody takes.
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(check(&server)));
            of("failed_exports", signal) >= 2
        });
        assert!(of("dropped", signal) > of("failed_exports", signal), "more than one went in each");
    }
    assert_eq!(told("takes nothing"), (1, 1), "{}", server.stderr());
    assert_eq!(told("again"), (0, 0), "{}", server.stderr());

    let collector = Collector::start_on(port).await;
    until("the collector gets metrics", || !collector.pushes().is_empty());
    until("the log tells that it is back", || {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(check(&server)));
        told("again") == (1, 1)
    });
    assert!(!collector.spans().is_empty());
    assert_eq!(told("takes nothing"), (1, 1), "{}", server.stderr());
    // What was lost meanwhile is a matter of the series, not of the counts.
    the_same_is_pushed(&server, &collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_collector_is_believed_if_an_authority_vouches_for_it() {
    let folder = TempDir::new("collector");
    let (right, wrong) = (authority(folder.path(), "right"), authority(folder.path(), "wrong"));
    certificate(folder.path(), "right", "collector");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let (collector, endpoint) = Collector::start_encrypted(&read("collector.crt"), &read("collector.key")).await;
    let trusting = |authority: &Path| {
        let options = options(&endpoint).arg("--trace-ratio").arg("1");
        Server::start(options.env("SSL_CERT_FILE", authority.to_str().unwrap()))
    };

    let server = trusting(&wrong);
    check(&server).await;
    for signal in ["traces", "metrics"] {
        let failed = format!("quotad_telemetry_failed_exports_total{{signal=\"{signal}\"}}");
        until("a collector that nobody vouches for is sent nothing", || server.metric(&failed) > 0);
    }
    assert_eq!((collector.spans().len(), collector.pushes().len()), (0, 0));

    let server = trusting(&right);
    check(&server).await;
    collector.with(&[], "quotad.v1.QuotaService/Check").await;
    until("metrics arrive", || !collector.pushes().is_empty());
}

/// The queue has ten places, and who empties it waits for a collector that accepts and never answers.
#[tokio::test(flavor = "multi_thread")]
async fn spans_beyond_the_queue_are_dropped_and_counted() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let options = Options::new().catalog(catalog()).env("OTEL_BSP_MAX_QUEUE_SIZE", "10");
    let server = Server::start(options.arg("--otlp-endpoint").arg(endpoint).arg("--trace-ratio").arg("1"));
    let dropped = || server.metric("quotad_telemetry_dropped_total{signal=\"traces\"}");
    assert_eq!(dropped(), 0);
    for _ in 0..100 {
        check(&server).await;
    }
    // Each call left one span at least; ten wait in the queue, and ten are on their way.
    assert!(dropped() >= 80, "{}", server.metrics());
}

async fn check(server: &Server) {
    let request = quotad::proto::v1::CheckRequest { tenant: TENANT.into(), charges: runs("u2", 1) };
    server.quota().check(request).await.unwrap();
}
