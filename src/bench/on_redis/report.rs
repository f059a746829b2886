//! The figures of the engine on Redis, each the median over the rounds.

use super::script::Sample;
use crate::bench::report::median;
use serde::Serialize;

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RedisReport {
    /// The server's version.
    pub version: String,
    /// What the ledger was in.
    pub ledger: &'static str,
    /// What the script costs Redis.
    pub costs: Vec<Cost>,
    /// What replicas make of it.
    pub served: Vec<Served>,
    /// How fast the ledger takes it.
    pub flushing: Flushing,
    /// What it needs in memory.
    pub memory: Vec<Memory>,
}

/// Microseconds of Redis for each decision, user and system, in batches of one size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Accounts on each path, two windows each.
    pub levels: usize,
    /// Operations in a call.
    pub batch: u64,
    /// A Reserve.
    pub reserve_us: f64,
    /// A Commit.
    pub commit_us: f64,
    /// A call that does nothing, with the same keys and arguments.
    pub bare_us: f64,
    /// The layout of two counters alone (`benches/layouts`).
    pub packed_us: f64,
    /// A Reserve as a multiple of the bare call, within the rounds.
    pub times_bare: f64,
    /// A Reserve as a multiple of the layout.
    pub times_packed: f64,
}

/// A call over gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Served {
    /// Servers that share Redis and ledger.
    pub replicas: usize,
    /// What is called.
    pub call: &'static str,
    /// Decisions a second, all together.
    pub per_second: f64,
    /// Microseconds of the servers for each, without the flusher.
    pub server_us: Option<f64>,
    /// The flusher's.
    pub flusher_us: Option<f64>,
    /// Those of Redis, with all that it does beside.
    pub redis_us: Option<f64>,
    /// Operations in a call of the script, the mean.
    pub batch: f64,
    /// Microseconds of Redis for an operation of the script alone in batches of that size, in the same round.
    pub raw_us: f64,
    /// Decisions as a part of what one thread of Redis could do of the script alone.
    pub of_raw: f64,
    /// Median latency of a call in microseconds, closed loop.
    pub p50_us: Option<f64>,
    /// The 99th percentile.
    pub p99_us: Option<f64>,
    /// The 99.9th.
    pub p999_us: Option<f64>,
}

/// The flush alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Flushing {
    /// Journal entries a second.
    pub entries_per_second: f64,
    /// Effects a second.
    pub effects_per_second: f64,
    /// Effects a second as a multiple of the Reserves and Commits that one replica decides.
    pub times_decided: Option<f64>,
}

/// Memory of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Memory {
    /// Of what.
    pub what: &'static str,
    /// So many were there.
    pub count: u64,
    /// Bytes of each.
    pub bytes: f64,
}

impl Cost {
    /// The medians of some rounds.
    pub(super) fn new(levels: usize, batch: u64, rounds: &[Sample]) -> Cost {
        let of = |figure: fn(&Sample) -> f64| median(rounds.iter().map(figure).collect()).unwrap_or_default();
        Cost {
            levels,
            batch,
            reserve_us: of(|sample| sample.reserve),
            commit_us: of(|sample| sample.commit),
            bare_us: of(|sample| sample.bare),
            packed_us: of(|sample| sample.packed),
            times_bare: of(|sample| sample.reserve / sample.bare),
            times_packed: of(|sample| sample.reserve / sample.packed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_the_rounds() {
        let sample = |reserve, bare| Sample { bare, packed: 5.0, reserve, commit: 1.0 };
        let cost = Cost::new(2, 8, &[sample(20.0, 10.0), sample(60.0, 20.0), sample(50.0, 50.0)]);
        assert_eq!((cost.reserve_us, cost.bare_us, cost.times_bare, cost.times_packed), (50.0, 20.0, 2.0, 10.0));
    }
}
