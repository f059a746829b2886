//! Commit, Release, Extend, Free and Reverse on a partition: the domain says what changes, this writes it.

use super::partition::{Partition, stamp};
use super::step::Found;
use crate::domain::counter::{Parts, WindowPlan};
use crate::domain::entry::Kind;
use crate::domain::error::RuleError;
use crate::domain::reservation::{Level, Reservation, State};
use crate::domain::settlement::{self, Change, Counted, Left, Room};
use crate::engine::call::Extended;
use crate::engine::operation::{Miss, Operation, Outcome, Plan, Reply, Verb};
use crate::engine::ports::CounterKey;
use crate::engine::verdict::{self, holds_on};
use std::sync::Arc;

impl Partition {
    /// Commit, in whatever state the reservation is (rule 7).
    pub(super) fn commit(&mut self, operation: &mut Operation) -> Reply {
        let Verb::Commit { key, listed, is_final, recover, .. } = &operation.verb else {
            return self.refused(RuleError::NotFound);
        };
        let (key, is_final) = (*key, *is_final);
        let found = match self.find(key, operation) {
            Ok(found) => found,
            Err(reply) if is_not_found(&reply) && recover.is_some() => return self.recover(operation, is_final),
            Err(reply) => return *reply,
        };
        let before = found.reservation;
        if let Some(request) = operation.request.filter(|_| !is_final && !before.state.is_open())
            && operation.known.request.is_none()
            && self.ids.request(&request).is_none()
        {
            // A part adds to what is there, so a repeat must be told, also long after: the ledger can.
            return self.miss(None, Some(request), 0);
        }
        // The state is judged first, then the charges (the order of `RuleError`).
        let matched = match (before.state, listed.matched(&before)) {
            (state, Ok(matched))
                if (state != State::Committed || is_final)
                    && state != State::Released
                    && settlement::needs_price(&before, &matched) =>
            {
                return Reply::Reprice(before);
            }
            (State::Committed, Ok(matched))
                if is_final && settlement::repeats_commit(&before, &matched, listed.0.is_empty()) =>
            {
                return self.done(Outcome::Reservation(before), true, found.seq);
            }
            (State::Committed, _) => return self.refused(RuleError::Committed(Box::new(Reservation::clone(&before)))),
            (State::Released, _) => return self.refused(RuleError::Released),
            (_, Ok(matched)) => matched,
            (_, Err(error)) => return self.refused(error),
        };
        let needed = settlement::needs_room(&before, &matched) || settlement::needs_left(&before, &matched, is_final);
        // One that comes with a plan that is not for the recovery: an account was moved, and those above it may not be loaded.
        let none = Plan::default();
        let plan = match (&operation.plan, needed) {
            (Some(plan), false) if recover.is_none() => plan,
            (_, false) => &none,
            (Some(plan), true) => plan,
            (None, true) => return Reply::NeedPlan(before),
        };
        if let Some(miss) = self.missing(&before, plan) {
            return miss;
        }
        let mut counted = OnCounters { partition: self, before: &before, plan };
        let settled = settlement::commit(&before, &matched, is_final, &mut counted);
        match settled {
            Err(error) => self.refused(error),
            Ok(settlement) => {
                let stamp = stamp(operation, Some(key));
                let (reservation, seq) = self.settle(&before, settlement, Kind::Commit, stamp);
                self.done(Outcome::Reservation(reservation), false, seq)
            }
        }
    }

    /// Records a commit whose reservation neither store nor ledger knows: late, recovered, as of now.
    fn recover(&mut self, operation: &mut Operation, is_final: bool) -> Reply {
        let (Some(plan), Verb::Commit { recover: Some(template), .. }) = (&operation.plan, &operation.verb) else {
            return self.refused(RuleError::NotFound);
        };
        let (plan, mut reservation) = (plan.clone(), template.clone());
        let (mut splits, places) = match self.force(operation.tenant, &plan, &reservation.charges) {
            Ok(forced) => forced,
            Err(reply) => return *reply,
        };
        let new = Arc::make_mut(&mut reservation);
        (new.create_time, new.expire_time) = (self.now, self.now);
        let changes = self.deal(new, &plan, &mut splits, true);
        new.flags.late = true;
        new.flags.recovered = true;
        new.state = if is_final { State::Committed } else { State::Expired };
        let stamp = stamp(operation, Some(reservation.key));
        let (reservation, seq) = self.enter(reservation, &plan, &places, &changes, Kind::Commit, stamp);
        self.done(Outcome::Reservation(reservation), false, seq)
    }

