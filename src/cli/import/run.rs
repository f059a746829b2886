//! The way of an import: read and judge every line, ask the server about them, then record.

use super::file::{self, BadLine};
use super::{check, record, summary};
use crate::cli::args::ConnectionArgs;
use crate::cli::catalog::{name_of, read};
use crate::cli::output::{Answer, Fault};
use crate::cli::render::View;
use crate::client::Client;
use clap::Args;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How often it says how far it is.
const EVERY: Duration = Duration::from_secs(1);

/// `quotad import-usage`.
#[derive(Debug, Args)]
#[command(
    after_help = "The file is CSV whose first line names the columns, or one JSON object a line with the same names:
  account, meter, amount     required; the amount in the meter's smallest unit
  tenant                     [default: the account's]
  item, also                 as in a charge; several accounts in `also` are parted by blanks (JSON: a list)
  period                     lifetime, year, month, week, day ...: the amount is the use of that present period so far
  time                       like 2026-11-01T09:00:00Z: all of it was used since then
  request_id                 the line's own id; without one, what the line says is its id

Each line is recorded whether it fits or not, as of now, on the limits of today: like the commit of a reservation that
nobody knows (flagged late and recovered). So it counts in the lifetime and in every present period. With a period or
a time, a line is refused if some of its use is older than a period in which it would count (the month's use where a
day is limited too), or where a sliding or rate limit would count it; without either it counts from now on.

Nothing is recorded if any line is wrong. A repeat records nothing twice, also after a half-finished run, for at least
35 days. A corrected amount is another line, unless it has a request_id: then it is refused.

Examples:
  quotad import-usage -f usage.csv --dry-run
  quotad import-usage -f usage.csv"
)]
pub struct ImportUsageArgs {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    /// The file, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: String,
    /// Part of every line's id: the same lines under another name are recorded again
    #[arg(long, value_name = "NAME", default_value = "opening")]
    name: String,
    /// Read and judge all, record nothing
    #[arg(long)]
    dry_run: bool,
}

impl ImportUsageArgs {
    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let bytes = read(&self.file)?;
        let text = String::from_utf8(bytes).map_err(|_| self.bad(vec![(1, "the file is not UTF-8".to_owned())]))?;
        let uses = file::uses(&text, &self.name).map_err(|bad| self.bad(bad))?;
        let bad = check::check(&client, &uses).await?;
        if !bad.is_empty() {
            return Err(self.bad(bad));
        }
        if self.dry_run {
            return summary::answer(view, &self.file, &uses, None);
        }
        let mut said = Instant::now();
        let outcome = record::record(&client, &uses, |done| {
            if done == uses.len() || said.elapsed() >= EVERY {
                said = Instant::now();
                // Where even that can't be written, the work goes on.
                let _ = writeln!(io::stderr().lock(), "{done} of {} lines", uses.len());
            }
        })
        .await;
        let done = outcome.recorded + outcome.repeated;
        if let Some(error) = outcome.halted {
            let repeat = format!("the same command again: {done} of {} lines are recorded and stay so", uses.len());
            return Err(Fault::Halted { error, repeat });
        }
        if !outcome.refused.is_empty() {
            let what = format!(
                "{}: {done} of {} lines are recorded; the server refused the rest",
                name_of(&self.file),
                uses.len()
            );
            return Err(Fault::Lines { what, lines: outcome.refused });
        }
        summary::answer(view, &self.file, &uses, Some(&outcome))
    }

    fn bad(&self, lines: Vec<BadLine>) -> Fault {
        Fault::Lines { what: format!("{}: nothing was recorded, because of", name_of(&self.file)), lines }
    }
}
