//! Which server, which tenant, and the ids of a write.

use super::value;
use crate::cli::output::Fault;
use crate::client::Client;
use clap::Args;
use std::time::Duration;

/// The variable that names the tenant where neither the command line nor an account does.
pub const TENANT_VARIABLE: &str = "QUOTAD_TENANT";

/// Time for a call where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a call that carries a whole catalog, as the server gives it.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(300);

/// Which server, and how to print its answer.
#[derive(Clone, Debug, Args)]
pub struct ConnectionArgs {
    /// The server, host:port
    #[arg(long, help_heading = "Connection and output", env = "QUOTAD_ADDR", default_value = "127.0.0.1:50051")]
    pub addr: String,
    /// Time for the call, with retries: 500ms, 10s, 1m [default: 10s; of apply and export 5m]
    #[arg(long, help_heading = "Connection and output", value_parser = value::duration)]
    pub timeout: Option<Duration>,
    /// Who you are, for the audit: 1 to 128 visible characters
    #[arg(long, help_heading = "Connection and output", env = "QUOTAD_ACTOR", value_parser = value::id)]
    pub actor: Option<String>,
    /// Print the answer as JSON (the canonical form of the response message); errors too, on standard error
    #[arg(long, help_heading = "Connection and output")]
    pub json: bool,
}

impl ConnectionArgs {
    /// A client of that server.
    pub(in crate::cli) fn client(&self) -> Result<Client, Fault> {
        let client = Client::connect(&self.addr)?.with_timeout(self.timeout.unwrap_or(TIMEOUT));
        match &self.actor {
            None => Ok(client),
            Some(actor) => client
                .with_actor(actor)
                .ok_or_else(|| Fault::Usage(format!("--actor {actor:?} has characters that no header can carry"))),
        }
    }

    /// With the time that a whole catalog may take, where none is said.
    pub(in crate::cli) fn of_a_catalog(&self) -> ConnectionArgs {
        ConnectionArgs { timeout: self.timeout.or(Some(CATALOG_TIMEOUT)), ..self.clone() }
    }
}

/// Which tenant.
#[derive(Clone, Debug, Default, Args)]
pub struct TenantArgs {
    /// The tenant, for example tenants/acme [default: that of the first account named, else $QUOTAD_TENANT]
    #[arg(long)]
    pub tenant: Option<String>,
}

impl TenantArgs {
    /// The tenant that is named, else that of `account`, else the environment's.
    pub(in crate::cli) fn resolve(&self, account: Option<&str>) -> Result<String, Fault> {
        self.choose(account, std::env::var(TENANT_VARIABLE).ok())
    }

    /// As [`resolve`](Self::resolve), with the environment's value as an argument.
    pub(in crate::cli) fn choose(&self, account: Option<&str>, variable: Option<String>) -> Result<String, Fault> {
        if let Some(tenant) = &self.tenant {
            return Ok(tenant.clone());
        }
        if let Some(account) = account {
            let mut parts = account.split('/');
            return match (parts.next(), parts.next()) {
                (Some(collection), Some(id)) => Ok(format!("{collection}/{id}")),
                _ => Err(Fault::Usage(format!("{account:?} is not an account; write one like tenants/acme/users/u1"))),
            };
        }
        variable
            .filter(|tenant| !tenant.is_empty())
            .ok_or_else(|| Fault::Usage(format!("say which tenant: --tenant tenants/acme, or {TENANT_VARIABLE}")))
    }
}

/// Ids and promises of a write.
#[derive(Clone, Debug, Default, Args)]
pub struct WriteArgs {
    /// A name for this call, 1 to 128 visible characters; repeat the call with it and it has its effect once
    #[arg(long, value_name = "ID", value_parser = value::id)]
    pub request_id: Option<String>,
    /// Wait until the effect is in the ledger
    #[arg(long)]
    pub durable: bool,
}

impl WriteArgs {
    /// The caller's id for the call, else a fresh one, so that a failed call can be named and repeated.
    pub(in crate::cli) fn id(&self) -> String {
        id_or_fresh(self.request_id.as_deref())
    }
}

/// `id`, else a fresh UUID.
pub(in crate::cli) fn id_or_fresh(id: Option<&str>) -> String {
    id.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}
