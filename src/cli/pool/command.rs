//! The commands: create, set, delete, get, list, switch.

use super::content::ContentArgs;
use crate::cli::args::{ConnectionArgs, TenantArgs};
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{self, View};
use crate::client::Client;
use crate::proto::v1::*;
use clap::{Args, Subcommand};

/// Most pools that the server puts on one page.
const PAGE: i32 = 1000;

/// `quotad pool`.
#[derive(Debug, Args)]
pub struct PoolArgs {
    /// What to do
    #[command(subcommand)]
    pub command: PoolCommand,
}

/// What can be done with pools.
#[derive(Debug, Subcommand)]
pub enum PoolCommand {
    /// Make an account a pool
    Create(PutArgs),
    /// Change what is named of a pool; the rest stays
    Set(PutArgs),
    /// Make an account be no pool any more; its quotas and its use stay
    Delete(NameArgs),
    /// Show a pool and its members
    Get(NameArgs),
    /// List the pools of a tenant, or of a member
    List(ListArgs),
    /// Choose the pool that an account's next charges count on
    Switch(SwitchArgs),
}

/// Which pool.
#[derive(Debug, Args)]
pub struct NameArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The pool's account, for example tenants/uni/pools/students
    #[arg(long)]
    account: String,
}

/// `quotad pool create`, `quotad pool set`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad pool create --account tenants/uni/pools/students --meter llm.cost --rule role=student --deny gpt-large
  quotad pool set --account tenants/uni/projects/gene --member tenants/uni/users/ann --no-member tenants/uni/users/bob")]
pub struct PutArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    content: ContentArgs,
}

/// `quotad pool list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// Only the pools of this account
    #[arg(long)]
    member: Option<String>,
}

/// `quotad pool switch`.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The account that chooses, for example tenants/uni/users/ann
    #[arg(long)]
    account: String,
    /// The pool's account
    #[arg(long, required_unless_present = "none")]
    pool: Option<String>,
    /// Choose none: the account's own limits alone bind
    #[arg(long, conflicts_with = "pool")]
    none: bool,
}

impl PoolArgs {
    /// Which server, and how to print its answer.
    pub(in crate::cli) fn connection(&self) -> &ConnectionArgs {
        match &self.command {
            PoolCommand::Create(args) | PoolCommand::Set(args) => &args.name.connection,
            PoolCommand::Delete(args) | PoolCommand::Get(args) => &args.connection,
            PoolCommand::List(args) => &args.connection,
            PoolCommand::Switch(args) => &args.connection,
        }
    }

    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        match self.command {
            PoolCommand::Create(args) => args.create(client, view).await,
            PoolCommand::Set(args) => args.set(client, view).await,
            PoolCommand::Delete(args) => args.delete(client).await,
            PoolCommand::Get(args) => args.get(client, view).await,
            PoolCommand::List(args) => args.run(client, view).await,
            PoolCommand::Switch(args) => args.run(client).await,
        }
    }
}

impl NameArgs {
    fn tenant(&self) -> Result<String, Fault> {
        self.tenant.resolve(Some(&self.account))
    }

    async fn get(self, client: Client, view: View) -> Result<Answer, Fault> {
        let response = client.get_pool(GetPoolRequest { tenant: self.tenant()?, account: self.account }).await?;
        let text = response.pool.as_ref().map(|pool| render::pool(&view, pool)).unwrap_or_default();
        Answer::new(&response, text)
    }

    async fn delete(self, client: Client) -> Result<Answer, Fault> {
        let request = DeletePoolRequest { tenant: self.tenant()?, account: self.account, etag: String::new() };
        Answer::new(&client.delete_pool(request).await?, "deleted".to_owned())
    }
}

impl PutArgs {
    async fn create(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.name.tenant()?;
        let pool = self.content.changed(Pool { account: self.name.account, ..Default::default() });
        let response = client.create_pool(CreatePoolRequest { tenant, pool: Some(pool), etag: String::new() }).await?;
        let text = format!("made\n{}", render::pools(&view, response.pool.as_slice(), ""));
        Answer::new(&response, text)
    }

    /// Reads, changes, and writes if nobody else wrote meanwhile.
    async fn set(self, client: Client, view: View) -> Result<Answer, Fault> {
        let (tenant, account) = (self.name.tenant()?, self.name.account);
        let now = client.get_pool(GetPoolRequest { tenant: tenant.clone(), account }).await?;
        let pool = Some(self.content.changed(now.pool.unwrap_or_default()));
        let response = client.update_pool(UpdatePoolRequest { tenant, pool, etag: now.etag }).await?;
        let text = format!("set\n{}", render::pools(&view, response.pool.as_slice(), ""));
        Answer::new(&response, text)
    }
}

impl ListArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.tenant.resolve(self.member.as_deref())?;
        let member = self.member.unwrap_or_default();
        let mut request = ListPoolsRequest { tenant, member, page_size: PAGE, page_token: String::new() };
        let mut all = ListPoolsResponse::default();
        loop {
            let page = client.list_pools(request.clone()).await?;
            all.pools.extend(page.pools);
            all.active_pool = page.active_pool;
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let text = render::pools(&view, &all.pools, &all.active_pool);
        Answer::new(&all, text)
    }
}

impl SwitchArgs {
    async fn run(self, client: Client) -> Result<Answer, Fault> {
        let tenant = self.tenant.resolve(Some(&self.account))?;
        let pool = self.pool.unwrap_or_default();
        let response = client.set_active_pool(SetActivePoolRequest { tenant, account: self.account, pool }).await?;
        let chosen = match response.active_pool.as_str() {
            "" => "no pool is chosen".to_owned(),
            pool => format!("chosen: {pool}"),
        };
        let warning = if response.warning.is_empty() { String::new() } else { format!("\n{}", response.warning) };
        Answer::new(&response, chosen + &warning)
    }
}
