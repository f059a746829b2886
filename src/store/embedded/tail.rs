//! The end of a partition's journal: effects that wait for the next group commit, and entries that the ledger may not
//! have yet.
//!
//! Once an entry is on disk, what stays of it is its text, in one piece, and what it used on counters. The effects are then
//! freed by whoever wrote them, a moment after they were made, instead of by the flusher: that costs both threads less.

use super::used::Used;
use super::waiters::Group;
use crate::domain::counter::Parts;
use crate::domain::entry::{Effect, Entry};
use crate::domain::name::IdKey;
use crate::domain::reservation::Reservation;
use crate::domain::time::Timestamp;
use crate::engine::ports::CounterKey;
use std::collections::VecDeque;
use std::sync::Arc;

/// Flushed entries of which stays in memory what they used, so that an answer of the ledger that is a little old can still be completed.
const SLACK: u64 = 256;

/// Effects of the next entry for which memory is taken beforehand, at most.
const LIKELY: usize = 64;

/// The journal's end in memory.
pub struct Tail {
    /// Number of the last entry that was handed to the journal.
    pub head: u64,
    /// Number of the last entry that is on disk.
    pub written: u64,
    /// Number of the last entry that the ledger has.
    pub flushed: u64,
    /// Everything up to this number has left the memory.
    dropped: u64,
    entries: VecDeque<Kept>,
    pending: Vec<Effect>,
    /// What `pending` used.
    used: Used,
    group: Arc<Group>,
}

/// An entry in memory.
pub struct Kept {
    seq: u64,
    form: Form,
    used: Used,
}

/// How an entry is kept.
#[derive(Default)]
enum Form {
    /// As it was made: it is not on disk yet.
    Made(Arc<Entry>),
    /// As it is on disk.
    Text(Text),
    /// No longer: the ledger has it.
    #[default]
    Flushed,
}

/// An encoded entry.
pub type Text = Arc<[u8]>;

/// What left the memory, to be freed.
#[allow(dead_code, reason = "held for its drop")]
pub struct Gone {
    entries: VecDeque<Kept>,
    forms: Vec<Form>,
}

impl Kept {
    fn of((seq, entry): (u64, Arc<Entry>)) -> Kept {
        let mut used = Used::default();
        entry.effects.iter().for_each(|effect| used.add(effect));
        Kept { seq, form: Form::Text(entry.encode().into()), used }
    }

    /// The entry.
    fn entry(&self) -> Option<Arc<Entry>> {
        match &self.form {
            Form::Made(entry) => Some(entry.clone()),
            // Damage would have shown when it was written, or read from disk.
            Form::Text(text) => Entry::decode(text).ok().map(Arc::new),
            Form::Flushed => None,
        }
    }
}

impl Tail {
    /// A tail that goes on after entry `head`, of which the ledger has everything up to `flushed`.
    pub fn new(head: u64, flushed: u64, entries: VecDeque<(u64, Arc<Entry>)>) -> Tail {
        let dropped = entries.front().map_or(head, |(seq, _)| seq - 1);
        let entries = entries.into_iter().map(Kept::of).collect();
        let (pending, used) = (Vec::new(), Used::default());
        Tail { head, written: head, flushed, dropped, entries, pending, used, group: Arc::default() }
    }

    /// Adds an effect to the entry that the next group commit writes; answers that entry's number.
    pub fn push(&mut self, effect: Effect) -> u64 {
        self.used.add(&effect);
        self.pending.push(effect);
        self.head + 1
    }

    /// The group that an answer resting on entry `seq` waits for; `None` if it is on disk.
    pub fn group_of(&self, seq: u64, in_flight: &[(u64, Arc<Group>)]) -> Option<Arc<Group>> {
        if seq <= self.written {
            return None;
        }
        if seq > self.head {
            return Some(self.group.clone());
        }
        in_flight.iter().find(|(number, _)| *number == seq).map(|(_, group)| group.clone())
    }

