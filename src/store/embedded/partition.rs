//! One partition: the counters, holds and ids of its tenants, as a value under a mutex. One operation is one step on it.

use super::due::{Due, Second};
use super::ids::Ids;
use super::table::{Slot, Table};
use super::tail::Tail;
use super::waiters::Group;
use crate::domain::counter::{Counter, Parts};
use crate::domain::entry::{Effect, Kind, Line, Note, RequestStamp};
use crate::domain::levels::Levels;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::{Held, Reservation, State};
use crate::domain::settlement::{self, Change, Settlement};
use crate::domain::time::{Span, Timestamp};
use crate::engine::operation::{Caps, CounterPlan, Figures, Operation};
use crate::engine::ports::{CounterKey, KnownRequest};
use crate::telemetry::metrics;
use std::collections::HashMap;
use std::sync::Arc;

/// The state of one partition.
pub struct Partition {
    /// Its number.
    pub index: u32,
    /// The store's time: it never goes back.
    pub now: Timestamp,
    /// The counters.
    pub table: Table,
    /// The ids.
    pub ids: Ids,
    /// The end of the journal.
    pub tail: Tail,
    /// Groups that are on their way to the disk.
    pub in_flight: Vec<(u64, Arc<Group>)>,
    /// Every use since this time is in a counter that is here.
    pub complete_since: Timestamp,
    /// Open reservations that were loaded at the start, by the counters they hold on that are not here yet.
    pub recovered: HashMap<CounterKey, Vec<IdKey>, foldhash::fast::RandomState>,
    /// Bounds.
    pub caps: Caps,
    tenants: Vec<Tenant>,
    /// Their places in `tenants`.
    places: HashMap<Uid, u32, foldhash::fast::RandomState>,
    /// The catalog version below which nobody may decide.
    floor: u64,
    /// Places of open reservations. Each has one here for the deadline that it has now; others are of former deadlines, or of those that had
    /// the place before.
    deadlines: Due<u32>,
}

#[derive(Clone, Copy, Default)]
struct Tenant {
    version: u64,
    open: usize,
    counters: usize,
}

impl Partition {
    /// A partition with nothing in it.
    pub fn new(index: u32, tail: Tail, caps: Caps) -> Partition {
        Partition {
            index,
            now: Timestamp::MIN,
            table: Table::default(),
            ids: Ids::default(),
            tail,
            in_flight: Vec::new(),
            complete_since: Timestamp::MIN,
            recovered: HashMap::default(),
            caps,
            tenants: Vec::new(),
            places: HashMap::default(),
            floor: 0,
            deadlines: Due::default(),
        }
    }

    /// Moves the store's time on; it never goes back.
    pub fn tick(&mut self, clock: Timestamp) {
        self.now = self.now.max(clock);
    }

