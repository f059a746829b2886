//! The data folder: what answers wait for, what the ledger lacks, and how much room there is.

use super::report::{Promise, Report};
use crate::cli::serve::DurabilityArg;
use crate::engine::audit::Backlog;
use crate::store::database::LedgerFacts;
use crate::store::embedded::inspect;
use std::path::Path;
use std::process::Command;

/// A write-ahead log beyond this was not checkpointed for long.
const LONG_LOG: u64 = 1 << 30;
/// Room below which a disk is nearly full, in KiB.
const LITTLE_ROOM: u64 = 1 << 20;
/// Room below which it is full for us.
const NO_ROOM: u64 = 100 << 10;
/// How old, in milliseconds, the oldest entry may be that the ledger lacks, until it is told.
const OLD: i64 = 10_000;
/// Until it is a fault.
const TOO_OLD: i64 = 300_000;

/// Looks at the folder.
pub(super) async fn look(
    data_dir: &Path,
    durability: DurabilityArg,
    ledger: Option<&LedgerFacts>,
    report: &mut Report,
) {
    match durability {
        DurabilityArg::Strict => {
            report.met(Promise::Power, "--durability strict: answers wait for the disk (given an honest fsync)");
        }
        DurabilityArg::Default => report
            .weakened(Promise::Power, "answers wait for the operating system; --durability strict waits for the disk"),
        DurabilityArg::Relaxed => {
            let why = "--durability relaxed: answers wait for nothing";
            report.broken(Promise::Kill, why);
            report.broken(Promise::Power, why);
        }
    }
    room(data_dir, report);
    let bytes = std::fs::metadata(data_dir.join("ledger.db-wal")).map_or(0, |file| file.len());
    if bytes > LONG_LOG {
        report.weakened(Promise::Room, format!("ledger.db-wal has {} MiB: checkpoints do not keep up", bytes >> 20));
    }
    let Some(ledger) = ledger else { return };
    let journal = data_dir.join("journal");
    if data_dir.join("journal.db").is_file() {
        report.note("journal.db is the journal of an earlier version: the next start takes it over");
        return;
    }
    if !journal.is_dir() {
        if ledger.watermarks.values().any(|watermark| watermark.seq > 0) {
            report.broken(Promise::Loss, "the journal is missing: what had not reached the ledger is lost");
        }
        return;
    }
    match inspect::backlog(&journal, &ledger.watermarks) {
        Ok(backlog) => backlogs(&backlog, jiff::Timestamp::now().as_millisecond(), report),
        Err(error) => report.broken(Promise::Loss, error.to_string()),
    }
}

/// Tells how far the ledger is behind, at the time `now` of the clock that decides.
pub(super) fn backlogs(backlog: &[Backlog], now: i64, report: &mut Report) {
    let entries: u64 = backlog.iter().map(|partition| partition.entries).sum();
    let oldest = backlog.iter().filter_map(|partition| partition.since).min();
    let age = oldest.map_or(0, |since| now.saturating_sub(since.millis()).max(0));
    let fact = format!("the ledger lacks {entries} entries, the oldest {} s old", age / 1000);
    report.note(format!("{} partitions; {fact}", backlog.len()));
    let why = format!("{fact}: no server runs, or it can't write the ledger");
    match age {
        TOO_OLD.. => report.broken(Promise::Flush, why),
        OLD.. => report.weakened(Promise::Flush, why),
        _ => {}
    }
}

/// How much room the folder's disk has, by `df`; where there is none, nothing is said.
fn room(data_dir: &Path, report: &mut Report) {
    let output = Command::new("df").arg("-Pk").arg(data_dir).env("LC_ALL", "C").output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    let Some(free) = free(&String::from_utf8_lossy(&text)) else {
        report.note("how much room the disk has could not be asked (df)");
        return;
    };
    let why = format!("{} MiB are free on the disk of {}", free >> 10, data_dir.display());
    if free < NO_ROOM {
        report.broken(Promise::Room, why);
    } else if free < LITTLE_ROOM {
        report.weakened(Promise::Room, why);
    } else {
        report.met(Promise::Room, why);
    }
}

/// The free KiB that `df -Pk` tells.
fn free(text: &str) -> Option<u64> {
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;
    use crate::domain::time::Timestamp;

    #[test]
    fn room_is_read_from_df() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\noverlay 100 60 40 60% /\n";
        assert_eq!((free(text), free("")), (Some(40), None));
    }

    #[test]
    fn a_ledger_that_is_behind_is_told_by_its_oldest_entry() {
        let told = |age: i64| {
            let mut report = Report::default();
            let since = Some(Timestamp::from_millis(1_000_000 - age));
            backlogs(&[Backlog { partition: 0, entries: 5, since, open: true }], 1_000_000, &mut report);
            report.verdict()
        };
        assert_eq!([told(9_000), told(10_000), told(300_000)], [Verdict::Met, Verdict::Weakened, Verdict::Broken]);
    }
}
