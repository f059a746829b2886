//! The figures: one row for each thing measured, each figure the median over the rounds.

use super::catalog::Size;
use super::growth::Growth;
use super::meter::Sample;
use super::on_redis::RedisReport;
use super::open::UNDER_WAY;
use super::options::{Options, cores};
use super::soak::Soak;
use super::start::Start;
use super::strict::Strict;
use serde::Serialize;

/// What the benchmark found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version measured.
    pub version: &'static str,
    /// `release` or `debug`; a debug build says nothing about performance.
    pub build: &'static str,
    /// Cores of the machine, shared by servers and load generator.
    pub cores: usize,
    /// Rounds, of which each figure is the median.
    pub rounds: usize,
    /// Length of one measurement in seconds.
    pub seconds: f64,
    /// Connections of the load generator.
    pub connections: usize,
    /// Calls under way at a time.
    pub in_flight: usize,
    /// Accounts on each path.
    pub levels: usize,
    /// Windows of each account.
    pub windows: usize,
    /// Accounts that are charged.
    pub accounts: u64,
    /// How charges are spread over them: `uniform`, `skewed` or `hot`.
    pub spread: &'static str,
    /// The rows, in the order of the layers.
    pub rows: Vec<Row>,
    /// The same at a rate, open loop, where one was asked for.
    pub open: Vec<OpenRow>,
    /// Calls that may be under way at a time there.
    pub open_under_way: usize,
    /// The engine on Redis, where it was measured.
    pub redis: Option<RedisReport>,
    /// Why it was not, if it was asked for.
    pub redis_missing: Option<&'static str>,
    /// A catalog with few quotas, and one with many.
    pub catalog: Vec<Size>,
    /// Answers that wait for the disk, where they were measured.
    pub strict: Option<Strict>,
    /// Ever more accounts, where that was asked for.
    pub growth: Option<Growth>,
    /// A start with much to load, where that was asked for.
    pub start: Option<Start>,
    /// An even load for long, where that was asked for.
    pub soak: Option<Soak>,
}

/// One thing measured. A figure that the system or this run can't give is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What.
    pub name: &'static str,
    /// Of which there are so many.
    pub unit: &'static str,
    /// In a second.
    pub per_second: f64,
    /// Microseconds of processor time for each, user and system: of the server, or of the whole process where there is
    /// none; all but the flusher.
    pub cpu_us: Option<f64>,
    /// The journal's part of these.
    pub journal_us: Option<f64>,
    /// Microseconds for each that the flusher takes to carry it to the ledger.
    pub flusher_us: Option<f64>,
    /// How many a core has time for in a second, by `cpu_us`.
    pub per_core_second: Option<f64>,
    /// `cpu_us` as a multiple of the echo's in the same round.
    pub times_echo: Option<f64>,
    /// Median latency of a call in microseconds, closed loop.
    pub p50_us: Option<f64>,
    /// The 99th percentile.
    pub p99_us: Option<f64>,
    /// The 99.9th.
    pub p999_us: Option<f64>,
}

/// A call made at a rate, open loop: each begins at its time whatever the answers do. Figures are medians of the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpenRow {
    /// What.
    pub name: &'static str,
    /// Of which there are so many.
    pub unit: &'static str,
    /// So many were to begin in a second.
    pub asked_per_second: f64,
    /// So many were answered.
    pub per_second: f64,
    /// Microseconds of the server's processor time for each, all but the flusher.
    pub cpu_us: Option<f64>,
    /// Median latency in microseconds, from when the call was to begin; of a Commit from the answer to its Reserve.
    pub p50_us: Option<f64>,
    /// The 99th percentile.
    pub p99_us: Option<f64>,
    /// The 99.9th.
    pub p999_us: Option<f64>,
    /// Rounds in which the server did not keep up: as many calls as may be were under way.
    pub full_rounds: usize,
}

