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
    /// Answers that wait for the disk, beside the disk itself
    Strict,
    /// A server with ever more accounts beside one with few; only where it is named
    Growth,
    /// A start with a million counters and a hundred thousand holds; only where it is named
    Start,
    /// One server under an even load, round after round; only where it is named
    Soak,
}

/// A call over gRPC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Call {
    /// The echo, with a Reserve's sizes.
    #[value(skip)]
    Echo,
    /// Consume
    Consume,
    /// Reserve, then Commit
    Pair,
    /// Check
    Check,
    /// Of ten calls three Check, three Consume, two Reserve and two Commit
    Mix,
    /// BatchReserve, then BatchCommit, of 64 each
    Batch,
    /// Consume on a stream
    Stream,
}

impl Call {
    /// Whether it is made one by one, and so may be made at a rate.
    pub fn is_single(self) -> bool {
        !matches!(self, Call::Batch | Call::Stream)
    }
}

/// How often calls are made, open loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    /// So many a second.
    Fixed(u64),
    /// Half of what was answered in a second, closed loop, in the same round.
    Half,
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
    /// Accounts that are charged; without it 10,000, for growth 1,000,000 and for the start 800,000.
    pub accounts: Option<u64>,
    /// How charges are spread over them.
    pub spread: Spread,
    /// Which calls over gRPC, beside the echo; empty: all.
    pub calls: Vec<Call>,
    /// Open loop too, at that rate.
    pub rate: Option<Rate>,
    /// Quotas of the tenant that has many.
    pub quotas: usize,
}

impl Options {
    /// Whether a part is asked for: without any named all but growth, start and soak, which take longer.
    pub fn wants(&self, part: Part) -> bool {
        let takes_longer = matches!(part, Part::Growth | Part::Start | Part::Soak);
        self.parts.contains(&part) || (self.parts.is_empty() && !takes_longer)
    }

    /// Whether a call over gRPC is asked for; the echo always is.
    pub fn wants_call(&self, call: Call) -> bool {
        call == Call::Echo || self.calls.is_empty() || self.calls.contains(&call)
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
