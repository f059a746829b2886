//! What a partition remembers of ids: open reservations whole, what has ended for a while, denials for a short while.

use super::due::{Due, Second};
use super::passing::{Passes, Passing};
use super::slots::{Keyed, Slots};
use crate::domain::name::IdKey;
use crate::domain::reservation::Reservation;
use crate::domain::time::{Span, Timestamp};
use crate::engine::call::Denial;
use crate::engine::ports::KnownRequest;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How long the outcome of what has ended stays (rule 5).
pub const REMEMBER: Span = Span::from_secs(600);
/// How long a denial stays.
const REMEMBER_DENIAL: Span = Span::from_secs(120);
/// Denials kept at most; further ones are not remembered.
const MAX_DENIALS: usize = 100_000;
/// Violations in them at most.
const MAX_VIOLATIONS: usize = 200_000;
/// Request ids that one open reservation keeps; older ones are forgotten like those of what has ended.
const MAX_REQUESTS: usize = 256;

/// The ids of a partition.
#[derive(Default)]
pub struct Ids {
    /// Open reservations.
    pub open: Slots<Arc<Reservation>>,
    ended: Passing<Ended>,
    requests: Passing<Asked>,
    /// What Frees by amount gave back and Adjusts found: these have no reservation that would tell it.
    given: Slots<Given>,
    denials: HashMap<IdKey, Denied, foldhash::fast::RandomState>,
    violations: usize,
    /// When denials may be forgotten.
    denials_due: Due<IdKey>,
    /// Request ids of reservations that were open at the start: the ledger alone knows their fingerprints.
    recovered: HashSet<IdKey, foldhash::fast::RandomState>,
    /// Ids that ended before this time may be unknown here.
    pub complete_since: Timestamp,
}

/// A reservation that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    key: IdKey,
    /// Of the call that made it.
    pub fingerprint: u64,
    /// The journal entry that has its last state.
    pub seq: u64,
    until: Second,
}

/// A call with a request id. There are so many of them that each bit counts.
#[derive(Clone, Copy, Debug)]
struct Asked {
    key: IdKey,
    fingerprint: u64,
    /// Zero if it has none.
    reservation: IdKey,
    seq: u64,
    until: Second,
    has_reservation: bool,
}

/// What a call without a reservation answered, by its request id.
struct Given {
    key: IdKey,
    amounts: Arc<[u64]>,
}

/// What became of a call with a request id.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its fingerprint.
    pub fingerprint: u64,
    /// The reservation that it made or changed.
    pub reservation: Option<IdKey>,
    /// What a Free by amount gave back, or an Adjust found.
    pub amounts: Option<Arc<[u64]>>,
    /// The journal entry that has it.
    pub seq: u64,
}

#[derive(Clone, Debug)]
struct Denied {
    fingerprint: u64,
    denial: Denial,
    until: Timestamp,
}

impl Keyed for Arc<Reservation> {
    type Key = IdKey;

    fn key(&self) -> IdKey {
        self.key
    }
}

impl Keyed for Given {
    type Key = IdKey;

    fn key(&self) -> IdKey {
        self.key
    }
}

impl Keyed for Ended {
    type Key = IdKey;

    fn key(&self) -> IdKey {
        self.key
    }
}

impl Passes for Ended {
    fn until(&self) -> Second {
        self.until
    }

    fn seq(&self) -> u64 {
        self.seq
    }
}

impl Keyed for Asked {
    type Key = IdKey;

    fn key(&self) -> IdKey {
        self.key
    }
}

impl Passes for Asked {
    fn until(&self) -> Second {
        self.until
    }

    fn seq(&self) -> u64 {
        self.seq
    }
}

impl Ids {
    /// Whether an id that is not here may nevertheless have been used: what has ended before the store was started is
    /// remembered by the ledger alone.
    pub fn may_be_unknown(&self, now: Timestamp) -> bool {
        now < self.complete_since + REMEMBER
    }

    /// The same for a request id: those of a reservation that was open at the start are remembered for as long as it is.
    pub fn may_be_unknown_request(&self, key: &IdKey, now: Timestamp) -> bool {
        self.may_be_unknown(now) || self.recovered.contains(key)
    }

    /// Notes the request ids of a reservation that was open at the start.
    pub fn recover_requests(&mut self, keys: &[IdKey]) {
        self.recovered.extend(keys);
    }

    /// A reservation that has ended.
    pub fn ended(&self, key: &IdKey) -> Option<Ended> {
        self.ended.get(key).copied()
    }

    /// What became of a request.
    pub fn request(&self, key: &IdKey) -> Option<Outcome> {
        let Asked { fingerprint, reservation, seq, has_reservation, .. } = *self.requests.get(key)?;
        let amounts = if has_reservation { None } else { self.given.get(key).map(|given| given.amounts.clone()) };
        Some(Outcome { fingerprint, reservation: has_reservation.then_some(reservation), amounts, seq })
    }

