//! Free on a partition: committed use of allocation meters goes back, never more than is in use (rule 10).

use super::partition::{Partition, line, stamp};
use super::settle::signed;
use crate::domain::counter::Parts;
use crate::domain::entry::{Kind, RequestStamp};
use crate::domain::error::RuleError;
use crate::domain::meter::Family;
use crate::domain::reservation::Held;
use crate::domain::settlement::{self, Change, InUse, Left};
use crate::domain::window::WindowKind;
use crate::engine::call::Freed;
use crate::engine::operation::{Operation, Outcome, Plan, Reply, Verb};
use crate::engine::ports::CounterKey;
use std::sync::Arc;

impl Partition {
    /// Free by reservation: what a Free by amount took from the same accounts meanwhile is not given back twice.
    pub(super) fn free_reservation(&mut self, operation: &Operation) -> Reply {
        let Verb::FreeReservation { key } = &operation.verb else { return self.refused(RuleError::NotFound) };
        let found = match self.find(*key, operation) {
            Ok(found) => found,
            Err(reply) => return *reply,
        };
        let before = found.reservation;
        if !before.occupies() {
            return match settlement::free(&before, |_, _| Left::nothing()) {
                Err(error) => self.refused(error),
                Ok((_, amounts)) => {
                    let freed = Freed { reservation: Some(Arc::unwrap_or_clone(before)), amounts };
                    self.done(Outcome::Freed(freed), true, found.seq)
                }
            };
        }
        let Some(plan) = &operation.plan else { return Reply::NeedPlan(before) };
        if let Some(miss) = self.missing(&before, plan) {
            return miss;
        }
        match settlement::free(&before, |index, changes| self.left(&before.charges, plan, index, changes)) {
            Err(error) => self.refused(error),
            Ok((settlement, amounts)) => {
                let stamp = stamp(operation, Some(*key));
                let (reservation, seq) = self.settle(&before, settlement, Kind::Free, stamp);
                let freed = Freed { reservation: Some(Arc::unwrap_or_clone(reservation)), amounts };
                self.done(Outcome::Freed(freed), false, seq)
            }
        }
    }

    /// Free by amount: clamped at what was charged to that very account, and alike on every level (rule 10).
    pub(super) fn free_amounts(&mut self, operation: &Operation) -> Reply {
        let (Verb::FreeAmounts { charges }, Some(plan)) = (&operation.verb, &operation.plan) else {
            return self.refused(RuleError::NotFound);
        };
        if let Some(index) = charges.iter().position(|charge| charge.rules.family != Family::Allocation) {
            return self.refused(RuleError::NotFreeable(index));
        }
        if let Err(miss) = self.force(operation.tenant, plan, &[]) {
            return *miss;
        }
        let (at, now) = (self.now, self.now);
        let mut lines = Vec::new();
        let mut amounts = Vec::with_capacity(charges.len());
        for (index, charge) in charges.iter().enumerate() {
            let amount = charge.asked.unwrap_or(0).min(self.in_use(charges, plan, index, &[]).amount);
            amounts.push(amount);
            if amount == 0 {
                continue;
            }
            let mut change = Change { charge: index, used: -signed(amount), ..Change::default() };
            for (level, counter) in plan.paths[index].iter().enumerate() {
                let key = plan.counters[usize::from(*counter)].bound.key;
                let Some(slot) = self.table.get_mut(&key) else { continue };
                let part = signed(slot.counter.top_up.used.min(amount));
                if part > 0 {
                    *change.top_up_mut(level) = (-part, 0);
                }
                let own = level + 1 == charge.chain_len();
                slot.counter.shift(at, now, Parts::of(change.used, -part), Parts::default(), own);
                slot.touched = now;
            }
            lines.push(line(charge, &change, at));
        }
        let request = operation.request.map(|key| RequestStamp {
            key,
            fingerprint: operation.fingerprint,
            reservation: None,
            amounts: amounts.clone(),
        });
        let seq = if lines.is_empty() && request.is_none() {
            0
        } else {
            self.record(Kind::Free, operation.tenant, request, None, lines)
        };
        self.done(Outcome::Freed(Freed { reservation: None, amounts }), false, seq)
    }

    /// What a charge of a reservation may give back after the changes that come before. A figure that was cut to its range no
    /// longer says how much is left.
    pub(super) fn left(&mut self, charges: &[Held], plan: &Plan, index: usize, changes: &[Change]) -> Left {
        let charge = &charges[index];
        let cut = charge.path.accounts().iter().any(|account| {
            let key = CounterKey { account: *account, meter: charge.meter_id };
            self.table.get(&key).is_some_and(|slot| slot.counter.cut)
        });
        if cut { Left::unknown() } else { self.in_use(charges, plan, index, changes) }
    }

    /// The least of what was charged to the account itself and what each account of a charge's path has in use.
    fn in_use(&mut self, charges: &[Held], plan: &Plan, index: usize, changes: &[Change]) -> Left {
        let (charge, now) = (&charges[index], self.now);
        let mut least = i64::MAX;
        let mut levels = Vec::with_capacity(charge.path.len());
        for (place, level) in charge.path.iter().enumerate() {
            let key = CounterKey { account: level.account, meter: charge.meter_id };
            let (Some(counter), Some(slot)) = (plan.counter(key), self.table.get(&key)) else {
                levels.push(InUse { period: u64::MAX, top_up: 0 });
                continue;
            };
            let lifetime = counter.windows.iter().find(|window| window.kind == WindowKind::Lifetime);
            let gauge = lifetime.and_then(|window| slot.counter.gauge(window));
            let mut period = signed(gauge.map_or(0, |gauge| gauge.usage(now).used));
            let (mut top_up, mut own) = (signed(slot.counter.top_up.used), signed(slot.counter.own));
            for change in changes {
                let other = &charges[change.charge];
                let moved = other.path.accounts().iter().enumerate().filter(|(_, theirs)| **theirs == level.account);
                for (place, _) in moved.filter(|_| other.meter_id == charge.meter_id) {
                    let (part, _) = change.top_up_on(place);
                    top_up = top_up.saturating_add(part);
                    period = period.saturating_add(change.used.saturating_sub(part));
                }
                if other.meter_id == charge.meter_id && other.account == charge.account {
                    own = own.saturating_add(change.used);
                }
            }
            least = least.min(period.saturating_add(top_up));
            if place + 1 == charge.chain_len() {
                least = least.min(own);
            }
            levels.push(InUse { period: unsigned(period), top_up: unsigned(top_up) });
        }
        Left { amount: unsigned(least), levels }
    }
}

fn unsigned(amount: i64) -> u64 {
    u64::try_from(amount).unwrap_or(0)
}
