//! Decisions per second and CPU per decision: of the rule alone, of the engine, and over gRPC. The same as `quotad bench`,
//! and with its options: `cargo bench -- --only engine`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let before = args.len();
    args.retain(|arg| arg != "--bench");
    if args.len() == before {
        // `cargo test --benches` only wants to see that it starts.
        return ExitCode::SUCCESS;
    }
    let fixed = ["quotad", "bench", "--program", env!("CARGO_BIN_EXE_quotad")].map(String::from);
    match quotad::cli::parse(fixed.into_iter().chain(args)) {
        Ok(cli) => quotad::cli::run(cli),
        Err(status) => status,
    }
}
