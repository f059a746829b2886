//! One measurement: workers run, and after a warm-up what they do in a stretch of time is counted.

use super::cpu::Cpu;
use super::histogram::Histogram;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long workers run before they are counted.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long the work behind the answers may take to end.
const SETTLE: Duration = Duration::from_secs(20);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Looks in a row that find nothing to do: the flusher rests in between, for half a second at most.
const QUIET: u32 = 7;

/// What workers and the one who measures share.
#[derive(Debug, Default)]
pub(super) struct Meter {
    done: AtomicU64,
    measuring: AtomicBool,
    stopped: AtomicBool,
    /// There was no room for a call that was to begin.
    full: AtomicBool,
    /// The next charge's number.
    next: AtomicU64,
}

impl Meter {
    /// Whether to go on.
    pub(super) fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    /// Tells all workers to end.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// What one worker saw.
#[derive(Debug)]
pub(super) struct Tally {
    meter: Arc<Meter>,
    latencies: RefCell<Histogram>,
}

impl Tally {
    /// A worker's.
    pub(super) fn new(meter: Arc<Meter>) -> Tally {
        Tally { meter, latencies: RefCell::default() }
    }

    /// Whether to go on.
    pub(super) fn goes_on(&self) -> bool {
        self.meter.goes_on()
    }

    /// Numbers for so many charges, never given before; the first of them.
    pub(super) fn numbers(&self, many: u64) -> u64 {
        self.meter.next.fetch_add(many, Ordering::Relaxed)
    }

    /// A call that began at `start` is answered, with so many decisions in it.
    pub(super) fn done(&self, start: Instant, decisions: u64) {
        self.meter.done.fetch_add(decisions, Ordering::Relaxed);
        if self.meter.measuring.load(Ordering::Relaxed) {
            self.latencies.borrow_mut().record(start.elapsed());
        }
    }

    /// There is no room for a call that was to begin.
    pub(super) fn full(&self) {
        if self.meter.measuring.load(Ordering::Relaxed) {
            self.meter.full.store(true, Ordering::Relaxed);
        }
    }

    /// What it saw.
    pub(super) fn finish(self) -> Histogram {
        self.latencies.into_inner()
    }
}

/// Processes whose processor time counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    /// Those that decide, together.
    pub(super) servers: Vec<u32>,
    /// The counter store, where it is a process of its own.
    pub(super) store: Option<u32>,
}

impl Watched {
    /// This process alone.
    pub(super) fn here() -> Watched {
        Watched { servers: vec![std::process::id()], store: None }
    }
}

/// One measurement's figures.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Decisions a second.
    pub(super) per_second: f64,
    /// Microseconds for each decision: all but the flusher.
    pub(super) cpu_us: Option<f64>,
    /// The journal's part of it.
    pub(super) journal_us: Option<f64>,
    /// The flusher's, until it has caught up.
    pub(super) flusher_us: Option<f64>,
    /// Microseconds of the counter store for each decision.
    pub(super) store_us: Option<f64>,
    /// Decisions from the first to the last, also those before and after the stretch that counts.
    pub(super) all: u64,
    /// There was no room for a call that was to begin, in the stretch that counts.
    pub(super) full: bool,
    /// Latencies of calls.
    pub(super) latencies: Histogram,
}

/// Measures for `time` while workers run. `first` is the number of their first charge; `start` makes the workers and answers
/// how to wait for their end.
///
/// # Errors
/// A worker's error.
pub(super) fn measure<W>(
    time: Duration,
    first: u64,
    watched: &Watched,
    start: impl FnOnce(&Arc<Meter>) -> anyhow::Result<W>,
) -> anyhow::Result<Sample>
where
    W: FnOnce() -> anyhow::Result<Histogram>,
{
    let meter = Arc::new(Meter { next: AtomicU64::new(first), ..Meter::default() });
    let cpu = || Cpu::of_all(&watched.servers);
    let store = || watched.store.and_then(Cpu::of);
    let idle = cpu();
    let wait = start(&meter)?;
    thread::sleep(WARM_UP);

    let warm = meter.done.load(Ordering::Relaxed);
    let (begin, before, store_before) = (Instant::now(), cpu(), store());
    meter.measuring.store(true, Ordering::Relaxed);
    thread::sleep(time);
    meter.measuring.store(false, Ordering::Relaxed);
    let counted = meter.done.load(Ordering::Relaxed) - warm;
    let (took, after, store_after) = (begin.elapsed(), cpu(), store());

    meter.stop();
    let latencies = wait()?;
    let all = meter.done.load(Ordering::Relaxed);
    let settled = settle(&watched.servers, SETTLE);

    let spent = |(after, before): (Cpu, Cpu)| after.since(before);
    let used = after.zip(before).map(spent);
    let stored = store_after.zip(store_before).map(spent);
    // The flusher works on after the answers, so all its work counts, over all that was decided.
    let flushed = settled.zip(idle).map(|(settled, idle)| settled.since(idle).flusher);
    Ok(Sample {
        per_second: counted as f64 / took.as_secs_f64(),
        cpu_us: used.map(|used| each(used.answers(), counted)),
        journal_us: used.map(|used| each(used.journal, counted)),
        flusher_us: flushed.map(|flushed| each(flushed, all)),
        store_us: stored.map(|stored| each(stored.total, counted)),
        all,
        full: meter.full.load(Ordering::Relaxed),
        latencies,
    })
}

/// Microseconds for each of `count`.
fn each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}

/// Waits until processes have next to nothing to do, so that one measurement does not disturb the next, but no longer than
/// `patience`; answers what they have used by then.
pub(super) fn settle(processes: &[u32], patience: Duration) -> Option<Cpu> {
    let begin = Instant::now();
    let mut last = Cpu::of_all(processes)?;
    let mut quiet = 0;
    loop {
        thread::sleep(LOOK);
        let now = Cpu::of_all(processes)?;
        quiet = if now.since(last).total <= LOOK / 10 { quiet + 1 } else { 0 };
        if quiet == QUIET || begin.elapsed() > patience {
            return Some(now);
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_counted_and_an_error_ends_it() {
        let working = |meter: &Arc<Meter>| {
            let tally = Tally::new(meter.clone());
            let worker = thread::spawn(move || {
                assert_eq!((tally.numbers(2), tally.numbers(1)), (7, 9));
                while tally.goes_on() {
                    thread::sleep(Duration::from_millis(1));
                    tally.done(Instant::now(), 3);
                }
                tally.finish()
            });
            Ok(|| worker.join().map_err(|_| anyhow::anyhow!("panicked")))
        };
        let sample = measure(Duration::from_millis(50), 7, &Watched::default(), working).unwrap();
        assert!(sample.per_second > 0.0 && sample.per_second <= 3_100.0, "{sample:?}");
        assert!(sample.cpu_us.is_none() && sample.latencies.quantile(500).is_some());

        let failing = |_: &Arc<Meter>| Ok(|| Err(anyhow::anyhow!("refused")));
        assert!(measure(Duration::from_millis(1), 0, &Watched::default(), failing).is_err());
    }
}
