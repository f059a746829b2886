//! The rule of admission: `amount <= limit - used - held` on every limit, or nothing changes (rule 3).

use super::amount;
use super::counter::{Counter, Gauge, WindowPlan};
use super::decision::{Cause, Refusal};
use super::time::Timestamp;

/// What one request asks of one counter: the sum over all its charges that count there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demand {
    /// The sum of the amounts given.
    pub amount: u64,
    /// Whether a charge of a meter with POSITIVE admission is among them: then the balance must be above zero too.
    pub positive: bool,
}

/// Where an admitted amount stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Split {
    /// In every period.
    pub period: u64,
    /// In the top-up.
    pub top_up: u64,
}

/// Decides one counter. The counter must hold every planned window (see [`Counter::roll`]).
///
/// # Errors
/// Every limit that stands in the way.
pub fn decide(
    counter: &Counter,
    plans: &[WindowPlan],
    top_up: Option<u64>,
    demand: Demand,
    now: Timestamp,
) -> Result<Split, Vec<Refusal>> {
    let extra = counter.top_up_rest(top_up);
    let refusals: Vec<Refusal> = plans
        .iter()
        .filter_map(|plan| {
            let gauge = counter.gauge(plan)?;
            let cause = refuse(gauge, plan, extra, demand, now)?;
            Some(Refusal { top_up: extra, ..refusal(gauge, plan, demand.amount, cause, now) })
        })
        .filter(|refusal| refusal.enforced || refusal.cause == Cause::AmountRange)
        .collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    Ok(split(counter, plans, top_up, demand.amount, now))
}

/// Where an amount stands that is let in whether it fits or not: what does not fit the period's rest in the top-up, what
/// fits neither in the period.
pub fn split(counter: &Counter, plans: &[WindowPlan], top_up: Option<u64>, amount: u64, now: Timestamp) -> Split {
    let rest = counter.rest(plans, now).map_or(amount, |rest| u64::try_from(rest).unwrap_or(0));
    let top_up = amount.saturating_sub(rest).min(counter.top_up_rest(top_up));
    Split { period: amount - top_up, top_up }
}

/// The limits in SHADOW that would have denied.
pub fn shadowed(counter: &Counter, plans: &[WindowPlan], demand: Demand, now: Timestamp) -> usize {
    plans
        .iter()
        .filter(|plan| !plan.enforced && plan.limit.is_some())
        .filter_map(|plan| refuse(counter.gauge(plan)?, plan, 0, demand, now))
        .count()
}

/// Why this limit stands in the way, if it does.
fn refuse(gauge: &Gauge, plan: &WindowPlan, extra: u64, demand: Demand, now: Timestamp) -> Option<Cause> {
    let usage = gauge.usage(now);
    if demand.amount > amount::MAX || usage.used + usage.held > amount::MAX - demand.amount {
        return Some(Cause::AmountRange);
    }
    let limit = plan.limit?;
    if plan.hold_cap.is_some_and(|cap| demand.amount > cap) {
        return Some(Cause::HoldShare);
    }
    let rest = gauge.remaining(limit, now);
    let room = u64::try_from(rest).unwrap_or(0).saturating_add(extra);
    let fits = demand.amount <= room && (!demand.positive || room > 0);
    if fits {
        return None;
    }
    let without_holds = rest.saturating_add(i64::try_from(usage.held).unwrap_or(i64::MAX));
    let room = u64::try_from(without_holds).unwrap_or(0).saturating_add(extra);
    let held_by_others = demand.amount <= room && room > 0 && usage.held > 0;
    Some(if held_by_others { Cause::HeldByOthers } else { Cause::Spent })
}

fn refusal(gauge: &Gauge, plan: &WindowPlan, requested: u64, cause: Cause, now: Timestamp) -> Refusal {
    let usage = gauge.usage(now);
    Refusal {
        kind: plan.kind,
        limit: plan.limit,
        used: usage.used,
        held: usage.held,
        remaining: gauge.remaining(plan.limit.unwrap_or(amount::MAX), now),
        requested,
        hold_cap: plan.hold_cap,
        top_up: 0,
        reset: gauge.reset(requested, plan.limit.unwrap_or(0), now),
        cause,
        enforced: plan.enforced,
    }
}

/// The refusal of a hold that is to be raised in a period that has ended; if that is kept no longer, it shows nothing.
pub fn period_ended(counter: &Counter, plan: &WindowPlan, requested: u64, kept: bool, now: Timestamp) -> Refusal {
    let empty = Gauge::empty(plan, now);
    let gauge = counter.gauge(plan).filter(|_| kept).unwrap_or(&empty);
    refusal(gauge, plan, requested, Cause::PeriodEnded, now)
}
