//! Counters: what one account has used and holds on one meter, all its windows in one value.
//!
//! Every window that is in the value is true: each change reaches all windows whose period contains the change's
//! effective time (rule 8). A window that is not in the value says nothing; it is a *miss* that the ledger answers.

use super::amount::{self, Amount};
use super::time::{Period, Timestamp};
use super::window::{WindowId, WindowKind};

pub use super::window_plan::WindowPlan;

/// Number of steps into which a sliding window is divided (rule 15).
pub const STEPS: i64 = 60;

/// The limit of a rate that is lifted: whatever comes drains at once.
const LIFTED: u64 = u64::MAX;

/// A part of an amount in the periods and a part in the top-up; signed where it is a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    /// In every period.
    pub period: i64,
    /// In the top-up.
    pub top_up: i64,
}

impl Parts {
    /// The whole of `total`, of which `top_up` stands in the top-up.
    pub fn of(total: i64, top_up: i64) -> Parts {
        Parts { period: total.saturating_sub(top_up), top_up }
    }
}

/// Used and held, each 0 to 2^53-1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Recorded.
    pub used: u64,
    /// Held by open reservations.
    pub held: u64,
}

impl Usage {
    fn shift(&mut self, used: i64, held: i64) -> bool {
        shift(&mut self.used, used) | shift(&mut self.held, held)
    }

    fn is_empty(&self) -> bool {
        self.used == 0 && self.held == 0
    }
}

/// What a window has counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gauge {
    /// A calendar or cron period, or the lifetime.
    Period {
        /// Which one.
        period: Period,
        /// Its figures.
        usage: Usage,
    },
    /// The last 60 steps.
    Sliding {
        /// Length of a step in milliseconds.
        step: i64,
        /// Number of the step since 1970 and its figures, in order, empty ones left out.
        buckets: Vec<(i64, Usage)>,
    },
    /// A bucket that drains `limit` once per `length`.
    Rate {
        /// In milliseconds.
        length: i64,
        /// The limit by which it drains.
        limit: u64,
        /// What is in it, in amount times milliseconds.
        backlog: u64,
        /// When that was.
        at: Timestamp,
    },
}

impl Gauge {
    /// The gauge of a planned window with nothing in it.
    pub fn empty(plan: &WindowPlan, now: Timestamp) -> Gauge {
        match plan.kind {
            WindowKind::Sliding => Gauge::Sliding { step: plan.step.max(1), buckets: Vec::new() },
            WindowKind::Rate => {
                Gauge::Rate { length: plan.step.max(1), limit: plan.limit.unwrap_or(LIFTED), backlog: 0, at: now }
            }
            _ => Gauge::Period { period: plan.period, usage: Usage::default() },
        }
    }

    /// What counts against the limit now. A rate has no held part: what it let in is in its backlog.
    pub fn usage(&self, now: Timestamp) -> Usage {
        match self {
            Gauge::Period { usage, .. } => *usage,
            Gauge::Sliding { step, buckets } => {
                let oldest = now.millis().div_euclid(*step) - STEPS;
                let mut sum = Usage::default();
                for (_, usage) in buckets.iter().filter(|(index, _)| *index >= oldest) {
                    sum.used = Amount::saturating(sum.used + usage.used).get();
                    sum.held = Amount::saturating(sum.held + usage.held).get();
                }
                sum
            }
            Gauge::Rate { length, .. } => {
                Usage { used: self.backlog(now).div_ceil(length.unsigned_abs().max(1)), held: 0 }
            }
        }
    }

