//! What to measure, for how long, and with how much at a time.

use std::path::PathBuf;
use std::time::Duration;

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Part {
    /// The rule of admission alone, on one thread
    Rule,
    /// The engine without transport, in this process
    Engine,
    /// Over gRPC, beside a bare echo
    Grpc,
    /// The engine on Redis, beside the script alone
    Redis,
    /// A catalog with many quotas beside one with few
    Catalog,
}

/// How to run the benchmark.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `quotad` program, started for the servers.
    pub program: PathBuf,
    /// A server that runs already, instead of one started for this.
    pub addr: Option<String>,
    /// Where the temporary data goes.
    pub data_dir: PathBuf,
    /// Which parts; empty: all.
    pub parts: Vec<Part>,
    /// How long one measurement takes.
    pub time: Duration,
    /// How often each is made; the median counts.
    pub rounds: usize,
    /// Connections of the load generator.
    pub connections: usize,
    /// Calls under way at a time.
    pub in_flight: usize,
    /// Accounts on the path of a charge, two windows each.
    pub levels: usize,
    /// Quotas of the tenant that has many.
    pub quotas: usize,
}

impl Options {
    /// Whether a part is asked for.
    pub fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// Cores of this machine.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
