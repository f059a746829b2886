//! `quotad recalculate`: makes what is charged to accounts be what was measured there.

use super::sizes;
use crate::cli::args::{ConnectionArgs, TenantArgs};
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{self, View};
use crate::client::Client;
use crate::proto::v1::recalculate_result::Result as Outcome;
use crate::proto::v1::{MeasuredSize, RecalculateRequest, RecalculateResponse};
use clap::Args;
use std::path::PathBuf;

/// Most sizes of one call.
const AT_ONCE: usize = 256;

/// `quotad recalculate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad recalculate tenants/hub/namespaces/alice/repos/model.m,storage.bytes,1048576
  quotad recalculate --file sizes.csv --reason 'nightly scan'

A file is CSV whose first line names the columns account, meter, used and perhaps expected, or JSON lines with these keys.
The accounts above move by the same differences, and what is held stays. Exit status 2 if a size was refused.")]
pub struct RecalculateArgs {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// Sizes.
    #[arg(
        value_name = "SIZE",
        value_parser = sizes::parse,
        required_unless_present = "file",
        // Not a doc comment: rustdoc would take the brackets for links.
        help = "What was measured, in one word: ACCOUNT,METER,USED[,expected=USED]; refused if another amount than\n\
                the expected is charged there by now"
    )]
    sizes: Vec<MeasuredSize>,
    /// A file of sizes
    #[arg(long, conflicts_with = "sizes")]
    file: Option<PathBuf>,
    /// Why; it stays in the audit [default: recalculated]
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// Answer only once the effects are in the ledger
    #[arg(long)]
    durable: bool,
}

impl RecalculateArgs {
    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let sizes = match &self.file {
            None => self.sizes,
            Some(path) => {
                let path = path.display().to_string();
                let text = std::fs::read_to_string(&path).map_err(|error| Fault::File { path: path.clone(), error })?;
                sizes::read(&text).map_err(|lines| Fault::Lines { what: format!("{path} can't be taken"), lines })?
            }
        };
        let tenant = self.tenant.resolve(sizes.first().map(|size| size.account.as_str()))?;
        let mut all = RecalculateResponse::default();
        for some in sizes.chunks(AT_ONCE) {
            let request = RecalculateRequest {
                tenant: tenant.clone(),
                sizes: some.to_vec(),
                reason: self.reason.clone(),
                wait_for_durable: self.durable,
            };
            all.results.extend(client.recalculate(request).await?.results);
        }
        let refused = all.results.iter().any(|result| matches!(result.result, Some(Outcome::Error(_))));
        let text = render::recalculated(&view, &sizes, &all);
        Ok(Answer { denied: refused, ..Answer::new(&all, text)? })
    }
}