    /// When what stands in the way of `amount` under `limit` is gone; `None` if never.
    pub fn reset(&self, amount: u64, limit: u64, now: Timestamp) -> Option<Timestamp> {
        match self {
            Gauge::Period { period, .. } => (period.end != Timestamp::MAX).then_some(period.end),
            Gauge::Sliding { step, buckets } => {
                // Steps leave one by one, the oldest first, until what is left has room for the amount.
                let room = limit.min(amount::MAX).checked_sub(amount.max(1))?;
                let mut left: u64 = counted(buckets, *step, now).map(|(_, usage)| usage.used + usage.held).sum();
                counted(buckets, *step, now).find_map(|(index, usage)| {
                    left -= usage.used + usage.held;
                    (left <= room).then(|| leaves(*index, *step))
                })
            }
            Gauge::Rate { length, .. } => {
                let length = u128::from(length.unsigned_abs());
                let full = u128::from(limit) * length;
                let wanted = u128::from(self.backlog(now)) + u128::from(amount) * length;
                let millis = wanted.saturating_sub(full).checked_div(u128::from(limit))?;
                let rounded = millis + u128::from(!wanted.saturating_sub(full).is_multiple_of(u128::from(limit)));
                (amount <= limit).then(|| {
                    Timestamp::from_millis(now.millis().saturating_add(i64::try_from(rounded).unwrap_or(i64::MAX)))
                })
            }
        }
    }

    /// When the window will be another one by itself: its period's end; the time when the oldest use leaves a sliding
    /// window; when all of a rate's backlog has drained. `None` for the lifetime, and where nothing is used.
    pub fn renewal(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Gauge::Period { period, .. } => (period.end != Timestamp::MAX).then_some(period.end),
            Gauge::Sliding { step, buckets } => {
                counted(buckets, *step, now).next().map(|(index, _)| leaves(*index, *step))
            }
            Gauge::Rate { limit, .. } => {
                let backlog = Some(self.backlog(now)).filter(|backlog| *backlog > 0)?;
                let millis = backlog.checked_div(*limit)? + u64::from(!backlog.is_multiple_of(*limit));
                Some(Timestamp::from_millis(now.millis().saturating_add(i64::try_from(millis).unwrap_or(i64::MAX))))
            }
        }
    }

    /// What a limit leaves: `limit - used - held`, below zero after an overrun or a lowered limit.
    pub fn remaining(&self, limit: u64, now: Timestamp) -> i64 {
        let limit = limit.min(amount::MAX);
        match self {
            Gauge::Rate { length, .. } => {
                let length = i128::from((*length).max(1));
                let free = i128::from(limit) * length - i128::from(self.backlog(now));
                i64::try_from(free.div_euclid(length)).unwrap_or(i64::MIN)
            }
            _ => {
                let usage = self.usage(now);
                amount::remaining(limit, Amount::saturating(usage.used), Amount::saturating(usage.held))
            }
        }
    }

    fn backlog(&self, now: Timestamp) -> u64 {
        match self {
            Gauge::Rate { limit, backlog, at, .. } => {
                let elapsed = now.since(*at).millis().max(0).unsigned_abs();
                backlog.saturating_sub(elapsed.saturating_mul(*limit))
            }
            _ => 0,
        }
    }

    /// Whether a change that was effective at `at` belongs here.
    fn covers(&self, at: Timestamp) -> bool {
        match self {
            Gauge::Period { period, .. } => period.contains(at),
            Gauge::Sliding { .. } | Gauge::Rate { .. } => true,
        }
    }

    /// Adds a change; says whether a figure was cut to its range.
    fn shift(&mut self, at: Timestamp, now: Timestamp, used: i64, held: i64) -> bool {
        match self {
            Gauge::Period { usage, .. } => usage.shift(used, held),
            Gauge::Sliding { step, buckets } => {
                let index = at.millis().div_euclid(*step);
                let oldest = now.millis().div_euclid(*step) - STEPS;
                buckets.retain(|(bucket, usage)| (*bucket >= oldest || usage.held > 0) && !usage.is_empty());
                if index < oldest && held >= 0 {
                    return false;
                }
                let place = buckets.partition_point(|(bucket, _)| *bucket < index);
                if buckets.get(place).is_none_or(|(bucket, _)| *bucket != index) {
                    buckets.insert(place, (index, Usage::default()));
                }
                buckets[place].1.shift(used, held)
            }
            Gauge::Rate { .. } => {
                let drained = self.backlog(now);
                let Gauge::Rate { length, backlog, at: since, .. } = self else { return false };
                let change = (i128::from(used) + i128::from(held)) * i128::from(*length);
                let level = (i128::from(drained) + change).max(0);
                // A rate whose full bucket leaves 2^53 is refused when set; forced use that goes beyond stays there.
                *backlog = u64::try_from(level).unwrap_or(u64::MAX).min(amount::MAX);
                *since = now.max(*since);
                false
            }
        }
    }

    /// Whether an open hold still needs it.
    fn holds(&self) -> bool {
        match self {
            Gauge::Period { usage, .. } => usage.held > 0,
            Gauge::Sliding { buckets, .. } => buckets.iter().any(|(_, usage)| usage.held > 0),
            Gauge::Rate { .. } => false,
        }
    }
}

