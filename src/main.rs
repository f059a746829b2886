//! The `quotad` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    match quotad::cli::parse(std::env::args_os()) {
        Ok(cli) => quotad::cli::run(cli),
        Err(status) => status,
    }
}