    /// Release: gives back what is held.
    pub(super) fn release(&mut self, operation: &Operation) -> Reply {
        let Verb::Release { key, listed } = &operation.verb else { return self.refused(RuleError::NotFound) };
        let found = match self.find(*key, operation) {
            Ok(found) => found,
            Err(reply) => return *reply,
        };
        let before = found.reservation;
        // The state is judged first, then the charges.
        let settled = match settlement::release(&before, &[], true) {
            Ok(Some(_)) => {
                let matched = listed.matched(&before);
                matched.and_then(|matched| settlement::release(&before, &matched, listed.0.is_empty()))
            }
            without_effect => without_effect,
        };
        match settled {
            Err(error) => self.refused(error),
            Ok(None) => self.done(Outcome::Reservation(before), true, found.seq),
            Ok(Some(settlement)) => {
                let stamp = stamp(operation, Some(*key));
                let (reservation, seq) = self.settle(&before, settlement, Kind::Release, stamp);
                self.done(Outcome::Reservation(reservation), false, seq)
            }
        }
    }

    /// Extend: moves the deadline, and raises the hold if that is admitted in its own periods.
    pub(super) fn extend(&mut self, operation: &Operation) -> Reply {
        let Verb::Extend { key, ttl, listed } = &operation.verb else { return self.refused(RuleError::NotFound) };
        let Found { reservation: before, seq } = match self.find(*key, operation) {
            Ok(found) => found,
            Err(reply) => return *reply,
        };
        let expire_time = self.now + *ttl;
        // The state is judged first, then the charges, then the limits.
        if let Err(error) = settlement::extend(&before, expire_time, &[]) {
            return self.refused(error);
        }
        let matched = match listed.matched(&before) {
            Ok(matched) if !listed.0.is_empty() => matched,
            Ok(_) => Vec::new(),
            Err(error) => return self.refused(error),
        };
        let plan = match &operation.plan {
            _ if matched.is_empty() => Arc::default(),
            Some(plan) => plan.clone(),
            None => return Reply::NeedPlan(before),
        };
        if let Some(miss) = self.missing(&before, &plan) {
            return miss;
        }
        let value = |key: CounterKey| self.table.get(&key).map(|slot| &slot.counter);
        let raised = match verdict::raise(&before, &plan, &matched, value, self.now) {
            Ok(raised) => raised,
            Err(denial) => {
                if let Some(request) = operation.request {
                    self.ids.remember_denial(request, operation.fingerprint, &denial, self.now);
                }
                let extended = Extended { reservation: Arc::unwrap_or_clone(before), denied: Some(denial) };
                return self.done(Outcome::Extended(Box::new(extended)), false, seq);
            }
        };
        match settlement::extend(&before, expire_time, &raised) {
            Err(error) => self.refused(error),
            Ok(settlement) => {
                let stamp = stamp(operation, Some(*key));
                let (reservation, seq) = self.settle(&before, settlement, Kind::Extend, stamp);
                let extended = Extended { reservation: Arc::unwrap_or_clone(reservation), denied: None };
                self.done(Outcome::Extended(Box::new(extended)), false, seq)
            }
        }
    }

