//! `quotad account`: the records of accounts.

use super::args::{ConnectionArgs, TenantArgs, value};
use super::output::{Answer, Fault};
use super::render::{self, View};
use crate::client::Client;
use crate::proto::v1::*;
use clap::{Args, Subcommand, ValueEnum};

/// Most records that the server puts on one page.
const PAGE: i32 = 1000;

/// `quotad account`.
#[derive(Debug, Args)]
pub struct AccountArgs {
    /// What to do
    #[command(subcommand)]
    pub command: AccountCommand,
}

/// What can be done with records.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Make a record of an account
    Create(PutArgs),
    /// Change what is named in a record; the rest stays
    Set(PutArgs),
    /// Remove a record, with the account's own quotas; its use stays
    Delete(NameArgs),
    /// Give an account another name, with its use and all that is below it
    Move(MoveArgs),
    /// Show a record
    Get(NameArgs),
    /// List the records of a tenant
    List(ListArgs),
}

/// Which account.
#[derive(Debug, Args)]
pub struct NameArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The account, for example tenants/acme/users/u1
    #[arg(long)]
    account: String,
}

/// `quotad account create`, `quotad account set`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad account create --account tenants/uni/users/ann --display-name Ann --label role=student
  quotad account set --account tenants/uni/users/ann --state suspended")]
pub struct PutArgs {
    #[command(flatten)]
    name: NameArgs,
    /// A name for people
    #[arg(long)]
    display_name: Option<String>,
    /// The plan whose quotas it has; "" for none
    #[arg(long)]
    plan: Option<String>,
    /// IANA time zone of windows that name none; "" for that of the account above
    #[arg(long)]
    time_zone: Option<String>,
    /// A label, key=value, may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = value::label)]
    labels: Vec<(String, String)>,
    /// A label to take away, may be repeated
    #[arg(long = "no-label", value_name = "KEY")]
    no_labels: Vec<String>,
    /// Whether it may be charged
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    /// The currency in which people reckon with it, three capital letters; "" for none
    #[arg(long)]
    currency: Option<String>,
    /// Of a tenant: which accounts it may charge
    #[arg(long, value_enum)]
    accounts: Option<PolicyArg>,
}

/// `quotad account move`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is consumed stays with the accounts above the old name; what is in use of an allocation goes to those above
the new one, where it must fit: else the answer is a denial (exit code 1). The old name acts on the new one from then on.

Examples:
  quotad account move tenants/uni/subtenants/a/users/ann tenants/uni/subtenants/b/users/ann
  quotad account move tenants/hub/namespaces/ann/repos/m tenants/hub/namespaces/lab/repos/m --quotas reset"
)]
pub struct MoveArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The account, by the name that it has or one that it had
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// The name that it shall have
    #[arg(value_name = "NEW_NAME")]
    new_name: String,
    /// What becomes of its own quotas, and of those below it
    #[arg(long, value_enum, default_value = "keep")]
    quotas: QuotasArg,
}

/// What becomes of the quotas of an account that moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum QuotasArg {
    /// They go along
    Keep,
    /// They are deleted
    Reset,
}

/// Whether an account may be charged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum StateArg {
    /// It may
    Active,
    /// Not for now
    Suspended,
    /// Not any more
    Closed,
}

/// Which accounts a tenant may charge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum PolicyArg {
    /// All
    Open,
    /// Those with a record
    Registered,
}

/// `quotad account list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
}

impl AccountArgs {
    /// Which server, and how to print its answer.
    pub(in crate::cli) fn connection(&self) -> &ConnectionArgs {
        match &self.command {
            AccountCommand::Create(args) | AccountCommand::Set(args) => &args.name.connection,
            AccountCommand::Delete(args) | AccountCommand::Get(args) => &args.connection,
            AccountCommand::Move(args) => &args.connection,
            AccountCommand::List(args) => &args.connection,
        }
    }

    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        match self.command {
            AccountCommand::Create(args) => args.create(client, view).await,
            AccountCommand::Set(args) => args.set(client, view).await,
            AccountCommand::Delete(args) => args.delete(client).await,
            AccountCommand::Get(args) => args.get(client, view).await,
            AccountCommand::Move(args) => args.run(client, view).await,
            AccountCommand::List(args) => args.run(client, view).await,
        }
    }
}