impl Report {
    /// A report without rows.
    pub(super) fn new(options: &Options) -> Report {
        Report {
            version: env!("CARGO_PKG_VERSION"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            cores: cores(),
            rounds: options.rounds,
            seconds: options.time.as_secs_f64(),
            connections: options.connections,
            in_flight: options.in_flight,
            levels: options.levels,
            windows: options.windows,
            accounts: options.accounts(),
            spread: options.spread.as_str(),
            rows: Vec::new(),
            open: Vec::new(),
            open_under_way: UNDER_WAY,
            redis: None,
            redis_missing: None,
            catalog: Vec::new(),
            strict: None,
            growth: None,
            start: None,
            soak: None,
        }
    }
}

impl Row {
    /// The medians of some rounds; `echo` are the yardstick's rounds.
    pub(super) fn new(name: &'static str, unit: &'static str, rounds: &[Sample], echo: Option<&[Sample]>) -> Row {
        let of = |figure: fn(&Sample) -> Option<f64>| median(rounds.iter().filter_map(figure).collect());
        let ratio = |(mine, echo): (&Sample, &Sample)| Some(mine.cpu_us? / echo.cpu_us?);
        let cpu_us = of(|sample| sample.cpu_us);
        Row {
            name,
            unit,
            per_second: of(|sample| Some(sample.per_second)).unwrap_or(0.0),
            cpu_us,
            journal_us: of(|sample| sample.journal_us),
            flusher_us: of(|sample| sample.flusher_us),
            per_core_second: cpu_us.filter(|us| *us > 0.0).map(|us| 1e6 / us),
            times_echo: echo.and_then(|echo| median(rounds.iter().zip(echo).filter_map(ratio).collect())),
            p50_us: of(|sample| sample.latencies.quantile(500)),
            p99_us: of(|sample| sample.latencies.quantile(990)),
            p999_us: of(|sample| sample.latencies.quantile(999)),
        }
    }
}

impl OpenRow {
    /// The medians of some rounds, each with the rate that was asked for.
    pub(super) fn new(name: &'static str, unit: &'static str, rounds: &[(u64, Sample)]) -> OpenRow {
        let of =
            |figure: fn(&Sample) -> Option<f64>| median(rounds.iter().filter_map(|(_, one)| figure(one)).collect());
        OpenRow {
            name,
            unit,
            asked_per_second: median(rounds.iter().map(|(rate, _)| *rate as f64).collect()).unwrap_or_default(),
            per_second: of(|sample| Some(sample.per_second)).unwrap_or_default(),
            cpu_us: of(|sample| sample.cpu_us),
            p50_us: of(|sample| sample.latencies.quantile(500)),
            p99_us: of(|sample| sample.latencies.quantile(990)),
            p999_us: of(|sample| sample.latencies.quantile(999)),
            full_rounds: rounds.iter().filter(|(_, sample)| sample.full).count(),
        }
    }
}

/// The middle value, or the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::histogram::Histogram;

    fn sample(per_second: f64, cpu_us: Option<f64>) -> Sample {
        Sample {
            per_second,
            cpu_us,
            journal_us: None,
            flusher_us: None,
            store_us: None,
            all: 0,
            full: per_second > 5.0,
            latencies: Histogram::default(),
        }
    }

    #[test]
    fn a_row_has_medians_and_ratios_within_the_rounds() {
        let echo = [sample(3.0, Some(10.0)), sample(9.0, Some(20.0)), sample(1.0, Some(10.0))];
        let mine = [sample(2.0, Some(15.0)), sample(1.0, Some(40.0)), sample(7.0, Some(14.0))];
        let row = Row::new("x", "call", &mine, Some(&echo));
        assert_eq!((row.per_second, row.cpu_us, row.times_echo), (2.0, Some(15.0), Some(1.5)));
        assert_eq!((row.per_core_second.map(f64::round), row.p50_us), (Some(66_667.0), None));
        assert_eq!(Row::new("x", "call", &[sample(2.0, None)], Some(&echo)).times_echo, None);
    }

    #[test]
    fn an_open_row_says_what_was_asked_and_how_often_the_server_did_not_keep_up() {
        let rounds = [(4, sample(4.0, Some(1.0))), (12, sample(9.0, Some(3.0))), (8, sample(7.0, None))];
        let row = OpenRow::new("x", "call", &rounds);
        assert_eq!((row.asked_per_second, row.per_second, row.cpu_us, row.full_rounds), (8.0, 7.0, Some(2.0), 2));
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![9.0, 1.0, 4.0]), Some(4.0));
    }
}
