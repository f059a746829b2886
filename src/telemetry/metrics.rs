//! Every instrument: its name, its meaning, and handles that are looked up once, because a lookup by name on every call would cost
//! as much as a decision.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::fields;

/// Calls answered, by rpc and code.
pub const REQUESTS_TOTAL: &str = "quotad_requests_total";
/// Time from request to the head of the answer, by rpc.
pub const REQUEST_SECONDS: &str = "quotad_request_seconds";
/// Decisions, by rpc, outcome and cause.
pub const DECISIONS_TOTAL: &str = "quotad_decisions_total";
/// Open gRPC connections.
pub const CONNECTIONS: &str = "quotad_connections";
/// Calls being worked on.
pub const INFLIGHT: &str = "quotad_inflight";
/// Calls, and operations of streams, refused because too many were being worked on, by rank.
pub const SHED_TOTAL: &str = "quotad_shed_total";
/// Calls refused because the counter store takes longer at the moment than their callers would wait, by rank.
pub const TOO_LATE_TOTAL: &str = "quotad_too_late_total";
/// Always 1; the label says which version runs.
pub const BUILD_INFO: &str = "quotad_build_info";
/// The last sequence number of the journal.
pub const JOURNAL_HEAD: &str = "quotad_journal_head";
/// The last sequence number that is in the ledger.
pub const JOURNAL_WATERMARK: &str = "quotad_journal_watermark";
/// Journal entries not yet in the ledger.
pub const UNFLUSHED_ENTRIES: &str = "quotad_unflushed_entries";
/// Age of the oldest journal entry not yet in the ledger.
pub const UNFLUSHED_SECONDS: &str = "quotad_unflushed_seconds";
/// Time of one flush to the ledger, with its pauses.
pub const FLUSH_SECONDS: &str = "quotad_flush_seconds";
/// Journal entries posted to the ledger.
pub const FLUSHED_ENTRIES_TOTAL: &str = "quotad_flushed_entries_total";
/// Journal entries that were answered and went with a counter store's state before they reached the ledger.
pub const LOST_ENTRIES_TOTAL: &str = "quotad_lost_entries_total";
/// Reservations that still hold.
pub const OPEN_RESERVATIONS: &str = "quotad_open_reservations";
/// Reservations that nobody answered in time, by the rule that settled them.
pub const EXPIRED_TOTAL: &str = "quotad_expired_total";
/// Commits that came after the deadline and were recorded.
pub const LATE_TOTAL: &str = "quotad_late_total";
/// Commits above what was held and above the limit.
pub const OVERRUN_TOTAL: &str = "quotad_overrun_total";
/// Commits of reservations that were no longer known.
pub const RECOVERED_TOTAL: &str = "quotad_recovered_total";
/// Decisions that had to read the ledger first.
pub const MISSES_TOTAL: &str = "quotad_misses_total";
/// Decisions planned again because the catalog changed under them.
pub const REPLANS_TOTAL: &str = "quotad_replans_total";
/// Calls granted without the counter store, on meters that fail open.
pub const UNENFORCED_TOTAL: &str = "quotad_unenforced_total";
/// Entries of the spool that the counter store does not know yet.
pub const SPOOL_ENTRIES: &str = "quotad_spool_entries";
/// Bytes of the spool on the disk.
pub const SPOOL_BYTES: &str = "quotad_spool_bytes";
/// Entries of the spool that were sent after, by outcome.
pub const SPOOL_REPLAYED_TOTAL: &str = "quotad_spool_replayed_total";
/// Calls refused because the spool was full or could not be written.
pub const SPOOL_REFUSED_TOTAL: &str = "quotad_spool_refused_total";
/// Decisions, by meter and outcome; the first hundred meters by name, all others as `other`.
pub const METER_DECISIONS_TOTAL: &str = "quotad_meter_decisions_total";
/// Commands that went to Redis in one script call.
pub const BATCH_COMMANDS: &str = "quotad_batch_commands";
/// Time of one script call, to Redis and back.
pub const SCRIPT_SECONDS: &str = "quotad_script_seconds";
/// How often a partition's counter store was found to be another one, or to have forgotten.
pub const VERIFIES_TOTAL: &str = "quotad_verifies_total";
/// 1 while a backend answers, 0 while it does not, by backend.
pub const BACKEND_UP: &str = "quotad_backend_up";
/// When this replica last knew the catalog's version in the database, in seconds since 1970.
pub const CATALOG_FOLLOWED: &str = "quotad_catalog_followed_timestamp_seconds";
/// The version up to which this replica follows the catalog.
pub const CATALOG_VERSION: &str = "quotad_catalog_version";
/// Counters in memory.
pub const COUNTERS: &str = "quotad_counters";
/// Spans and points of metrics that did not reach the collector, by signal.
pub const TELEMETRY_DROPPED_TOTAL: &str = "quotad_telemetry_dropped_total";
/// Exports to the collector that failed, by signal.
pub const TELEMETRY_FAILED_EXPORTS_TOTAL: &str = "quotad_telemetry_failed_exports_total";

