//! The rule alone: roll, decide and count on every counter of a path, on one thread, nothing else.

use super::meter::{Sample, Tally, Watched, measure};
use super::options::Options;
use super::workload::WINDOWS;
use crate::domain::admission::{self, Demand};
use crate::domain::counter::{Counter, Parts, WindowPlan};
use crate::domain::time::Timestamp;
use crate::domain::window::WindowSpec;
use crate::engine::ports::Clock;
use crate::store::clock::SystemClock;
use std::hint::black_box;
use std::time::Instant;

/// Counters at the end of a path; every level above has a quarter of the one below.
const COUNTERS: usize = 10_000;
/// Decisions between two looks at the clock.
const BURST: u64 = 1_000;

/// Measures one round.
///
/// # Errors
/// Windows that do not compile, which can't be.
pub(super) fn round(options: &Options) -> anyhow::Result<Sample> {
    let now = SystemClock.now();
    let plans = plans(now, options.windows)?;
    let levels = options.levels;
    let mut counters: Vec<Vec<Counter>> =
        (0..levels).map(|level| vec![Counter::default(); (COUNTERS >> (2 * (levels - 1 - level))).max(1)]).collect();
    measure(options.time, 0, &Watched::here(), |meter| {
        let tally = Tally::new(meter.clone());
        let worker = std::thread::Builder::new().name("bench-rule".into()).spawn(move || {
            while tally.goes_on() {
                let first = tally.numbers(BURST);
                let start = Instant::now();
                for number in first..first + BURST {
                    decide(&mut counters, &plans, number, now);
                }
                tally.done(start, BURST);
            }
            tally.finish()
        })?;
        Ok(move || {
            // A call here is a burst: its latency says nothing.
            worker.join().map(|_| Default::default()).map_err(|_| anyhow::anyhow!("the worker panicked"))
        })
    })
}

/// One decision: all counters of a path, then the change.
fn decide(counters: &mut [Vec<Counter>], plans: &[WindowPlan], number: u64, now: Timestamp) {
    let demand = Demand { amount: 1, positive: false };
    let last = counters.len() - 1;
    for (level, counters) in counters.iter_mut().enumerate() {
        let place = usize::try_from(number.wrapping_mul(7919)).unwrap_or(0) % counters.len();
        let counter = &mut counters[place];
        black_box(counter.roll(plans, |_| true, now));
        let admitted = admission::decide(counter, plans, None, demand, now).is_ok();
        counter.shift(now, now, Parts::of(i64::from(black_box(admitted)), 0), Parts::default(), level == last);
    }
}

fn plans(now: Timestamp, windows: usize) -> anyhow::Result<Vec<WindowPlan>> {
    WINDOWS
        .into_iter()
        .take(windows)
        .map(|kind| {
            let window = WindowSpec::of(kind).compile("UTC").map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok(WindowPlan {
                kind,
                period: window.period_at(now),
                limit: Some(1 << 50),
                enforced: true,
                ..WindowPlan::unlimited_lifetime(window.id())
            })
        })
        .collect()
}