/// One window in a counter's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WindowCount {
    /// Which window.
    pub window: WindowId,
    /// Whether every decision since the gauge was made had this window in its plan; only then may the next period
    /// start at zero.
    pub planned: bool,
    /// What it has counted.
    pub gauge: Gauge,
}

/// What one account has used and holds on one meter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counter {
    /// Its windows; a period that has passed stays beside the new one until its last hold is settled.
    pub windows: Vec<WindowCount>,
    /// What the top-up has given, over the lifetime.
    pub top_up: Usage,
    /// Used by charges on this very account and not on one below it (rule 10); for allocation meters.
    pub own: u64,
    /// Whether `top_up` and `own` are true: counted from the beginning, or read from the ledger.
    pub lifetime_known: bool,
    /// Whether a figure was ever cut to its range (rule 16): what is left is then not exact any more.
    pub cut: bool,
}

impl Counter {
    /// The gauge of a planned window.
    pub fn gauge(&self, plan: &WindowPlan) -> Option<&Gauge> {
        self.windows
            .iter()
            .find(|count| count.window == plan.window && same_period(&count.gauge, plan))
            .map(|c| &c.gauge)
    }

    /// Rolls the value over to the planned periods, in place, and answers the planned windows that are missing.
    ///
    /// A new period starts at zero when the window was planned without a break through the one before, or when
    /// `complete` says that nothing that began at the period's start can be unknown. Periods that have passed, and
    /// windows that are planned no longer, go as soon as nothing is held in them.
    pub fn roll(&mut self, plans: &[WindowPlan], complete: impl Fn(Timestamp) -> bool, now: Timestamp) -> Vec<usize> {
        let mut missing = Vec::new();
        for (index, plan) in plans.iter().enumerate() {
            if let Some(count) =
                self.windows.iter_mut().find(|count| count.window == plan.window && same_period(&count.gauge, plan))
            {
                if let Gauge::Rate { limit, .. } = &count.gauge
                    && *limit != plan.limit.unwrap_or(LIFTED)
                {
                    relimit(&mut count.gauge, plan.limit.unwrap_or(LIFTED), now);
                }
                continue;
            }
            let before = self.windows.iter().position(|count| {
                count.window == plan.window
                    && count.planned
                    && matches!(&count.gauge, Gauge::Period { period, .. } if period.end <= plan.period.start)
            });
            if before.is_some() || complete(begin(plan, now)) {
                let count = WindowCount { window: plan.window, planned: true, gauge: Gauge::empty(plan, now) };
                match before.map(|at| &mut self.windows[at]).filter(|passed| !passed.gauge.holds()) {
                    Some(passed) => *passed = count,
                    None => self.put(count, plans.len()),
                }
            } else {
                missing.push(index);
            }
        }
        if missing.is_empty() {
            self.windows.retain_mut(|count| {
                let plan = plans.iter().find(|plan| plan.window == count.window);
                count.planned = plan.is_some();
                count.gauge.holds() || plan.is_some_and(|plan| same_period(&count.gauge, plan))
            });
        }
        missing
    }

