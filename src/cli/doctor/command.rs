//! The command: what it is told, whom it asks, how it ends.

use super::report::{Promise, Report, Verdict};
use super::{counters, database, embedded};
use crate::app::Storage;
use crate::cli::render::View;
use crate::cli::serve::DurabilityArg;
use crate::cli::storage::StorageArgs;
use clap::Args;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
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
    /// The server's data folder
    #[arg(long, value_name = "DIR", default_value = "./quotad-data", env = "QUOTAD_DATA_DIR")]
    data_dir: PathBuf,
    /// What the server's answers wait for, as in `quotad serve`; only without Redis
    #[arg(long, value_enum, default_value = "default", env = "QUOTAD_DURABILITY")]
    durability: DurabilityArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

/// Looks and tells.
pub fn run(args: DoctorArgs) -> ExitCode {
    let json = args.json;
    let report = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(look(args)),
        Err(error) => {
            let mut report = Report::default();
            report.broken(Promise::Safe, format!("no runtime: {error}"));
            report
        }
    };
    let view = View { unicode: io::stdout().is_terminal(), now: View::clock() };
    let text = if json { report.json() } else { report.text(&view) };
    // A closed pipe is not an error; the status tells.
    let _ = writeln!(io::stdout().lock(), "{text}");
    match report.verdict() {
        Verdict::Met => ExitCode::SUCCESS,
        Verdict::Weakened => ExitCode::from(WEAKENED),
        Verdict::Broken => ExitCode::from(BROKEN),
    }
}

async fn look(args: DoctorArgs) -> Report {
    let mut report = Report::default();
    let file = args.data_dir.join("ledger.db");
    match args.storage.storage(false) {
        Err(faults) => faults.into_iter().for_each(|fault| report.broken(Promise::Safe, fault)),
        Ok(Storage::Embedded) if !args.data_dir.is_dir() => {
            let why = format!("there is no data folder {}; say the server's flags", args.data_dir.display());
            for promise in [Promise::Loss, Promise::Flush, Promise::Durable, Promise::Room] {
                report.broken(promise, why.as_str());
            }
        }
        Ok(Storage::Embedded) => {
            let facts = database::look(None, &file, &mut report).await;
            embedded::look(&args.data_dir, args.durability, facts.as_ref(), &mut report).await;
        }
        Ok(Storage::Redis(storage)) => {
            let facts = database::look(storage.database.as_deref(), &file, &mut report).await;
            counters::look(storage.redis, facts.as_ref(), &mut report).await;
        }
    }
    report
}
