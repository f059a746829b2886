//! Growth: what a Consume over gRPC costs when the server has ever more accounts in memory, beside one that has few, and what
//! memory an account and a hold take.
//!
//! Two servers: one stays at the smallest size, the other grows from size to size and is measured in turn with the first. Each
//! charge falls on another account, so that none is still in the processor's cache.

use super::meter::Sample;
use super::options::{Call, Options};
use super::report::{Row, median};
use super::spread::Spread;
use super::wire::{Replicas, STEP_ACCOUNTS, Wire};
use anyhow::Result;
use serde::Serialize;
use std::ops::Range;
use std::time::Instant;

/// Accounts, size by size.
const SIZES: [u64; 4] = [FEWEST, 100_000, 1_000_000, 10_000_000];
/// Those of the server that the other is measured beside.
const FEWEST: u64 = 1_000;
/// The greatest size where nothing else is said: more takes more than minutes.
const MOST: u64 = 1_000_000;
/// Steps of holds that are left open to be weighed, and before them others, so that what all of them need is there.
const HOLDS: [u64; 2] = [4, 16];
/// How often the first accounts are charged, likewise.
const REHEARSALS: usize = 8;
/// Steps of accounts that are left without what was looked up for them, and weighed; before them others.
const IDLE: [u64; 2] = [8, 16];

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// Size by size.
    pub sizes: Vec<Grown>,
    /// Accounts that were charged before a change of the catalog, on a server of their own, and weighed.
    pub idle: u64,
    /// The memory of each, in bytes, where the system tells it: its counters, without the limits that were looked up for it.
    pub bytes_each_idle: Option<f64>,
    /// Holds that were left open at the last size, and weighed.
    pub holds: u64,
    /// The memory of each, in bytes, where the system tells it.
    pub bytes_each_hold: Option<f64>,
}

/// A server with so many accounts.
#[derive(Clone, Debug, Serialize)]
pub struct Grown {
    /// Accounts that were charged, all of them in memory; those above them on their paths come in addition.
    pub accounts: u64,
    /// How many a second were charged for the first time, sixteen in a call, until the ledger had them; not of the first ones.
    pub touched_per_second: Option<f64>,
    /// The server's memory with them, in bytes.
    pub resident_bytes: Option<u64>,
    /// Of it for each account that came since the size before, with its part of the accounts above it.
    pub bytes_each: Option<f64>,
    /// A Consume by one of them.
    pub consume: Row,
    /// Its processor time as a multiple of what it is with the fewest accounts, in the same rounds.
    pub times_fewest: Option<f64>,
    /// The flusher's likewise.
    pub flusher_times_fewest: Option<f64>,
}

/// Measures each size.
///
/// # Errors
/// Servers that can't be started, a call that fails or is denied.
pub(super) fn run(options: &Options, progress: &dyn Fn(&str)) -> Result<Growth> {
    let most = options.accounts.unwrap_or(MOST);
    let options = &Options { accounts: Some(FEWEST), spread: Spread::Uniform, addr: None, ..options.clone() };
    let mut few = Wire::start(options, &Replicas::embedded())?;
    let mut many = Wire::start(options, &Replicas::embedded())?;
    for _ in 0..REHEARSALS {
        few.fill(0..FEWEST, options.connections)?;
        many.fill(0..FEWEST, options.connections)?;
    }
    let (mut sizes, mut from) = (Vec::new(), 0);
    for accounts in sizes_up_to(most) {
        progress(&format!("growth: {accounts} accounts are made"));
        let filled = Filled::new(&mut many, from..accounts, options)?;
        from = accounts;
        let mut rounds: [Vec<Sample>; 2] = Default::default();
        for round in 1..=options.rounds {
            progress(&format!("growth: Consume with {accounts} accounts, beside {FEWEST}, round {round}"));
            let [beside, measured] = &mut rounds;
            let mut turns = [(&mut few, beside), (&mut many, measured)];
            // Whoever comes second finds the machine as the first left it.
            if round % 2 == 0 {
                turns.reverse();
            }
            for (wire, samples) in turns {
                samples.push(wire.round(options, Call::Consume, 1)?);
            }
        }
        sizes.push(filled.measured(&rounds));
    }
    progress("growth: holds are opened");
    let [rehearsed, weighed] = HOLDS;
    many.hold(rehearsed, options.connections)?;
    let before = many.resident();
    let holds = many.hold(weighed, options.connections)?;
    let more = many.resident().zip(before);
    let bytes_each_hold = more.map(|(after, before)| (after as f64 - before as f64) / holds as f64);
    drop((few, many));

    progress("growth: accounts are made and their limits forgotten");
    let mut idle = Wire::start(options, &Replicas::embedded())?;
    let [rehearsed, weighed] = IDLE;
    forgotten(&mut idle, 0..rehearsed, options)?;
    let before = idle.resident();
    forgotten(&mut idle, rehearsed..rehearsed + weighed, options)?;
    let more = idle.resident().zip(before);
    let idle = weighed * STEP_ACCOUNTS;
    let bytes_each_idle = more.map(|(after, before)| (after as f64 - before as f64) / idle as f64);
    Ok(Growth { sizes, idle, bytes_each_idle, holds, bytes_each_hold })
}

