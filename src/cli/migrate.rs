//! `quotad migrate`: brings a database's schema up to date before a server does.

use super::output::{self, Fault};
use crate::store::database::Database;
use std::io::Write;
use std::process::ExitCode;

/// `quotad migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  QUOTAD_DATABASE_URL=postgres://quotad:secret@db/quotad quotad migrate
  quotad migrate --database-url sqlite:/var/lib/quotad/ledger.db

A server does the same by itself when it starts; this is for those who give it a user that may not change tables, but only
read and write them. Any number may run at once, and doing it again changes nothing. A schema newer than this quotad is
refused.")]
pub struct MigrateArgs {
    /// The database: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or sqlite:PATH. Put a password into the variable, not on
    /// the command line
    #[arg(long, value_name = "URL", env = "QUOTAD_DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

/// Brings the schema up to date and says so.
pub fn run(args: MigrateArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&Fault::Usage(format!("no runtime: {error}")), false),
    };
    let migrated = runtime.block_on(async {
        let database = Database::open_url(&args.database_url).await?;
        database.close().await;
        Ok::<(), crate::engine::ports::StoreError>(())
    });
    match migrated {
        Ok(()) => {
            // A closed pipe is not an error.
            let _ = writeln!(std::io::stdout().lock(), "the schema is up to date");
            ExitCode::SUCCESS
        }
        Err(error) => output::fail(&Fault::Usage(error.to_string()), false),
    }
}
