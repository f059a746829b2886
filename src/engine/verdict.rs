//! From counters to answers, pure: what a request asks of each counter, which limits stand in its way, what they leave. Each
//! counter store brings its values; the rule itself is the domain's.

use super::call::{AllowanceLine, Denial, Violation};
use super::operation::{Barred, CounterPlan, Plan};
use super::ports::CounterKey;
use crate::domain::admission::{self, Demand, Split};
use crate::domain::counter::{Counter, Gauge, Usage, WindowPlan, begin};
use crate::domain::decision::{Cause, Refusal};
use crate::domain::meter::Admission;
use crate::domain::reservation::{Held, Reservation};
use crate::domain::settlement::Listed;
use crate::domain::time::Timestamp;
use crate::domain::window::WindowKind;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// One for each planned counter, of which hardly a call has more than the levels of one path.
pub type Few<T> = SmallVec<[T; 8]>;

/// By charge that is raised: its index, by how much, and by level the part of that in the top-up.
pub type Raised = Vec<(usize, u64, Vec<u64>)>;

/// Decides charges over all planned counters, which `value` gives by their place in the plan: where each amount stands.
///
/// # Errors
/// Every limit in the way.
pub fn decide<'a>(
    plan: &Plan,
    charges: &[Held],
    value: impl Fn(usize) -> Option<&'a Counter>,
    now: Timestamp,
) -> Result<Few<Split>, Denial> {
    let demands = demands(plan, charges);
    let mut splits = Few::with_capacity(demands.len());
    let mut violations: Vec<Violation> = barred(&plan.barred, charges);
    for (index, (counter, demand)) in plan.counters.iter().zip(&demands).enumerate() {
        let Some(value) = value(index) else { continue };
        match admission::decide(value, &counter.windows, counter.bound.quota.top_up, *demand, now) {
            Ok(split) => splits.push(split),
            Err(refusals) => violations.extend(refusals.into_iter().map(|refusal| violation(counter, refusal))),
        }
    }
    if violations.is_empty() { Ok(splits) } else { Err(denial(violations)) }
}

/// How many limits in SHADOW would have denied the charges (rule 13).
pub fn shadowed<'a>(
    plan: &Plan,
    charges: &[Held],
    value: impl Fn(usize) -> Option<&'a Counter>,
    now: Timestamp,
) -> usize {
    let has_shadow =
        |counter: &CounterPlan| counter.windows.iter().any(|window| !window.enforced && window.limit.is_some());
    if !plan.counters.iter().any(has_shadow) {
        return 0;
    }
    let demands = demands(plan, charges);
    let counters = plan.counters.iter().zip(demands).enumerate();
    let count = |(index, (counter, demand)): (usize, (&CounterPlan, Demand))| {
        value(index).map_or(0, |value| admission::shadowed(value, &counter.windows, demand, now))
    };
    counters.map(count).sum()
}

/// What the planned windows leave, one line for each.
pub fn allowance<'a>(plan: &Plan, value: impl Fn(usize) -> Option<&'a Counter>, now: Timestamp) -> Vec<AllowanceLine> {
    let mut lines = Vec::new();
    for (index, counter) in plan.counters.iter().enumerate() {
        let Some(value) = value(index) else { continue };
        lines.extend(counter.windows.iter().filter_map(|window| {
            let gauge = value.gauge(window)?;
            let usage = gauge.usage(now);
            Some(AllowanceLine {
                account: counter.bound.account.clone(),
                meter: counter.bound.meter.clone(),
                kind: window.kind,
                limit: window.limit,
                used: usage.used,
                held: usage.held,
                remaining: window.limit.map(|limit| gauge.remaining(limit, now)),
            })
        }));
    }
    lines
}

/// By planned counter: the gauges of its windows, and its top-up.
pub fn report<'a>(plan: &Plan, value: impl Fn(usize) -> Option<&'a Counter>) -> Vec<(Vec<Gauge>, Usage)> {
    let report = |(index, counter): (usize, &CounterPlan)| {
        value(index).map_or((Vec::new(), Usage::default()), |value| {
            let gauges = counter.windows.iter().filter_map(|window| value.gauge(window).cloned()).collect();
            (gauges, value.top_up)
        })
    };
    plan.counters.iter().enumerate().map(report).collect()
}

/// Admits a raise in the periods of the Reserve (Extend); `value` gives the counters that are loaded.
///
/// # Errors
/// Every limit in the way; a period that has ended is one.
pub fn raise<'a>(
    before: &Reservation,
    plan: &Plan,
    matched: &[Listed],
    value: impl Fn(CounterKey) -> Option<&'a Counter>,
    now: Timestamp,
) -> Result<Raised, Denial> {
    let mut splits: Vec<(CounterKey, Split)> = Vec::new();
    let mut violations = Vec::new();
    for counter in &plan.counters {
        let amount = raise_on(before, matched, counter.bound.key);
        let Some(value) = value(counter.bound.key).filter(|_| amount > 0) else { continue };
        match raise_one(before, counter.bound.key, &counter.windows, counter.bound.quota.top_up, (value, amount), now) {
            Ok(split) => splits.push((counter.bound.key, split)),
            Err(refusals) => violations.extend(refusals.into_iter().map(|why| violation(counter, why))),
        }
    }
    if !violations.is_empty() {
        return Err(denial(violations));
    }
    Ok(matched.iter().map(|listed| deal_raise(&before.charges[listed.charge], listed, &mut splits)).collect())
}