/// Fills a server step by step and lets it forget, after each, the limits that it looked up: what they took is used again.
fn forgotten(wire: &mut Wire, steps: Range<u64>, options: &Options) -> Result<()> {
    for step in steps {
        wire.fill(step * STEP_ACCOUNTS..(step + 1) * STEP_ACCOUNTS, options.connections)?;
        wire.forget()?;
    }
    Ok(())
}

/// A server that has just been filled.
struct Filled {
    accounts: u64,
    touched_per_second: Option<f64>,
    resident_bytes: Option<u64>,
    bytes_each: Option<f64>,
}

impl Filled {
    fn new(wire: &mut Wire, accounts: Range<u64>, options: &Options) -> Result<Filled> {
        let (from, to) = (accounts.start, accounts.end);
        let (before, begin) = (wire.resident(), Instant::now());
        wire.fill(accounts, options.connections)?;
        let touched_per_second = (from > 0).then(|| (to - from) as f64 / begin.elapsed().as_secs_f64());
        let resident_bytes = wire.resident();
        // With the first accounts comes all that a server needs anyway.
        let more = resident_bytes.zip(before).filter(|_| from > 0);
        let bytes_each = more.map(|(after, before)| (after as f64 - before as f64) / (to - from) as f64);
        Ok(Filled { accounts: to, touched_per_second, resident_bytes, bytes_each })
    }

    /// With what was measured then: rounds of the server with few accounts, and of this one.
    fn measured(self, [few, many]: &[Vec<Sample>; 2]) -> Grown {
        let times = |figure: fn(&Sample) -> Option<f64>| {
            let ratio = |(many, few): (&Sample, &Sample)| Some(figure(many)? / figure(few)?);
            median(many.iter().zip(few).filter_map(ratio).collect())
        };
        Grown {
            accounts: self.accounts,
            touched_per_second: self.touched_per_second,
            resident_bytes: self.resident_bytes,
            bytes_each: self.bytes_each,
            consume: Row::new("gRPC: Consume", "decision", many, None),
            times_fewest: times(|sample| sample.cpu_us),
            flusher_times_fewest: times(|sample| sample.flusher_us),
        }
    }
}

/// The sizes, up to the greatest that is wanted, and that one.
fn sizes_up_to(most: u64) -> Vec<u64> {
    let mut sizes: Vec<u64> = SIZES.into_iter().filter(|size| *size < most).collect();
    sizes.push(most);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_end_with_what_is_wanted() {
        assert_eq!(sizes_up_to(1_000), [1_000]);
        assert_eq!(sizes_up_to(20_000), [1_000, 20_000]);
        assert_eq!(sizes_up_to(10_000_000), SIZES);
    }
}
