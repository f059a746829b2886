//! The commands of the hot path: check, reserve, commit, release, extend, consume, free.

use super::args::{ChargeArgs, ConnectionArgs, TenantArgs, WriteArgs, id_or_fresh, value};
use super::output::{Answer, Fault};
use super::render::{self, Aside, View};
use crate::client::Client;
use crate::proto::v1::*;
use clap::Args;
use std::collections::HashMap;
use std::time::Duration;

/// `quotad check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    charges: ChargeArgs,
}

/// `quotad reserve`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad reserve --account tenants/acme/users/u1 --meter training.runs --amount 1 --id r1 --ttl 60s
  quotad reserve --charge tenants/acme/users/u1,llm.tokens,5000,item=gpt --charge tenants/acme/users/u1,llm.calls,1

A hold that is neither committed nor released ends by itself after its ttl.
The same id with the same charges is a repeat: it gets the first answer and holds nothing more.")]
pub struct ReserveArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    charges: ChargeArgs,
    /// A name for the reservation, 1 to 128 visible characters [default: made up]
    #[arg(long, value_parser = value::id)]
    id: Option<String>,
    /// Time until the hold ends by itself, at most 24h [default: 60s]
    #[arg(long, allow_hyphen_values = true, value_parser = value::duration)]
    ttl: Option<Duration>,
    /// A label kept with the reservation, may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = value::label)]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    write: WriteArgs,
}

/// `quotad commit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quotad commit --tenant tenants/acme --id r1
      records exactly what is held
  quotad commit --id r1 --account tenants/acme/users/u1 --meter llm.tokens --amount 4200
      records what was really used; what is held beyond it is free at once
  quotad commit --id r1 --account tenants/acme/users/u1 --meter llm.tokens --amount 1000 --part
      records a part and keeps the rest held")]
pub struct CommitArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The reservation
    #[arg(long, value_parser = value::id)]
    id: String,
    #[command(flatten)]
    charges: ChargeArgs,
    /// Commit only a part and keep the rest held; each call records anew, unless --request-id repeats
    #[arg(long)]
    part: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// `quotad release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The reservation
    #[arg(long, value_parser = value::id)]
    id: String,
    #[command(flatten)]
    charges: ChargeArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// `quotad extend`.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// The reservation
    #[arg(long, value_parser = value::id)]
    id: String,
    /// New time from now until the hold ends by itself, at most 24h [default: 60s]
    #[arg(long, allow_hyphen_values = true, value_parser = value::duration)]
    ttl: Option<Duration>,
    #[command(flatten)]
    charges: ChargeArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// `quotad consume`.
#[derive(Debug, Args)]
pub struct ConsumeArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    charges: ChargeArgs,
    /// A name for the reservation that this makes and commits [default: made up]
    #[arg(long, value_parser = value::id)]
    id: Option<String>,
    /// A label kept with the reservation, may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = value::label)]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    write: WriteArgs,
}

/// `quotad free`.
#[derive(Debug, Args)]
pub struct FreeArgs {
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    #[command(flatten)]
    tenant: TenantArgs,
    /// Free all that this reservation committed; without it, name charges
    #[arg(long, conflicts_with_all = ["account", "charge"], value_parser = value::id)]
    id: Option<String>,
    #[command(flatten)]
    charges: ChargeArgs,
    #[command(flatten)]
    write: WriteArgs,
}

impl CheckArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let charges = self.charges.required()?;
        let tenant = tenant_of(&self.tenant, &charges)?;
        let response = client.check(CheckRequest { tenant, charges }).await?;
        let (text, denied) = match &response.outcome {
            Some(check_response::Outcome::Granted(allowance)) => (render::allowance(&view, allowance), false),
            Some(check_response::Outcome::Denied(denial)) => (render::denial(&view, denial), true),
            None => return Err(no_outcome()),
        };
        Ok(Answer { denied, ..Answer::new(&response, text)? })
    }
}

impl ReserveArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let charges = self.charges.required()?;
        let request = ReserveRequest {
            tenant: tenant_of(&self.tenant, &charges)?,
            reservation_id: id_or_fresh(self.id.as_deref()),
            request_id: self.write.id(),
            charges,
            ttl: self.ttl.map(Into::into),
            labels: distinct(self.labels)?,
            wait_for_durable: self.write.durable,
        };
        let repeat = format!("--id {} --request-id {}", request.reservation_id, request.request_id);
        let response = client.reserve(request).await.map_err(|error| Fault::of_write(error, repeat))?;
        let aside = Aside::new(response.durability(), response.replayed);
        let (text, denied) = match &response.outcome {
            Some(reserve_response::Outcome::Granted(held)) => (render::outcome(&view, held, &aside), false),
            Some(reserve_response::Outcome::Denied(denial)) => (render::denial(&view, denial), true),
            None => return Err(no_outcome()),
        };
        Ok(Answer { denied, ..Answer::new(&response, text)? })
    }
}