    fn tenant(&mut self, uid: Uid) -> u32 {
        *self.places.entry(uid).or_insert_with(|| {
            self.tenants.push(Tenant::default());
            u32::try_from(self.tenants.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// The version that a plan made under `version` lacks, if it is too old. A newer one is taken over.
    pub fn stale(&mut self, uid: Uid, version: u64) -> Option<u64> {
        let place = self.tenant(uid) as usize;
        let known = self.tenants[place].version.max(self.floor);
        if version < known {
            return Some(known);
        }
        self.tenants[place].version = version;
        None
    }

    /// Raises the version under which a tenant, or every tenant, may be decided.
    pub fn raise(&mut self, tenant: Option<Uid>, version: u64) {
        match tenant {
            Some(uid) => {
                let place = self.tenant(uid) as usize;
                self.tenants[place].version = self.tenants[place].version.max(version);
            }
            None => self.floor = self.floor.max(version),
        }
    }

    /// Takes over the catalog versions that another value of the same partition knew.
    pub fn adopt_versions(&mut self, other: &Partition) {
        self.floor = self.floor.max(other.floor);
        for (uid, place) in &other.places {
            self.raise(Some(*uid), other.tenants[*place as usize].version);
        }
    }

    /// The bound that a new reservation of this tenant would break; a Consume leaves nothing open.
    pub fn capped(&mut self, uid: Uid, consume: bool) -> Option<&'static str> {
        let place = self.tenant(uid) as usize;
        let tenant = self.tenants[place];
        if tenant.open >= self.caps.open_reservations && !consume {
            Some(Caps::OPEN_RESERVATIONS)
        } else if tenant.counters >= self.caps.counters {
            Some(Caps::COUNTERS)
        } else {
            None
        }
    }

    /// The value of a planned counter that is not in the table: known to be empty where nothing before can be unknown.
    pub fn absent(&self, plan: &CounterPlan) -> (Counter, Vec<usize>) {
        // The top-up and the account's own use are of the whole lifetime, like nothing else in a young window.
        let from_the_beginning = self.complete_since == Timestamp::MIN;
        let mut counter = Counter { lifetime_known: from_the_beginning, ..Counter::default() };
        let lifetime = plan.bound.quota.top_up.is_some() && !from_the_beginning;
        let missing = if lifetime || self.recovered.contains_key(&plan.bound.key) {
            (0..plan.windows.len()).collect()
        } else {
            let complete = self.complete_since;
            counter.roll(&plan.windows, |start| start >= complete, self.now)
        };
        // A value that is half known would pass for a whole one: all of it is loaded, or none.
        if missing.is_empty() { (counter, missing) } else { (Counter::default(), (0..plan.windows.len()).collect()) }
    }

    /// Puts a counter in and answers its place.
    pub fn insert(&mut self, uid: Uid, key: CounterKey, counter: Counter) -> u32 {
        let tenant = self.tenant(uid);
        self.tenants[tenant as usize].counters += 1;
        self.table.insert(Slot { key, counter, tenant, touched: self.now }).0
    }

    /// Takes a new reservation in.
    pub fn open(&mut self, reservation: Arc<Reservation>) {
        let tenant = self.tenant(reservation.tenant) as usize;
        self.tenants[tenant].open += 1;
        let expire_time = reservation.expire_time;
        let (place, _) = self.ids.open.insert(reservation);
        self.deadlines.push(Second::after(expire_time), place);
    }

    /// Applies what an operation made of a reservation: counters, the reservation's new state, the journal. Answers the
    /// reservation and the entry's number.
    pub fn settle(
        &mut self,
        before: &Reservation,
        settlement: Settlement,
        kind: Kind,
        request: Option<RequestStamp>,
    ) -> (Arc<Reservation>, u64) {
        let mut after = settlement.reservation;
        let at = before.create_time;
        let mut lines = Vec::with_capacity(settlement.changes.len());
        for change in settlement.changes.iter().filter(|change| !change.is_empty()) {
            let charge = &after.charges[change.charge];
            after.flags.saturated |= shift_path(&mut self.table, charge, change, at, self.now);
            lines.push(line(charge, change, at));
        }
        if let Some(stamp) = &request {
            self.ids.add_request(&mut after, stamp.key, self.now);
        }
        let after = Arc::new(after);
        let seq = self.record(kind, before.tenant, request, Some(after.clone()), lines);
        self.keep(before, &after, seq);
        (after, seq)
    }

    /// Stores the reservation's new state where it belongs: among the open ones, or only as an outcome.
    fn keep(&mut self, before: &Reservation, after: &Arc<Reservation>, seq: u64) {
        if after.state.is_open() {
            let (place, here) = self.ids.open.insert(after.clone());
            if here.is_none() || after.expire_time != before.expire_time {
                self.deadlines.push(Second::after(after.expire_time), place);
            }
            return;
        }
        if self.ids.open.remove(&before.key).is_some() {
            let place = self.tenant(before.tenant) as usize;
            self.tenants[place].open = self.tenants[place].open.saturating_sub(1);
        }
        self.ids.remember_end(after, seq, self.now);
    }

    /// Writes an effect to the journal, and what its request id became; answers the entry's number.
    pub fn record(
        &mut self,
        kind: Kind,
        tenant: Uid,
        request: Option<RequestStamp>,
        reservation: Option<Arc<Reservation>>,
        lines: Vec<Line>,
    ) -> u64 {
        self.effect(kind, tenant, request, reservation, lines, None)
    }

    /// The same of an adjustment, with who did it and why.
    pub fn record_noted(&mut self, tenant: Uid, request: Option<RequestStamp>, lines: Vec<Line>, note: Note) -> u64 {
        self.effect(Kind::Adjust, tenant, request, None, lines, Some(note))
    }

    fn effect(
        &mut self,
        kind: Kind,
        tenant: Uid,
        request: Option<RequestStamp>,
        reservation: Option<Arc<Reservation>>,
        lines: Vec<Line>,
        note: Option<Note>,
    ) -> u64 {
        let open = reservation.as_ref().is_some_and(|reservation| reservation.state.is_open());
        let place = self.tenant(tenant) as usize;
        let catalog_version = self.tenants[place].version;
        let remembered = request.clone();
        let time = self.now;
        let seq = self.tail.push(Effect { tenant, time, catalog_version, kind, request, reservation, lines, note });
        if let Some(stamp) = remembered {
            let RequestStamp { key, fingerprint, reservation, amounts } = stamp;
            let known = KnownRequest { fingerprint, kind: kind as u8, reservation, amounts };
            self.ids.remember_request(key, &known, seq, open, self.now);
        }
        seq
    }

    /// Ends reservations whose deadline has passed, at most `limit`; answers how many it looked at.
    pub fn reap(&mut self, limit: usize) -> usize {
        let mut seen = 0;
        while seen < limit {
            let Some(place) = self.deadlines.pop(Second::of(self.now)) else { break };
            seen += 1;
            self.expire(place);
        }
        // A call looks at more ids than it leaves on average, so that none is kept for long after it is due.
        self.ids.forget(self.now, self.tail.flushed, limit);
        seen
    }

    /// Whether more deadlines are due.
    pub fn is_due(&self) -> bool {
        self.deadlines.is_due(Second::of(self.now))
    }

    /// Ends the reservation at a place. The one that was meant may have ended already, and left its place to another, may have been
    /// extended, or be parked.
    fn expire(&mut self, place: u32) {
        let Some(before) = self.ids.open.at(place) else { return };
        if Second::after(before.expire_time) > Second::of(self.now) || before.state == State::Parked {
            return;
        }
        let before = before.clone();
        let settlement = settlement::expire(&before);
        let rule = if settlement.reservation.state == State::Parked {
            "park"
        } else if settlement.changes.iter().any(|change| change.used > 0) {
            "charge"
        } else {
            "give_back"
        };
        metrics::engine().expired(rule, 1);
        self.settle(&before, settlement, Kind::Expire, None);
    }

    /// Drops counters of a block of the table that nobody touched for `idle`; from then on such counters are a miss.
    pub fn drop_idle(&mut self, block: usize, idle: Span) -> usize {
        let (tenants, last) = self.table.drop_idle(block, self.now - idle);
        for tenant in &tenants {
            let counters = &mut self.tenants[*tenant as usize].counters;
            *counters = counters.saturating_sub(1);
        }
        if let Some(last) = last {
            self.complete_since = self.complete_since.max(last + Span::from_millis(1));
        }
        tenants.len()
    }

    /// Figures for the metrics.
    pub fn figures(&self) -> Figures {
        Figures {
            counters: self.table.len(),
            open_reservations: self.ids.open.len(),
            outcomes: self.ids.outcomes(),
            unflushed: self.tail.unflushed(),
        }
    }
}

/// Adds a change to the counters of a charge's path, where they are loaded; one that is not is filled by the ledger and
/// the journal later. Says whether a figure was cut to its range.
fn shift_path(table: &mut Table, charge: &Held, change: &Change, at: Timestamp, now: Timestamp) -> bool {
    let own = charge.chain_len();
    let mut cut = false;
    for (index, account) in charge.path.accounts().iter().enumerate() {
        let key = CounterKey { account: *account, meter: charge.meter_id };
        let (used_top_up, held_top_up) = change.top_up_on(index);
        if let Some(slot) = table.get_mut(&key) {
            let used = Parts::of(change.used, used_top_up);
            let held = Parts::of(change.held, held_top_up);
            cut |= slot.counter.shift(at, now, used, held, index + 1 == own);
            slot.touched = now;
        }
    }
    cut
}

/// The journal's line for a change.
pub fn line(charge: &Held, change: &Change, at: Timestamp) -> Line {
    Line {
        charge: u8::try_from(change.charge).unwrap_or(u8::MAX),
        about: charge.about.clone(),
        effective: at,
        used: change.used,
        held: change.held,
        levels: Levels::new(charge.path.accounts().clone(), change.top_up.iter().copied()),
        chain: u8::try_from(charge.chain_len()).unwrap_or(u8::MAX),
        price: charge.line_price(change.used, change.priced.as_ref()),
    }
}

/// The request stamp of an operation's effect.
pub fn stamp(operation: &Operation, reservation: Option<IdKey>) -> Option<RequestStamp> {
    let key = operation.request?;
    Some(RequestStamp { key, fingerprint: operation.fingerprint, reservation, amounts: Vec::new() })
}
