//! Check, Usage, Reserve and Consume on a partition: roll, decide by the domain's rule, then write.

use super::partition::{Partition, line, stamp};
use crate::domain::admission::{self, Split};
use crate::domain::counter::Counter;
use crate::domain::entry::Kind;
use crate::domain::error::RuleError;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::{Held, Reservation, State};
use crate::domain::settlement::{self, Change};
use crate::domain::time::Timestamp;
use crate::engine::operation::{Done, Miss, Operation, Outcome, Plan, Reply, Verb};
use crate::engine::verdict;
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
    fn ready(&mut self, plan: &Plan) -> Result<Vec<Ready>, Box<Reply>> {
        let mut ready = Vec::with_capacity(plan.counters.len());
        let mut miss = Miss { partition: self.index, now: self.now, ..Miss::default() };
        for counter in &plan.counters {
            let place = self.table.place(&counter.bound.key);
            let now = self.now;
            match place.and_then(|place| Some((place, self.table.at(place)?))) {
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
            Ready::Here(place) => Some(&self.table.slot(*place)?.counter),
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
                Ok(splits) => self.take(operation, splits, Vec::new()),
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
        let reply = self.take(operation, splits, ready);
        match reply {
            Reply::Done(done) => Reply::Done(Box::new(Done { shadowed, ..*done })),
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
    fn take(&mut self, operation: &mut Operation, mut splits: Vec<Split>, ready: Vec<Ready>) -> Reply {
        let Some(plan) = operation.plan.take() else { return self.refused(RuleError::NotFound) };
        let Verb::Reserve { template, ttl, consume, granted, .. } = &mut operation.verb else {
            return self.refused(RuleError::NotFound);
        };
        let at = granted.map_or(self.now, |at| at.min(self.now));
        let (consume, expire_time) = (*consume, at + *ttl);
        let mut reservation = std::mem::replace(template, Box::new(blank()));
        (reservation.create_time, reservation.expire_time) = (at, expire_time);
        let changes = self.deal(&mut reservation, &plan, &mut splits, consume);
        for (counter, value) in plan.counters.iter().zip(ready) {
            if let Ready::Absent(value) = value {
                self.insert(operation.tenant, counter.bound.key, *value);
            }
        }
        let kind = if consume { Kind::Consume } else { Kind::Reserve };
        let stamp = stamp(operation, Some(reservation.key));
        let (reservation, seq) = self.enter(reservation, &plan, &changes, kind, stamp);
        self.done(Outcome::Reservation(reservation), false, seq)
    }

    /// Writes a new reservation with its changes: each to the counters of its own plan.
    pub(super) fn enter(
        &mut self,
        mut reservation: Box<Reservation>,
        plan: &Plan,
        changes: &[Change],
        kind: Kind,
        stamp: Option<crate::domain::entry::RequestStamp>,
    ) -> (Arc<Reservation>, u64) {
        let mut lines = Vec::with_capacity(changes.len());
        for change in changes.iter().filter(|change| !change.is_empty()) {
            let cut = self.shift_planned(&reservation, plan, change);
            reservation.flags.saturated |= cut;
            lines.push(line(&reservation.charges[change.charge], change, reservation.create_time));
        }
        if let Some(stamp) = &stamp {
            reservation.requests.push(stamp.key);
        }
        let reservation: Arc<Reservation> = reservation.into();
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
            let top_up: Vec<u64> = plan.paths[index]
                .iter()
                .map(|counter| {
                    let split = &mut splits[usize::from(*counter)];
                    let period = split.period.min(amount);
                    split.period -= period;
                    split.top_up -= (amount - period).min(split.top_up);
                    amount - period
                })
                .collect();
            if at_once {
                changes.push(settlement::record_new(index, charge, amount, &top_up));
            } else {
                changes.push(settlement::take_new(index, charge, amount, &top_up));
            }
        }
        reservation.state = if at_once { State::Committed } else { State::Held };
        changes
    }

    fn shift_planned(&mut self, reservation: &Reservation, plan: &Plan, change: &Change) -> bool {
        use crate::domain::counter::Parts;
        let charge = &reservation.charges[change.charge];
        let own = charge.chain_len();
        let (at, now) = (reservation.create_time, self.now);
        let mut cut = false;
        for (level, index) in plan.paths[change.charge].iter().enumerate() {
            let (used_top_up, held_top_up) = change.top_up[level];
            let used = Parts::of(change.used, used_top_up);
            let held = Parts::of(change.held, held_top_up);
            if let Some(slot) = self.table.get(&plan.counters[usize::from(*index)].bound.key) {
                cut |= slot.counter.shift(at, now, used, held, level + 1 == own);
                slot.touched = now;
            }
        }
        cut
    }

    /// Where stands what happened without the store, or a commit that nobody held for: in the periods of now, whether it
    /// fits or not.
    pub(super) fn force(&mut self, tenant: Uid, plan: &Plan, charges: &[Held]) -> Result<Vec<Split>, Box<Reply>> {
        let ready = self.ready(plan)?;
        let demands = verdict::demands(plan, charges);
        let now = self.now;
        let mut splits = Vec::with_capacity(demands.len());
        for (index, (counter, demand)) in plan.counters.iter().zip(demands).enumerate() {
            if let Some(value) = self.value(&ready, index) {
                let top_up = counter.bound.quota.top_up;
                splits.push(admission::split(value, &counter.windows, top_up, demand.amount, now));
            }
        }
        for (counter, value) in plan.counters.iter().zip(ready) {
            if let Ready::Absent(value) = value {
                self.insert(tenant, counter.bound.key, *value);
            }
        }
        Ok(splits)
    }
}

/// What stands in an operation whose template was taken.
fn blank() -> Reservation {
    Reservation {
        tenant: Uid::ROOT,
        tenant_name: Arc::default(),
        id: Box::default(),
        key: IdKey(0),
        fingerprint: 0,
        state: State::Released,
        flags: crate::domain::reservation::Flags::default(),
        create_time: Timestamp::MIN,
        expire_time: Timestamp::MIN,
        charges: Vec::new(),
        labels: Vec::new(),
        requests: Vec::new(),
    }
}