    /// Puts in a window; `likely` is how many there will be. There are so many counters that none keeps memory to spare.
    pub fn put(&mut self, count: WindowCount, likely: usize) {
        if self.windows.len() == self.windows.capacity() {
            self.windows.reserve_exact(likely.saturating_sub(self.windows.len()).max(1));
        }
        self.windows.push(count);
    }

    /// Adds a change that was effective at `at` to every window that contains that time, and to the top-up; `own` if
    /// the account itself was charged. Says whether a figure was cut to its range (rule 16).
    pub fn shift(&mut self, at: Timestamp, now: Timestamp, used: Parts, held: Parts, own: bool) -> bool {
        let mut cut = self.top_up.shift(used.top_up, held.top_up);
        for count in self.windows.iter_mut().filter(|count| count.gauge.covers(at)) {
            cut |= count.gauge.shift(at, now, used.period, held.period);
        }
        if own {
            cut |= shift(&mut self.own, used.period.saturating_add(used.top_up));
        }
        self.cut |= cut;
        cut
    }

    /// What the enforced limits leave, the least over the quota's windows; `None` where nothing limits.
    pub fn rest(&self, plans: &[WindowPlan], now: Timestamp) -> Option<i64> {
        plans
            .iter()
            .filter(|plan| plan.enforced)
            .filter_map(|plan| Some(self.gauge(plan)?.remaining(plan.limit?, now)))
            .min()
    }

    /// What a top-up of `limit` leaves.
    pub fn top_up_rest(&self, limit: Option<u64>) -> u64 {
        limit.unwrap_or(0).min(amount::MAX).saturating_sub(self.top_up.used + self.top_up.held)
    }

    /// Whether an open hold still needs it.
    pub fn holds(&self) -> bool {
        self.top_up.held > 0 || self.windows.iter().any(|count| count.gauge.holds())
    }
}

/// The time from which everything must be known for a planned window to be known.
pub fn begin(plan: &WindowPlan, now: Timestamp) -> Timestamp {
    match plan.kind {
        WindowKind::Sliding => {
            let oldest = now.millis().div_euclid(plan.step.max(1)) - STEPS;
            Timestamp::from_millis(oldest.saturating_mul(plan.step.max(1)))
        }
        WindowKind::Rate => Timestamp::from_millis(now.millis().saturating_sub(plan.step)),
        _ => plan.period.start,
    }
}

fn same_period(gauge: &Gauge, plan: &WindowPlan) -> bool {
    match gauge {
        Gauge::Period { period, .. } => *period == plan.period,
        Gauge::Sliding { .. } | Gauge::Rate { .. } => true,
    }
}

/// The steps of a sliding window that count now and have something in them, the oldest first.
fn counted(buckets: &[(i64, Usage)], step: i64, now: Timestamp) -> impl Iterator<Item = &(i64, Usage)> {
    let oldest = now.millis().div_euclid(step) - STEPS;
    buckets.iter().filter(move |(index, usage)| *index >= oldest && !usage.is_empty())
}

/// When a step of a sliding window counts no more.
fn leaves(index: i64, step: i64) -> Timestamp {
    Timestamp::from_millis((index + STEPS + 1).saturating_mul(step))
}

/// Another limit drains at another speed from now on: what drained until now did so at the old one.
fn relimit(gauge: &mut Gauge, new: u64, now: Timestamp) {
    let drained = gauge.backlog(now);
    if let Gauge::Rate { limit, backlog, at, .. } = gauge {
        (*limit, *backlog, *at) = (new, drained, now);
    }
}

/// Moves a figure within 0..=2^53-1; says whether it was cut at the top.
fn shift(figure: &mut u64, by: i64) -> bool {
    let moved = i128::from(*figure) + i128::from(by);
    *figure = u64::try_from(moved.clamp(0, i128::from(amount::MAX))).unwrap_or(0);
    moved > i128::from(amount::MAX)
}
