//! Check, Usage, Reserve and Consume on a partition: roll, decide by the domain's rule, then write.

use super::partition::{Partition, line, stamp};
use crate::domain::admission::{self, Split};
use crate::domain::counter::Counter;
use crate::domain::entry::Kind;
use crate::domain::error::RuleError;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::{Held, Reservation, State};
use crate::domain::settlement::{self, Change};
use crate::engine::operation::{Miss, Operation, Outcome, Plan, Reply, Verb};
use crate::engine::verdict::{self, Few};
use std::sync::Arc;

/// A planned counter that has been rolled to its periods: in the table, or known to be empty.
enum Ready {
    /// At this place of the table.
    Here(u32),
    /// Not in the table; this is its value.
    Absent(Box<Counter>),
}

impl Partition {
    /// Rolls every planned counter to its periods.
    ///
    /// # Errors
    /// The miss, if any window of any counter is not loaded.
    fn ready(&mut self, plan: &Plan) -> Result<Few<Ready>, Box<Reply>> {
        let mut ready = Few::with_capacity(plan.counters.len());
        let mut miss = Miss { partition: self.index, now: self.now, ..Miss::default() };
        for counter in &plan.counters {
            let place = self.table.place(&counter.bound.key);
            let now = self.now;
            match place.and_then(|place| Some((place, self.table.at_mut(place)?))) {
                Some((place, slot)) => {
                    let missing = slot.counter.roll(&counter.windows, |_| false, now);
                    let unknown = counter.bound.quota.top_up.is_some() && !slot.counter.lifetime_known;
                    if unknown || !missing.is_empty() {
                        miss.counters.push((counter.bound.key, counter.windows.clone(), missing));
                    }
                    ready.push(Ready::Here(place));
                }
                None => {
                    let (value, missing) = self.absent(counter);
                    if !missing.is_empty() {
                        miss.counters.push((counter.bound.key, counter.windows.clone(), missing));
                    }
                    ready.push(Ready::Absent(Box::new(value)));
                }
            }
        }
        if miss.counters.is_empty() { Ok(ready) } else { Err(Box::new(Reply::Miss(miss))) }
    }

    fn value<'a>(&'a self, ready: &'a [Ready], index: usize) -> Option<&'a Counter> {
        match ready.get(index)? {
            Ready::Here(place) => Some(&self.table.at(*place)?.counter),
            Ready::Absent(counter) => Some(counter),
        }
    }

    /// Check: decides and changes nothing.
    pub(super) fn check(&mut self, operation: &Operation) -> Reply {
        let (Verb::Check { charges }, Some(plan)) = (&operation.verb, &operation.plan) else {
            return self.refused(RuleError::NotFound);
        };
        let ready = match self.ready(plan) {
            Ok(ready) => ready,
            Err(miss) => return *miss,
        };
        let now = self.now;
        let value = |index| self.value(&ready, index);
        let outcome = match verdict::decide(plan, charges, value, now) {
            Err(denial) => Outcome::Denied(denial),
            Ok(_) => Outcome::Allowed(verdict::allowance(plan, value, now)),
        };
        self.done(outcome, false, 0)
    }

    /// Usage: reads the planned counters.
    pub(super) fn usage(&mut self, operation: &Operation) -> Reply {
        let Some(plan) = &operation.plan else { return self.refused(RuleError::NotFound) };
        let ready = match self.ready(plan) {
            Ok(ready) => ready,
            Err(miss) => return *miss,
        };
        let report = verdict::report(plan, |index| self.value(&ready, index));
        self.done(Outcome::Usage(report), false, 0)
    }

