//! The commands on meters: create, update, delete, get, list.

use super::content::ContentArgs;
use super::scope::{EtagArgs, PAGE, ScopeArgs, entry, overtaken_again};
use crate::cli::args::ConnectionArgs;
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{self, View};
use crate::client::Client;
use crate::engine::manage::document::meter_entry;
use crate::proto::v1::*;
use crate::services::convert;
use clap::{Args, Subcommand};

/// `quotad meter`.
#[derive(Debug, Args)]
pub struct MeterArgs {
    /// What to do
    #[command(subcommand)]
    pub command: MeterCommand,
}

/// What can be done with meters.
#[derive(Debug, Subcommand)]
pub enum MeterCommand {
    /// Make a meter; charges may name it at once
    Create(PutArgs),
    /// Change what is named of a meter, the rest stays; with a file make it be what that says
    Update(PutArgs),
    /// Delete a meter that no quota, pool and rate card names any more; what was counted stays in the ledger
    Delete(DeleteArgs),
    /// Show a meter
    Get(NameArgs),
    /// List meters
    List(ListArgs),
}

/// `quotad meter create`, `quotad meter update`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad meter create --meter training.runs --unit run --display-name en='Training runs'
  quotad meter create --tenant tenants/acme --meter disk.bytes --unit byte --family allocation --overage refuse
  quotad meter update --meter training.runs --max-limit 1000
  quotad meter update -f meter.yaml          what the file leaves out has its default; one entry, for example
                                             {name: training.runs, unit: run, max_limit: 1000}")]
pub struct PutArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    etag: EtagArgs,
    /// The meter, for example training.runs
    #[arg(long, required_unless_present = "file")]
    meter: Option<String>,
    /// The whole meter, as an entry of `meters` in a catalog, from this file, or - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["meter", "ContentArgs"])]
    file: Option<String>,
    #[command(flatten)]
    content: ContentArgs,
}

/// Which meter.
#[derive(Debug, Args)]
pub struct NameArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// The meter, for example training.runs
    #[arg(long)]
    meter: String,
}

/// `quotad meter delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    etag: EtagArgs,
}

/// `quotad meter list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    scope: ScopeArgs,
}

impl MeterArgs {
    /// Which server, and how to print its answer.
    pub(in crate::cli) fn connection(&self) -> &ConnectionArgs {
        match &self.command {
            MeterCommand::Create(args) | MeterCommand::Update(args) => &args.scope.connection,
            MeterCommand::Delete(args) => &args.name.scope.connection,
            MeterCommand::Get(args) => &args.scope.connection,
            MeterCommand::List(args) => &args.scope.connection,
        }
    }

    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        match self.command {
            MeterCommand::Create(args) => args.create(client, view).await,
            MeterCommand::Update(args) => args.update(client, view).await,
            MeterCommand::Delete(args) => args.run(client).await,
            MeterCommand::Get(args) => args.run(client, view).await,
            MeterCommand::List(args) => args.run(client, view).await,
        }
    }
}

impl PutArgs {
    async fn create(self, client: Client, view: View) -> Result<Answer, Fault> {
        let (tenant, etag) = (self.scope.tenant(), self.etag.named());
        let meter = match &self.file {
            Some(path) => from_file(path)?,
            None => self.content.changed(Meter { name: self.meter.unwrap_or_default(), ..Default::default() }),
        };
        let response = client.create_meter(CreateMeterRequest { tenant, meter: Some(meter), etag }).await?;
        let text = format!("made\n{}", render::meters(&view, response.meter.as_slice()));
        Answer::new(&response, text)
    }

    /// Without a file it reads, changes, and writes if nobody else wrote meanwhile.
    async fn update(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.scope.tenant();
        let response = match &self.file {
            Some(path) => {
                let (meter, etag) = (Some(from_file(path)?), self.etag.named());
                client.update_meter(UpdateMeterRequest { tenant, meter, etag }).await?
            }
            None => {
                let meter = self.meter.unwrap_or_default();
                let once = async || {
                    let request = GetMeterRequest { tenant: tenant.clone(), meter: meter.clone() };
                    let now = client.get_meter(request).await?;
                    let meter = Some(self.content.clone().changed(now.meter.unwrap_or_default()));
                    let etag = self.etag.or(now.etag);
                    client.update_meter(UpdateMeterRequest { tenant: tenant.clone(), meter, etag }).await
                };
                overtaken_again(self.etag.is_named(), once).await?
            }
        };
        let text = format!("set\n{}", render::meters(&view, response.meter.as_slice()));
        Answer::new(&response, text)
    }
}

fn from_file(path: &str) -> Result<Meter, Fault> {
    entry(path, meter_entry).map(|meter| convert::meter::meter(&meter))
}

impl NameArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let request = GetMeterRequest { tenant: self.scope.tenant(), meter: self.meter };
        let response = client.get_meter(request).await?;
        let text = response.meter.as_ref().map(|meter| render::meter(&view, meter)).unwrap_or_default();
        Answer::new(&response, text)
    }
}

impl DeleteArgs {
    async fn run(self, client: Client) -> Result<Answer, Fault> {
        let NameArgs { scope, meter } = self.name;
        let request = DeleteMeterRequest { tenant: scope.tenant(), meter, etag: self.etag.named() };
        Answer::new(&client.delete_meter(request).await?, "deleted".to_owned())
    }
}

impl ListArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let tenant = self.scope.tenant();
        let mut request = ListMetersRequest { tenant, page_size: PAGE, page_token: String::new() };
        let mut all = ListMetersResponse::default();
        loop {
            let page = client.list_meters(request.clone()).await?;
            all.meters.extend(page.meters);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let text = render::meters(&view, &all.meters);
        Answer::new(&all, text)
    }
}