    /// Undoes a repeat that came too late to be recognised, as it stands now: what it still holds, and what it has used.
    pub fn reverse(&mut self, repeat: &Reservation) {
        let (key, at) = (repeat.key, repeat.create_time);
        let open = self.ids.open.get(&key).filter(|open| open.create_time == at).cloned();
        let before = open.or_else(|| self.tail.last_state(key, at)).unwrap_or_else(|| {
            // Found by an earlier process: whatever it held went with that process.
            let mut gone = repeat.clone();
            for charge in &mut gone.charges {
                charge.held = 0;
                charge.path = charge.path.iter().map(|level| Level { held_top_up: 0, ..level }).collect();
            }
            Arc::new(gone)
        });
        let settlement = settlement::reverse(&before);
        self.settle(&before, settlement, Kind::Reverse, None);
    }

    /// The miss of a plan for settled periods. One that has passed is kept while the reservation holds on the counter.
    pub(super) fn missing(&mut self, before: &Reservation, plan: &Plan) -> Option<Reply> {
        let mut miss = Miss { partition: self.index, now: self.now, ..Miss::default() };
        for counter in &plan.counters {
            let all = || (0..counter.windows.len()).collect::<Vec<_>>();
            let mut unknown = false;
            let lacking = match self.table.get(&counter.bound.key) {
                None => all(),
                Some(slot) => {
                    unknown = counter.bound.quota.top_up.is_some() && !slot.counter.lifetime_known;
                    let (now, holds) = (self.now, holds_on(before, counter.bound.key));
                    let lacks = |index: &usize| {
                        let window = &counter.windows[*index];
                        (holds || window.period.contains(now)) && slot.counter.gauge(window).is_none()
                    };
                    all().into_iter().filter(lacks).collect()
                }
            };
            if unknown || !lacking.is_empty() {
                miss.counters.push((counter.bound.key, counter.windows.clone(), lacking));
            }
        }
        (!miss.counters.is_empty()).then_some(Reply::Miss(miss))
    }

    /// What the limits leave on one level of a charge's path, after the changes that the commit already makes.
    fn room(&mut self, before: &Reservation, plan: &Plan, charge: usize, level: usize, changes: &[Change]) -> Room {
        let Some(on) = before.charges[charge].path.get(level) else { return Room::default() };
        let key = CounterKey { account: on.account, meter: before.charges[charge].meter_id };
        let now = self.now;
        let Some(counter) = plan.counter(key) else { return Room::default() };
        let Some(slot) = self.table.get(&key) else { return Room::default() };
        let holds = holds_on(before, key);
        let kept = counter.windows.iter().filter(|window| holds || window.period.contains(now));
        let kept: Vec<WindowPlan> = kept.cloned().collect();
        // The changes are tried on a copy: a sliding window and a rate do not give back one for one.
        let mut tried = slot.counter.clone();
        for change in changes {
            let charge = &before.charges[change.charge];
            let levels = charge.path.accounts().iter().enumerate().filter(|_| charge.meter_id == key.meter);
            for (place, _) in levels.filter(|(_, account)| **account == key.account) {
                let (used, held) = change.top_up_on(place);
                let (used, held) = (Parts::of(change.used, used), Parts::of(change.held, held));
                tried.shift(before.create_time, now, used, held, false);
            }
        }
        // A top-up takes part where the account had one at the Reserve: then, and only then, every commit asks for it.
        let top_up = if on.has_top_up { tried.top_up_rest(counter.bound.quota.top_up) } else { 0 };
        Room { rest: tried.rest(&kept, now), top_up }
    }
}

/// The counters on a reservation's paths.
struct OnCounters<'a> {
    partition: &'a mut Partition,
    before: &'a Reservation,
    plan: &'a Plan,
}

impl Counted for OnCounters<'_> {
    fn room(&mut self, charge: usize, level: usize, changes: &[Change]) -> Room {
        self.partition.room(self.before, self.plan, charge, level, changes)
    }

    fn left(&mut self, charge: usize, changes: &[Change]) -> Left {
        self.partition.left(&self.before.charges, self.plan, charge, changes)
    }
}

fn is_not_found(reply: &Reply) -> bool {
    matches!(reply, Reply::Done(done) if matches!(done.outcome, Outcome::Refused(RuleError::NotFound)))
}

/// An amount as a change.
pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
