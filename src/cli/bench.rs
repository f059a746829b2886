//! `quotad bench`: what a decision costs on this machine.

use super::output::{self, Answer, Fault};
use super::render::View;
use super::{bench_redis, bench_text};
use crate::bench::{self, Call, Options, Part, Rate, Report, Spread};
use anyhow::ensure;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// `quotad bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad bench                                   everything but growth, start and soak, about four minutes
  quotad bench --only engine --seconds 5
  quotad bench --only grpc --addr 127.0.0.1:50051   a server that runs already
  quotad bench --only redis                      on Redis, where redis-server is installed
  quotad bench --only catalog --quotas 1000000   a tenant with a million quotas of its own
  quotad bench --only grpc --calls mix --levels 5 --windows 3 --accounts 1000000 --spread skewed
                                                 what your own load would cost
  quotad bench --only grpc --calls consume,pair --rate half
                                                 latency at half of what this machine can do
  quotad bench --only grpc --calls mix --rate 5000   at a rate: calls begin at their times, whatever the answers do
  quotad bench --only growth                     cost and memory from a thousand accounts to a million, about five minutes;
                                                 with --accounts 10000000 to ten million, with a lot of memory
  quotad bench --only strict                     16 callers whose answers wait for the disk, beside the disk itself
  quotad bench --only start                      a start with a million counters and 100,000 open holds, after a kill
  quotad bench --only soak --seconds 300 --rounds 12 --rate 3000
                                                 an hour of even load: does a call cost in the end what it did at first?

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
    /// Accounts that are charged, 1000 to 10000000 [default: 10000; up to 1000000 for growth, 800000 for start]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    accounts: Option<u64>,
    /// How the charges are spread over them
    #[arg(long, value_enum, default_value = "uniform")]
    spread: Spread,
    /// Only these calls over gRPC, beside the echo
    #[arg(long, value_enum, value_delimiter = ',')]
    calls: Vec<Call>,
    /// Open loop too: so many calls a second over gRPC, 1 to 1000000, or `half` of what the closed loop of the same round reached
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<Rate>,
    /// Quotas of the tenant that has many
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u32).range(20..=10_000_000))]
    quotas: u32,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Where the temporary data goes; strict wants a disk there, a long soak some GB [default: the system's temporary folder]
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

/// A rate of open-loop calls.
fn rate(text: &str) -> Result<Rate, String> {
    if text == "half" {
        return Ok(Rate::Half);
    }
    match text.parse() {
        Ok(rate @ 1..=1_000_000) => Ok(Rate::Fixed(rate)),
        _ => Err("1 to 1000000, or half".into()),
    }
}

/// Options that do not go together, one line each.
fn contradictions(options: &Options) -> Vec<String> {
    let mut lines = Vec::new();
    let mut demand = |given: bool, holds: bool, line: &str| {
        if given && !holds {
            lines.push(line.to_owned());
        }
    };
    let grpc = options.wants(Part::Grpc);
    let many = options.wants(Part::Growth) || options.wants(Part::Start);
    let single = options.calls.is_empty() || options.calls.iter().any(|call| call.is_single());
    demand(options.addr.is_some(), grpc, "--addr: --only leaves out grpc, the one part that can measure that server");
    demand(!options.calls.is_empty(), grpc, "--calls: --only leaves out grpc, whose calls these are");
    let soak = options.wants(Part::Soak);
    demand(options.rate.is_some(), grpc || soak, "--rate: --only leaves out grpc and soak, which have the open loop");
    demand(
        options.rate.is_some(),
        single || soak,
        "--rate: --calls has none of consume, pair, check and mix, which can be made at a rate",
    );
    demand(
        many,
        options.levels > 1,
        "--levels: with 1 the charged accounts are the 16 tenants, which leaves growth and start without many",
    );
    demand(
        options.accounts.is_some() && !many,
        options.levels > 1,
        "--accounts: with --levels 1 the charged accounts are the 16 tenants",
    );
    let chosen =
        [Part::Engine, Part::Grpc, Part::Redis, Part::Strict, Part::Soak].into_iter().any(|part| options.wants(part));
    demand(
        options.spread != Spread::Uniform,
        chosen,
        "--spread: --only leaves out engine, grpc, redis, strict and soak, whose charges it spreads",
    );
    demand(
        options.accounts.is_some(),
        chosen || many,
        "--accounts: --only leaves out engine, grpc, redis, strict, growth, start and soak",
    );
    lines
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

fn options(args: BenchArgs) -> anyhow::Result<Options> {
    let program = args.program.map_or_else(std::env::current_exe, Ok)?;
    Ok(Options {
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
        calls: args.calls,
        rate: args.rate,
        quotas: usize::try_from(args.quotas)?,
    })
}

fn measure(args: BenchArgs) -> anyhow::Result<Answer> {
    let options = options(args)?;
    let contradictions = contradictions(&options);
    ensure!(contradictions.is_empty(), "{}", contradictions.join("\n"));
    let report = bench::run(&options, |what| note(&format!("{what} ...")))?;
    if let Some(warning) = warning(&report) {
        note(warning);
    }
    if let Some(missing) = report.redis_missing {
        note(missing);
    }
    let view = View { unicode: std::io::stdout().is_terminal(), now: View::clock() };
    let json = serde_json::to_string_pretty(&report)?;
    let rows = (!report.rows.is_empty()).then(|| bench_text::rows(&report, &view));
    let open = (!report.open.is_empty()).then(|| bench_text::open(&report, &view));
    let on_redis = report.redis.as_ref().map(|redis| bench_redis::text(&report, redis, &view));
    let catalog = (!report.catalog.is_empty()).then(|| bench_text::catalogs(&report, &view));
    let growth = report.growth.as_ref().map(|growth| bench_text::growth(&report, growth, &view));
    let strict = report.strict.as_ref().map(|strict| bench_text::strict(strict, &view));
    let start = report.start.as_ref().map(bench_text::start);
    let soak = report.soak.as_ref().map(|soak| bench_text::soak(soak, &view));
    let all = [rows, open, on_redis, catalog, strict, growth, start, soak];
    let text: Vec<String> = all.into_iter().flatten().collect();
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
    fn rates() {
        assert_eq!(rate("half"), Ok(Rate::Half));
        assert_eq!(rate("1000000"), Ok(Rate::Fixed(1_000_000)));
        for text in ["", "0", "-1", "1.5", "1000001", "Half", "most"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_that_do_not_go_together_are_each_named() {
        let found = |line: &str| {
            let cli = crate::cli::parse(format!("quotad bench {line}").split(' ').map(String::from)).unwrap();
            let crate::cli::Command::Bench(args) = cli.command else { panic!("{line}") };
            contradictions(&options(args).unwrap())
        };
        for line in [
            "--json",
            "--rate 5 --calls batch,mix --addr a:1 --accounts 1000 --spread hot",
            "--only growth,grpc --addr a:1",
            "--levels 1 --spread hot",
        ] {
            assert_eq!(found(line), [""; 0], "{line}");
        }
        for (line, names) in [
            ("--only redis --addr a:1 --rate half --calls mix", ["--addr", "--calls", "--rate"].as_slice()),
            ("--rate 5 --calls batch,stream", &["--rate"]),
            ("--levels 1 --only growth", &["--levels"]),
            ("--levels 1 --only start --accounts 1000", &["--levels"]),
            ("--levels 1 --accounts 1000", &["--accounts"]),
            ("--only growth,catalog --spread skewed", &["--spread"]),
            ("--only rule --accounts 2000", &["--accounts"]),
        ] {
            let found = found(line);
            assert_eq!(found.len(), names.len(), "{found:?}");
            assert!(names.iter().zip(&found).all(|(name, line)| line.starts_with(name)), "{found:?}");
        }
    }

    #[test]
    fn figures_for_people() {
        assert_eq!([grouped(0.4), grouped(999.0), grouped(1_234_567.8)], ["0", "999", "1,234,568"]);
        assert_eq!([figure(None, 2), figure(Some(1.0), 2)], ["-", "1.00"]);
    }
}
