//! The commands on rate cards: create, update, delete, get, list. What a card says stands in a file: it is a table of prices.

use super::scope::{EtagArgs, PAGE, ScopeArgs, entry};
use crate::cli::args::{ConnectionArgs, value};
use crate::cli::output::{Answer, Fault};
use crate::cli::render::{self, View};
use crate::client::Client;
use crate::engine::manage::document::rate_card_entry;
use crate::proto::v1::*;
use crate::services::convert;
use clap::{Args, Subcommand};

/// `quotad card`.
#[derive(Debug, Args)]
pub struct CardArgs {
    /// What to do
    #[command(subcommand)]
    pub command: CardCommand,
}

/// What can be done with rate cards.
#[derive(Debug, Subcommand)]
pub enum CardCommand {
    /// Make a rate card: the prices of a meter from a time on
    Create(PutArgs),
    /// Make the rate card of its meter and time be what a file says; what is left out is gone
    Update(PutArgs),
    /// Delete a rate card; what was reserved keeps its prices
    Delete(DeleteArgs),
    /// Show a rate card with its prices, or the one in force now
    Get(GetArgs),
    /// List rate cards
    List(ListArgs),
}

/// `quotad card create`, `quotad card update`.
#[derive(Debug, Args)]
#[command(after_help = "A file holds one entry of `rate_cards` in a catalog, for example:
  meter: llm.cost
  from: 2040-03-01T00:00:00Z
  prices:
    - {item: gpt-4o, currency: USD, per: 1_000_000, components: {input: \"2.50\", output: \"10.00\"}}
  discounts: [{service: chat, factor: \"0.8\"}]
  rates: [{currency: USD, rate: \"7.2\"}]

Examples:
  quotad card create -f march.yaml
  quotad card update --tenant tenants/acme -f march.yaml")]
pub struct PutArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    etag: EtagArgs,
    /// The whole card, as an entry of `rate_cards` in a catalog, from this file, or - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: String,
}

/// `quotad card get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// The meter
    #[arg(long)]
    meter: String,
    /// When the card begins, 2040-03-01T00:00:00Z [default: the one in force now]
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    from: Option<pbjson_types::Timestamp>,
}

/// `quotad card delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    etag: EtagArgs,
    /// The meter
    #[arg(long)]
    meter: String,
    /// When the card begins, 2040-03-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = value::time)]
    from: pbjson_types::Timestamp,
}

/// `quotad card list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Only those of this meter
    #[arg(long)]
    meter: Option<String>,
}

impl CardArgs {
    /// Which server, and how to print its answer.
    pub(in crate::cli) fn connection(&self) -> &ConnectionArgs {
        match &self.command {
            CardCommand::Create(args) | CardCommand::Update(args) => &args.scope.connection,
            CardCommand::Delete(args) => &args.scope.connection,
            CardCommand::Get(args) => &args.scope.connection,
            CardCommand::List(args) => &args.scope.connection,
        }
    }

    pub(in crate::cli) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        match self.command {
            CardCommand::Create(args) => args.create(client, view).await,
            CardCommand::Update(args) => args.update(client, view).await,
            CardCommand::Delete(args) => args.run(client).await,
            CardCommand::Get(args) => args.run(client, view).await,
            CardCommand::List(args) => args.run(client, view).await,
        }
    }
}

impl PutArgs {
    fn card(&self) -> Result<Option<RateCard>, Fault> {
        entry(&self.file, rate_card_entry).map(|card| Some(convert::rate_card::rate_card(&card)))
    }

    async fn create(self, client: Client, view: View) -> Result<Answer, Fault> {
        let (tenant, rate_card) = (self.scope.tenant(), self.card()?);
        let request = CreateRateCardRequest { tenant, rate_card, etag: self.etag.named() };
        let response = client.create_rate_card(request).await?;
        let text = format!("made\n{}", render::cards(&view, response.rate_card.as_slice()));
        Answer::new(&response, text)
    }

    async fn update(self, client: Client, view: View) -> Result<Answer, Fault> {
        let (tenant, rate_card) = (self.scope.tenant(), self.card()?);
        let request = UpdateRateCardRequest { tenant, rate_card, etag: self.etag.named() };
        let response = client.update_rate_card(request).await?;
        let text = format!("set\n{}", render::cards(&view, response.rate_card.as_slice()));
        Answer::new(&response, text)
    }
}

impl GetArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let request = GetRateCardRequest { tenant: self.scope.tenant(), meter: self.meter, from_time: self.from };
        let response = client.get_rate_card(request).await?;
        let text = response.rate_card.as_ref().map(|card| render::card(&view, card)).unwrap_or_default();
        Answer::new(&response, text)
    }
}

impl DeleteArgs {
    async fn run(self, client: Client) -> Result<Answer, Fault> {
        let (tenant, from_time) = (self.scope.tenant(), Some(self.from));
        let request = DeleteRateCardRequest { tenant, meter: self.meter, from_time, etag: self.etag.named() };
        Answer::new(&client.delete_rate_card(request).await?, "deleted".to_owned())
    }
}

impl ListArgs {
    async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let (tenant, meter) = (self.scope.tenant(), self.meter.unwrap_or_default());
        let mut request = ListRateCardsRequest { tenant, meter, page_size: PAGE, page_token: String::new() };
        let mut all = ListRateCardsResponse::default();
        loop {
            let page = client.list_rate_cards(request.clone()).await?;
            all.rate_cards.extend(page.rate_cards);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let text = render::cards(&view, &all.rate_cards);
        Answer::new(&all, text)
    }
}
