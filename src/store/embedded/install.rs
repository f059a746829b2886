//! Installing what the ledger answered to a miss: set, never added, completed by what the journal has beyond, and by
//! what open reservations hold.

use super::partition::Partition;
use crate::domain::counter::{Counter, Gauge, Parts, Usage, WindowCount, WindowPlan};
use crate::domain::name::Uid;
use crate::domain::reservation::Reservation;
use crate::domain::time::{Period, Timestamp};
use crate::engine::operation::Refill;
use crate::engine::ports::{CounterKey, UsageAnswer};

impl Partition {
    /// Installs the missing windows of one counter, as of the ledger's entry `as_of`. An answer that is too old to be
    /// completed is dropped: the operation will miss again.
    pub fn install(&mut self, refill: &Refill, as_of: u64) {
        let Some(beyond) = self.tail.used_since(as_of, &refill.key) else { return };
        let now = self.now;
        let holds = self.holds_on(&refill.key);
        let mut counter = match self.table.get_mut(&refill.key) {
            Some(slot) => std::mem::take(&mut slot.counter),
            None => Counter::default(),
        };
        if !counter.lifetime_known {
            set_lifetime(&mut counter, &refill.lifetime, &beyond);
            counter.top_up.held = clamp(holds.iter().map(|hold| i128::from(hold.parts.top_up)).sum());
            counter.lifetime_known = true;
        }
        for (index, answer) in &refill.answers {
            let plan = &refill.windows[*index];
            if counter.gauge(plan).is_none() {
                // A period that is over says nothing about the one that follows it.
                let planned = plan.period.contains(now);
                let gauge = gauge(plan, answer, &beyond, &holds, now);
                counter.put(WindowCount { window: plan.window, planned, gauge }, refill.windows.len());
            }
        }
        match self.table.get_mut(&refill.key) {
            Some(slot) => slot.counter = counter,
            None => {
                let tenant = refill.tenant.or(holds.first().map(|hold| hold.tenant));
                self.insert(tenant.unwrap_or(Uid::ROOT), refill.key, counter);
            }
        }
        self.recovered.remove(&refill.key);
    }

    /// What open reservations hold on one counter. A counter that is not here can only be held by what was loaded at the
    /// start; one that is here and lacks a window (the limits changed their shape) is rare enough to look at all.
    fn holds_on(&self, key: &CounterKey) -> Vec<Hold> {
        let mut holds = Vec::new();
        if self.table.place(key).is_none() {
            for id in self.recovered.get(key).into_iter().flatten() {
                self.ids.open.get(id).into_iter().for_each(|open| add_holds(open, key, &mut holds));
            }
        } else {
            self.ids.open.iter().for_each(|open| add_holds(open, key, &mut holds));
        }
        holds
    }
}

/// What one charge of an open reservation holds on a counter.
struct Hold {
    tenant: Uid,
    at: Timestamp,
    parts: Parts,
}

fn add_holds(open: &Reservation, key: &CounterKey, holds: &mut Vec<Hold>) {
    for charge in open.charges.iter().filter(|charge| charge.held > 0 && charge.meter_id == key.meter) {
        for level in charge.path.iter().filter(|level| level.account == key.account) {
            let held = i64::try_from(charge.held).unwrap_or(i64::MAX);
            let top_up = i64::try_from(level.held_top_up).unwrap_or(i64::MAX);
            holds.push(Hold { tenant: open.tenant, at: open.create_time, parts: Parts::of(held, top_up) });
        }
    }
}

type Beyond = Vec<(Timestamp, Parts, i64)>;

/// The figures that belong to no window.
fn set_lifetime(counter: &mut Counter, lifetime: &UsageAnswer, beyond: &Beyond) {
    let top_up: i128 = beyond.iter().map(|(_, parts, _)| i128::from(parts.top_up)).sum();
    counter.top_up.used = clamp(i128::from(lifetime.used.top_up) + top_up);
    let own: i128 = beyond.iter().map(|(_, _, own)| i128::from(*own)).sum();
    counter.own = clamp(i128::from(lifetime.own) + own);
}

fn gauge(plan: &WindowPlan, answer: &UsageAnswer, beyond: &Beyond, holds: &[Hold], now: Timestamp) -> Gauge {
    let in_ledger = i128::from(answer.used.total) - i128::from(answer.used.top_up);
    match Gauge::empty(plan, now) {
        Gauge::Period { period, .. } => {
            let inside = |at: &Timestamp| period.contains(*at);
            let used = beyond.iter().filter(|(at, _, _)| inside(at)).map(|(_, parts, _)| i128::from(parts.period));
            let held = holds.iter().filter(|hold| inside(&hold.at)).map(|hold| i128::from(hold.parts.period));
            let usage = Usage { used: clamp(in_ledger + used.sum::<i128>()), held: clamp(held.sum()) };
            Gauge::Period { period, usage }
        }
        Gauge::Sliding { step, .. } => Gauge::Sliding { step, buckets: buckets(step, answer, beyond, holds) },
        Gauge::Rate { length, limit, .. } => {
            // What was let in during the last full drain time, as if it all came now: never too little.
            let recent =
                Period { start: Timestamp::from_millis(now.millis().saturating_sub(length)), end: Timestamp::MAX };
            let used =
                beyond.iter().filter(|(at, _, _)| recent.contains(*at)).map(|(_, parts, _)| i128::from(parts.period));
            let held = holds.iter().filter(|hold| recent.contains(hold.at)).map(|hold| i128::from(hold.parts.period));
            let amount = (in_ledger + used.sum::<i128>() + held.sum::<i128>()).clamp(0, i128::from(limit));
            let backlog = u64::try_from(amount * i128::from(length)).unwrap_or(u64::MAX);
            Gauge::Rate { length, limit, backlog, at: now }
        }
    }
}

fn buckets(step: i64, answer: &UsageAnswer, beyond: &Beyond, holds: &[Hold]) -> Vec<(i64, Usage)> {
    let mut sums: std::collections::BTreeMap<i64, (i128, i128)> = std::collections::BTreeMap::new();
    for (index, used) in &answer.steps {
        sums.entry(*index).or_default().0 += i128::from(used.total) - i128::from(used.top_up);
    }
    for (at, parts, _) in beyond {
        sums.entry(at.millis().div_euclid(step)).or_default().0 += i128::from(parts.period);
    }
    for hold in holds {
        sums.entry(hold.at.millis().div_euclid(step)).or_default().1 += i128::from(hold.parts.period);
    }
    let usage = |(used, held): (i128, i128)| Usage { used: clamp(used), held: clamp(held) };
    sums.into_iter().map(|(index, sum)| (index, usage(sum))).filter(|(_, usage)| *usage != Usage::default()).collect()
}

fn clamp(figure: i128) -> u64 {
    u64::try_from(figure.clamp(0, i128::from(crate::domain::amount::MAX))).unwrap_or(0)
}