impl NameArgs {
    fn tenant(&self) -> Result<String, Fault> {
        self.tenant.resolve(Some(&self.account))
    }

    async fn get(self, client: Client, view: View) -> Result<Answer, Fault> {
        let response = client.get_account(GetAccountRequest { tenant: self.tenant()?, account: self.account }).await?;
        let text = render::accounts(&view, response.account.as_slice());
        Answer::new(&response, text)
    }

    async fn delete(self, client: Client) -> Result<Answer, Fault> {
        let request = DeleteAccountRequest { tenant: self.tenant()?, account: self.account, etag: String::new() };
        Answer::new(&client.delete_account(request).await?, "deleted".to_owned())
    }
}

impl MoveArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let quotas = match self.quotas {
            QuotasArg::Keep => MovedQuotas::Keep,
            QuotasArg::Reset => MovedQuotas::Reset,
        };
        let request = MoveAccountRequest {
            tenant: self.tenant.resolve(Some(&self.account))?,
            account: self.account,
            new_name: self.new_name,
            quotas: quotas.into(),
            etag: String::new(),
        };
        let response = client.move_account(request).await?;
        let (text, denied) = match &response.outcome {
            Some(move_account_response::Outcome::Denied(denial)) => (render::denial(&view, denial), true),
            Some(move_account_response::Outcome::Moved(moved)) => (format!("moved to {}", moved.name), false),
            None => (String::new(), false),
        };
        Ok(Answer { denied, ..Answer::new(&response, text)? })
    }
}

impl PutArgs {
    /// A record with what the command line names.
    fn changed(&self, mut account: Account) -> Account {
        let put = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        put(&mut account.display_name, &self.display_name);
        put(&mut account.plan, &self.plan);
        put(&mut account.time_zone, &self.time_zone);
        put(&mut account.currency, &self.currency);
        account.labels.extend(self.labels.iter().cloned());
        account.labels.retain(|key, _| !self.no_labels.contains(key));
        if let Some(state) = self.state {
            account.set_state(match state {
                StateArg::Active => AccountState::Active,
                StateArg::Suspended => AccountState::Suspended,
                StateArg::Closed => AccountState::Closed,
            });
        }
        if let Some(policy) = self.accounts {
            account.set_account_policy(match policy {
                PolicyArg::Open => AccountPolicy::Open,
                PolicyArg::Registered => AccountPolicy::Registered,
            });
        }
        account
    }

    async fn create(self, client: Client, view: View) -> Result<Answer, Fault> {
        let account = self.changed(Account { name: self.name.account.clone(), ..Default::default() });
        let request = CreateAccountRequest { tenant: self.name.tenant()?, account: Some(account), etag: String::new() };
        let response = client.create_account(request).await?;
        let text = format!("made\n{}", render::accounts(&view, response.account.as_slice()));
        Answer::new(&response, text)
    }

    /// Reads, changes, and writes if nobody else wrote meanwhile.
    async fn set(self, client: Client, view: View) -> Result<Answer, Fault> {
        let (tenant, account) = (self.name.tenant()?, self.name.account.clone());
        let now = client.get_account(GetAccountRequest { tenant: tenant.clone(), account }).await?;
        let account = Some(self.changed(now.account.unwrap_or_default()));
        let response = client.update_account(UpdateAccountRequest { tenant, account, etag: now.etag }).await?;
        let text = format!("set\n{}", render::accounts(&view, response.account.as_slice()));
        Answer::new(&response, text)
    }
}

impl ListArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.tenant.resolve(None)?;
        let mut request = ListAccountsRequest { tenant, page_size: PAGE, page_token: String::new() };
        let mut all = ListAccountsResponse::default();
        loop {
            let page = client.list_accounts(request.clone()).await?;
            all.accounts.extend(page.accounts);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let text = render::accounts(&view, &all.accounts);
        Answer::new(&all, text)
    }
}