impl ConsumeArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let charges = self.charges.required()?;
        let request = ConsumeRequest {
            tenant: tenant_of(&self.tenant, &charges)?,
            reservation_id: id_or_fresh(self.id.as_deref()),
            request_id: self.write.id(),
            charges,
            labels: distinct(self.labels)?,
            wait_for_durable: self.write.durable,
        };
        let repeat = format!("--id {} --request-id {}", request.reservation_id, request.request_id);
        let response = client.consume(request).await.map_err(|error| Fault::of_write(error, repeat))?;
        let aside = Aside::new(response.durability(), response.replayed);
        let (text, denied) = match &response.outcome {
            Some(consume_response::Outcome::Granted(used)) => (render::outcome(&view, used, &aside), false),
            Some(consume_response::Outcome::Denied(denial)) => (render::denial(&view, denial), true),
            None => return Err(no_outcome()),
        };
        Ok(Answer { denied, ..Answer::new(&response, text)? })
    }
}

impl CommitArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let charges = self.charges.charges();
        if self.part && charges.is_empty() {
            return Err(Fault::Usage("--part needs what is committed: --account, --meter and --amount".to_owned()));
        }
        let request = CommitRequest {
            tenant: tenant_of(&self.tenant, &charges)?,
            reservation_id: self.id,
            request_id: self.write.id(),
            charges,
            r#final: Some(!self.part),
            wait_for_durable: self.write.durable,
        };
        let repeat = format!("--request-id {}", request.request_id);
        // A part can only be told from the next one by this id.
        let note = self.part.then(|| format!("request id {}", request.request_id));
        let response = client.commit(request).await.map_err(|error| Fault::of_write(error, repeat))?;
        let aside = Aside::new(response.durability(), response.replayed);
        let text = render::outcome_of(&view, response.reservation.as_ref(), &aside)?;
        Ok(Answer { note, ..Answer::new(&response, text)? })
    }
}

impl ReleaseArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let charges = self.charges.charges();
        let request = ReleaseRequest {
            tenant: tenant_of(&self.tenant, &charges)?,
            reservation_id: self.id,
            request_id: self.write.id(),
            charges,
            wait_for_durable: self.write.durable,
        };
        let repeat = format!("--request-id {}", request.request_id);
        let response = client.release(request).await.map_err(|error| Fault::of_write(error, repeat))?;
        let aside = Aside::new(response.durability(), response.replayed);
        let text = render::outcome_of(&view, response.reservation.as_ref(), &aside)?;
        Answer::new(&response, text)
    }
}

impl ExtendArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let charges = self.charges.charges();
        let request = ExtendRequest {
            tenant: tenant_of(&self.tenant, &charges)?,
            reservation_id: self.id,
            request_id: self.write.id(),
            ttl: self.ttl.map(Into::into),
            charges,
            wait_for_durable: self.write.durable,
        };
        let repeat = format!("--request-id {}", request.request_id);
        let response = client.extend(request).await.map_err(|error| Fault::of_write(error, repeat))?;
        if let Some(denial) = &response.denied {
            let text = render::denial(&view, denial);
            return Ok(Answer { denied: true, ..Answer::new(&response, text)? });
        }
        let aside = Aside::new(response.durability(), response.replayed);
        let text = render::outcome_of(&view, response.reservation.as_ref(), &aside)?;
        Answer::new(&response, text)
    }
}

impl FreeArgs {
    pub(super) async fn run(self, client: Client, view: View) -> Result<Answer, Fault> {
        let charges = self.charges.charges();
        if self.id.is_none() && charges.is_empty() {
            let why =
                "say what to free: all of a reservation by --id, or charges by --account and --meter, or --charge";
            return Err(Fault::Usage(why.to_owned()));
        }
        let request = FreeRequest {
            tenant: tenant_of(&self.tenant, &charges)?,
            request_id: self.write.id(),
            reservation_id: self.id.unwrap_or_default(),
            charges,
            wait_for_durable: self.write.durable,
        };
        let repeat = format!("--request-id {}", request.request_id);
        let response = client.free(request).await.map_err(|error| Fault::of_write(error, repeat))?;
        let text = render::freed(&view, &response);
        Answer::new(&response, text)
    }
}

fn tenant_of(tenant: &TenantArgs, charges: &[Charge]) -> Result<String, Fault> {
    tenant.resolve(charges.first().map(|charge| charge.account.as_str()))
}

/// The labels by their keys.
fn distinct(labels: Vec<(String, String)>) -> Result<HashMap<String, String>, Fault> {
    let mut all = HashMap::new();
    for (key, value) in labels {
        if all.contains_key(&key) {
            return Err(Fault::Usage(format!("--label {key} is given twice")));
        }
        all.insert(key, value);
    }
    Ok(all)
}

/// The server broke the protocol.
fn no_outcome() -> Fault {
    Fault::Usage("the server's answer has no outcome; is it a newer quotad?".to_owned())
}
