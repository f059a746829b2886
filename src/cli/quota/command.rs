//! The commands: set, edit, delete, get, list, history.

use super::limit;
use crate::cli::args::{ConnectionArgs, TENANT_VARIABLE, value};
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{self, View};
use crate::client::Client;
use crate::proto::v1::*;
use clap::{Args, Subcommand, ValueEnum};

/// Most quotas that the server puts on one page.
const PAGE: i32 = 1000;

/// `quotad quota`.
#[derive(Debug, Args)]
pub struct QuotaArgs {
    /// What to do
    #[command(subcommand)]
    pub command: QuotaCommand,
}

/// What can be done with quotas.
#[derive(Debug, Subcommand)]
pub enum QuotaCommand {
    /// Give a subject a quota on a meter
    Set(SetArgs),
    /// Change the quota in force in place; what is not named is gone, but for a raise
    Edit(EditArgs),
    /// Delete the quota in force
    Delete(DeleteArgs),
    /// Show the quota in force
    Get(GetArgs),
    /// List quotas in force
    List(ListArgs),
    /// Show every version that a quota had, newest first
    History(GetArgs),
}

/// Whose quota, on which meter.
#[derive(Debug, Args)]
pub struct NameArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// An account (tenants/acme/users/u1), a pattern (tenants/acme/users/-) or a plan (plans/vip)
    #[arg(long)]
    subject: String,
    /// The meter
    #[arg(long)]
    meter: String,
    /// Whose catalog it stands in, or '' for the installation's [default: the subject's tenant; of a plan $QUOTAD_TENANT, else the
    /// installation's, as for tenants/-/...]
    #[arg(long)]
    tenant: Option<String>,
}

/// What a quota says.
#[derive(Debug, Args)]
pub struct ContentArgs {
    /// A limit, may be repeated, one for each kind of window.
    #[arg(
        long = "limit",
        value_name = "LIMIT",
        value_parser = limit::parse,
        // Not a doc comment: rustdoc would take the brackets for links.
        help = "A limit in one word, may be repeated: KIND=AMOUNT[,zone=ZONE][,anchor=ANCHOR][,length=TIME][,cron=EXPRESSION];\n\
                the amount in the meter's smallest unit, or unlimited; for example month=100 or rate=10,length=1s"
    )]
    limits: Vec<Limit>,
    /// A limit that is higher for some time, may be repeated.
    #[arg(
        long = "raise",
        value_name = "LIMIT",
        value_parser = limit::parse,
        requires = "raise_until",
        help = "A higher limit for some time, may be repeated: KIND=AMOUNT, of a kind of window that has a --limit too; until\n\
                --raise-until it stands in place of that one"
    )]
    raise: Vec<Limit>,
    /// When the limits bind again that were raised, by themselves: 2026-11-21T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = value::time, requires = "raise")]
    raise_until: Option<pbjson_types::Timestamp>,
    /// An amount beside the periods, spent after them and kept at a reset
    #[arg(long, value_name = "AMOUNT", value_parser = value::amount)]
    top_up: Option<i64>,
    /// The share of a limit that one hold may take, 1 to 100 percent
    #[arg(long, value_name = "PERCENT")]
    hold_share: Option<i32>,
    /// Of a default of the installation: it holds for tenants whose plan lacks this feature, and their own quotas rest
    #[arg(long, value_name = "FEATURE", default_value = "", hide_default_value = true)]
    locked_without: String,
    /// Only record what it would deny
    #[arg(long)]
    shadow: bool,
    /// A note for people
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

/// `quotad quota set`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad quota set --subject tenants/acme/users/u1 --meter training.runs --limit lifetime=10
  quotad quota set --subject tenants/acme --meter llm.cost --limit day=500000 --limit month=10000000 --if-current supersede
  quotad quota set --subject tenants/acme --meter llm.cost --limit day=500000 --if-current supersede \\
    --raise day=2000000 --raise-until 2026-12-01T00:00:00Z")]
pub struct SetArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    content: ContentArgs,
    /// What to do with a quota that is in force already
    #[arg(long, value_enum, default_value_t = IfCurrentArg::Fail)]
    if_current: IfCurrentArg,
}

/// What to do with the quota in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum IfCurrentArg {
    /// Refuse
    Fail,
    /// Close it and make a new version
    Supersede,
    /// Change it in place
    Replace,
}

/// `quotad quota edit`.
#[derive(Debug, Args)]
pub struct EditArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    content: ContentArgs,
    /// End the raise that the quota has, at once
    #[arg(long, conflicts_with = "raise")]
    end_raise: bool,
    /// Refuse unless this version is the one in force
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    version: i64,
}

/// `quotad quota delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Put the version that it closed in force again
    #[arg(long)]
    reopen: bool,
    /// Refuse unless this version is the one in force
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    version: i64,
}

/// `quotad quota get`, `quotad quota history`.
#[derive(Debug, Args)]
pub struct GetArgs {
    #[command(flatten)]
    name: NameArgs,
}

/// `quotad quota list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Whose catalog, with what it sees of the installation's, or '' for that alone, as where nothing says which
    #[arg(long, env = TENANT_VARIABLE)]
    tenant: Option<String>,
    /// Only this account, pattern or plan
    #[arg(long)]
    subject: Option<String>,
    /// Only this meter
    #[arg(long)]
    meter: Option<String>,
}

