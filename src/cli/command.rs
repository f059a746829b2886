//! The commands of the program, and the way of one of them from its arguments to the exit status.

use super::output::{self, Answer, Fault};
use super::render::View;
use super::{
    account, admin, args::ConnectionArgs, bench, call, catalog, debug, definition, doctor, import, migrate, pool,
    probe, quota, reservations, serve, usage, verify,
};
use crate::client::Client;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

/// The program.
#[derive(Debug, Parser)]
#[command(
    name = "quotad",
    version,
    about = "A quota authority: exact holds over accounts, meters and calendar windows, over gRPC",
    after_help = "Exit status: 0 granted or done, 2 denied, 1 error (verify, doctor and debug have their own).\n\n\
                  `quotad COMMAND --help` explains a command and shows examples."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
    /// Ask whether charges would fit now; holds nothing
    Check(call::CheckArgs),
    /// Hold amounts on every limit that applies, all or nothing
    Reserve(call::ReserveArgs),
    /// Turn a hold, or a part of it, into recorded use
    Commit(call::CommitArgs),
    /// Give a hold, or a part of it, back
    Release(call::ReleaseArgs),
    /// Move the deadline of a hold, and raise it if charges are given
    Extend(call::ExtendArgs),
    /// Reserve and commit in one step, for use whose amount is known
    Consume(call::ConsumeArgs),
    /// Give committed use of an allocation meter back (bytes deleted, services stopped)
    Free(call::FreeArgs),
    /// Show one reservation as it stands now
    Reservation(reservations::ReservationArgs),
    /// List a tenant's reservations, newest first
    Reservations(reservations::ReservationsArgs),
    /// Show limits and use of one account
    Usage(usage::UsageArgs),
    /// Set, edit, delete and list quotas, and show the versions that they had
    Quota(quota::QuotaArgs),
    /// Make, change, delete and list meters: what is counted, and by which rules
    Meter(definition::MeterArgs),
    /// Make, change, delete and list plans: sets of quotas that accounts have
    Plan(definition::PlanArgs),
    /// Make, change, delete and list rate cards: what the items of a meter cost from a time on
    Card(definition::CardArgs),
    /// Make, change, suspend and list the records of accounts
    Account(account::AccountArgs),
    /// Make, change and list pools (accounts that others spend from), and switch between them
    Pool(pool::PoolArgs),
    /// Correct what accounts have used, with a reason that stays in the audit
    Adjust(admin::AdjustArgs),
    /// Make what is charged to accounts be what was measured there (true sizes of repositories)
    Recalculate(admin::RecalculateArgs),
    /// Ask for a higher limit, and approve or reject what was asked for
    Request(admin::RequestArgs),
    /// Show who changed what
    Audit(admin::AuditArgs),
    /// Make the catalog (meters, plans, quotas) be what a YAML file says
    Apply(catalog::ApplyArgs),
    /// Write the catalog as YAML
    Export(catalog::ExportArgs),
    /// Record the use that accounts had before quotad counted it, from a file
    ImportUsage(import::ImportUsageArgs),
    /// Bring a database's schema up to date, as a server does when it starts
    Migrate(migrate::MigrateArgs),
    /// Recompute the ledger's sums from its entries, and what is live in Redis from the ledger, and tell what differs
    Verify(verify::VerifyArgs),
    /// Tell which promises are met, weakened or broken by this deployment
    Doctor(doctor::DoctorArgs),
    /// Ask a running server whether it is alive or ready: the health check of a container
    Probe(probe::ProbeArgs),
    /// Show what stands in Redis in readable form
    Debug(debug::DebugArgs),
    /// Measure what a decision costs on this machine
    Bench(bench::BenchArgs),
}

/// Reads the command line, the program's name first.
///
/// # Errors
/// The exit status, after the text was printed: 0 for `--help` and `--version`, 1 for a wrong command line (2 means
/// denied), 2 for one of a command that could not look (1 means that something is wrong).
pub fn parse(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, ExitCode> {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let looks = args.get(1).is_some_and(|command| command == "verify" || command == "doctor" || command == "debug");
    Cli::try_parse_from(args).map_err(|error| {
        // Where even that can't be written, the exit status still tells.
        let _ = error.print();
        match (error.use_stderr(), looks) {
            (false, _) => ExitCode::SUCCESS,
            (true, false) => ExitCode::from(output::FAILED),
            (true, true) => ExitCode::from(verify::BLIND),
        }
    })
}

/// Does what the command line says; the result is the program's exit status.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Debug(args) => debug::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Migrate(args) => migrate::run(args),
        Command::Probe(args) => probe::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Check(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Reserve(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Commit(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Release(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Extend(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Consume(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Free(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Reservation(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Reservations(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Usage(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Quota(args) => ask(&args.connection().clone(), async |client, view| args.run(client, view).await),
        Command::Meter(args) => ask(&args.connection().clone(), async |client, view| args.run(client, view).await),
        Command::Plan(args) => ask(&args.connection().clone(), async |client, view| args.run(client, view).await),
        Command::Card(args) => ask(&args.connection().clone(), async |client, view| args.run(client, view).await),
        Command::Account(args) => ask(&args.connection().clone(), async |client, view| args.run(client, view).await),
        Command::Pool(args) => ask(&args.connection().clone(), async |client, view| args.run(client, view).await),
        Command::Adjust(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Recalculate(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Request(args) => ask(&args.connection().clone(), async |client, view| args.run(client, view).await),
        Command::Audit(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Apply(args) => ask(&args.connection.of_a_catalog(), async |client, _| args.run(client).await),
        Command::ImportUsage(args) => ask(&args.connection.clone(), async |client, view| args.run(client, view).await),
        Command::Export(args) => ask(&args.connection.of_a_catalog(), async |client, _| args.run(client).await),
    }
}

/// Runs one client command on a runtime of its own and prints its answer or its error.
fn ask(connection: &ConnectionArgs, command: impl AsyncFnOnce(Client, View) -> Result<Answer, Fault>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&Fault::Usage(format!("no runtime: {error}")), connection.json),
    };
    let view = View { unicode: std::io::stdout().is_terminal(), now: View::clock() };
    let answer = runtime.block_on(async { command(connection.client()?, view).await });
    match answer {
        Ok(answer) => output::print(&answer, connection.json),
        Err(fault) => output::fail(&fault, connection.json),
    }
}
