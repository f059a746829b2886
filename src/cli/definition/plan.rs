//! The commands on plans: create, update, delete, get, list.

use super::scope::{EtagArgs, PAGE, ScopeArgs, entry, overtaken_again};
use crate::cli::args::ConnectionArgs;
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{self, View};
use crate::client::Client;
use crate::engine::manage::document::plan_entry;
use crate::proto::v1::*;
use crate::services::convert;
use clap::{Args, Subcommand};
use serde::Serialize;

/// `quotad plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What to do
    #[command(subcommand)]
    pub command: PlanCommand,
}

/// What can be done with plans.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Make a plan; `quotad quota set --subject plans/NAME` gives it quotas
    Create(PutArgs),
    /// Change what is named of a plan, the rest stays; with a file make it be what that says; its quotas stay
    Update(PutArgs),
    /// Delete a plan that no account has any more, with its quotas
    Delete(DeleteArgs),
    /// Show a plan and its quotas
    Get(NameArgs),
    /// List plans
    List(ListArgs),
}

/// `quotad plan create`, `quotad plan update`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad plan create --plan vip --display-name VIP --feature own_quotas
  quotad plan update --tenant tenants/acme --plan vip --no-feature own_quotas
  quotad plan update -f plan.yaml            what the file leaves out is gone; one entry, for example
                                             {name: vip, display_name: VIP, features: [own_quotas]}
  quotad quota set --subject plans/vip --meter training.runs --limit lifetime=100")]
pub struct PutArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    etag: EtagArgs,
    /// The plan, for example vip
    #[arg(long, required_unless_present = "file")]
    plan: Option<String>,
    /// The whole plan, as an entry of `plans` in a catalog, without quotas, from this file, or - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["plan", "ContentArgs"])]
    file: Option<String>,
    #[command(flatten)]
    content: ContentArgs,
}

/// What is said of a plan; what is not stays as it is.
#[derive(Clone, Debug, Args)]
pub struct ContentArgs {
    /// A name for people
    #[arg(long)]
    display_name: Option<String>,
    /// What a tenant that has the plan may do beside, a word that a default's --locked-without asks for, may be repeated
    #[arg(long = "feature", value_name = "FEATURE")]
    features: Vec<String>,
    /// A feature to take away, may be repeated
    #[arg(long = "no-feature", value_name = "FEATURE")]
    no_features: Vec<String>,
}

/// Which plan.
#[derive(Debug, Args)]
pub struct NameArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// The plan, for example vip
    #[arg(long)]
    plan: String,
}

/// `quotad plan delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    etag: EtagArgs,
}

/// `quotad plan list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    scope: ScopeArgs,
}

impl PlanArgs {
    /// Which server, and how to print its answer.
    pub(in crate::cli) fn connection(&self) -> &ConnectionArgs {
        match &self.command {
            PlanCommand::Create(args) | PlanCommand::Update(args) => &args.scope.connection,
            PlanCommand::Delete(args) => &args.name.scope.connection,
            PlanCommand::Get(args) => &args.scope.connection,
            PlanCommand::List(args) => &args.scope.connection,
        }
    }

    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        match self.command {
            PlanCommand::Create(args) => args.create(client, view).await,
            PlanCommand::Update(args) => args.update(client, view).await,
            PlanCommand::Delete(args) => args.run(client).await,
            PlanCommand::Get(args) => args.run(client, view).await,
            PlanCommand::List(args) => args.run(client, view).await,
        }
    }
}

impl ContentArgs {
    /// A plan with what the command line names.
    fn changed(self, mut plan: Plan) -> Plan {
        if let Some(name) = self.display_name {
            plan.display_name = name;
        }
        plan.features.extend(self.features);
        plan.features.retain(|feature| !self.no_features.contains(feature));
        plan
    }
}

impl PutArgs {
    async fn create(self, client: Client, view: View) -> Result<Answer, Fault> {
        let (tenant, etag) = (self.scope.tenant(), self.etag.named());
        let plan = match &self.file {
            Some(path) => from_file(path)?,
            None => self.content.changed(Plan { name: self.plan.unwrap_or_default(), ..Default::default() }),
        };
        let response = client.create_plan(CreatePlanRequest { tenant, plan: Some(plan), etag }).await?;
        let text = format!("made\n{}", render::plans(&view, response.plan.as_slice()));
        Answer::new(&response, text)
    }

    /// Without a file it reads, changes, and writes if nobody else wrote meanwhile.
    async fn update(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.scope.tenant();
        let response = match &self.file {
            Some(path) => {
                let (plan, etag) = (Some(from_file(path)?), self.etag.named());
                client.update_plan(UpdatePlanRequest { tenant, plan, etag }).await?
            }
            None => {
                let plan = self.plan.unwrap_or_default();
                let once = async || {
                    let request = GetPlanRequest { tenant: tenant.clone(), plan: plan.clone() };
                    let now = client.get_plan(request).await?;
                    let plan = Some(self.content.clone().changed(now.plan.unwrap_or_default()));
                    let etag = self.etag.or(now.etag);
                    client.update_plan(UpdatePlanRequest { tenant: tenant.clone(), plan, etag }).await
                };
                overtaken_again(self.etag.is_named(), once).await?
            }
        };
        let text = format!("set\n{}", render::plans(&view, response.plan.as_slice()));
        Answer::new(&response, text)
    }
}

fn from_file(path: &str) -> Result<Plan, Fault> {
    entry(path, plan_entry).map(|plan| convert::plan::plan(&plan))
}

/// A plan with the quotas that the tenant, or the installation, sees of it.
#[derive(Serialize)]
struct WithQuotas {
    #[serde(flatten)]
    response: GetPlanResponse,
    quotas: Vec<Quota>,
}

impl NameArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.scope.tenant();
        let mut quotas = ListQuotasRequest {
            tenant: tenant.clone(),
            subject: format!("plans/{}", self.plan),
            page_size: PAGE,
            ..Default::default()
        };
        let response = client.get_plan(GetPlanRequest { tenant, plan: self.plan }).await?;
        let mut all = WithQuotas { response, quotas: Vec::new() };
        loop {
            let page = client.list_quotas(quotas.clone()).await?;
            all.quotas.extend(page.quotas);
            if page.next_page_token.is_empty() {
                break;
            }
            quotas.page_token = page.next_page_token;
        }
        let plan = render::plans(&view, all.response.plan.as_slice());
        let text = format!("{plan}\n{}", render::quotas(&view, &all.quotas));
        Answer::new(&all, text)
    }
}

impl DeleteArgs {
    async fn run(self, client: Client) -> Result<Answer, Fault> {
        let NameArgs { scope, plan } = self.name;
        let request = DeletePlanRequest { tenant: scope.tenant(), plan, etag: self.etag.named() };
        Answer::new(&client.delete_plan(request).await?, "deleted".to_owned())
    }
}

impl ListArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.scope.tenant();
        let mut request = ListPlansRequest { tenant, page_size: PAGE, page_token: String::new() };
        let mut all = ListPlansResponse::default();
        loop {
            let page = client.list_plans(request.clone()).await?;
            all.plans.extend(page.plans);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let text = render::plans(&view, &all.plans);
        Answer::new(&all, text)
    }
}