impl QuotaArgs {
    /// Which server, and how to print its answer.
    pub(in crate::cli) fn connection(&self) -> &ConnectionArgs {
        match &self.command {
            QuotaCommand::Set(args) => &args.name.connection,
            QuotaCommand::Edit(args) => &args.name.connection,
            QuotaCommand::Delete(args) => &args.name.connection,
            QuotaCommand::Get(args) | QuotaCommand::History(args) => &args.name.connection,
            QuotaCommand::List(args) => &args.connection,
        }
    }

    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        match self.command {
            QuotaCommand::Set(args) => args.run(client, view).await,
            QuotaCommand::Edit(args) => args.run(client, view).await,
            QuotaCommand::Delete(args) => args.run(client, view).await,
            QuotaCommand::Get(args) => args.get(client, view).await,
            QuotaCommand::History(args) => args.history(client, view).await,
            QuotaCommand::List(args) => args.run(client, view).await,
        }
    }
}

impl NameArgs {
    /// The catalog that it stands in; empty: the installation's.
    fn tenant(&self) -> String {
        self.choose(std::env::var(TENANT_VARIABLE).ok())
    }

    /// As [`tenant`](Self::tenant), with the environment's value as an argument.
    fn choose(&self, variable: Option<String>) -> String {
        if let Some(tenant) = &self.tenant {
            return tenant.clone();
        }
        let mut parts = self.subject.split('/');
        match (parts.next(), parts.next()) {
            (Some("plans"), _) => variable.unwrap_or_default(),
            (_, Some("-")) => String::new(),
            (Some(collection), Some(id)) => format!("{collection}/{id}"),
            // The server says what is wrong with it.
            _ => String::new(),
        }
    }
}

impl ContentArgs {
    fn quota(self, name: &NameArgs) -> Quota {
        let enforcement = if self.shadow { Enforcement::Shadow } else { Enforcement::Enforce };
        Quota {
            subject: name.subject.clone(),
            meter: name.meter.clone(),
            limits: self.limits,
            raise: self.raise_until.map(|until| Raise { limits: self.raise, until: Some(until), is_over: false }),
            top_up: self.top_up,
            hold_share_percent: self.hold_share,
            locked_without: self.locked_without,
            enforcement: enforcement.into(),
            note: self.note,
            ..Default::default()
        }
    }
}

impl SetArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let if_current = match self.if_current {
            IfCurrentArg::Fail => IfCurrent::Fail,
            IfCurrentArg::Supersede => IfCurrent::Supersede,
            IfCurrentArg::Replace => IfCurrent::Replace,
        };
        let request = CreateQuotasRequest {
            tenant: self.name.tenant(),
            quotas: vec![self.content.quota(&self.name)],
            if_current: if_current.into(),
            etag: String::new(),
        };
        let response = client.create_quotas(request).await?;
        let text = format!("set\n{}", render::quotas(&view, &response.quotas));
        Answer::new(&response, text)
    }
}

impl EditArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let quota = Quota { version: self.version, ..self.content.quota(&self.name) };
        let request = UpdateQuotaRequest {
            tenant: self.name.tenant(),
            quota: Some(quota),
            etag: String::new(),
            end_raise: self.end_raise,
        };
        let response = client.update_quota(request).await?;
        let text = format!("edited\n{}", render::quotas(&view, response.quota.as_slice()));
        Answer::new(&response, text)
    }
}

impl DeleteArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let after = if self.reopen { AfterDelete::ReopenPrevious } else { AfterDelete::FallBack };
        let request = DeleteQuotaRequest {
            tenant: self.name.tenant(),
            subject: self.name.subject,
            meter: self.name.meter,
            version: self.version,
            after: after.into(),
            etag: String::new(),
        };
        let response = client.delete_quota(request).await?;
        let text = match &response.reopened {
            Some(quota) => format!("deleted; in force again:\n{}", render::quotas(&view, std::slice::from_ref(quota))),
            None => "deleted".to_owned(),
        };
        Answer::new(&response, text)
    }
}

impl GetArgs {
    async fn get(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.name.tenant();
        let request = GetQuotaRequest { tenant, subject: self.name.subject, meter: self.name.meter };
        let response = client.get_quota(request).await?;
        let text = render::quotas(&view, response.quota.as_slice());
        Answer::new(&response, text)
    }

    async fn history(self, client: Client, view: View) -> Result<Answer, Fault> {
        let mut request = ListQuotaVersionsRequest {
            tenant: self.name.tenant(),
            subject: self.name.subject,
            meter: self.name.meter,
            page_size: PAGE,
            page_token: String::new(),
        };
        let mut all = ListQuotaVersionsResponse::default();
        loop {
            let page = client.list_quota_versions(request.clone()).await?;
            all.quotas.extend(page.quotas);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let text = render::quota_versions(&view, &all.quotas);
        Answer::new(&all, text)
    }
}

impl ListArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let mut request = ListQuotasRequest {
            tenant: self.tenant.unwrap_or_default(),
            subject: self.subject.unwrap_or_default(),
            meter: self.meter.unwrap_or_default(),
            page_size: PAGE,
            page_token: String::new(),
        };
        let mut all = ListQuotasResponse::default();
        loop {
            let page = client.list_quotas(request.clone()).await?;
            all.quotas.extend(page.quotas);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let text = render::quotas(&view, &all.quotas);
        Answer::new(&all, text)
    }
}
