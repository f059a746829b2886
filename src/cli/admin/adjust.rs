//! `quotad adjust`: corrects what accounts have used.

use crate::cli::args::{ConnectionArgs, TenantArgs, WriteArgs, value};
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{self, Aside, View};
use crate::client::Client;
use crate::proto::v1::adjustment_line::Change;
use crate::proto::v1::{AdjustRequest, AdjustmentLine};
use clap::Args;
use pbjson_types::Timestamp;

/// `quotad adjust`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad adjust tenants/acme/users/u1 training.runs -1 --reason 'run 17 never started'
  quotad adjust tenants/acme/users/u1 llm.cost 2500 --reason 'call 9 was not counted' --at 2026-11-21T10:00:00Z --actor ann

What goes back must be in use on the account and on every one above it; what is added is recorded whatever the limits.")]
pub struct AdjustArgs {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The account, for example tenants/acme/users/u1
    account: String,
    /// The meter, for example training.runs
    meter: String,
    /// What to add, in the meter's smallest unit; below 0 to give back
    #[arg(allow_hyphen_values = true, value_parser = value::signed)]
    amount: i64,
    /// Why; it stays in the audit
    #[arg(long)]
    reason: String,
    /// What the amount is for: a model, a tool, an object
    #[arg(long, default_value = "", hide_default_value = true)]
    item: String,
    /// A further account that was charged with it; may be repeated
    #[arg(long, value_name = "ACCOUNT")]
    also: Vec<String>,
    /// When it is effective, which decides in which periods it counts: 2026-11-21T10:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    at: Option<Timestamp>,
    #[command(flatten)]
    write: WriteArgs,
}

impl AdjustArgs {
    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let line = AdjustmentLine {
            account: self.account,
            meter: self.meter,
            item: self.item,
            also: self.also,
            change: Some(Change::Amount(self.amount)),
            expected: None,
            effective_time: self.at,
        };
        let request = AdjustRequest {
            tenant: self.tenant.resolve(Some(&line.account))?,
            request_id: self.write.id(),
            reason: self.reason,
            lines: vec![line],
            wait_for_durable: self.write.durable,
        };
        let repeat = format!("--request-id {}", request.request_id);
        let response = client.adjust(request).await.map_err(|error| Fault::of_write(error, repeat))?;
        let aside = Aside::new(response.durability(), response.replayed);
        let text = render::adjustments(&view, &response.adjustments, &aside);
        Answer::new(&response, text)
    }
}