    /// A denial of a request: its fingerprint and the answer.
    pub fn denial(&self, key: &IdKey, now: Timestamp) -> Option<(u64, &Denial)> {
        self.denials.get(key).filter(|denied| now < denied.until).map(|denied| (denied.fingerprint, &denied.denial))
    }

    /// Remembers a denial, unless there are too many.
    pub fn remember_denial(&mut self, key: IdKey, fingerprint: u64, denial: &Denial, now: Timestamp) {
        if self.denials.len() < MAX_DENIALS && self.violations < MAX_VIOLATIONS {
            self.violations += denial.violations.len();
            let until = now + REMEMBER_DENIAL;
            // One that is over may still be there.
            if let Some(before) = self.denials.insert(key, Denied { fingerprint, denial: denial.clone(), until }) {
                self.violations = self.violations.saturating_sub(before.denial.violations.len());
            }
            self.denials_due.push(Second::after(until), key);
        }
    }

    /// Adds a request id to a reservation, bounded: a heartbeat must not make it grow for ever.
    pub fn add_request(&mut self, reservation: &mut Reservation, key: IdKey, now: Timestamp) {
        if reservation.requests.len() >= MAX_REQUESTS {
            let oldest = reservation.requests.remove(0);
            self.requests.change(&oldest, |asked| asked.until = Second::after(now + REMEMBER));
        }
        reservation.requests.push(key);
    }

    /// Remembers what became of a request. While its reservation is open it stays.
    pub fn remember_request(&mut self, key: IdKey, known: &KnownRequest, seq: u64, open: bool, now: Timestamp) {
        if known.reservation.is_none() && !known.amounts.is_empty() {
            self.given.insert(Given { key, amounts: known.amounts.as_slice().into() });
        }
        self.requests.insert(Asked {
            key,
            fingerprint: known.fingerprint,
            reservation: known.reservation.unwrap_or(IdKey(0)),
            seq,
            until: if open { Second::NEVER } else { Second::after(now + REMEMBER) },
            has_reservation: known.reservation.is_some(),
        });
    }

    /// A reservation has ended, or changed after its end: only its outcome stays.
    pub fn remember_end(&mut self, reservation: &Reservation, seq: u64, now: Timestamp) {
        let Reservation { key, fingerprint, .. } = *reservation;
        let until = Second::after(now + REMEMBER);
        self.ended.insert(Ended { key, fingerprint, seq, until });
        for request in &reservation.requests {
            self.requests.change(request, |asked| asked.until = until);
        }
    }

    /// Forgets what is due, at most `limit` of each kind at a time. What the ledger does not have yet is looked at again later.
    pub fn forget(&mut self, now: Timestamp, flushed: u64, limit: usize) {
        self.ended.forget(now, flushed, limit, |_| ());
        self.requests.forget(now, flushed, limit, |asked| {
            if !asked.has_reservation {
                self.given.remove(&asked.key);
            }
        });
        for _ in 0..limit {
            let Some(key) = self.denials_due.pop(Second::of(now)) else { break };
            self.forget_denial(&key, now);
        }
    }

    fn forget_denial(&mut self, key: &IdKey, now: Timestamp) {
        if self.denials.get(key).is_some_and(|denied| denied.until <= now)
            && let Some(denied) = self.denials.remove(key)
        {
            self.violations = self.violations.saturating_sub(denied.denial.violations.len());
        }
    }

