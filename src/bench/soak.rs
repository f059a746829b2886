//! A soak: one server under an even load for a long time, and whether a decision costs in the end what it did in the beginning.

use super::meter::Sample;
use super::options::{Call, Options, Rate};
use super::wire::{Replicas, Wire};
use anyhow::Result;
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long the closed loop lasts that tells the rate, where none is given.
const TRIAL: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Soak {
    /// Calls that began in a second: a mix, open loop.
    pub rate: u64,
    /// Part by part, in their order.
    pub parts: Vec<SoakPart>,
}

/// A part of the time.
#[derive(Clone, Debug, Serialize)]
pub struct SoakPart {
    /// When it ended, in seconds since the first began.
    pub seconds: f64,
    /// Calls answered in a second.
    pub per_second: f64,
    /// Microseconds of the server's processor time for each, all but the flusher.
    pub cpu_us: Option<f64>,
    /// That as a multiple of the first part's.
    pub times_first: Option<f64>,
    /// Microseconds for each that the flusher takes to carry it to the ledger.
    pub flusher_us: Option<f64>,
    /// That as a multiple of the first part's.
    pub flusher_times_first: Option<f64>,
    /// Median latency in microseconds, from when the call was to begin.
    pub p50_us: Option<f64>,
    /// The 99th percentile.
    pub p99_us: Option<f64>,
    /// Whether the server kept up: never were as many calls under way as may be.
    pub kept_up: bool,
    /// The server's memory at its end, in bytes.
    pub resident_bytes: Option<u64>,
}

/// Measures round after round on the same server.
///
/// # Errors
/// A server that can't be started, a call that fails or is denied.
pub(super) fn run(options: &Options, progress: &dyn Fn(&str)) -> Result<Soak> {
    let options = &Options { addr: None, ..options.clone() };
    let mut wire = Wire::start(options, &Replicas::embedded())?;
    let rate = match options.rate {
        Some(Rate::Fixed(rate)) => rate,
        Some(Rate::Half) | None => {
            progress("soak: what the closed loop reaches");
            let trial = Options { time: TRIAL.min(options.time), ..options.clone() };
            ((wire.round(&trial, Call::Mix, 1)?.per_second / 2.0) as u64).max(1)
        }
    };
    let begin = Instant::now();
    let mut parts: Vec<SoakPart> = Vec::new();
    let mut first: Option<Sample> = None;
    for round in 1..=options.rounds {
        progress(&format!("soak: {rate} calls a second, part {round} of {}", options.rounds));
        let sample = wire.open(options, Call::Mix, rate)?;
        let first = first.get_or_insert_with(|| sample.clone());
        let times = |figure: fn(&Sample) -> Option<f64>| Some(figure(&sample)? / figure(first)?);
        parts.push(SoakPart {
            seconds: begin.elapsed().as_secs_f64(),
            per_second: sample.per_second,
            cpu_us: sample.cpu_us,
            times_first: times(|sample| sample.cpu_us),
            flusher_us: sample.flusher_us,
            flusher_times_first: times(|sample| sample.flusher_us),
            p50_us: sample.latencies.quantile(500),
            p99_us: sample.latencies.quantile(990),
            kept_up: !sample.full,
            resident_bytes: wire.resident(),
        });
    }
    Ok(Soak { rate, parts })
}
