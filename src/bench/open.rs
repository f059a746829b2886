//! Open loop: calls begin when they were to begin, whatever becomes of those before, as those of many independent clients do;
//! latency counts from then. So a server that stands still for a moment shows in the latency of all that came meanwhile.

use super::caller::{Caller, Target};
use super::calls::{self, Wait};
use super::histogram::Histogram;
use super::meter::{Meter, Tally};
use super::options::{Call, cores};
use anyhow::{Context, Result};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Calls under way at a time, all connections together; beyond that, calls wait, and that is said.
pub(crate) const UNDER_WAY: usize = 1_024;
/// Connections are made before the first call.
const BEFORE: Duration = Duration::from_millis(100);
/// How often the pacer looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

/// When each call begins.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    /// The first.
    begin: Instant,
    /// Requests a second.
    rate: u64,
    /// Requests that so many calls come to, on average.
    requests: (u64, u64),
}

impl Schedule {
    /// When the call number `number`, from 0, begins.
    fn due(self, number: u64) -> Instant {
        let (requests, calls) = self.requests;
        let nanos = u128::from(number) * 1_000_000_000 * u128::from(requests) / u128::from(self.rate * calls);
        self.begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// How many requests so many calls of a kind come to.
fn requests(call: Call) -> (u64, u64) {
    match call {
        Call::Pair => (2, 1),
        Call::Mix => (5, 4),
        _ => (1, 1),
    }
}

/// Starts calls of a kind, so many requests a second, all connections together.
///
/// # Errors
/// Threads that can't be started; later, a call that fails or is denied.
pub(super) fn start(target: &Target, call: Call, rate: u64, connections: usize, meter: &Arc<Meter>) -> Result<Wait> {
    let cores = cores().min(connections);
    let (dealt, received): (Vec<_>, Vec<_>) = (0..cores).map(|_| mpsc::unbounded_channel()).unzip();
    let mut received = received.into_iter();
    let schedule = Schedule { begin: Instant::now() + BEFORE, rate, requests: requests(call) };
    let wait = calls::on_every_core(cores, |core| {
        let (target, meter, starts) = (target.clone(), meter.clone(), received.next());
        move || async move {
            let callers = target.connect(core, cores, connections).await?;
            answer(&callers, call, starts.context("a core without calls")?, meter, UNDER_WAY / cores).await
        }
    })?;
    let meter = meter.clone();
    let pacer = thread::Builder::new().name("bench-pacer".into());
    pacer.spawn(move || pace(schedule, &dealt, &meter)).context("the pacer's thread")?;
    Ok(wait)
}

/// Says to each core in turn when its next call is to begin, at that time.
fn pace(schedule: Schedule, cores: &[mpsc::UnboundedSender<Instant>], meter: &Meter) {
    for (number, core) in (0..).zip(cores.iter().cycle()) {
        let due = schedule.due(number);
        while let Some(early) = due.checked_duration_since(Instant::now()).filter(|early| !early.is_zero()) {
            if !meter.goes_on() {
                return;
            }
            thread::sleep(early.min(LOOK));
        }
        if !meter.goes_on() || core.send(due).is_err() {
            return;
        }
    }
}

/// Begins a call for each time that comes; at most `most` are under way.
async fn answer(
    callers: &[Caller],
    call: Call,
    mut starts: mpsc::UnboundedReceiver<Instant>,
    meter: Arc<Meter>,
    most: usize,
) -> Result<Histogram> {
    let tally = Rc::new(Tally::new(meter));
    let room = Arc::new(Semaphore::new(most));
    let mut under_way: JoinSet<Result<()>> = JoinSet::new();
    let mut turn = callers.iter().cycle();
    while let Some(start) = starts.recv().await {
        if !tally.goes_on() {
            break;
        }
        if room.available_permits() == 0 {
            tally.full();
        }
        let permit = room.clone().acquire_owned().await?;
        let mut caller = turn.next().context("a core without a connection")?.clone();
        let (number, seen) = (tally.numbers(1), tally.clone());
        under_way.spawn_local(async move {
            let _permit = permit;
            caller.one(call, number, Some(start), &seen).await
        });
        while let Some(done) = under_way.try_join_next() {
            done.context("a call panicked")??;
        }
    }
    while let Some(done) = under_way.join_next().await {
        done.context("a call panicked")??;
    }
    Rc::into_inner(tally).map(Tally::finish).context("a call is still under way")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_evenly_apart_and_none_drifts() {
        let begin = Instant::now();
        let after = |rate, requests, number| Schedule { begin, rate, requests }.due(number) - begin;
        assert_eq!(after(1, (1, 1), 0), Duration::ZERO);
        assert_eq!(after(1_000, (1, 1), 1), Duration::from_millis(1));
        assert_eq!(after(3, (1, 1), 3 * 86_400), Duration::from_secs(86_400));
        // 1,000 requests a second are 500 pairs, and 800 calls of the mix.
        assert_eq!(after(1_000, requests(Call::Pair), 500), Duration::from_secs(1));
        assert_eq!(after(1_000, requests(Call::Mix), 800), Duration::from_secs(1));
        assert_eq!(after(1_000_000, requests(Call::Check), u64::from(u32::MAX)), Duration::from_micros(4_294_967_295));
    }

    #[test]
    fn the_pacer_keeps_to_the_schedule_and_ends_with_the_measurement() {
        let (dealt, mut received) = mpsc::unbounded_channel();
        let schedule = Schedule { begin: Instant::now(), rate: 1_000, requests: (1, 1) };
        let meter = Arc::new(Meter::default());
        let pacing = {
            let meter = meter.clone();
            thread::spawn(move || pace(schedule, &[dealt], &meter))
        };
        for number in 0..20 {
            let due = received.blocking_recv().unwrap();
            assert_eq!(due, schedule.due(number));
            assert!(due <= Instant::now());
        }
        meter.stop();
        pacing.join().unwrap();
    }
}
