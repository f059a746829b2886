//! A batch of journal entries, folded: every counter, quarter and reservation once, however often the batch changed it.

use super::rows::clamp;
use crate::domain::entry::{Effect, Entry, Kind, Line, RequestStamp};
use crate::domain::name::{AccountName, IdKey, MeterId, Uid};
use crate::domain::reservation::Reservation;
use crate::domain::time::Timestamp;
use crate::engine::ports::CounterKey;
use foldhash::{HashMap, HashSet, HashSetExt};
use std::sync::Arc;

/// Milliseconds in a quarter of an hour, the finest sum that is kept.
pub(super) const QUARTER: i64 = 900_000;

/// What a batch adds to one counter.
#[derive(Clone, Copy, Default)]
pub(super) struct Change {
    /// To what is used.
    pub(super) used: i64,
    /// To the part of it in the top-up.
    pub(super) top_up: i64,
    /// To what was charged to that very account.
    pub(super) own: i64,
}

/// One line of one effect, or an effect without lines.
pub(super) struct EntryRow<'a> {
    pub(super) seq: u64,
    pub(super) index: i64,
    pub(super) effect: &'a Effect,
    pub(super) line: Option<&'a Line>,
}

/// What one line used on one account.
pub(super) struct Posting {
    pub(super) counter: CounterKey,
    pub(super) effective: i64,
    pub(super) seq: u64,
    pub(super) index: i64,
    pub(super) used: i64,
    pub(super) top_up: i64,
}

/// A reservation after one effect.
#[derive(Clone, Copy)]
pub(super) struct ReservationChange<'a> {
    pub(super) record: &'a Reservation,
    pub(super) kind: Kind,
    pub(super) seq: u64,
    pub(super) time: Timestamp,
}

/// A request id and what it was for.
pub(super) struct RequestRow<'a> {
    pub(super) effect: &'a Effect,
    pub(super) stamp: &'a RequestStamp,
}

/// The uids and meters whose names the database surely has, so that they need not be written again.
#[derive(Default)]
pub(super) struct Known {
    pub(super) accounts: HashSet<Uid>,
    pub(super) meters: HashSet<MeterId>,
}

/// What a batch writes.
#[derive(Default)]
pub(super) struct Batch<'a> {
    pub(super) entries: Vec<EntryRow<'a>>,
    pub(super) postings: Vec<Posting>,
    pub(super) counters: HashMap<CounterKey, Change>,
    pub(super) quarters: HashMap<(CounterKey, i64), Change>,
    /// In the order of the effects; one reservation may be there several times.
    pub(super) reservations: Vec<ReservationChange<'a>>,
    pub(super) requests: Vec<RequestRow<'a>>,
    /// Accounts by uid: their tenant and name.
    pub(super) accounts: HashMap<Uid, (Uid, String)>,
    pub(super) meters: HashMap<MeterId, &'a str>,
}

impl<'a> Batch<'a> {
    /// Folds further entries in; of names, only those that are not yet known.
    pub(super) fn take(&mut self, entries: &'a [(u64, Arc<Entry>)], known: &Known) {
        for (seq, entry) in entries {
            let mut index = 0;
            for effect in &entry.effects {
                self.effect(*seq, &mut index, effect, known);
            }
        }
    }

    /// Brings rows in the order of their keys, so that they fall on neighbouring pages.
    pub(super) fn sort(&mut self) {
        self.postings.sort_unstable_by_key(|row| (row.counter, row.effective, row.seq, row.index));
        self.requests.sort_by_key(|row| (row.effect.tenant, row.stamp.key));
    }

    /// The keys of all reservations, in order, each once.
    pub(super) fn reservation_keys(&self) -> Vec<(Uid, IdKey)> {
        let mut keys: Vec<_> = self.reservations.iter().map(|change| key_of(change.record)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn effect(&mut self, seq: u64, index: &mut i64, effect: &'a Effect, known: &Known) {
        if effect.lines.is_empty() {
            self.entries.push(EntryRow { seq, index: *index, effect, line: None });
            *index += 1;
        }
        for line in &effect.lines {
            self.entries.push(EntryRow { seq, index: *index, effect, line: Some(line) });
            self.line(seq, *index, line, effect.own(line));
            self.names(effect.tenant, line, known);
            *index += 1;
        }
        if let Some(record) = &effect.reservation {
            self.reservations.push(ReservationChange { record, kind: effect.kind, seq, time: effect.time });
        }
        if let Some(stamp) = &effect.request {
            self.requests.push(RequestRow { effect, stamp });
        }
    }

    fn line(&mut self, seq: u64, index: i64, line: &Line, charged: i64) {
        let effective = line.effective.millis();
        for (at, level) in line.levels.iter().enumerate() {
            let before = &line.levels.accounts()[..at];
            if (line.used == 0 && level.used_top_up == 0) || before.contains(&level.account) {
                continue;
            }
            let counter = CounterKey { account: level.account, meter: line.meter_id };
            let own = if at + 1 == usize::from(line.chain) { charged } else { 0 };
            let change = Change { used: clamp(line.used), top_up: clamp(level.used_top_up), own: clamp(own) };
            let Change { used, top_up, .. } = change;
            self.postings.push(Posting { counter, effective, seq, index, used, top_up });
            self.counters.entry(counter).or_default().add(change);
            self.quarters.entry((counter, effective.div_euclid(QUARTER))).or_default().add(change);
        }
    }

    fn names(&mut self, tenant: Uid, line: &'a Line, known: &Known) {
        if !known.meters.contains(&line.meter_id) {
            self.meters.insert(line.meter_id, &line.meter);
        }
        let has = |batch: &Self, uid| known.accounts.contains(uid) || batch.accounts.contains_key(uid);
        if line.levels.accounts().iter().all(|account| has(self, account)) {
            return;
        }
        for (account, name) in line.levels.accounts().iter().zip(level_names(line)) {
            if !has(self, account) {
                self.accounts.insert(*account, (tenant, name));
            }
        }
    }
}

impl Change {
    fn add(&mut self, more: Change) {
        self.used = self.used.saturating_add(more.used);
        self.top_up = self.top_up.saturating_add(more.top_up);
        self.own = self.own.saturating_add(more.own);
    }
}

/// The key of a reservation in the ledger.
pub(super) fn key_of(reservation: &Reservation) -> (Uid, IdKey) {
    (reservation.tenant, reservation.key)
}

/// Names of a line's levels: the charged account's chain, then, for each further account, what its chain adds. A line that charges no
/// account has the last levels of a chain.
fn level_names(line: &Line) -> Vec<String> {
    if line.charged().is_none() {
        let name = line.account.parse::<AccountName>().ok();
        let chain: Vec<String> = name.iter().flat_map(AccountName::chain).map(String::from).collect();
        return chain[chain.len().saturating_sub(line.levels.len())..].to_vec();
    }
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(line.levels.len());
    for text in line.names() {
        let Ok(name) = text.parse::<AccountName>() else { break };
        for part in name.chain() {
            if seen.insert(String::from(part)) {
                names.push(String::from(part));
            }
        }
    }
    names
}
