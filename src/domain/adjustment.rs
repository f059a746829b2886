//! Adjustments: an administrator corrects what an account has used, on every account of its chain, never below zero (rules 8
//! and 10). What is held stays as it is. `lua/adjust.lua` is the twin.

use super::admission;
use super::counter::{Counter, Gauge, STEPS, WindowPlan};
use super::meter::Family;
use super::time::Timestamp;

/// What one line of an adjustment does to what was charged to its account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// Adds a signed amount, not 0.
    By(i64),
    /// It was measured how much is there: the difference is added.
    To {
        /// How much there is.
        measured: u64,
        /// Only if this is what was charged to the account until now.
        expected: Option<u64>,
    },
}

/// Why an adjustment is refused. Nothing of it is recorded then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Short {
    /// The line of the request.
    pub line: usize,
    /// The account of its path, the tenant first.
    pub level: usize,
    /// What is in use there, or was charged to the account.
    pub in_use: u64,
}

impl Move {
    /// The signed amount, where `own` was charged to the account until now.
    ///
    /// # Errors
    /// What was charged, if that is not what the line expects.
    pub fn amount(self, own: u64) -> Result<i64, u64> {
        match self {
            Move::By(amount) => Ok(amount),
            Move::To { expected: Some(expected), .. } if expected != own => Err(own),
            Move::To { measured, .. } => Ok(signed(measured) - signed(own)),
        }
    }
}

/// Why one account of a line's path is in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// More would go back than this, which is in use there.
    BelowZero(u64),
    /// It would go back in a period that has ended, whose figures nobody has at hand.
    PeriodEnded,
}

/// One account of a line's path.
#[derive(Clone, Copy, Debug)]
pub struct Level<'a> {
    /// What it has used.
    pub counter: &'a Counter,
    /// Its windows in their present periods.
    pub windows: &'a [WindowPlan],
    /// Its top-up.
    pub top_up: Option<u64>,
    /// On an account that is charged itself, the meter's family.
    pub charged: Option<Family>,
}

/// The part of a signed amount that stands in the top-up, on one account. What is added is dealt as a charge is: what does not fit
/// the period's rest in the top-up, what fits neither in the period. What goes back leaves the top-up first.
///
/// # Errors
/// [`Fault::BelowZero`] where less than what is to go back is used in some period that has the effective time, in that step of
/// a sliding window, or (for allocation, and where only a rate counts) by the account itself. A figure that was cut to its
/// range no longer says how much that is. [`Fault::PeriodEnded`] where it would go back in another period than the present.
pub fn top_up_part(level: &Level<'_>, amount: i64, at: Timestamp, now: Timestamp) -> Result<i64, Fault> {
    let Level { counter, windows, top_up, charged } = *level;
    let size = amount.unsigned_abs();
    if amount >= 0 {
        let reached: Vec<WindowPlan> = windows.iter().filter(|plan| plan.period.contains(at)).cloned().collect();
        return Ok(signed(admission::split(counter, &reached, top_up, size, now).top_up));
    }
    if windows.iter().any(|plan| !plan.period.contains(at)) {
        return Err(Fault::PeriodEnded);
    }
    let part = counter.top_up.used.min(size);
    let there = used_at(counter, windows, at, now);
    if !counter.cut {
        if let Some(used) = there.filter(|used| *used < size - part) {
            return Err(Fault::BelowZero(used + counter.top_up.used));
        }
        let is_bound = charged == Some(Family::Allocation) || (charged.is_some() && there.is_none());
        if is_bound && counter.own < size {
            return Err(Fault::BelowZero(counter.own));
        }
    }
    Ok(-signed(part))
}

