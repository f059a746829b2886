//! Adjust on a partition: tried line by line on copies of the counters, and written only if every line can be (rule 10).

use super::partition::{Partition, line};
use super::settle::signed;
use crate::domain::adjustment::{Fault, Level, Short, top_up_part};
use crate::domain::counter::{Counter, Parts};
use crate::domain::entry::RequestStamp;
use crate::domain::error::RuleError;
use crate::domain::settlement::Change;
use crate::domain::time::Timestamp;
use crate::engine::call::Freed;
use crate::engine::operation::{Miss, Operation, Outcome, Plan, Reply, Verb};
use crate::engine::verdict;
use std::collections::BTreeMap;

/// The counters as the lines so far leave them, by their place in the plan.
type Tried = BTreeMap<u16, Counter>;

fn at(tried: &Tried, place: usize) -> Option<&Counter> {
    tried.get(&u16::try_from(place).ok()?)
}

impl Partition {
    /// Corrects what was used, on the whole path of each line. Answers what was charged to each account before and after.
    pub(super) fn adjust(&mut self, operation: &Operation) -> Reply {
        let (Verb::Adjust { charges, moves, between, note }, Some(plan)) = (&operation.verb, &operation.plan) else {
            return self.refused(RuleError::NotFound);
        };
        if let Some(miss) = self.unknown_lifetimes(operation, plan) {
            return miss;
        }
        if let Err(miss) = self.force(operation.tenant, plan, &[]) {
            return *miss;
        }
        let mut tried = self.copies(plan);
        if *between && let Err(denial) = verdict::decide(plan, charges, |place| at(&tried, place), self.now) {
            if let Some(request) = operation.request {
                self.ids.remember_denial(request, operation.fingerprint, &denial, self.now);
            }
            return self.done(Outcome::Denied(denial), false, 0);
        }
        let (mut lines, mut amounts) = (Vec::new(), Vec::new());
        for (index, effective) in moves.iter().map(|(_, effective)| *effective).enumerate() {
            let at = effective.map_or(self.now, |at| at.min(self.now));
            match self.adjust_line(operation, plan, index, at, &mut tried) {
                Err(error) => return self.refused(error),
                Ok((change, own)) => {
                    amounts.extend(own);
                    if change.used != 0 {
                        lines.push(line(&charges[index], &change, at));
                    }
                }
            }
        }
        for (place, counter) in tried {
            if let Some(slot) = self.table.get_mut(&plan.counters[usize::from(place)].bound.key) {
                slot.counter = counter;
                slot.touched = self.now;
            }
        }
        let request = operation.request.map(|key| RequestStamp {
            key,
            fingerprint: operation.fingerprint,
            reservation: None,
            amounts: amounts.clone(),
        });
        let seq = self.record_noted(operation.tenant, request, lines, note.clone());
        self.done(Outcome::Freed(Freed { reservation: None, amounts }), false, seq)
    }

    /// One line on the copies: what it changes, and what was charged to its account before and after.
    fn adjust_line(
        &self,
        operation: &Operation,
        plan: &Plan,
        index: usize,
        at: Timestamp,
        tried: &mut Tried,
    ) -> Result<(Change, [u64; 2]), RuleError> {
        let Verb::Adjust { charges, moves, between, .. } = &operation.verb else { return Err(RuleError::NotFound) };
        let (charge, path, now) = (&charges[index], &plan.paths[index], self.now);
        let last = charge.chain_len() - 1;
        let own = |tried: &Tried| path.get(last).and_then(|place| tried.get(place)).map_or(0, |counter| counter.own);
        let short = |level: usize, in_use: u64| Short { line: index, level, in_use };
        let before = own(tried);
        let amount = moves[index].0.amount(before).map_err(|own| RuleError::Unexpected(short(last, own)))?;
        let mut change =
            Change { charge: index, used: amount, held: 0, top_up: vec![(0, 0); path.len()], priced: None };
        // The charged account before those above it: it is the first to be told of.
        for (level, place) in path.iter().enumerate().rev() {
            let (planned, Some(counter)) = (&plan.counters[usize::from(*place)], tried.get_mut(place)) else {
                continue;
            };
            let charged = (level == last).then_some(charge.rules.family);
            let top_up = planned.bound.quota.top_up;
            let on = Level { counter, windows: &planned.windows, top_up, charged };
            let part = match *between && amount < 0 {
                true => Ok(-signed(on.counter.top_up.used.min(amount.unsigned_abs()))),
                false => top_up_part(&on, amount, at, now),
            };
            let part = part.map_err(|fault| match fault {
                Fault::BelowZero(used) => RuleError::BelowZero(short(level, used)),
                Fault::PeriodEnded => RuleError::PeriodEnded(short(level, 0)),
            })?;
            counter.shift(at, now, Parts::of(amount, part), Parts::default(), level == last);
            change.top_up[level] = (part, 0);
        }
        Ok((change, [before, own(tried)]))
    }

    fn copies(&self, plan: &Plan) -> Tried {
        let mut tried = Tried::new();
        for (place, planned) in (0..).zip(&plan.counters) {
            if let Some(slot) = self.table.get(&planned.bound.key) {
                tried.insert(place, slot.counter.clone());
            }
        }
        tried
    }

    /// The miss of what was charged to the accounts themselves, where that is not known.
    fn unknown_lifetimes(&self, operation: &Operation, plan: &Plan) -> Option<Reply> {
        let Verb::Adjust { charges, .. } = &operation.verb else { return None };
        let mut miss = Miss { partition: self.index, now: self.now, ..Miss::default() };
        for (charge, path) in charges.iter().zip(&plan.paths) {
            let Some(place) = path.get(charge.chain_len() - 1) else { continue };
            let planned = &plan.counters[usize::from(*place)];
            let known = match self.table.get(&planned.bound.key) {
                Some(slot) => slot.counter.lifetime_known,
                None => self.complete_since == Timestamp::MIN,
            };
            if !known && !miss.counters.iter().any(|(key, ..)| *key == planned.bound.key) {
                let absent = self.table.get(&planned.bound.key).is_none();
                let missing = if absent { (0..planned.windows.len()).collect() } else { Vec::new() };
                miss.counters.push((planned.bound.key, planned.windows.clone(), missing));
            }
        }
        (!miss.counters.is_empty()).then_some(Reply::Miss(miss))
    }
}
