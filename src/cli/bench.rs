//! `quotad bench`: what a decision costs on this machine.

use super::bench_redis;
use super::output::{self, Answer, Fault};
use super::render::{Column, View};
use crate::bench::{self, Options, Part, Report, Row, Size, Spread};
use clap::Args;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// `quotad bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad bench                                   everything, about three minutes
  quotad bench --only engine --seconds 5
  quotad bench --only grpc --addr 127.0.0.1:50051   a server that runs already
  quotad bench --only redis                      on Redis, where redis-server is installed
  quotad bench --only catalog --quotas 1000000   a tenant with a million quotas of its own

It starts servers of its own on temporary data and ends them. With --addr, the server gets tenants/bench-00 to -15 with
limits and use of their own; nothing else in it changes. The machine is shared with the load generator: compare ratios
of one run, not figures of two machines.")]
pub struct BenchArgs {
    /// A server that runs already, instead of one started for this
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<String>,
    /// Length of one measurement
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// How often each is measured; the median counts
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Connections of the load generator
    #[arg(long, value_name = "C", default_value = "8", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Calls under way at a time, all connections together
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,
    /// Accounts on the path of each charge, 1 to 8; with 1, the charged accounts are the 16 tenants
    #[arg(long, value_name = "L", default_value = "3", value_parser = clap::value_parser!(u8).range(1..=8))]
    levels: u8,
    /// Windows of each of these accounts, 1 to 6
    #[arg(long, value_name = "W", default_value = "2", value_parser = clap::value_parser!(u8).range(1..=6))]
    windows: u8,
    /// Accounts that are charged, 1000 to 10000000 [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    accounts: Option<u64>,
    /// How the charges are spread over them
    #[arg(long, value_enum, default_value = "uniform")]
    spread: Spread,
    /// Quotas of the tenant that has many
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u32).range(20..=10_000_000))]
    quotas: u32,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Where the temporary data goes [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The program to start for the servers, if it is not this one
    #[arg(long, value_name = "FILE", hide = true)]
    program: Option<PathBuf>,
    /// Be the bare echo
    #[arg(long, value_name = "ADDR", hide = true)]
    echo: Option<SocketAddr>,
}

/// A length of time in seconds, 0.1 to 3600.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=3600.0).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err("0.1 to 3600".into()) }
}

/// Runs the benchmark, or the echo for another's.
pub fn run(args: BenchArgs) -> ExitCode {
    let json = args.json;
    let answer = match args.echo {
        Some(addr) => bench::echo::serve(addr).map(|never| match never {}),
        None => measure(args),
    };
    match answer {
        Ok(answer) => output::print(&answer, json),
        Err(error) => output::fail(&Fault::Usage(format!("{error:#}")), json),
    }
}

fn measure(args: BenchArgs) -> anyhow::Result<Answer> {
    let program = args.program.map_or_else(std::env::current_exe, Ok)?;
    let options = Options {
        program,
        addr: args.addr,
        data_dir: args.data_dir.unwrap_or_else(std::env::temp_dir),
        parts: args.only,
        time: args.seconds,
        rounds: args.rounds.into(),
        connections: args.connections.into(),
        in_flight: args.in_flight.into(),
        levels: args.levels.into(),
        windows: args.windows.into(),
        accounts: args.accounts,
        spread: args.spread,
        quotas: usize::try_from(args.quotas)?,
    };
    let report = bench::run(&options, |what| note(&format!("{what} ...")))?;
    if let Some(warning) = warning(&report) {
        note(warning);
    }
    if let Some(missing) = report.redis_missing {
        note(missing);
    }
    let view = View { unicode: std::io::stdout().is_terminal(), now: View::clock() };
    let json = serde_json::to_string_pretty(&report)?;
    let own = (!report.rows.is_empty()).then(|| text(&report, &view));
    let on_redis = report.redis.as_ref().map(|redis| bench_redis::text(&report, redis, &view));
    let catalog = (!report.catalog.is_empty()).then(|| catalogs(&report, &view));
    let text: Vec<String> = own.into_iter().chain(on_redis).chain(catalog).collect();
    Ok(Answer { text: text.join("\n"), json, denied: false, note: None })
}

/// A line for people on standard error; where it can't be written, nothing is lost.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn warning(report: &Report) -> Option<&'static str> {
    let debug = report.build == "debug";
    debug.then_some(
        "WARNING: a debug build is about seven times slower; build with --release before you believe any of this",
    )
}

fn text(report: &Report, view: &View) -> String {
    let columns = [
        Column::Text("what"),
        Column::Text("of each"),
        Column::Number("per second"),
        Column::Number("CPU us"),
        Column::Number("of it journal"),
        Column::Number("flusher us"),
        Column::Number("per core-second"),
        Column::Number("x echo"),
        Column::Number("p50 us"),
        Column::Number("p99 us"),
        Column::Number("p99.9 us"),
    ];
    let table = view.table(&columns, report.rows.iter().map(cells).collect());
    format!(
        "quotad {version}, {build} build, {cores} cores shared with the load generator; {in_flight} calls under way over \
         {connections} connections, {levels} levels x {windows} windows, {accounts} accounts charged ({spread}), embedded, \
         default durability\n\
         Each figure is the median of {rounds} runs of {seconds} s. CPU: user and system of the server, without the \
         flusher (which has its own column).\n{table}",
        version = report.version,
        build = report.build,
        cores = report.cores,
        in_flight = report.in_flight,
        connections = report.connections,
        levels = report.levels,
        windows = report.windows,
        accounts = grouped(report.accounts as f64),
        spread = report.spread,
        rounds = report.rounds,
        seconds = report.seconds,
    )
}

fn catalogs(report: &Report, view: &View) -> String {
    let columns = [
        Column::Number("quotas"),
        Column::Number("written/s"),
        Column::Number("load ms"),
        Column::Number("bytes each"),
        Column::Number("change ms"),
        Column::Number("Consume/s"),
        Column::Number("CPU us"),
        Column::Number("x few"),
    ];
    let row = |size: &Size| {
        vec![
            grouped(size.quotas as f64),
            grouped(size.written_per_second),
            figure(Some(size.load_ms), 1),
            figure(size.bytes_each, 0),
            figure(Some(size.change_ms), 1),
            grouped(size.consume.per_second),
            figure(size.consume.cpu_us, 2),
            figure(size.times_few, 2),
        ]
    };
    let table = view.table(&columns, report.catalog.iter().map(row).collect());
    format!(
        "One tenant's own quotas, each with two windows, embedded; change: one quota, until it binds everywhere.\n{table}"
    )
}

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.name.into(),
        row.unit.into(),
        grouped(row.per_second),
        figure(row.cpu_us, 2),
        figure(row.journal_us, 2),
        figure(row.flusher_us, 2),
        row.per_core_second.map_or_else(|| "-".into(), grouped),
        figure(row.times_echo, 2),
        figure(row.p50_us, 0),
        figure(row.p99_us, 0),
        figure(row.p999_us, 0),
    ]
}

/// A figure that may be missing.
pub(super) fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.decimals$}"))
}

/// A whole number with its thousands apart.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["", "soon", "0", "-1", "NaN", "inf", "4000"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn figures_for_people() {
        assert_eq!([grouped(0.4), grouped(999.0), grouped(1_234_567.8)], ["0", "999", "1,234,568"]);
        assert_eq!([figure(None, 2), figure(Some(1.0), 2)], ["-", "1.00"]);
    }
}