/// Bounds of the histograms in seconds, from a cached decision to a stuck disk.
const SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Bounds of the sizes of batches.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// How often histograms are folded; between two folds they keep every sample.
const UPKEEP: Duration = Duration::from_secs(5);

/// When the recorder was installed, and every counter was zero.
static SINCE: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

/// When every counter of the process was zero.
pub fn since() -> SystemTime {
    *SINCE
}

/// Installs the recorder of the process on the first call and gives the handle that renders it.
///
/// Several servers in one process share it. If the embedding program has installed another recorder, that one gets the
/// samples and this handle renders nothing.
pub fn install() -> PrometheusHandle {
    static HANDLE: LazyLock<PrometheusHandle> = LazyLock::new(|| {
        LazyLock::force(&SINCE);
        let sizes = Matcher::Full(BATCH_COMMANDS.to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(sizes, SIZES))
            // Only an empty list of bounds is refused, and these are not empty: summaries would still be of use.
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed; /metrics stays empty");
        }
        describe();
        gauge!(BUILD_INFO, fields::VERSION => env!("CARGO_PKG_VERSION")).set(1.0);
        handle
    });
    HANDLE.clone()
}

/// Folds histograms until it is dropped; one such task per process is enough, more do no harm.
pub async fn upkeep(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

fn describe() {
    use metrics::{describe_counter as c, describe_gauge as g, describe_histogram as h};
    c!(REQUESTS_TOTAL, "Calls answered");
    h!(REQUEST_SECONDS, Unit::Seconds, "Time from request to the head of the answer");
    c!(DECISIONS_TOTAL, "Decisions");
    g!(CONNECTIONS, "Open gRPC connections");
    g!(INFLIGHT, "Calls being worked on");
    c!(SHED_TOTAL, "Calls refused because too many were being worked on");
    c!(TOO_LATE_TOTAL, "Calls refused because the counter store takes longer than their callers would wait");
    g!(BUILD_INFO, "Always 1; the label says which version runs");
    g!(JOURNAL_HEAD, "Last sequence number of the journal");
    g!(JOURNAL_WATERMARK, "Last sequence number that is in the ledger");
    g!(UNFLUSHED_ENTRIES, "Journal entries not yet in the ledger");
    g!(UNFLUSHED_SECONDS, Unit::Seconds, "Age of the oldest journal entry not yet in the ledger");
    h!(FLUSH_SECONDS, Unit::Seconds, "Time of one flush to the ledger, with its pauses");
    c!(FLUSHED_ENTRIES_TOTAL, "Journal entries posted to the ledger");
    c!(LOST_ENTRIES_TOTAL, "Journal entries that went with a counter store's state before they reached the ledger");
    g!(OPEN_RESERVATIONS, "Reservations that still hold");
    c!(EXPIRED_TOTAL, "Reservations that nobody answered in time");
    c!(LATE_TOTAL, "Commits that came after the deadline and were recorded");
    c!(OVERRUN_TOTAL, "Commits above what was held and above the limit");
    c!(RECOVERED_TOTAL, "Commits of reservations that were no longer known");
    c!(MISSES_TOTAL, "Decisions that had to read the ledger first");
    c!(REPLANS_TOTAL, "Decisions planned again because the catalog changed under them");
    c!(UNENFORCED_TOTAL, "Calls granted without the counter store, on meters that fail open");
    g!(SPOOL_ENTRIES, "Entries of the spool that the counter store does not know yet");
    g!(SPOOL_BYTES, Unit::Bytes, "Bytes of the spool on the disk");
    c!(SPOOL_REPLAYED_TOTAL, "Entries of the spool that were sent after");
    c!(SPOOL_REFUSED_TOTAL, "Calls refused because the spool was full or could not be written");
    g!(COUNTERS, "Counters in memory");
    c!(METER_DECISIONS_TOTAL, "Decisions by meter");
    h!(BATCH_COMMANDS, Unit::Count, "Commands that went to Redis in one script call");
    h!(SCRIPT_SECONDS, Unit::Seconds, "Time of one script call, to Redis and back");
    c!(VERIFIES_TOTAL, "How often a partition's counter store was found to be another one, or to have forgotten");
    g!(BACKEND_UP, "1 while a backend answers, 0 while it does not");
    g!(CATALOG_VERSION, "The version up to which this replica follows the catalog");
    c!(TELEMETRY_DROPPED_TOTAL, "Spans and points of metrics that did not reach the collector");
    c!(TELEMETRY_FAILED_EXPORTS_TOTAL, "Exports to the collector that failed");
    g!(CATALOG_FOLLOWED, Unit::Seconds, "When this replica last knew the catalog's version, in seconds since 1970");
}

/// The instruments of the engine and the ledger, one handle each.
pub struct EngineMetrics {
    /// [`JOURNAL_HEAD`].
    pub journal_head: Gauge,
    /// [`JOURNAL_WATERMARK`].
    pub journal_watermark: Gauge,
    /// [`UNFLUSHED_ENTRIES`].
    pub unflushed_entries: Gauge,
    /// [`UNFLUSHED_SECONDS`].
    pub unflushed_seconds: Gauge,
    /// [`FLUSH_SECONDS`].
    pub flush_seconds: Histogram,
    /// [`FLUSHED_ENTRIES_TOTAL`].
    pub flushed_entries: Counter,
    /// [`LOST_ENTRIES_TOTAL`].
    pub lost_entries: Counter,
    /// [`OPEN_RESERVATIONS`].
    pub open_reservations: Gauge,
    /// [`LATE_TOTAL`].
    pub late: Counter,
    /// [`OVERRUN_TOTAL`].
    pub overrun: Counter,
    /// [`RECOVERED_TOTAL`].
    pub recovered: Counter,
    /// [`MISSES_TOTAL`].
    pub misses: Counter,
    /// [`REPLANS_TOTAL`].
    pub replans: Counter,
    /// [`COUNTERS`].
    pub counters: Gauge,
    /// [`BATCH_COMMANDS`].
    pub batch_commands: Histogram,
    /// [`SCRIPT_SECONDS`].
    pub script_seconds: Histogram,
    /// [`VERIFIES_TOTAL`].
    pub verifies: Counter,
    /// [`BACKEND_UP`] of Redis; like the next four it is told of once it is known, for an alert would take 0 for an outage.
    pub redis_up: LazyLock<Gauge>,
    /// [`BACKEND_UP`] of the database, whichever it is.
    pub database_up: LazyLock<Gauge>,
    /// [`BACKEND_UP`] of the database's notifications, where it has any.
    pub listener_up: LazyLock<Gauge>,
    /// [`CATALOG_FOLLOWED`].
    pub catalog_followed: LazyLock<Gauge>,
    /// [`CATALOG_VERSION`].
    pub catalog_version: LazyLock<Gauge>,
    /// [`UNENFORCED_TOTAL`].
    pub unenforced: Counter,
    /// [`SPOOL_ENTRIES`].
    pub spool_entries: Gauge,
    /// [`SPOOL_BYTES`].
    pub spool_bytes: Gauge,
    /// [`SPOOL_REFUSED_TOTAL`].
    pub spool_refused: Counter,
}

impl EngineMetrics {
    /// Counts `count` reservations settled at their deadline by `rule`, which is one of a small fixed set of words.
    pub fn expired(&self, rule: &'static str, count: u64) {
        counter!(EXPIRED_TOTAL, fields::RULE => rule).increment(count);
    }

    /// Notes a script call for so many commands.
    pub fn script(&self, commands: usize, took: Duration) {
        self.batch_commands.record(commands as f64);
        self.script_seconds.record(took);
    }

    /// Notes that the catalog's version is known now, and is followed.
    pub fn followed(&self, version: u64) {
        self.catalog_version.set(version as f64);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.catalog_followed.set(now.as_secs_f64());
    }

    /// Counts an entry of the spool that was sent after; `outcome` is one of a small fixed set of words.
    pub fn replayed(&self, outcome: &'static str) {
        counter!(SPOOL_REPLAYED_TOTAL, fields::OUTCOME => outcome).increment(1);
    }
}

/// The engine's instruments. Installs the recorder.
pub fn engine() -> &'static EngineMetrics {
    static ENGINE: LazyLock<EngineMetrics> = LazyLock::new(|| {
        install();
        EngineMetrics {
            journal_head: gauge!(JOURNAL_HEAD),
            journal_watermark: gauge!(JOURNAL_WATERMARK),
            unflushed_entries: gauge!(UNFLUSHED_ENTRIES),
            unflushed_seconds: gauge!(UNFLUSHED_SECONDS),
            flush_seconds: histogram!(FLUSH_SECONDS),
            flushed_entries: counter!(FLUSHED_ENTRIES_TOTAL),
            lost_entries: counter!(LOST_ENTRIES_TOTAL),
            open_reservations: gauge!(OPEN_RESERVATIONS),
            late: counter!(LATE_TOTAL),
            overrun: counter!(OVERRUN_TOTAL),
            recovered: counter!(RECOVERED_TOTAL),
            misses: counter!(MISSES_TOTAL),
            replans: counter!(REPLANS_TOTAL),
            counters: gauge!(COUNTERS),
            batch_commands: histogram!(BATCH_COMMANDS),
            script_seconds: histogram!(SCRIPT_SECONDS),
            verifies: counter!(VERIFIES_TOTAL),
            redis_up: LazyLock::new(|| gauge!(BACKEND_UP, fields::BACKEND => "redis")),
            database_up: LazyLock::new(|| gauge!(BACKEND_UP, fields::BACKEND => "database")),
            listener_up: LazyLock::new(|| gauge!(BACKEND_UP, fields::BACKEND => "listener")),
            catalog_version: LazyLock::new(|| gauge!(CATALOG_VERSION)),
            catalog_followed: LazyLock::new(|| gauge!(CATALOG_FOLLOWED)),
            unenforced: counter!(UNENFORCED_TOTAL),
            spool_entries: gauge!(SPOOL_ENTRIES),
            spool_bytes: gauge!(SPOOL_BYTES),
            spool_refused: counter!(SPOOL_REFUSED_TOTAL),
        }
    });
    &ENGINE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::calls::RpcMetrics;
    use crate::telemetry::decisions::DecisionMetrics;

    #[test]
    fn instruments_appear_with_labels_and_buckets() {
        let handle = install();
        RpcMetrics::new("test.Service/Method").answered(Some(5), Duration::from_micros(80));
        RpcMetrics::new("test.Service/Method").answered(None, Duration::from_micros(80));
        let decisions = DecisionMetrics::new("test.Service/Method", &["SPENT", "NO_QUOTA"]);
        decisions.granted();
        decisions.denied(1);
        decisions.denied(9);
        engine().flush_seconds.record(0.2);
        engine().expired("test-rule", 3);
        let text = handle.render();
        for expected in [
            "# HELP quotad_requests_total Calls answered",
            "quotad_requests_total{rpc=\"test.Service/Method\",code=\"NOT_FOUND\"} 1",
            "quotad_requests_total{rpc=\"test.Service/Method\",code=\"HTTP\"} 1",
            "quotad_request_seconds_bucket{rpc=\"test.Service/Method\",le=\"0.0001\"} 2",
            "quotad_request_seconds_bucket{rpc=\"test.Service/Method\",le=\"0.00005\"} 0",
            "outcome=\"denied\",cause=\"NO_QUOTA\"} 1",
            "quotad_flush_seconds_bucket{le=\"0.25\"}",
            "quotad_expired_total{rule=\"test-rule\"} 3",
            "quotad_build_info{version=",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }
}