/// What a raise asks of one counter.
pub fn raise_on(before: &Reservation, matched: &[Listed], key: CounterKey) -> u64 {
    matched
        .iter()
        .filter(|listed| on_path(&before.charges[listed.charge], key))
        .fold(0_u64, |sum, listed| sum.saturating_add(listed.amount.unwrap_or(0)))
}

/// Decides a raise of `amount` on one counter.
///
/// # Errors
/// Every limit in the way, those whose period has ended first.
pub fn raise_one(
    before: &Reservation,
    key: CounterKey,
    windows: &[WindowPlan],
    top_up: Option<u64>,
    (value, amount): (&Counter, u64),
    now: Timestamp,
) -> Result<Split, Vec<Refusal>> {
    let holds = holds_on(before, key);
    // A period that has ended denies by itself; the other limits are asked as always.
    let (mut open, ended): (Vec<WindowPlan>, Vec<WindowPlan>) =
        windows.iter().cloned().partition(|window| is_current(window, before.create_time, now));
    // The share that one hold may take is of the whole hold.
    let held = before.charges.iter().filter(|charge| on_path(charge, key));
    let held: u64 = held.map(|charge| charge.held).sum();
    open.iter_mut().for_each(|window| window.hold_cap = window.hold_cap.map(|cap| cap.saturating_sub(held)));
    let ended = ended.iter().filter(|window| window.enforced);
    let mut refusals: Vec<Refusal> = ended
        .map(|window| {
            let kept = holds || window.period.contains(now);
            admission::period_ended(value, window, amount, kept, now)
        })
        .collect();
    let decided = admission::decide(value, &open, top_up, Demand { amount, positive: false }, now);
    match decided {
        Ok(split) if refusals.is_empty() => Ok(split),
        Ok(_) => Err(refusals),
        Err(more) => {
            refusals.extend(more);
            Err(refusals)
        }
    }
}

fn deal_raise(charge: &Held, listed: &Listed, splits: &mut [(CounterKey, Split)]) -> (usize, u64, Vec<u64>) {
    let amount = listed.amount.unwrap_or(0);
    let parts = charge.path.accounts().iter().map(|account| {
        let key = CounterKey { account: *account, meter: charge.meter_id };
        splits.iter_mut().find(|(known, _)| *known == key).map_or(0, |(_, split)| {
            let period = split.period.min(amount);
            split.period -= period;
            amount - period
        })
    });
    (listed.charge, amount, parts.collect())
}

/// Whether a hold taken at `at` still counts in the window's present period, or among the steps that still count.
fn is_current(window: &WindowPlan, at: Timestamp, now: Timestamp) -> bool {
    window.period.contains(now) && (window.kind != WindowKind::Sliding || at >= begin(window, now))
}

/// Whether the reservation still holds on a counter: then the periods of its Reserve are kept there.
pub fn holds_on(before: &Reservation, key: CounterKey) -> bool {
    before.charges.iter().any(|charge| charge.held > 0 && on_path(charge, key))
}

fn on_path(charge: &Held, key: CounterKey) -> bool {
    charge.meter_id == key.meter && charge.path.accounts().contains(&key.account)
}

/// What the request asks of each planned counter: summed over its charges (rule 3).
pub fn demands(plan: &Plan, charges: &[Held]) -> Few<Demand> {
    let mut demands: Few<Demand> = smallvec![Demand { amount: 0, positive: false }; plan.counters.len()];
    for (charge, path) in charges.iter().zip(&plan.paths) {
        for index in path {
            let demand = &mut demands[usize::from(*index)];
            demand.amount = demand.amount.saturating_add(charge.asked.unwrap_or(0));
            demand.positive |= charge.rules.admission == Admission::Positive;
        }
    }
    demands
}

/// Charges that are denied whatever the counters have: no quota where one must be (S0.19), no right to a pool (S3.24).
pub fn barred(barred: &[Barred], charges: &[Held]) -> Vec<Violation> {
    let violation = |Barred { charge, cause, account }: &Barred| {
        let charge = charges.get(*charge)?;
        let refusal = without_limit(*cause, charge.asked.unwrap_or(0));
        Some(Violation { account: account.clone(), meter: Arc::from(&*charge.meter), refusal })
    };
    barred.iter().filter_map(violation).collect()
}

/// A refusal that no limit is the reason of.
fn without_limit(cause: Cause, requested: u64) -> Refusal {
    Refusal {
        kind: WindowKind::Lifetime,
        limit: None,
        used: 0,
        held: 0,
        remaining: 0,
        requested,
        hold_cap: None,
        top_up: 0,
        reset: None,
        cause,
        enforced: true,
    }
}

/// A refusal with the account and meter whose limit it is.
pub fn violation(counter: &CounterPlan, refusal: Refusal) -> Violation {
    Violation { account: counter.bound.account.clone(), meter: counter.bound.meter.clone(), refusal }
}

/// The least left first (S4.25). Who may not use an account is told so and nothing else: not what others have left there.
pub fn denial(mut violations: Vec<Violation>) -> Denial {
    if violations.iter().any(|violation| violation.refusal.cause.forbids()) {
        violations.retain(|violation| violation.refusal.cause.forbids());
    }
    violations.sort_by_key(|violation| violation.refusal.remaining);
    Denial { violations, tried: Vec::new() }
}