    /// Reserve and Consume: hold, or record at once, on every counter or on none.
    pub(super) fn reserve(&mut self, operation: &mut Operation) -> Reply {
        let Verb::Reserve { template, fresh, consume, tentative, granted, .. } = &operation.verb else {
            return self.refused(RuleError::NotFound);
        };
        let key = template.key;
        if let Some(reply) = self.replay_reservation(key, template.fingerprint, *fresh, operation) {
            return reply;
        }
        let Some(plan) = &operation.plan else { return self.refused(RuleError::NotFound) };
        if granted.is_some() {
            return match self.force(operation.tenant, plan, &template.charges) {
                Ok((splits, places)) => self.take(operation, splits, places),
                Err(reply) => *reply,
            };
        }
        if let Some(cap) = self.capped(operation.tenant, *consume) {
            return self.refused(RuleError::CapReached(cap));
        }
        let ready = match self.ready(plan) {
            Ok(ready) => ready,
            Err(miss) => return *miss,
        };
        let value = |index| self.value(&ready, index);
        let splits = match verdict::decide(plan, &template.charges, value, self.now) {
            Ok(splits) => splits,
            Err(denial) => {
                if let Some(request) = operation.request.filter(|_| !tentative) {
                    self.ids.remember_denial(request, operation.fingerprint, &denial, self.now);
                }
                return self.done(Outcome::Denied(denial), false, 0);
            }
        };
        let shadowed = verdict::shadowed(plan, &template.charges, value, self.now);
        let plan = plan.clone();
        let places = self.seat(operation.tenant, &plan, ready);
        match self.take(operation, splits, places) {
            Reply::Done(mut done) => {
                done.shadowed = shadowed;
                Reply::Done(done)
            }
            other => other,
        }
    }

    /// The answer if the reservation id was used before; `None` if it is new.
    fn replay_reservation(
        &mut self,
        key: IdKey,
        fingerprint: u64,
        fresh: bool,
        operation: &Operation,
    ) -> Option<Reply> {
        if fresh {
            return None;
        }
        let open = self.ids.open.get(&key).map(|reservation| reservation.fingerprint);
        let used = open.or_else(|| self.ids.ended(&key).map(|ended| ended.fingerprint));
        match (used, &operation.known.reservation) {
            (Some(used), _) if used != fingerprint => Some(self.refused(RuleError::IdReused)),
            (Some(_), _) => Some(match self.find(key, operation) {
                Ok(found) => self.replayed(operation, found.reservation, found.seq),
                Err(reply) => *reply,
            }),
            (None, Some(Some(known))) if known.fingerprint != fingerprint => Some(self.refused(RuleError::IdReused)),
            (None, Some(Some(known))) => Some(self.replayed(operation, known.clone(), 0)),
            (None, Some(None)) => None,
            (None, None) if self.ids.may_be_unknown(self.now) => Some(self.miss(Some(key), None, 0)),
            (None, None) => None,
        }
    }

    /// Writes an admitted reservation: counters, record, deadline, journal.
    fn take(&mut self, operation: &mut Operation, mut splits: Few<Split>, places: Few<u32>) -> Reply {
        let plan = operation.plan.take();
        // The template goes along; nobody looks at the verb of what is granted, and this one is empty.
        let verb = std::mem::replace(&mut operation.verb, Verb::Usage);
        let (Some(plan), Verb::Reserve { mut template, ttl, consume, granted, .. }) = (plan, verb) else {
            return self.refused(RuleError::NotFound);
        };
        let at = granted.map_or(self.now, |at| at.min(self.now));
        let reservation = Arc::make_mut(&mut template);
        (reservation.create_time, reservation.expire_time) = (at, at + ttl);
        let changes = self.deal(reservation, &plan, &mut splits, consume);
        let kind = if consume { Kind::Consume } else { Kind::Reserve };
        let stamp = stamp(operation, Some(template.key));
        let (reservation, seq) = self.enter(template, &plan, &places, &changes, kind, stamp);
        self.done(Outcome::Reservation(reservation), false, seq)
    }

    /// Puts in the planned counters that are not there yet, and answers the places of all.
    fn seat(&mut self, tenant: Uid, plan: &Plan, ready: Few<Ready>) -> Few<u32> {
        let counters = plan.counters.iter().zip(ready);
        let seated = counters.map(|(counter, ready)| match ready {
            Ready::Here(place) => place,
            Ready::Absent(value) => self.insert(tenant, counter.bound.key, *value),
        });
        seated.collect()
    }

