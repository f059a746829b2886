//! `--durability strict`: what sixteen callers get answered when each answer waits for the disk, one by one and in batches, beside
//! what the disk itself does: one thread that appends as much as an entry takes to a file and waits for it.

use super::child::Scratch;
use super::meter::Sample;
use super::options::{Call, Options};
use super::report::{Row, median};
use super::wire::{Replicas, Wire};
use anyhow::Result;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::time::Instant;

/// Callers, each on a connection of its own.
const CALLERS: usize = 16;
/// Calls under way that leave each of these callers one batch.
const FOR_BATCHES: usize = CALLERS * 8;
/// Bytes that an entry with one effect takes in the journal, about.
const ENTRY: usize = 512;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Strict {
    /// Callers at a time.
    pub callers: usize,
    /// How often a second the disk took an append of an entry's size (`fdatasync`), one after the other.
    pub appends_per_second: f64,
    /// Calls one by one, and batches.
    pub rows: Vec<StrictRow>,
}

/// What the callers got answered.
#[derive(Clone, Debug, Serialize)]
pub struct StrictRow {
    /// The figures.
    #[serde(flatten)]
    pub row: Row,
    /// How many for each of the disk's appends, in the same rounds.
    pub times_append: Option<f64>,
}

/// Measures it.
///
/// # Errors
/// A server that can't be started, a call that fails or is denied, a folder that can't be written.
pub(super) fn run(options: &Options, progress: &dyn Fn(&str)) -> Result<Strict> {
    let options = &Options { addr: None, connections: CALLERS, in_flight: CALLERS, ..options.clone() };
    let for_batches = &Options { in_flight: FOR_BATCHES, ..options.clone() };
    let calls = [
        (Call::Consume, options, "Consume, one by one", "decision"),
        (Call::Batch, for_batches, "batches of 64", "item"),
    ];
    let replicas = Replicas { args: vec!["--durability".into(), "strict".into()], ..Replicas::embedded() };
    let mut wire = Wire::start(options, &replicas)?;
    let mut appends = Vec::new();
    let mut samples: [Vec<Sample>; 2] = Default::default();
    for round in 1..=options.rounds {
        progress(&format!("strict: appends to the disk, round {round}"));
        appends.push(append(options)?);
        for ((call, options, name, _), samples) in calls.iter().zip(&mut samples) {
            progress(&format!("strict: {name}, round {round}"));
            samples.push(wire.round(options, *call, 1)?);
        }
    }
    let times = |samples: &[Sample]| {
        median(samples.iter().zip(&appends).map(|(sample, appends)| sample.per_second / appends).collect())
    };
    let rows = calls.iter().zip(&samples).map(|((_, _, name, unit), samples)| StrictRow {
        row: Row::new(name, unit, samples, None),
        times_append: times(samples),
    });
    let rows = rows.collect();
    Ok(Strict { callers: CALLERS, appends_per_second: median(appends).unwrap_or_default(), rows })
}

/// How often a second the disk takes an append.
fn append(options: &Options) -> Result<f64> {
    let scratch = Scratch::new(&options.data_dir)?;
    let mut file = File::create(scratch.path().join("appended"))?;
    let (begin, mut count) = (Instant::now(), 0_u32);
    while begin.elapsed() < options.time {
        file.write_all(&[1; ENTRY])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
}
