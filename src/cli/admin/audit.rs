//! `quotad audit`: who changed what.

use crate::cli::args::{ConnectionArgs, TENANT_VARIABLE, value};
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{self, View};
use crate::client::Client;
use crate::proto::v1::{ListAuditEntriesRequest, ListAuditEntriesResponse};
use clap::Args;
use pbjson_types::Timestamp;

/// Most entries that the server puts on one page.
const PAGE: u32 = 1000;

/// `quotad audit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad audit --tenant tenants/acme --subject 'adjustment tenants/acme/users/u1'
  quotad audit --tenant tenants/acme --subject quota --since 2026-11-01T00:00:00Z --json")]
pub struct AuditArgs {
    #[command(flatten)]
    pub(in crate::cli) connection: ConnectionArgs,
    /// Whose changes [default: those of the installation's own catalog]
    #[arg(long, env = TENANT_VARIABLE)]
    tenant: Option<String>,
    /// Only subjects that begin so: adjustment, quota, limit-request, meter, plan, account, pool, active pool of
    /// or rate card, and names after it
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    subject: String,
    /// Only what was done at this time or later
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    since: Option<Timestamp>,
    /// Only what was done before this time
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    until: Option<Timestamp>,
    /// At most this many, the newest first
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl AuditArgs {
    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let mut request = ListAuditEntriesRequest {
            tenant: self.tenant.unwrap_or_default(),
            subject_prefix: self.subject,
            start_time: self.since,
            end_time: self.until,
            page_size: i32::try_from(self.limit.min(PAGE)).unwrap_or(i32::MAX),
            page_token: String::new(),
        };
        let mut all = ListAuditEntriesResponse::default();
        loop {
            let page = client.list_audit_entries(request.clone()).await?;
            all.entries.extend(page.entries);
            if page.next_page_token.is_empty() || all.entries.len() >= self.limit as usize {
                break;
            }
            request.page_token = page.next_page_token;
        }
        all.entries.truncate(self.limit as usize);
        let text = render::audit(&view, &all.entries);
        Answer::new(&all, text)
    }
}
