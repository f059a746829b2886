//! `quotad request`: asks for higher limits, and decides on what was asked for.

use crate::cli::args::{ConnectionArgs, TenantArgs, value};
use crate::cli::output::{Answer, Fault};
use crate::cli::quota::limit;
use crate::cli::render::{self, View};
use crate::client::Client;
use crate::proto::v1::*;
use clap::{Args, Subcommand, ValueEnum};

/// Most requests that the server puts on one page.
const PAGE: i32 = 1000;

/// `quotad request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// What to do
    #[command(subcommand)]
    pub command: RequestCommand,
}

/// What can be done with requests for more.
#[derive(Debug, Subcommand)]
pub enum RequestCommand {
    /// Ask for a higher limit
    Create(CreateArgs),
    /// List requests, newest first
    List(ListArgs),
    /// Show one request
    Get(GetArgs),
    /// Approve a request: the account's quota is changed with it
    Approve(ApproveArgs),
    /// Reject a request
    Reject(RejectArgs),
}

/// `quotad request create`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  quotad request create --account tenants/acme/users/u1 --meter training.runs --limit month=50 --reason 'two papers are due'")]
pub struct CreateArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The account that is to have more
    #[arg(long)]
    account: String,
    /// The meter
    #[arg(long)]
    meter: String,
    /// A limit that is wanted, as of `quotad quota set`, may be repeated
    #[arg(long = "limit", value_name = "LIMIT", value_parser = limit::parse, required = true)]
    limits: Vec<Limit>,
    /// Why
    #[arg(long)]
    reason: String,
    /// A name for the request, 1 to 128 visible characters [default: made up]
    #[arg(long, value_parser = value::id)]
    id: Option<String>,
}

/// `quotad request list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// Only requests for this account or one below it
    #[arg(long)]
    account: Option<String>,
    /// Only requests in this state
    #[arg(long, value_enum)]
    state: Option<RequestStateArg>,
}

/// How far a request is, on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum RequestStateArg {
    /// Nobody has decided
    Pending,
    /// The quota was changed with it
    Approved,
    /// It was turned down
    Rejected,
}

/// Which request.
#[derive(Debug, Args)]
pub struct GetArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The request
    #[arg(value_parser = value::id)]
    id: String,
}

/// `quotad request approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    which: GetArgs,
    /// A limit to give instead of those that are wanted, may be repeated
    #[arg(long = "limit", value_name = "LIMIT", value_parser = limit::parse)]
    limits: Vec<Limit>,
    /// A word about it
    #[arg(long, default_value = "", hide_default_value = true)]
    comment: String,
}

/// `quotad request reject`.
#[derive(Debug, Args)]
pub struct RejectArgs {
    #[command(flatten)]
    which: GetArgs,
    /// Why not
    #[arg(long, default_value = "", hide_default_value = true)]
    comment: String,
}

impl RequestArgs {
    /// Which server, and how to print its answer.
    pub(in crate::cli) fn connection(&self) -> &ConnectionArgs {
        match &self.command {
            RequestCommand::Create(args) => &args.connection,
            RequestCommand::List(args) => &args.connection,
            RequestCommand::Get(args) => &args.connection,
            RequestCommand::Approve(args) => &args.which.connection,
            RequestCommand::Reject(args) => &args.which.connection,
        }
    }

    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        use LimitRequestState::{Approved, Rejected};
        match self.command {
            RequestCommand::Create(args) => args.run(client, view).await,
            RequestCommand::List(args) => args.run(client, view).await,
            RequestCommand::Get(args) => args.run(client, view).await,
            RequestCommand::Approve(args) => {
                args.which.resolve(client, view, Approved, args.limits, args.comment).await
            }
            RequestCommand::Reject(args) => args.which.resolve(client, view, Rejected, Vec::new(), args.comment).await,
        }
    }
}

impl CreateArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let request = CreateLimitRequestRequest {
            tenant: self.tenant.resolve(Some(&self.account))?,
            limit_request_id: crate::cli::args::id_or_fresh(self.id.as_deref()),
            account: self.account,
            meter: self.meter,
            wanted: self.limits,
            reason: self.reason,
        };
        let repeat = format!("--id {}", request.limit_request_id);
        let response = client.create_limit_request(request).await.map_err(|error| Fault::of_write(error, repeat))?;
        let text = response.limit_request.as_ref().map_or_else(String::new, |one| render::limit_request(&view, one));
        Answer::new(&response, text)
    }
}

impl ListArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let state = match self.state {
            None => LimitRequestState::Unspecified,
            Some(RequestStateArg::Pending) => LimitRequestState::Pending,
            Some(RequestStateArg::Approved) => LimitRequestState::Approved,
            Some(RequestStateArg::Rejected) => LimitRequestState::Rejected,
        };
        let mut request = ListLimitRequestsRequest {
            tenant: self.tenant.resolve(self.account.as_deref())?,
            account: self.account.unwrap_or_default(),
            state: state.into(),
            page_size: PAGE,
            page_token: String::new(),
        };
        let mut all = ListLimitRequestsResponse::default();
        loop {
            let page = client.list_limit_requests(request.clone()).await?;
            all.limit_requests.extend(page.limit_requests);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let text = render::limit_requests(&view, &all.limit_requests);
        Answer::new(&all, text)
    }
}

impl GetArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let request = GetLimitRequestRequest { tenant: self.tenant.resolve(None)?, limit_request_id: self.id };
        let response = client.get_limit_request(request).await?;
        let text = response.limit_request.as_ref().map_or_else(String::new, |one| render::limit_request(&view, one));
        Answer::new(&response, text)
    }

    async fn resolve(
        self,
        client: Client,
        view: View,
        decision: LimitRequestState,
        limits: Vec<Limit>,
        comment: String,
    ) -> Result<Answer, Fault> {
        let request = ResolveLimitRequestRequest {
            tenant: self.tenant.resolve(None)?,
            limit_request_id: self.id,
            decision: decision.into(),
            limits,
            comment,
        };
        let response = client.resolve_limit_request(request).await?;
        let mut text =
            response.limit_request.as_ref().map_or_else(String::new, |one| render::limit_request(&view, one));
        if let Some(quota) = response.quota.as_ref().filter(|_| decision == LimitRequestState::Approved) {
            text = format!("{text}\n{}", render::quotas(&view, std::slice::from_ref(quota)));
        }
        Answer::new(&response, text)
    }
}
