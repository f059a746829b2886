//! One signal's way to the collector: what was lost on it is counted, and a collector that does not answer is told of once.

use crate::telemetry::fields;
use crate::telemetry::metrics::{TELEMETRY_DROPPED_TOTAL, TELEMETRY_FAILED_EXPORTS_TOTAL, install};
use metrics::{Counter, counter};
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the way knows of itself.
#[derive(Debug)]
pub(super) struct Outlet {
    signal: &'static str,
    /// Whether the last export failed, which the log has been told then.
    down: AtomicBool,
    dropped: Counter,
    failed: Counter,
}

impl Outlet {
    /// The way of `traces` or `metrics`. Installs the recorder.
    pub(super) fn new(signal: &'static str) -> Self {
        install();
        let dropped = counter!(TELEMETRY_DROPPED_TOTAL, fields::SIGNAL => signal);
        let failed = counter!(TELEMETRY_FAILED_EXPORTS_TOTAL, fields::SIGNAL => signal);
        Outlet { signal, down: AtomicBool::new(false), dropped, failed }
    }

    /// Counts so many spans or points that were not even sent.
    pub(super) fn dropped(&self, count: usize) {
        self.dropped.increment(count as u64);
    }

    /// Counts an export of so many spans or points that failed. The first one after a good one has a line in the log.
    pub(super) fn failed(&self, count: usize, error: impl Display) {
        self.failed.increment(1);
        self.dropped(count);
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                { fields::SIGNAL } = self.signal,
                { fields::ERROR } = %error,
                "the OTLP collector takes nothing; calls go on, and what is lost is counted until it is back"
            );
        }
    }

    /// Notes an export that arrived. The first one after a failure has a line in the log.
    pub(super) fn arrived(&self) {
        if self.down.swap(false, Ordering::Relaxed) {
            tracing::info!({ fields::SIGNAL } = self.signal, "the OTLP collector takes what it is sent again");
        }
    }
}