    /// Number of outcomes remembered.
    pub fn outcomes(&self) -> usize {
        self.ended.len() + self.requests.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::{Cause, Refusal};
    use crate::domain::name::Uid;
    use crate::domain::reservation::{Flags, State};
    use crate::domain::window::WindowKind;
    use crate::engine::call::Violation;

    impl Ids {
        fn asked_at(&mut self, key: IdKey, seq: u64, now: Timestamp) {
            let known = KnownRequest { fingerprint: 0, kind: 1, reservation: None, amounts: Vec::new() };
            self.remember_request(key, &known, seq, false, now);
        }
    }

    #[test]
    fn all_that_is_due_is_forgotten_a_part_at_a_time_but_what_the_ledger_lacks() {
        let (mut ids, begin) = (Ids::default(), Timestamp::from_millis(0));
        for number in 1..=5_000 {
            ids.asked_at(IdKey(number), 7, begin);
        }
        ids.asked_at(IdKey(5_001), 8, begin);
        ids.asked_at(IdKey(5_002), 7, begin + Span::from_secs(5));
        ids.forget(begin + REMEMBER - Span::from_millis(1), 7, 10_000);
        assert_eq!(ids.outcomes(), 5_002, "none is due");
        let due = begin + REMEMBER;
        ids.forget(due, 7, 1_000);
        assert_eq!(ids.outcomes(), 4_003, "as many as it may, but for the one that the ledger lacks");
        ids.forget(due, 7, 10_000);
        assert!(ids.request(&IdKey(5_001)).is_some() && ids.request(&IdKey(5_002)).is_some());
        assert_eq!(ids.outcomes(), 2);
        ids.forget(due + Span::from_secs(1), 8, 10_000);
        assert_eq!(ids.outcomes(), 1, "the ledger has it now");
        ids.forget(due + Span::from_secs(5), 8, 10_000);
        assert_eq!((ids.outcomes(), ids.requests.is_empty()), (0, true));
    }

    #[test]
    fn what_an_open_reservation_was_asked_stays_until_it_has_ended_for_long_enough() {
        let (mut ids, begin) = (Ids::default(), Timestamp::from_millis(1_000));
        let mut reservation = Reservation {
            tenant: Uid(1),
            tenant_name: "tenants/acme".into(),
            id: "r".into(),
            key: IdKey(1),
            fingerprint: 1,
            state: State::Held,
            flags: Flags::default(),
            create_time: begin,
            expire_time: begin,
            charges: Vec::new(),
            labels: Vec::new(),
            requests: Vec::new(),
        };
        let known = KnownRequest { fingerprint: 0, kind: 1, reservation: Some(IdKey(1)), amounts: Vec::new() };
        // One more than it keeps: the first is let go.
        for number in 0..=MAX_REQUESTS as u128 {
            ids.add_request(&mut reservation, IdKey(number), begin);
            ids.remember_request(IdKey(number), &known, 1, true, begin);
        }
        ids.forget(begin + REMEMBER, 9, 10_000);
        assert_eq!((ids.requests.len(), ids.request(&IdKey(0)).is_none()), (MAX_REQUESTS, true));
        let end = begin + REMEMBER;
        ids.remember_end(&reservation, 2, end);
        ids.forget(end + REMEMBER - Span::from_millis(1), 9, 10_000);
        assert_eq!((ids.requests.len(), ids.ended(&IdKey(1)).map(|ended| ended.seq)), (MAX_REQUESTS, Some(2)));
        ids.forget(end + REMEMBER, 9, 10_000);
        assert!(ids.requests.is_empty() && ids.ended.is_empty());
    }

    #[test]
    fn what_was_given_back_is_forgotten_with_its_request() {
        let (mut ids, begin) = (Ids::default(), Timestamp::from_millis(1_000));
        let known = KnownRequest { fingerprint: 0, kind: 5, reservation: None, amounts: vec![3, 4] };
        ids.remember_request(IdKey(1), &known, 1, false, begin);
        assert_eq!(ids.request(&IdKey(1)).unwrap().amounts.as_deref(), Some(&[3, 4][..]));
        ids.forget(begin + REMEMBER, 1, 10);
        assert_eq!((ids.given.len(), ids.requests.is_empty()), (0, true));
    }

    #[test]
    fn a_denial_that_takes_the_place_of_one_that_is_over_counts_once() {
        let (mut ids, begin) = (Ids::default(), Timestamp::from_millis(1));
        let refusal = Refusal {
            kind: WindowKind::Day,
            limit: Some(1),
            used: 1,
            held: 0,
            remaining: 0,
            requested: 1,
            hold_cap: None,
            top_up: 0,
            reset: None,
            cause: Cause::Spent,
            enforced: true,
        };
        let violation = Violation { account: "tenants/a".into(), meter: "m".into(), refusal };
        let denial = Denial { violations: vec![violation], tried: Vec::new() };
        ids.remember_denial(IdKey(1), 0, &denial, begin);
        let over = begin + REMEMBER_DENIAL;
        ids.forget(over, 0, 10);
        assert!(ids.denial(&IdKey(1), over).is_none());
        ids.remember_denial(IdKey(1), 0, &denial, over);
        assert_eq!((ids.denials.len(), ids.violations), (1, 1));
        ids.forget(over + REMEMBER_DENIAL + Span::from_secs(1), 0, 10);
        assert_eq!((ids.denials.len(), ids.violations), (0, 0));
    }

    #[test]
    fn a_denial_is_forgotten_as_well() {
        let (mut ids, begin) = (Ids::default(), Timestamp::from_millis(0));
        let denial = Denial { violations: Vec::new(), tried: Vec::new() };
        (1..=3_000).for_each(|number| ids.remember_denial(IdKey(number), 0, &denial, begin));
        let due = begin + REMEMBER_DENIAL;
        assert!(ids.denial(&IdKey(1), due - Span::from_millis(1)).is_some() && ids.denial(&IdKey(1), due).is_none());
        ids.forget(due, 0, 10_000);
        assert_eq!((ids.denials.len(), ids.denials_due.is_empty()), (0, true));
    }
}
