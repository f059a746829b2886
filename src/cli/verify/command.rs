//! The command: what it is told, whom it asks, how it ends.

use super::render::{Audited, json, text};
use crate::app;
use crate::cli::render::View;
use crate::cli::storage::StorageArgs;
use crate::engine::audit::{AuditOptions, AuditReport, Auditor, Progress};
use crate::engine::ports::StoreError;
use crate::store::database::{Database, DatabaseAuditor, DatabaseLedger, Sync};
use crate::store::redis::link::Link;
use crate::store::redis::options::RedisOptions;
use crate::store::redis::verify::{LiveAuditor, LiveStore};
use clap::Args;
use std::fs::{File, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Exit status: something is wrong, and stays so.
const DRIFT: u8 = 1;
/// Exit status: it could not look.
pub(in crate::cli) const BLIND: u8 = 2;
/// How often it tells how far it is.
const PROGRESS: Duration = Duration::from_secs(2);
/// How long is waited for a connection to Redis.
const PATIENCE: Duration = Duration::from_secs(10);

/// `quotad verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad verify --data-dir /var/lib/quotad
  quotad verify --database-url postgres://quotad@db/quotad --json
  quotad verify --redis-url redis://redis --database-url postgres://quotad@db/quotad
  quotad verify --data-dir /var/lib/quotad --repair      with the server stopped

It sums what the ledger's entries say and compares: the numbers of the entries (no gap up to the watermark), the postings
of each entry on every account of its path, quarter-hour roll-ups, lifetime counters, what reservations hold and have
committed. All of it is read from one snapshot, so that a server that goes on writing makes no false alarm; until it is
done, the database keeps what that snapshot needs.

Where a Redis is named, by flags or environment as for `quotad serve`, it then compares what is live there: each window of
each counter (used, held, top-up) with what the ledger, the journal beyond it and the open reservations make it; each open
reservation, both ways; their number; the last entry and the incarnation of each partition. The servers run on: ledger and
Redis are brought to the same entry, and only what differs at several looks is told. Not compared are rates, counters that
were cut to their range, and those that are being loaded.

--repair writes roll-ups and counters anew, and postings where the entry tells all of it, each only if it still is what
was read; doing it again changes nothing more. Entries that are missing can't be made up: put a backup back. In a data
folder it needs the server to be stopped; a PostgreSQL database may be in use. A counter in Redis that is wrong is removed
there: whoever needs it next reads it from the ledger, exactly. Reservations and partitions in Redis are not repaired: the
runbook says what to do.

A figure that was cut to its range of 0 to 2^53-1 on its way is not compared, and what was made before the time below which
history was pruned can't be summed again: both are counted and told.

Exit status: 0 everything is right (or was repaired), 1 something is wrong, 2 it could not look.")]
pub struct VerifyArgs {
    /// The data folder of the server, running or not
    #[arg(long, value_name = "DIR", default_value = "./quotad-data", env = "QUOTAD_DATA_DIR")]
    data_dir: PathBuf,
    /// Take the ledger for right, and compare only what is live in Redis
    #[arg(long, requires = "redis_url")]
    skip_ledger: bool,
    /// Write anew what follows from entries and is wrong
    #[arg(long)]
    repair: bool,
    /// How many findings to list; all are counted
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    list: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

/// Runs the audit and prints what it found.
pub fn run(args: VerifyArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return blind(&format!("no runtime: {error}"), args.json),
    };
    let (as_json, repair, skip_ledger) = (args.json, args.repair, args.skip_ledger);
    let (report, live) = match runtime.block_on(audit(args)) {
        Ok(found) => found,
        Err(why) => return blind(&why, as_json),
    };
    let view = View { unicode: io::stdout().is_terminal(), now: View::clock() };
    let audited = Audited { ledger: !skip_ledger, live, repair };
    let text = if as_json { json(&report) } else { text(&report, &view, audited) };
    // A closed pipe is not an error; the status tells.
    let _ = writeln!(io::stdout().lock(), "{text}");
    if report.remaining() == 0 { ExitCode::SUCCESS } else { ExitCode::from(DRIFT) }
}

/// Says why it could not look.
pub(in crate::cli) fn blind(why: &str, json: bool) -> ExitCode {
    let text =
        if json { format!("{:#}", serde_json::json!({"error": {"message": why}})) } else { format!("error: {why}") };
    // Where even that can't be written, the exit status still tells.
    let _ = writeln!(io::stderr().lock(), "{text}");
    ExitCode::from(BLIND)
}

/// Looks at the ledger, then at Redis if one is named; answers whether it was.
async fn audit(args: VerifyArgs) -> Result<(AuditReport, bool), String> {
    let (redis, url) = args.storage.parts().map_err(|faults| faults.join("; "))?;
    let is_live = redis.is_some();
    let options = AuditOptions { repair: args.repair, listed: args.list as usize, ..AuditOptions::default() };
    let last = Mutex::new(Instant::now());
    let progress = |what: &str, rows: u64| {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() >= PROGRESS {
            *last = Instant::now();
            let _ = writeln!(io::stderr().lock(), "{rows} {what} ...");
        }
    };
    let look = async || -> Result<AuditReport, StoreError> {
        // Held to the end: a server that started meanwhile would count on what is being written anew.
        let _lock = match &url {
            None if args.repair && !args.skip_ledger => Some(stopped(&args.data_dir)?),
            _ => None,
        };
        let database = match &url {
            Some(url) => Database::open_url(url).await?,
            None => Database::open(&ledger_in(&args.data_dir)?, Sync::Full).await?,
        };
        let mut report = AuditReport::default();
        if !args.skip_ledger {
            report = DatabaseAuditor::new(database.clone()).audit(options, &progress).await?;
        }
        if let Some(redis) = redis {
            let room = options.listed.saturating_sub(report.findings.len());
            let found = live(redis, &database, AuditOptions { listed: room, ..options }, &progress).await?;
            report.absorb(found, options.listed);
        }
        database.close().await;
        Ok(report)
    };
    Ok((look().await.map_err(|error| error.to_string())?, is_live))
}

/// Compares what is live in Redis with the ledger.
async fn live(
    redis: RedisOptions,
    database: &Database,
    options: AuditOptions,
    progress: Progress<'_>,
) -> Result<AuditReport, StoreError> {
    let Some((partitions, installation)) = app::installed(database).await? else {
        return Err(StoreError::Unavailable("no server has started on this database yet".into()));
    };
    let link = Link::open(redis).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    link.ready(PATIENCE).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let ledger = Arc::new(DatabaseLedger::new(database.clone()));
    let names = Arc::new(DatabaseAuditor::new(database.clone()));
    LiveAuditor::new(LiveStore { link, ledger, names, partitions, installation }).audit(options, progress).await
}

/// The ledger of a data folder; opening would make one where there is none.
///
/// # Errors
/// [`StoreError::Unavailable`] if there is none.
fn ledger_in(data_dir: &Path) -> Result<PathBuf, StoreError> {
    let ledger = data_dir.join("ledger.db");
    if ledger.is_file() {
        return Ok(ledger);
    }
    Err(StoreError::Unavailable(format!(
        "no ledger in {}: name the server's data folder with --data-dir, or its database with --database-url",
        data_dir.display()
    )))
}

/// Takes the folder as a server would, so that none runs meanwhile.
fn stopped(data_dir: &Path) -> Result<File, StoreError> {
    ledger_in(data_dir)?;
    let path = data_dir.join("lock");
    let cant = |error: &io::Error| StoreError::Unavailable(format!("can't lock {}: {error}", path.display()));
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|error| cant(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
            "a quotad uses {}: stop it before --repair, or look without --repair",
            data_dir.display()
        ))),
        Err(TryLockError::Error(error)) => Err(cant(&error)),
    }
}
