//! The `quotad` program.

use std::process::ExitCode;

/// A call allocates some dozens of small pieces, some of which another thread frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match quotad::cli::parse(std::env::args_os()) {
        Ok(cli) => quotad::cli::run(cli),
        Err(status) => status,
    }
}
