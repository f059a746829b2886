//! What is measured over gRPC: round by round the yardstick and then every call that is wanted, closed loop; after these, where
//! a rate is wanted, the same at that rate.

use super::meter::Sample;
use super::options::{Call, Options, Rate};
use super::report::{OpenRow, Report, Row};
use super::wire::{Replicas, Wire};
use anyhow::Result;

/// All of them; the first is the yardstick.
const ROWS: [(Call, &str, &str); 7] = [
    (Call::Echo, "gRPC: bare echo", "call"),
    (Call::Consume, "gRPC: Consume", "decision"),
    (Call::Pair, "gRPC: Reserve, Commit", "call"),
    (Call::Check, "gRPC: Check", "decision"),
    (Call::Mix, "gRPC: mix", "call"),
    (Call::Batch, "gRPC: batches of 64", "item"),
    (Call::Stream, "gRPC: stream of Consume", "decision"),
];

/// What was seen of a call.
struct Seen {
    call: Call,
    name: &'static str,
    unit: &'static str,
    closed: Vec<Sample>,
    /// Open loop, with the rate that was asked for.
    open: Vec<(u64, Sample)>,
}

/// Measures, and adds the rows to the report.
///
/// # Errors
/// Servers that can't be started or reached, a call that fails or is denied.
pub(super) fn run(options: &Options, progress: &dyn Fn(&str), report: &mut Report) -> Result<()> {
    let mut wire = Wire::start(options, &Replicas::embedded())?;
    let wanted = ROWS.into_iter().filter(|(call, ..)| options.wants_call(*call));
    let mut rows: Vec<Seen> =
        wanted.map(|(call, name, unit)| Seen { call, name, unit, closed: Vec::new(), open: Vec::new() }).collect();
    for round in 1..=options.rounds {
        for row in &mut rows {
            progress(&format!("{}, round {round}", row.name));
            row.closed.push(wire.round(options, row.call, 1)?);
        }
        let Some(rate) = options.rate else { continue };
        let rates: Vec<Option<u64>> = rows.iter().map(|row| rate_of(row, rate, &rows)).collect();
        for (row, rate) in rows.iter_mut().zip(rates) {
            if let Some(rate) = rate {
                progress(&format!("{}, {rate} a second, round {round}", row.name));
                row.open.push((rate, wire.open(options, row.call, rate)?));
            }
        }
    }
    let echo = rows.first().map(|row| row.closed.as_slice());
    report.rows.extend(rows.iter().map(|row| Row::new(row.name, row.unit, &row.closed, echo)));
    let open = rows.iter().filter(|row| !row.open.is_empty());
    report.open.extend(open.map(|row| OpenRow::new(row.name, row.unit, &row.open)));
    Ok(())
}

/// At which rate a call is made, open loop; none for those that are not single calls.
fn rate_of(row: &Seen, rate: Rate, rows: &[Seen]) -> Option<u64> {
    if !row.call.is_single() {
        return None;
    }
    match rate {
        Rate::Fixed(rate) => Some(rate),
        Rate::Half => {
            // The echo at its own half would say nothing of how this machine does at the calls' rate.
            let like = match row.call {
                Call::Echo => rows.iter().find(|row| row.call != Call::Echo && row.call.is_single())?,
                _ => row,
            };
            Some(((like.closed.last()?.per_second / 2.0) as u64).max(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::histogram::Histogram;

    fn seen(call: Call, per_second: f64) -> Seen {
        let sample = Sample {
            per_second,
            cpu_us: None,
            journal_us: None,
            flusher_us: None,
            store_us: None,
            all: 0,
            full: false,
            latencies: Histogram::default(),
        };
        Seen { call, name: "", unit: "", closed: vec![sample], open: Vec::new() }
    }

    #[test]
    fn half_is_that_of_the_same_round_and_the_echo_goes_with_the_first_call() {
        let rows = [(Call::Echo, 50_000.0), (Call::Batch, 400_000.0), (Call::Check, 9_000.0), (Call::Mix, 0.0)];
        let rows = rows.map(|(call, per_second)| seen(call, per_second));
        let rates = |rate| rows.iter().map(|row| rate_of(row, rate, &rows)).collect::<Vec<_>>();
        assert_eq!(rates(Rate::Half), [Some(4_500), None, Some(4_500), Some(1)]);
        assert_eq!(rates(Rate::Fixed(7)), [Some(7), None, Some(7), Some(7)]);
    }
}