    /// Writes a new reservation with its changes: each to the counters of its own plan, which are at these places.
    pub(super) fn enter(
        &mut self,
        mut reservation: Arc<Reservation>,
        plan: &Plan,
        places: &[u32],
        changes: &[Change],
        kind: Kind,
        stamp: Option<crate::domain::entry::RequestStamp>,
    ) -> (Arc<Reservation>, u64) {
        let mut lines = Vec::with_capacity(changes.len());
        // Nobody else has it yet, so nothing is copied.
        let new = Arc::make_mut(&mut reservation);
        for change in changes.iter().filter(|change| !change.is_empty()) {
            new.flags.saturated |= self.shift_planned(new, &plan.paths[change.charge], places, change);
            lines.push(line(&new.charges[change.charge], change, new.create_time));
        }
        new.requests.extend(stamp.as_ref().map(|stamp| stamp.key));
        let seq = self.record(kind, reservation.tenant, stamp, Some(reservation.clone()), lines);
        if reservation.state.is_open() {
            self.open(reservation.clone());
        } else {
            self.ids.remember_end(&reservation, seq, self.now);
        }
        (reservation, seq)
    }

    /// Deals what was admitted to the charges in order, the period's part first.
    pub(super) fn deal(
        &self,
        reservation: &mut Reservation,
        plan: &Plan,
        splits: &mut [Split],
        at_once: bool,
    ) -> Vec<Change> {
        let mut changes = Vec::with_capacity(reservation.charges.len());
        for (index, charge) in reservation.charges.iter_mut().enumerate() {
            let amount = charge.asked.unwrap_or(0);
            let mut top_up = Vec::new();
            for (level, counter) in plan.paths[index].iter().enumerate() {
                let split = &mut splits[usize::from(*counter)];
                let period = split.period.min(amount);
                split.period -= period;
                split.top_up -= (amount - period).min(split.top_up);
                if amount > period {
                    top_up.resize(level + 1, 0);
                    top_up[level] = amount - period;
                }
            }
            if at_once {
                changes.push(settlement::record_new(index, charge, amount, &top_up));
            } else {
                changes.push(settlement::take_new(index, charge, amount, &top_up));
            }
        }
        reservation.state = if at_once { State::Committed } else { State::Held };
        changes
    }

    /// Adds a change to the counters of its charge's path: of the planned ones, which are at `places`, those that `path` names.
    fn shift_planned(&mut self, reservation: &Reservation, path: &[u16], places: &[u32], change: &Change) -> bool {
        use crate::domain::counter::Parts;
        let charge = &reservation.charges[change.charge];
        let own = charge.chain_len();
        let (at, now) = (reservation.create_time, self.now);
        let mut cut = false;
        for (level, index) in path.iter().enumerate() {
            let (used_top_up, held_top_up) = change.top_up_on(level);
            let used = Parts::of(change.used, used_top_up);
            let held = Parts::of(change.held, held_top_up);
            if let Some(slot) = self.table.at_mut(places[usize::from(*index)]) {
                cut |= slot.counter.shift(at, now, used, held, level + 1 == own);
                slot.touched = now;
            }
        }
        cut
    }

    /// Where stands what happened without the store, or a commit that nobody held for: in the periods of now, whether it
    /// fits or not. Answers the places of the planned counters as well.
    pub(super) fn force(
        &mut self,
        tenant: Uid,
        plan: &Plan,
        charges: &[Held],
    ) -> Result<(Few<Split>, Few<u32>), Box<Reply>> {
        let ready = self.ready(plan)?;
        let demands = verdict::demands(plan, charges);
        let now = self.now;
        let mut splits = Few::with_capacity(demands.len());
        for (index, (counter, demand)) in plan.counters.iter().zip(demands).enumerate() {
            if let Some(value) = self.value(&ready, index) {
                let top_up = counter.bound.quota.top_up;
                splits.push(admission::split(value, &counter.windows, top_up, demand.amount, now));
            }
        }
        Ok((splits, self.seat(tenant, plan, ready)))
    }
}
