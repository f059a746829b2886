//! The command: what it is told, whom it asks, how it ends.

use super::report::{Promise, Report, Verdict};
use super::{counters, database, embedded};
use crate::cli::args::StorageArgs;
use crate::cli::render::View;
use crate::cli::serve::DurabilityArg;
use clap::Args;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Exit status: some promise does not hold in every case.
const WEAKENED: u8 = 1;
/// Exit status: some promise does not hold, or a store can't be looked at.
const BROKEN: u8 = 2;

/// `quotad doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad doctor --data-dir /var/lib/quotad --durability strict
  quotad doctor --redis-url redis://redis:6379 --database-url postgres://quotad@db/quotad --json

Give it the same storage options, or the same environment, as `quotad serve`; the server may run or not. It only looks:
nothing is written or migrated. Whether the ledger's sums are right is what `quotad verify` tells.

Exit status: 0 every promise is met, 1 some are weakened, 2 some are broken or a store can't be looked at.")]
pub struct DoctorArgs {
    #[command(flatten)]
    storage: StorageArgs,
    /// What the server's answers wait for, as in `quotad serve`; only without Redis
    #[arg(long, value_enum, default_value = "default", env = "QUOTAD_DURABILITY")]
    durability: DurabilityArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Looks and tells.
pub fn run(args: DoctorArgs) -> ExitCode {
    let report = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(look(&args)),
        Err(error) => {
            let mut report = Report::default();
            report.broken(Promise::Safe, format!("no runtime: {error}"));
            report
        }
    };
    let view = View { unicode: io::stdout().is_terminal(), now: View::clock() };
    let text = if args.json { report.json() } else { report.text(&view) };
    // A closed pipe is not an error; the status tells.
    let _ = writeln!(io::stdout().lock(), "{text}");
    match report.verdict() {
        Verdict::Met => ExitCode::SUCCESS,
        Verdict::Weakened => ExitCode::from(WEAKENED),
        Verdict::Broken => ExitCode::from(BROKEN),
    }
}

async fn look(args: &DoctorArgs) -> Report {
    let mut report = Report::default();
    let storage = &args.storage;
    let redis = match storage.redis() {
        Ok(redis) => redis,
        Err(error) => {
            report.broken(Promise::Safe, error.to_string());
            return report;
        }
    };
    let file = storage.data_dir.join("ledger.db");
    let facts = database::look(storage.database_url.as_deref(), &file, &mut report).await;
    match redis {
        Some(options) => counters::look(options, facts.as_ref(), &mut report).await,
        None => embedded::look(&storage.data_dir, args.durability, facts.as_ref(), &mut report).await,
    }
    report
}
