//! The gauges that nobody keeps up to date: set when somebody looks.

use crate::engine::operation::Counters;
use crate::engine::spool::shelf::Shelf;
use crate::engine::tasks::flush::Flushers;
use crate::telemetry::metrics;

/// Sets them from the stores' own figures.
pub(super) fn gauges(counters: &dyn Counters, flushers: &Flushers, shelf: Option<&Shelf>) {
    let engine = metrics::engine();
    let (mut head, mut flushed, mut entries, mut open, mut values) = (0, 0, 0, 0, 0);
    for partition in 0..counters.partitions() {
        let figures = counters.figures(partition);
        head += counters.head(partition).seq;
        flushed += flushers.watermark(partition);
        entries += figures.unflushed;
        open += figures.open_reservations;
        values += figures.counters;
    }
    engine.journal_head.set(head as f64);
    engine.journal_watermark.set(flushed as f64);
    engine.unflushed_entries.set(entries as f64);
    engine.open_reservations.set(open as f64);
    engine.counters.set(values as f64);
    engine.spool_entries.set(shelf.map_or(0, Shelf::len) as f64);
    engine.spool_bytes.set(shelf.map_or(0, Shelf::size) as f64);
    engine.unflushed_seconds.set(flushers.behind().as_secs_f64());
}
