//! The port of an audit: what the ledger's sums must be by its own entries, and where they are not.

use super::ports::{Boxed, CounterKey, StoreError};
use crate::domain::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// How to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditOptions {
    /// Whether what follows from entries and postings is written anew where it differs.
    pub repair: bool,
    /// How many findings are told one by one; all are counted.
    pub listed: usize,
    /// Rows of a table that are read at a time: what bounds the memory.
    pub step: u32,
}

impl Default for AuditOptions {
    fn default() -> AuditOptions {
        AuditOptions { repair: false, listed: 100, step: 5_000 }
    }
}

/// What can be wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// Numbers of an incarnation, or lines of an entry, that are not there although later ones are.
    EntryGap,
    /// The watermark is not at the highest entry.
    Watermark,
    /// A posting of which there is no entry.
    EntryMissing,
    /// A line's use that does not stand on an account of its path.
    PostingMissing,
    /// A posting that says something else than its entry.
    Posting,
    /// A reservation whose held or committed amount is not the sum of its entries.
    Reservation,
    /// A quarter-hour roll-up that is not the sum of its postings.
    Rollup,
    /// A lifetime counter that is not the sum of its postings.
    Counter,
    /// A partition of the counter store that does not go with the ledger.
    LivePartition,
    /// A counter in the store that is not what ledger, journal and open reservations make it.
    LiveCounter,
    /// A reservation that is open in the store and not in ledger and journal, or the other way, or another there.
    LiveReservation,
}

impl Drift {
    /// What it is called in text.
    pub fn name(self) -> &'static str {
        match self {
            Drift::EntryGap => "missing entries",
            Drift::Watermark => "watermark",
            Drift::EntryMissing => "postings without an entry",
            Drift::PostingMissing => "missing postings",
            Drift::Posting => "postings unlike their entry",
            Drift::Reservation => "reservations",
            Drift::Rollup => "roll-ups",
            Drift::Counter => "lifetime counters",
            Drift::LivePartition => "partitions in Redis",
            Drift::LiveCounter => "counters in Redis",
            Drift::LiveReservation => "reservations in Redis",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub drift: Drift,
    /// Where: an account and a meter, a partition and an entry, a reservation.
    pub place: String,
    /// Which figure of it.
    pub figure: &'static str,
    /// What is there, in the meter's smallest unit or as a number of an entry; `None`: nothing.
    pub kept: Option<i64>,
    /// What must be there by the entries; `None`: nothing, or it can't be known.
    pub expected: Option<i64>,
    /// Whether this call wrote it anew, or made the counter store ask the ledger anew.
    pub repaired: bool,
}

/// What an audit found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct AuditReport {
    /// How many of each table were looked at: entries, postings, roll-ups, counters, reservations.
    pub looked_at: BTreeMap<&'static str, u64>,
    /// How many things are wrong, by kind.
    pub drift: BTreeMap<Drift, u64>,
    /// How many of them were written anew.
    pub repaired: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
    /// Figures that were cut to 0 to 2^53-1 on their way (rule 16), so that no sum tells them; not compared.
    pub cut: u64,
    /// Entries that are known to have gone with a counter store between two incarnations (reported, no drift).
    pub lost: u64,
    /// Below this time history was pruned: what it made can't be summed anew.
    pub pruned_before: Option<Timestamp>,
    /// Figures that were not compared because their history was pruned.
    pub pruned: u64,
    /// Counters in the store that were not compared: they are being loaded from the ledger, or change their windows at every
    /// look.
    pub loading: u64,
    /// What else is to be known.
    pub notes: Vec<String>,
}

impl AuditReport {
    /// Counts a finding, and lists it while there are fewer than `listed`; answers its place in the list.
    pub fn found(&mut self, finding: Finding, listed: usize) -> Option<usize> {
        *self.drift.entry(finding.drift).or_default() += 1;
        if self.findings.len() >= listed {
            return None;
        }
        self.findings.push(finding);
        Some(self.findings.len() - 1)
    }

    /// Notes that so many findings were repaired; those that are listed are marked.
    pub fn mark_repaired(&mut self, findings: &[Option<usize>]) {
        self.repaired += findings.len() as u64;
        for at in findings.iter().flatten() {
            if let Some(finding) = self.findings.get_mut(*at) {
                finding.repaired = true;
            }
        }
    }

    /// Adds what another look found, of whose findings as many are listed as there is room for.
    pub fn absorb(&mut self, more: AuditReport, listed: usize) {
        for (table, rows) in more.looked_at {
            *self.looked_at.entry(table).or_default() += rows;
        }
        for (drift, count) in more.drift {
            *self.drift.entry(drift).or_default() += count;
        }
        let room = listed.saturating_sub(self.findings.len());
        self.findings.extend(more.findings.into_iter().take(room));
        self.repaired += more.repaired;
        self.cut += more.cut;
        self.lost += more.lost;
        self.pruned_before = self.pruned_before.max(more.pruned_before);
        self.pruned += more.pruned;
        self.loading += more.loading;
        self.notes.extend(more.notes);
    }

    /// How many things are wrong and stay so.
    pub fn remaining(&self) -> u64 {
        self.drift.values().sum::<u64>().saturating_sub(self.repaired)
    }

    /// Whether everything was right at the first look.
    pub fn is_clean(&self) -> bool {
        self.drift.is_empty()
    }
}

/// What a partition's journal has and the ledger lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// The partition.
    pub partition: u32,
    /// How many entries.
    pub entries: u64,
    /// When the oldest of them was written, in the store's time.
    pub since: Option<Timestamp>,
    /// Whether the partition may decide: it is not being loaded.
    pub open: bool,
}

/// Told from time to time: what is looked at, and how many rows of it so far.
pub type Progress<'a> = &'a (dyn Fn(&str, u64) + Send + Sync);

/// Somebody who can audit a ledger.
pub trait Auditor: Send + Sync {
    /// Recomputes what the ledger's sums must be from its entries, on one snapshot, and says what differs. With `repair`
    /// it writes roll-ups and counters, and postings where entries tell them, anew in bounded transactions; doing it
    /// again changes nothing more.
    fn audit<'a>(&'a self, options: AuditOptions, progress: Progress<'a>)
    -> Boxed<'a, Result<AuditReport, StoreError>>;

    /// A counter as people call it, by account and meter; with the bare numbers where the ledger has no names.
    fn name(&self, counter: CounterKey) -> Boxed<'_, Result<String, StoreError>>;
}
