//! The numbers of entries: dense within an incarnation, from where it begins to where it ended, or to the watermark.

use super::context::Audit;
use crate::engine::audit::{Drift, Finding};
use crate::engine::ports::{Watermark, known_lost};
use std::collections::BTreeMap;

/// The place of a row in the ledger's entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct At {
    pub(super) partition: i64,
    pub(super) incarnation: i64,
    pub(super) seq: i64,
    pub(super) idx: i64,
}

/// Where an incarnation begins: after which entry of the one before, and after which number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    pub(super) after: i64,
    pub(super) seq: i64,
}

/// The numbers seen so far, and those that are to be expected.
pub(super) struct Numbers {
    begins: BTreeMap<(i64, i64), Begin>,
    watermarks: BTreeMap<i64, Watermark>,
    last: Option<(At, i64)>,
    /// The highest entry of each incarnation.
    highest: BTreeMap<(i64, i64), (i64, i64)>,
}

impl Numbers {
    pub(super) fn new(begins: BTreeMap<(i64, i64), Begin>, watermarks: BTreeMap<i64, Watermark>) -> Numbers {
        Numbers { begins, watermarks, last: None, highest: BTreeMap::new() }
    }

    /// Takes the next row, written at `time`.
    pub(super) fn see(&mut self, audit: &mut Audit<'_>, at: At, time: i64) {
        let before = self.last.replace((at, time)).filter(|(last, _)| same(last, &at));
        self.highest.insert((at.partition, at.incarnation), (at.seq, time));
        let told = match before {
            Some((last, _)) if last.seq == at.seq => {
                if at.idx != last.idx + 1 {
                    gap(audit, at, "line", last.idx + 1, at.idx - 1);
                }
                return;
            }
            Some((last, written)) => (last.seq, written),
            None => (self.begin(at.partition, at.incarnation), i64::MIN),
        };
        if at.seq != told.0 + 1 && !audit.is_pruned(told.1) {
            gap(audit, at, "entry", told.0 + 1, at.seq - 1);
        }
        if at.idx != 0 {
            gap(audit, at, "line", 0, at.idx - 1);
        }
    }

    /// Compares the ends when everything was seen.
    pub(super) fn finish(self, audit: &mut Audit<'_>) {
        for (partition, watermark) in &self.watermarks {
            let incarnation = watermark.incarnation.cast_signed();
            self.end(audit, (*partition, incarnation), watermark.seq.cast_signed(), Drift::Watermark);
        }
        for ((partition, incarnation), begin) in &self.begins {
            audit.report.lost += known_lost(u64::try_from(begin.seq - begin.after).unwrap_or(0));
            let before = |key: &&(i64, i64)| key.0 == *partition && key.1 < *incarnation;
            let ended = self.begins.keys().chain(self.highest.keys()).filter(before).max();
            // One that never wrote ended where it began.
            if let Some(ended) = ended {
                self.end(audit, *ended, begin.after, Drift::EntryGap);
            }
        }
        for ((partition, incarnation), (seq, _)) in &self.highest {
            let watermark = self.watermarks.get(partition).copied().unwrap_or_default();
            if *incarnation > watermark.incarnation.cast_signed() {
                let place = format!("partition {partition}, incarnation {incarnation}");
                audit.found(found(Drift::Watermark, place, Some(watermark.seq.cast_signed()), Some(*seq)));
            }
        }
    }

    /// The number after which an incarnation begins.
    fn begin(&self, partition: i64, incarnation: i64) -> i64 {
        self.begins.get(&(partition, incarnation)).map_or(0, |begin| begin.seq)
    }

    /// Compares the highest entry of an incarnation with the number at which it must end.
    fn end(&self, audit: &mut Audit<'_>, (partition, incarnation): (i64, i64), end: i64, drift: Drift) {
        let begin = self.begin(partition, incarnation);
        let (highest, time) = self.highest.get(&(partition, incarnation)).copied().unwrap_or((begin, i64::MIN));
        if highest == end || (highest < end && audit.is_pruned(time)) {
            return;
        }
        let place = format!("partition {partition}, incarnation {incarnation}");
        audit.found(found(drift, place, Some(end), Some(highest)));
    }
}

fn same(left: &At, right: &At) -> bool {
    (left.partition, left.incarnation) == (right.partition, right.incarnation)
}

fn gap(audit: &mut Audit<'_>, at: At, what: &'static str, first: i64, last: i64) {
    let At { partition, incarnation, seq, .. } = at;
    let place = match what {
        "line" => format!("partition {partition}, incarnation {incarnation}, entry {seq}, lines {first} to {last}"),
        _ => format!("partition {partition}, incarnation {incarnation}, entries {first} to {last}"),
    };
    audit.found(Finding { figure: what, ..found(Drift::EntryGap, place, None, Some(last - first + 1)) });
}

fn found(drift: Drift, place: String, kept: Option<i64>, expected: Option<i64>) -> Finding {
    Finding { drift, place, figure: "last entry", kept, expected, repaired: false }
}
