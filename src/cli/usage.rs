//! `quotad usage`: limits and use of one account.

use super::args::{ConnectionArgs, TenantArgs};
use super::output::{Answer, Fault};
use super::render::{self, View};
use crate::client::Client;
use crate::proto::v1::GetUsageRequest;
use clap::Args;

/// `quotad usage`.
#[derive(Debug, Args)]
pub struct UsageArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The account, for example tenants/acme/users/u1
    #[arg(long)]
    account: String,
    /// Only this meter
    #[arg(long)]
    meter: Option<String>,
}

impl UsageArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.tenant.resolve(Some(&self.account))?;
        let request = GetUsageRequest { tenant, account: self.account, meter: self.meter.unwrap_or_default() };
        let response = client.usage(request).await?;
        let text = render::usage(&view, &response);
        Answer::new(&response, text)
    }
}
