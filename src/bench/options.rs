//! What to measure, for how long, and with how much at a time.

use super::spread::Spread;
use super::workload::{ACCOUNTS, Workload};
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
    /// Accounts on the path of a charge.
    pub levels: usize,
    /// Windows of each of these.
    pub windows: usize,
    /// Accounts that are charged; without it 10,000.
    pub accounts: Option<u64>,
    /// How charges are spread over them.
    pub spread: Spread,
    /// Quotas of the tenant that has many.
    pub quotas: usize,
}

impl Options {
    /// Whether a part is asked for.
    pub fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Accounts that are charged.
    pub fn accounts(&self) -> u64 {
        self.accounts.unwrap_or(ACCOUNTS)
    }

    /// What is asked.
    pub(super) fn workload(&self) -> Workload {
        Workload { windows: self.windows, accounts: self.accounts(), spread: self.spread, ..Workload::new(self.levels) }
    }
}

/// Cores of this machine.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
