//! `quotad serve`.

use std::process::ExitCode;

/// Arguments of `quotad serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {}

/// Runs the server until it is told to stop.
pub fn run(_args: ServeArgs) -> ExitCode {
    ExitCode::FAILURE
}
