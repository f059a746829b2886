//! `quotad probe`: the health check of a container, by the binary itself, so that an image needs no other program.

use super::args::value;
use super::output::{self, Fault};
use crate::client::{Client, Serving};
use serde_json::json;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

/// `quotad probe`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  quotad probe
      is the server on this machine ready?
  quotad probe --service liveness --timeout 1s
  quotad probe --addr 10.0.0.7:50051 --service quotad.v1.QuotaService --json

liveness: the process answers, whatever else is broken. readiness: it takes calls; not while it starts or drains. Neither
asks Redis or the database: a server without them still answers by policy, and a restart would not bring them back.

Exit status: 0 it serves, 1 it does not, cannot be reached, or does not have that service.")]
pub struct ProbeArgs {
    /// The server's gRPC port, host:port
    #[arg(long, visible_alias = "address", env = "QUOTAD_ADDR", default_value = "127.0.0.1:50051")]
    addr: String,
    /// What to ask for: liveness, readiness, or a gRPC service by its full name; an empty text is the server as a whole
    #[arg(long, default_value = "readiness")]
    service: String,
    /// Time for the answer, with the connection: 500ms, 2s
    #[arg(long, default_value = "2s", value_parser = value::duration)]
    timeout: Duration,
    /// Print one line of JSON: service and status
    #[arg(long)]
    json: bool,
}

/// Asks once and tells by the exit status.
pub fn run(args: ProbeArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&Fault::Usage(format!("no runtime: {error}")), args.json),
    };
    let asked = runtime.block_on(async {
        let client = Client::connect(&args.addr)?.with_timeout(args.timeout);
        client.serving(&args.service).await
    });
    let serving = match asked {
        Ok(serving) => serving,
        Err(error) => return output::fail(&Fault::Call(error), args.json),
    };
    let status = match serving {
        Serving::Yes => "SERVING",
        Serving::No => "NOT_SERVING",
        Serving::UnknownService => "SERVICE_UNKNOWN",
    };
    let line = match (args.json, args.service.as_str()) {
        (true, service) => json!({ "service": service, "status": status }).to_string(),
        (false, "") => format!("server: {status}"),
        (false, service) => format!("{service}: {status}"),
    };
    // A closed pipe is not an error; the status tells.
    let _ = writeln!(io::stdout().lock(), "{line}");
    if serving == Serving::Yes { ExitCode::SUCCESS } else { ExitCode::from(output::FAILED) }
}