    /// Whether anything waits to be written.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes what waits as the next entry.
    pub fn take(&mut self, now: Timestamp) -> Option<(u64, Arc<Entry>, Arc<Group>)> {
        if self.pending.is_empty() {
            return None;
        }
        self.head += 1;
        // The next one will be about as large: growing by doubling copies everything twice.
        let next = Vec::with_capacity(self.pending.len().min(LIKELY));
        let entry = Arc::new(Entry { time: now, effects: std::mem::replace(&mut self.pending, next) });
        let used = Used::like(&self.used, LIKELY);
        let used = std::mem::replace(&mut self.used, used);
        self.entries.push_back(Kept { seq: self.head, form: Form::Made(entry.clone()), used });
        Some((self.head, entry, std::mem::take(&mut self.group)))
    }

    /// The entry `seq`, and with it all before, is on disk, and this is how.
    pub fn wrote(&mut self, seq: u64, text: Text) {
        self.written = seq;
        let place = self.place_after(seq).checked_sub(1);
        if let Some(kept) = place.and_then(|place| self.entries.get_mut(place)).filter(|kept| kept.seq == seq) {
            kept.form = Form::Text(text);
        }
    }

    /// Entries on disk after `seq`, at most `limit`.
    pub fn read(&self, seq: u64, limit: usize) -> Vec<(u64, Text)> {
        let text = |kept: &Kept| match &kept.form {
            Form::Text(text) => Some((kept.seq, text.clone())),
            Form::Made(_) | Form::Flushed => None,
        };
        let left = self.after(seq).skip_while(|kept| matches!(kept.form, Form::Flushed));
        left.map_while(text).take(limit).collect()
    }

    /// Entries in memory after `seq`.
    fn after(&self, seq: u64) -> impl Iterator<Item = &Kept> {
        self.entries.range(self.place_after(seq)..)
    }

    /// The place of the first one after `seq`; their numbers are dense.
    fn place_after(&self, seq: u64) -> usize {
        let first = self.entries.front().map_or(seq, |kept| kept.seq);
        usize::try_from((seq + 1).saturating_sub(first)).unwrap_or(usize::MAX).min(self.entries.len())
    }

    /// The ledger has everything up to `seq`. Answers what leaves the memory: to free much takes longer than callers should wait for the
    /// partition.
    #[must_use]
    pub fn trim(&mut self, seq: u64) -> Gone {
        self.flushed = self.flushed.max(seq);
        let flushed = self.place_after(self.flushed);
        let forms = self.entries.range_mut(..flushed).map(|kept| std::mem::take(&mut kept.form)).collect();
        let gone = self.entries.partition_point(|kept| kept.seq + SLACK <= self.flushed);
        let left = self.entries.split_off(gone);
        let gone = std::mem::replace(&mut self.entries, left);
        self.dropped = gone.back().map_or(self.dropped, |kept| kept.seq);
        Gone { entries: gone, forms }
    }

    /// The last state of a reservation that the entries which the ledger is not said to have know, told from another of the same id by
    /// its time. It reads them, which is for what hardly ever happens.
    pub fn last_state(&self, key: IdKey, create_time: Timestamp) -> Option<Arc<Reservation>> {
        let last = |effects: &[Effect]| {
            let mut states = effects.iter().filter_map(|effect| effect.reservation.as_ref());
            states.rfind(|state| state.key == key && state.create_time == create_time).cloned()
        };
        last(&self.pending).or_else(|| self.entries.iter().rev().find_map(|kept| last(&kept.entry()?.effects)))
    }

    /// Entries that the ledger does not have.
    pub fn unflushed(&self) -> usize {
        usize::try_from(self.head - self.flushed.min(self.head)).unwrap_or(usize::MAX)
    }

    /// What the journal beyond entry `seq` used on one counter: (effective time, used, what of it was charged to that very account).
    /// `None` if some of it has left the memory already.
    pub fn used_since(&self, seq: u64, counter: &CounterKey) -> Option<Vec<(Timestamp, Parts, i64)>> {
        if seq < self.dropped {
            return None;
        }
        let used = self.after(seq).map(|kept| &kept.used).chain(std::iter::once(&self.used));
        Some(used.flat_map(|used| used.on(counter)).collect())
    }

