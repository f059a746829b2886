//! Over gRPC, with the counters in Redis: one replica and two, closed loop, beside the script alone at the size of batch that
//! they came to.

use super::client::Client;
use super::report::Served;
use super::script::Script;
use super::server::Server;
use crate::bench::meter;
use crate::bench::options::{Call, Options};
use crate::bench::report::median;
use crate::bench::wire::{Replicas, Wire};
use anyhow::Result;

/// What is called.
const CALLS: [(Call, &str); 2] = [(Call::Consume, "Consume"), (Call::Pair, "Reserve, Commit")];
/// Before the keys of the replicas' partition.
const PREFIX: &str = "served:";

/// What one row was measured to be, round by round.
struct Row {
    replicas: usize,
    call: Call,
    name: &'static str,
    rounds: Vec<Round>,
}

/// One measurement.
struct Round {
    sample: meter::Sample,
    /// Operations in a call of the script, the mean.
    batch: f64,
    /// Microseconds of Redis for an operation of the script alone in batches of about that size.
    raw_us: f64,
}

/// Measures every call on one replica, and on two where the ledger may be shared.
///
/// # Errors
/// Servers that can't be started, a call that fails or is denied.
pub(super) fn measure(
    options: &Options,
    progress: &dyn Fn(&str),
    redis: &Server,
    (database, shared): (String, bool),
    script: &mut Script,
) -> Result<Vec<Served>> {
    let most = if shared { 2 } else { 1 };
    let args = ["--redis-url", &redis.url(), "--redis-prefix", PREFIX, "--database-url", &database].map(String::from);
    let own = Options { addr: None, ..options.clone() };
    let mut wire = Wire::start(&own, &Replicas { count: most, args: args.to_vec(), store: Some(redis.id()) })?;
    let mut client = redis.connect()?;
    let mut rows = Vec::new();
    for (call, name) in CALLS {
        rows.extend((1..=most).map(|replicas| Row { replicas, call, name, rounds: Vec::new() }));
    }
    for round in 1..=options.rounds {
        for row in &mut rows {
            progress(&format!("on Redis, {} replicas: {}, round {round}", row.replicas, row.name));
            let before = calls(&mut client)?;
            let sample = wire.round(&own, row.call, row.replicas)?;
            let batch = sample.all as f64 / (calls(&mut client)? - before).max(1.0);
            let raw = script.sample(size(batch))?;
            let raw_us = if row.call == Call::Pair { raw.pair() } else { raw.reserve };
            row.rounds.push(Round { sample, batch, raw_us });
        }
    }
    Ok(rows.iter().map(Row::finish).collect())
}

impl Row {
    fn finish(&self) -> Served {
        let of = |figure: &dyn Fn(&Round) -> Option<f64>| median(self.rounds.iter().filter_map(figure).collect());
        Served {
            replicas: self.replicas,
            call: self.name,
            per_second: of(&|round| Some(round.sample.per_second)).unwrap_or_default(),
            server_us: of(&|round| round.sample.cpu_us),
            flusher_us: of(&|round| round.sample.flusher_us),
            redis_us: of(&|round| round.sample.store_us),
            batch: of(&|round| Some(round.batch)).unwrap_or_default(),
            raw_us: of(&|round| Some(round.raw_us)).unwrap_or_default(),
            of_raw: of(&|round| Some(round.sample.per_second * round.raw_us / 1e6)).unwrap_or_default(),
            p50_us: of(&|round| round.sample.latencies.quantile(500)),
            p99_us: of(&|round| round.sample.latencies.quantile(990)),
            p999_us: of(&|round| round.sample.latencies.quantile(999)),
        }
    }
}

/// Calls of scripts so far.
fn calls(client: &mut Client) -> Result<f64> {
    client.info("commandstats", "cmdstat_evalsha:calls=")
}

/// The power of two next to a mean, so that the measurement divides.
fn size(batch: f64) -> u64 {
    1 << (batch.clamp(1.0, 64.0).log2().round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_of_batch_divides_what_is_measured() {
        assert_eq!([0.5, 1.0, 1.4, 1.5, 27.0, 5_000.0].map(size), [1, 1, 1, 2, 32, 64]);
    }
}
