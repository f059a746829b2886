//! Free on a partition: committed use of allocation meters goes back, never more than is in use (rule 10).

use super::partition::{Partition, line, stamp};
use super::settle::signed;
use crate::domain::counter::Parts;
use crate::domain::entry::{Kind, RequestStamp};
use crate::domain::error::RuleError;
use crate::domain::meter::Family;
use crate::domain::reservation::{Held, Reservation};
use crate::domain::settlement::{self, Change};
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
            return match settlement::free(&before, |_, _| 0) {
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
        match settlement::free(&before, |index, changes| self.left(&before, plan, index, changes)) {
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
            let amount = charge.asked.unwrap_or(0).min(self.freeable(charge, plan, &[], 0));
            amounts.push(amount);
            if amount == 0 {
                continue;
            }
            let mut change = Change { charge: index, used: -signed(amount), held: 0, top_up: Vec::new() };
            for (level, counter) in plan.paths[index].iter().enumerate() {
                let key = plan.counters[usize::from(*counter)].bound.key;
                let Some(slot) = self.table.get(&key) else { continue };
                let part = signed(slot.counter.top_up.used.min(amount));
                change.top_up.push((-part, 0));
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

    /// What a charge of a reservation may give back after the changes before it.
    fn left(&mut self, before: &Reservation, plan: &Plan, index: usize, changes: &[Change]) -> u64 {
        let charge = &before.charges[index];
        // A figure that was cut to its range no longer says how much is left.
        let cut = charge.path.iter().any(|level| {
            let key = CounterKey { account: level.account, meter: charge.meter_id };
            self.table.get(&key).is_some_and(|slot| slot.counter.cut)
        });
        if cut {
            return u64::MAX;
        }
        let gone = |on: &dyn Fn(&Held) -> bool| {
            let counted = changes.iter().filter(|change| {
                let other = &before.charges[change.charge];
                other.meter_id == charge.meter_id && on(other)
            });
            counted.fold(0_u64, |sum, change| sum.saturating_add(change.used.unsigned_abs()))
        };
        let own = gone(&|other| other.account == charge.account);
        let by_level: Vec<u64> = charge
            .path
            .iter()
            .map(|level| gone(&|other| other.path.iter().any(|theirs| theirs.account == level.account)))
            .collect();
        self.freeable(charge, plan, &by_level, own)
    }

    /// What a charge may give back: the least of what was charged to the account itself and what each account of the
    /// path has in use, after what is `gone` already: from each level, and from the account's own charges.
    fn freeable(&mut self, charge: &Held, plan: &Plan, gone: &[u64], own_gone: u64) -> u64 {
        let own = charge.chain_len();
        let now = self.now;
        let mut least = u64::MAX;
        for (index, level) in charge.path.iter().enumerate() {
            let key = CounterKey { account: level.account, meter: charge.meter_id };
            let (Some(counter), Some(slot)) = (plan.counter(key), self.table.get(&key)) else { continue };
            let lifetime = counter.windows.iter().find(|window| window.kind == WindowKind::Lifetime);
            let gauge = lifetime.and_then(|window| slot.counter.gauge(window));
            let used = gauge.map_or(0, |gauge| gauge.usage(now).used) + slot.counter.top_up.used;
            least = least.min(used.saturating_sub(gone.get(index).copied().unwrap_or(0)));
            if index + 1 == own {
                least = least.min(slot.counter.own.saturating_sub(own_gone));
            }
        }
        least
    }
}
