//! `quotad serve`: from flags to a running server, and in good order to its end.

use super::storage::StorageArgs;
use crate::app::{self, DurabilitySetting, NodeOptions, ServeOptions, SpoolOptions};
use crate::domain::time::Span;
use crate::telemetry::logs::{self, Format};
use crate::telemetry::otlp::push::PushOptions;
use crate::telemetry::traces::{Exporter, TraceOptions};
use clap::builder::RangedU64ValueParser;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of `quotad serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  quotad serve --catalog deploy/catalogs/ai-platform.yaml
  quotad serve --data-dir /var/lib/quotad --durability strict --log-format json
  QUOTAD_REDIS_URL=redis://redis QUOTAD_DATABASE_URL=postgres://quotad:secret@db/quotad quotad serve

By itself it keeps everything in the data folder, for one server. With Redis and PostgreSQL any number of servers decide
together; one that starts before them waits for them.

When it is ready it prints one line of JSON with its addresses on standard output; the log goes to standard error.
SIGTERM or Ctrl-C drains: not ready, answer what is open, flush, exit 0. A second one exits at once.")]
pub struct ServeArgs {
    /// Apply this catalog at the start, unless it is the one applied last. What it does not name stays
    #[arg(long, value_name = "FILE", env = "QUOTAD_CATALOG")]
    catalog: Option<PathBuf>,
    /// The folder that holds everything: journal, ledger, catalog
    #[arg(long, value_name = "DIR", default_value = "./quotad-data", env = "QUOTAD_DATA_DIR")]
    data_dir: PathBuf,
    /// With Redis: the folder, of this server alone, of what is granted while Redis can't be reached (failure_policy: fail_open)
    /// [default: spool in the data folder]
    #[arg(long, value_name = "DIR", env = "QUOTAD_SPOOL_DIR")]
    spool_dir: Option<PathBuf>,
    /// With Redis: most bytes in that folder; with more, such calls are refused
    #[arg(long, value_name = "BYTES", default_value_t = SpoolOptions::BYTES, env = "QUOTAD_SPOOL_BYTES")]
    spool_bytes: u64,
    /// Where to listen for gRPC and gRPC-web; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051", env = "QUOTAD_GRPC_ADDR")]
    grpc_addr: SocketAddr,
    /// Where to listen for /healthz, /readyz and /metrics, which everybody who can connect may read; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", env = "QUOTAD_HTTP_ADDR")]
    http_addr: SocketAddr,
    /// Listen beyond this machine although everybody who can connect may do everything
    #[arg(long, env = "QUOTAD_ALLOW_ANONYMOUS")]
    allow_anonymous: bool,
    /// What an answer waits for, without Redis: the disk (strict), the journal, or nothing (relaxed) [default: default]
    #[arg(long, value_enum, env = "QUOTAD_DURABILITY")]
    durability: Option<DurabilityArg>,
    /// How long little work may wait until it is carried to the ledger, in milliseconds; without Redis, much work waits up to 500
    #[arg(long, value_name = "MS", default_value = "200", value_parser = clap::value_parser!(u64).range(1..=60_000), env = "QUOTAD_FLUSH_INTERVAL_MS")]
    flush_interval_ms: u64,
    /// With Redis: how often it is looked for changes of the catalog that were not heard of, in seconds
    #[arg(long, value_name = "S", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=86_400), env = "QUOTAD_CATALOG_POLL_SECONDS")]
    catalog_poll_seconds: u64,
    /// Days, at least 35, after which the ledger keeps only what each account used by the minute, not by which calls; without
    /// it all is kept for ever
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(35..=36_500), env = "QUOTAD_LEDGER_RETENTION")]
    ledger_retention: Option<i64>,
    /// Open reservations that one tenant may have
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = at_least_one(), env = "QUOTAD_MAX_OPEN_RESERVATIONS")]
    max_open_reservations: usize,
    /// Counters that one tenant may have in memory
    #[arg(long, value_name = "N", default_value = "10000000", value_parser = at_least_one(), env = "QUOTAD_MAX_COUNTERS")]
    max_counters: usize,
    /// Cores to serve on, at most 1024; 0 means all
    #[arg(long, value_name = "N", default_value = "0", value_parser = sizes().range(..=1024), env = "QUOTAD_CORES")]
    cores: usize,
    /// Calls in work at once; more are refused as overload. Reports are refused from half of it on, checks from three quarters; commits
    /// and releases, which make room, only at twice as many
    #[arg(long, value_name = "N", default_value = "10000", value_parser = at_least_one(), env = "QUOTAD_MAX_IN_FLIGHT")]
    max_in_flight: usize,
    /// Seconds after which a client is told to open another connection, a tenth more or less, so that load follows to new servers;
    /// 0 means never
    #[arg(long, value_name = "S", default_value = "600", value_parser = clap::value_parser!(u64).range(..=86_400), env = "QUOTAD_MAX_CONNECTION_AGE_SECONDS")]
    max_connection_age_seconds: u64,
    /// Seconds for which a server that was told to end is not ready and still serves as before, so that a load balancer learns of it
    /// first; 5 is good in Kubernetes
    #[arg(long, value_name = "S", default_value = "0", value_parser = clap::value_parser!(u64).range(..=3_600), env = "QUOTAD_SHUTDOWN_DELAY_SECONDS")]
    shutdown_delay_seconds: u64,
    /// Seconds that open calls may take to end at shutdown, at most a day
    #[arg(long, value_name = "S", default_value = "20", value_parser = clap::value_parser!(u64).range(..=86_400), env = "QUOTAD_DRAIN_SECONDS")]
    drain_seconds: u64,
    /// A web page's origin that may call from a browser; `*` for all; this machine's by default
    #[arg(long = "web-origin", value_name = "ORIGIN", env = "QUOTAD_WEB_ORIGINS", value_delimiter = ',')]
    web_origins: Vec<String>,
    #[command(flatten)]
    storage: StorageArgs,
    /// How the log looks
    #[arg(long, value_enum, default_value = "readable", env = "QUOTAD_LOG_FORMAT")]
    log_format: LogFormatArg,
    /// Send traces and metrics by OTLP over gRPC to this collector, for example http://localhost:4317
    #[arg(long, value_name = "URL", value_parser = endpoint, env = "QUOTAD_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// The part of the calls, 0 to 1, that is traced where the caller does not trace
    #[arg(long, value_name = "R", default_value = "0.01", value_parser = ratio, env = "QUOTAD_TRACE_RATIO")]
    trace_ratio: f64,
    /// With a collector: seconds from one push of what /metrics shows to the next, at most an hour; 0 sends traces only
    #[arg(long, value_name = "S", default_value = "60", value_parser = clap::value_parser!(u64).range(..=3_600), env = "QUOTAD_OTLP_METRICS_INTERVAL_SECONDS")]
    otlp_metrics_interval_seconds: u64,
    /// Serve a clock that stands still until it is set (quotad.v1.TestClockService); loopback only
    #[arg(long)]
    test_clock: bool,
}

impl ServeArgs {
    /// The collector's endpoint, where there is one.
    fn collector(&self) -> Option<String> {
        self.otlp_endpoint.clone().filter(|endpoint| !endpoint.is_empty())
    }

    /// Where metrics are pushed to.
    fn push(&self) -> Option<PushOptions> {
        let interval = Duration::from_secs(self.otlp_metrics_interval_seconds);
        self.collector().filter(|_| !interval.is_zero()).map(|endpoint| PushOptions { endpoint, interval })
    }
}

/// An address of a collector; empty for none.
fn endpoint(text: &str) -> Result<String, String> {
    let is_url = |uri: http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    let good = text.is_empty() || text.parse().is_ok_and(is_url);
    if good { Ok(text.to_owned()) } else { Err("must be a URL like http://localhost:4317".into()) }
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err("must lie between 0 and 1".into()) }
}

fn sizes() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new()
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    sizes().range(1..)
}

/// What an answer waits for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum DurabilityArg {
    /// Until it is on the disk: survives a power cut
    Strict,
    /// Until it is in the journal: survives kill -9
    Default,
    /// For nothing
    Relaxed,
}

/// How the log looks.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogFormatArg {
    /// For people
    Readable,
    /// One JSON object a line
    Json,
}

/// Runs the server until it is told to stop.
pub fn run(args: ServeArgs) -> ExitCode {
    let format = match args.log_format {
        LogFormatArg::Readable => Format::Readable,
        LogFormatArg::Json => Format::Json,
    };
    let traces = args.collector().map(|endpoint| TraceOptions { endpoint, ratio: args.trace_ratio });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("quotad-background")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let exporter = {
        let _within = runtime.enter();
        match traces.as_ref().map(Exporter::start).transpose() {
            Ok(exporter) => exporter,
            Err(error) => return fail(&error),
        }
    };
    if let Err(error) = logs::init(format, None, exporter.as_ref()) {
        return fail(&error);
    }
    let options = match options(args) {
        Ok(options) => options,
        Err(faults) => return fail(&*Box::<dyn std::error::Error>::from(faults.join("\n       "))),
    };
    let served = runtime.block_on(app::serve(options));
    // Not on the runtime: it blocks, and the exporter needs the runtime to send.
    exporter.into_iter().for_each(Exporter::shutdown);
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    use std::io::Write;
    // Standard error may be closed; there is nowhere left to say so.
    let _ = writeln!(std::io::stderr().lock(), "error: {error}");
    ExitCode::FAILURE
}

/// What the flags say.
///
/// # Errors
/// Everything in which they contradict each other.
fn options(args: ServeArgs) -> Result<ServeOptions, Vec<String>> {
    let push = args.push();
    let asked = args.durability.is_some_and(|durability| !matches!(durability, DurabilityArg::Default));
    let node = NodeOptions {
        storage: args.storage.storage(asked)?,
        data_dir: args.data_dir,
        spool: SpoolOptions { dir: args.spool_dir, bytes: args.spool_bytes },
        clock: None,
        durability: match args.durability.unwrap_or(DurabilityArg::Default) {
            DurabilityArg::Strict => DurabilitySetting::Strict,
            DurabilityArg::Default => DurabilitySetting::Default,
            DurabilityArg::Relaxed => DurabilitySetting::Relaxed,
        },
        flush_interval: Duration::from_millis(args.flush_interval_ms),
        catalog_poll: Duration::from_secs(args.catalog_poll_seconds),
        retention: args.ledger_retention.map(|days| Span::from_secs(days * 24 * 3600)),
        ..NodeOptions::default()
    };
    let mut options = ServeOptions {
        node,
        catalog: args.catalog,
        grpc_addr: args.grpc_addr,
        http_addr: args.http_addr,
        allow_anonymous: args.allow_anonymous,
        test_clock: args.test_clock,
        cores: args.cores,
        max_in_flight: args.max_in_flight,
        shutdown_delay: Duration::from_secs(args.shutdown_delay_seconds),
        max_connection_age: Duration::from_secs(args.max_connection_age_seconds),
        drain: Duration::from_secs(args.drain_seconds),
        web_origins: args.web_origins,
        push,
    };
    options.node.caps.open_reservations = args.max_open_reservations;
    options.node.caps.counters = args.max_counters;
    Ok(options)
}
