//! `quotad verify`: whether the ledger's sums are those of its entries.

use super::render::{Column, View};
use crate::engine::audit::{AuditOptions, AuditReport, Auditor, Finding};
use crate::engine::ports::StoreError;
use crate::store::database::{Database, DatabaseAuditor, Sync};
use clap::Args;
use std::fs::{File, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Exit status: something is wrong, and stays so.
const DRIFT: u8 = 1;
/// Exit status: it could not look.
pub(super) const BLIND: u8 = 2;
/// How often it tells how far it is.
const PROGRESS: Duration = Duration::from_secs(2);

/// `quotad verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad verify --data-dir /var/lib/quotad
  quotad verify --database-url postgres://quotad@db/quotad --json
  quotad verify --data-dir /var/lib/quotad --repair      with the server stopped

It sums what the ledger's entries say and compares: the numbers of the entries (no gap up to the watermark), the postings
of each entry on every account of its path, quarter-hour roll-ups, lifetime counters, what reservations hold and have
committed. All of it is read from one snapshot, so that a server that goes on writing makes no false alarm; until it is
done, the database keeps what that snapshot needs.

--repair writes roll-ups and counters anew, and postings where the entry tells all of it, each only if it still is what
was read; doing it again changes nothing more. Entries that are missing can't be made up: put a backup back. In a data
folder it needs the server to be stopped; a PostgreSQL database may be in use.

A figure that was cut to its range of 0 to 2^53-1 on its way is not compared, and what was made before the time below which
history was pruned can't be summed again: both are counted and told.

Exit status: 0 everything is right (or was repaired), 1 something is wrong, 2 it could not look.")]
pub struct VerifyArgs {
    /// The data folder of the server, running or not
    #[arg(long, value_name = "DIR", default_value = "./quotad-data", env = "QUOTAD_DATA_DIR")]
    data_dir: PathBuf,
    /// The ledger's database instead: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or sqlite:PATH. Put a password into the
    /// variable, not on the command line
    #[arg(long, value_name = "URL", env = "QUOTAD_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Write anew what follows from entries and is wrong
    #[arg(long)]
    repair: bool,
    /// How many findings to list; all are counted
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    list: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the audit and prints what it found.
pub fn run(args: VerifyArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return blind(&format!("no runtime: {error}"), args.json),
    };
    let report = match runtime.block_on(audit(&args)) {
        Ok(report) => report,
        Err(error) => return blind(&error.to_string(), args.json),
    };
    let view = View { unicode: io::stdout().is_terminal(), now: View::clock() };
    let text = if args.json { json(&report) } else { text(&report, &view, args.repair) };
    // A closed pipe is not an error; the status tells.
    let _ = writeln!(io::stdout().lock(), "{text}");
    if report.remaining() == 0 { ExitCode::SUCCESS } else { ExitCode::from(DRIFT) }
}

/// Says why it could not look.
pub(super) fn blind(why: &str, json: bool) -> ExitCode {
    let text =
        if json { format!("{:#}", serde_json::json!({"error": {"message": why}})) } else { format!("error: {why}") };
    // Where even that can't be written, the exit status still tells.
    let _ = writeln!(io::stderr().lock(), "{text}");
    ExitCode::from(BLIND)
}

async fn audit(args: &VerifyArgs) -> Result<AuditReport, StoreError> {
    // Held to the end: a server that started meanwhile would count on what is being written anew.
    let _lock = match &args.database_url {
        None if args.repair => Some(stopped(&args.data_dir)?),
        _ => None,
    };
    let database = match &args.database_url {
        Some(url) => Database::open_url(url).await?,
        None => Database::open(&ledger_in(&args.data_dir)?, Sync::Full).await?,
    };
    let options = AuditOptions { repair: args.repair, listed: args.list as usize, ..AuditOptions::default() };
    let last = Mutex::new(Instant::now());
    let progress = |what: &str, rows: u64| {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() >= PROGRESS {
            *last = Instant::now();
            let _ = writeln!(io::stderr().lock(), "{rows} {what} ...");
        }
    };
    let report = DatabaseAuditor::new(database.clone()).audit(options, &progress).await;
    database.close().await;
    report
}

/// The ledger of a data folder; opening would make one where there is none.
///
/// # Errors
/// [`StoreError::Unavailable`] if there is none.
pub(super) fn ledger_in(data_dir: &Path) -> Result<PathBuf, StoreError> {
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

fn json(report: &AuditReport) -> String {
    let mut value = serde_json::json!(report);
    value["clean"] = report.is_clean().into();
    value["remaining"] = report.remaining().into();
    format!("{value:#}")
}

fn text(report: &AuditReport, view: &View, repair: bool) -> String {
    let mut lines = vec![verdict(report, repair)];
    let looked: Vec<String> = report.looked_at.iter().map(|(table, rows)| format!("{rows} {table}")).collect();
    lines.push(format!("looked at {}", if looked.is_empty() { "an empty ledger".into() } else { looked.join(", ") }));
    if report.cut > 0 {
        lines.push(format!("{} figures were cut to their range on the way (rule 16) and not compared", report.cut));
    }
    if report.lost > 0 {
        lines.push(format!("{} entries were lost with a counter store: they are no drift", report.lost));
    }
    if let Some(before) = report.pruned_before {
        lines.push(format!(
            "history before {before} was pruned: {} figures that it made could not be summed again",
            report.pruned
        ));
    }
    if !report.drift.is_empty() {
        let columns = [Column::Text("wrong"), Column::Number("how many")];
        let rows = report.drift.iter().map(|(drift, count)| vec![drift.name().to_owned(), count.to_string()]);
        lines.push(view.table(&columns, rows.collect()));
    }
    if !report.findings.is_empty() {
        let columns = [
            Column::Text("wrong"),
            Column::Text("where"),
            Column::Text("figure"),
            Column::Number("kept"),
            Column::Number("by the entries"),
            Column::Text("repaired"),
        ];
        lines.push(view.table(&columns, report.findings.iter().map(cells).collect()));
        let listed = report.findings.len() as u64;
        let all: u64 = report.drift.values().sum();
        if all > listed {
            lines.push(format!("and {} more; --list N lists more of them", all - listed));
        }
    }
    lines.join("\n")
}

fn verdict(report: &AuditReport, repair: bool) -> String {
    let all: u64 = report.drift.values().sum();
    match (all, report.remaining()) {
        (0, _) => "clean: every sum of the ledger is that of its entries".into(),
        (_, 0) => format!("repaired: {all} figures were wrong and are written anew"),
        (_, remaining) if repair => {
            format!("DRIFT: {all} things are wrong, {} were repaired, {remaining} can't be", report.repaired)
        }
        _ => format!("DRIFT: {all} things are wrong; --repair writes anew what follows from the entries"),
    }
}

fn cells(finding: &Finding) -> Vec<String> {
    let figure = |figure: Option<i64>| figure.map_or_else(|| "-".into(), |figure| figure.to_string());
    vec![
        finding.drift.name().into(),
        finding.place.clone(),
        finding.figure.into(),
        figure(finding.kept),
        figure(finding.expected),
        if finding.repaired { "yes" } else { "no" }.into(),
    ]
}