/// The least that is used in the planned windows where a change that was effective at `at` counts; none where no figure says
/// it.
fn used_at(counter: &Counter, windows: &[WindowPlan], at: Timestamp, now: Timestamp) -> Option<u64> {
    let used = |gauge: &Gauge| match gauge {
        Gauge::Period { period, usage } => period.contains(at).then_some(usage.used),
        Gauge::Sliding { step, buckets } => {
            let index = at.millis().div_euclid(*step);
            let counts = index >= now.millis().div_euclid(*step) - STEPS;
            let bucket = buckets.iter().find(|(bucket, _)| *bucket == index);
            counts.then(|| bucket.map_or(0, |(_, usage)| usage.used))
        }
        Gauge::Rate { .. } => None,
    };
    windows.iter().filter_map(|plan| used(counter.gauge(plan)?)).min()
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::counter::{Parts, Usage, WindowCount};
    use crate::domain::time::Period;
    use crate::domain::window::{WindowId, WindowKind};

    const NOW: Timestamp = Timestamp::from_millis(100_000);
    const DAY: Period = Period { start: Timestamp::from_millis(50_000), end: Timestamp::from_millis(150_000) };

    fn plan(kind: WindowKind, period: Period, limit: Option<u64>) -> WindowPlan {
        let step = if kind == WindowKind::Sliding { 1_000 } else { 0 };
        WindowPlan {
            window: WindowId(kind as u64),
            kind,
            period,
            step,
            limit,
            enforced: limit.is_some(),
            hold_cap: None,
        }
    }

    fn counter(plans: &[WindowPlan]) -> Counter {
        let count =
            |plan: &WindowPlan| WindowCount { window: plan.window, planned: true, gauge: Gauge::empty(plan, NOW) };
        Counter { windows: plans.iter().map(count).collect(), lifetime_known: true, ..Counter::default() }
    }

    fn part(counter: &Counter, plans: &[WindowPlan], family: Option<Family>, amount: i64) -> Result<i64, Fault> {
        let level = Level { counter, windows: plans, top_up: Some(10), charged: family };
        top_up_part(&level, amount, NOW, NOW)
    }

    #[test]
    fn what_is_measured_becomes_the_difference() {
        assert_eq!(Move::By(-3).amount(0), Ok(-3));
        assert_eq!(Move::To { measured: 7, expected: None }.amount(12), Ok(-5));
        assert_eq!(Move::To { measured: 7, expected: Some(7) }.amount(7), Ok(0));
        assert_eq!(Move::To { measured: 7, expected: Some(11) }.amount(12), Err(12), "something came in between");
    }

    #[test]
    fn what_is_added_is_dealt_as_a_charge_and_goes_back_the_other_way_round() {
        let plans = [plan(WindowKind::Day, DAY, Some(6))];
        let mut one = counter(&plans);
        assert_eq!(part(&one, &plans, None, 20), Ok(10), "6 fit the day, 10 the top-up, 4 neither");
        one.shift(NOW, NOW, Parts::of(20, 10), Parts::default(), true);
        assert_eq!(part(&one, &plans, None, -12), Ok(-10), "the top-up's part goes back first");
        assert_eq!(part(&one, &plans, None, -20), Ok(-10));
        assert_eq!(part(&one, &plans, None, -21), Err(Fault::BelowZero(20)), "never below zero");
    }

    #[test]
    fn every_period_that_has_the_time_must_have_it_in_use() {
        let plans = [plan(WindowKind::Lifetime, Period::ALWAYS, None), plan(WindowKind::Day, DAY, Some(6))];
        let mut one = counter(&plans);
        let before = Timestamp::from_millis(40_000);
        one.shift(before, NOW, Parts::of(5, 0), Parts::default(), true);
        one.shift(NOW, NOW, Parts::of(2, 0), Parts::default(), true);
        assert_eq!(part(&one, &plans, Some(Family::Consumption), -3), Err(Fault::BelowZero(2)), "today has 2");
        let level = Level { counter: &one, windows: &plans, top_up: None, charged: None };
        assert_eq!(top_up_part(&level, -3, before, NOW), Err(Fault::PeriodEnded));
        one.cut = true;
        assert_eq!(part(&one, &plans, None, -3), Ok(0), "a figure that was cut says nothing");
    }

    #[test]
    fn a_sliding_window_is_asked_for_the_step_of_the_time() {
        let plans = [plan(WindowKind::Sliding, Period::ALWAYS, Some(6))];
        let mut one = counter(&plans);
        let earlier = NOW - crate::domain::time::Span::from_millis(30_000);
        one.shift(earlier, NOW, Parts::of(4, 0), Parts::default(), true);
        assert_eq!(part(&one, &plans, None, -1), Err(Fault::BelowZero(0)), "nothing was used in the step of now");
        let level = Level { counter: &one, windows: &plans, top_up: None, charged: None };
        assert_eq!(top_up_part(&level, -4, earlier, NOW), Ok(0));
        assert_eq!(top_up_part(&level, -5, earlier, NOW), Err(Fault::BelowZero(4)));
    }

    #[test]
    fn allocation_and_what_only_a_rate_counts_go_back_as_far_as_the_account_was_charged() {
        let plans = [plan(WindowKind::Lifetime, Period::ALWAYS, Some(50))];
        let mut one = counter(&plans);
        one.shift(NOW, NOW, Parts::of(9, 0), Parts::default(), false);
        one.shift(NOW, NOW, Parts::of(2, 0), Parts::default(), true);
        assert_eq!(
            part(&one, &plans, Some(Family::Allocation), -3),
            Err(Fault::BelowZero(2)),
            "9 of 11 were charged below"
        );
        assert_eq!(part(&one, &plans, Some(Family::Consumption), -3), Ok(0));
        let rate = [plan(WindowKind::Rate, Period::ALWAYS, Some(5))];
        let mut one = counter(&rate);
        one.shift(NOW, NOW, Parts::of(2, 0), Parts::default(), true);
        assert_eq!(part(&one, &rate, Some(Family::Consumption), -3), Err(Fault::BelowZero(2)));
        assert_eq!(one.top_up, Usage::default());
    }
}