    /// Fails everybody who waits: what is pending will never be written.
    pub fn abandon(&mut self, why: &str) {
        self.pending.clear();
        self.used = Used::default();
        std::mem::take(&mut self.group).finish(Err(why.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ledger_has_leaves_the_memory_but_for_the_last_of_it() {
        let numbered = |seq| (seq, Arc::new(Entry::default()));
        let mut tail = Tail::new(SLACK + 50, 0, (1..=SLACK + 50).map(numbered).collect());
        let numbers = |gone: Gone| gone.entries.iter().map(|kept| kept.seq).collect::<Vec<_>>();
        assert!(numbers(tail.trim(SLACK)).is_empty());
        assert_eq!(numbers(tail.trim(SLACK + 3)), [1, 2, 3]);
        assert!(numbers(tail.trim(SLACK)).is_empty(), "it never goes back");
        assert_eq!((tail.flushed, tail.unflushed()), (SLACK + 3, 47));
        assert_eq!(tail.read(SLACK + 3, 2).iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [SLACK + 4, SLACK + 5]);
        assert_eq!(tail.read(3, 1)[0].0, SLACK + 4, "of what the ledger has stays what it used");
        let counter = CounterKey { account: crate::domain::name::Uid(1), meter: crate::domain::name::MeterId(1) };
        assert!(tail.used_since(3, &counter).is_some() && tail.used_since(2, &counter).is_none());
        assert_eq!(numbers(tail.trim(SLACK + 50)).len(), 47);
    }

    /// A reservation of which so much was freed, as an effect leaves it.
    fn left(freed: u64) -> Effect {
        let (tenant, time) = (crate::domain::name::Uid(1), Timestamp::from_millis(7));
        let reservation = Reservation {
            tenant,
            tenant_name: "tenants/acme".into(),
            id: "r".into(),
            key: IdKey(1),
            fingerprint: freed,
            state: crate::domain::reservation::State::Committed,
            flags: Default::default(),
            create_time: time,
            expire_time: time,
            charges: Vec::new(),
            labels: Vec::new(),
            requests: Vec::new(),
        };
        let (kind, reservation) = (crate::domain::entry::Kind::Free, Some(Arc::new(reservation)));
        Effect { tenant, time, catalog_version: 0, kind, request: None, reservation, lines: Vec::new(), note: None }
    }

    #[test]
    fn an_entry_is_read_once_it_is_on_disk_and_what_it_says_is_known_until_the_ledger_has_it() {
        let mut tail = Tail::new(0, 0, VecDeque::new());
        let time = Timestamp::from_millis(7);
        let state = |tail: &Tail| tail.last_state(IdKey(1), time).map(|state| state.fingerprint);
        let mut entries = Vec::new();
        for freed in 1..=3 {
            assert_eq!(tail.push(left(freed)), freed);
            assert_eq!(state(&tail), Some(freed), "pending");
            entries.push(tail.take(time).unwrap().1);
            assert_eq!(state(&tail), Some(freed), "on its way");
        }
        assert!(tail.read(0, 9).is_empty() && tail.last_state(IdKey(2), time).is_none());
        for seq in [1, 2] {
            tail.wrote(seq, entries[seq as usize - 1].encode().into());
        }
        let read: Vec<_> = tail.read(0, 9).iter().map(|(seq, text)| (*seq, Entry::decode(text).unwrap())).collect();
        assert_eq!(read, [(1, Entry::clone(&entries[0])), (2, Entry::clone(&entries[1]))]);
        tail.wrote(3, entries[2].encode().into());
        drop(tail.trim(2));
        assert_eq!((state(&tail), tail.read(2, 9).len()), (Some(3), 1), "from the text");
        drop(tail.trim(3));
        assert_eq!(state(&tail), None, "the ledger has it");
    }
}
