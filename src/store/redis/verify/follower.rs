//! A partition's journal, followed from the ledger's watermark on: which reservations are open after an entry, what they hold
//! on each counter, and what was used beyond a later watermark.

use super::super::entry;
use super::super::link::{Link, LinkError};
use super::trouble::{Step, Stop, Trouble};
use crate::domain::entry::Entry;
use crate::domain::name::IdKey;
use crate::domain::reservation::Reservation;
use crate::domain::time::Timestamp;
use crate::engine::ports::{CounterKey, StoreError};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Entries that are read by one command.
const CHUNK: usize = 128;
/// Commands in a row, so that what else is under way gets on.
const CHUNKS: usize = 64;
/// How often the journal is read while the ledger answers: long before it is trimmed.
const PACE: Duration = Duration::from_millis(50);

/// What is held: in all, and the part of it in the top-up.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Hold {
    pub held: i128,
    pub top_up: i128,
}

/// What one line used on one counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Use {
    pub at: Timestamp,
    pub total: i64,
    pub top_up: i64,
    /// By a charge on that very account.
    pub own: i64,
}

/// What is held on a counter, by the time of the Reserve.
pub(super) type Holds = BTreeMap<Timestamp, Hold>;

/// A journal under observation.
pub(super) struct Follower<'a> {
    link: &'a Link,
    journal: String,
    /// The last entry that was read; those after `applied` wait.
    read: u64,
    waiting: VecDeque<(u64, Entry)>,
    applied: u64,
    /// What was applied and may be beyond the ledger's next watermark.
    tail: VecDeque<(u64, Entry)>,
    open: HashMap<IdKey, Arc<Reservation>>,
    holds: HashMap<CounterKey, Holds>,
}

impl<'a> Follower<'a> {
    /// Follows a journal after entry `seq`; nothing is open yet.
    pub(super) fn new(link: &'a Link, journal: String, seq: u64) -> Follower<'a> {
        Follower {
            link,
            journal,
            read: seq,
            waiting: VecDeque::new(),
            applied: seq,
            tail: VecDeque::new(),
            open: HashMap::new(),
            holds: HashMap::new(),
        }
    }

    /// The reservations that are open after the entry to which it was advanced.
    pub(super) fn open(&self) -> &HashMap<IdKey, Arc<Reservation>> {
        &self.open
    }

    /// What they hold, by counter.
    pub(super) fn holds(&self) -> &HashMap<CounterKey, Holds> {
        &self.holds
    }

    /// Puts in the reservations that the ledger has as open, at some entry after the first. As every effect names the whole
    /// reservation, the entries up to there may be applied once more: what counts is the last word on each.
    pub(super) fn load(&mut self, open: impl IntoIterator<Item = Reservation>) {
        open.into_iter().for_each(|record| self.put(&Arc::new(record)));
    }

    /// Waits for something, and reads on in the journal meanwhile.
    pub(super) async fn meanwhile<T>(&mut self, work: impl Future<Output = Result<T, StoreError>>) -> Step<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done?),
                () = tokio::time::sleep(PACE) => self.read_on().await?,
            };
        }
    }

    /// Goes on to entry `seq`, of which it is known that it was written.
    pub(super) async fn advance(&mut self, seq: u64) -> Step<()> {
        while self.read < seq {
            if self.read_on().await? == 0 {
                return Err(Stop::Again(Trouble::Missing { seq: self.read + 1 }));
            }
        }
        while let Some((next, entry)) = self.waiting.pop_front_if(|(next, _)| *next <= seq) {
            self.apply(&entry);
            self.applied = next;
            self.tail.push_back((next, entry));
        }
        Ok(())
    }

    /// The ledger has everything up to `seq`: what was used until then is in its answers from now on.
    pub(super) fn flushed(&mut self, seq: u64) {
        while self.tail.pop_front_if(|(first, _)| *first <= seq).is_some() {}
    }

    /// What was used on some counters after entry `seq`, up to where it was advanced.
    pub(super) fn used_after(&self, seq: u64, counters: &HashSet<CounterKey>) -> HashMap<CounterKey, Vec<Use>> {
        let mut used: HashMap<CounterKey, Vec<Use>> = HashMap::new();
        let entries = self.tail.iter().filter(|(number, _)| *number > seq);
        let effects = entries.flat_map(|(_, entry)| &entry.effects);
        for (effect, line) in effects.flat_map(|effect| effect.lines.iter().map(move |line| (effect, line))) {
            for (place, level) in (1..).zip(line.levels.iter()) {
                let key = CounterKey { account: level.account, meter: line.meter_id };
                if counters.contains(&key) {
                    let own = if place == usize::from(line.chain) { effect.own(line) } else { 0 };
                    let (total, top_up) = (line.used, level.used_top_up);
                    used.entry(key).or_default().push(Use { at: line.effective, total, top_up, own });
                }
            }
        }
        used
    }

    /// Reads what there is beyond, or a good part of it; answers how many entries.
    async fn read_on(&mut self) -> Step<usize> {
        let mut count = 0;
        for _ in 0..CHUNKS {
            let chunk = self.link.journal_after(&self.journal, self.read, CHUNK).await.map_err(LinkError::of_a_read)?;
            let complete = chunk.len() < CHUNK;
            count += chunk.len();
            for (seq, bytes) in chunk {
                if seq != self.read + 1 {
                    return Err(Stop::Again(Trouble::Missing { seq: self.read + 1 }));
                }
                self.waiting.push_back((seq, entry::read(&bytes)?));
                self.read = seq;
            }
            if complete {
                break;
            }
        }
        Ok(count)
    }

    fn apply(&mut self, entry: &Entry) {
        for record in entry.effects.iter().filter_map(|effect| effect.reservation.as_ref()) {
            if record.state.is_open() {
                self.put(record);
            } else if self.open.get(&record.key).is_some_and(|open| open.create_time == record.create_time) {
                // One that is undone may have had its id from one that is open now, which stays.
                self.remove(record.key);
            }
        }
    }

    fn put(&mut self, record: &Arc<Reservation>) {
        self.remove(record.key);
        self.hold(record, 1);
        self.open.insert(record.key, record.clone());
    }

    fn remove(&mut self, key: IdKey) {
        if let Some(record) = self.open.remove(&key) {
            self.hold(&record, -1);
        }
    }

    /// Adds what a reservation holds, or takes it away.
    fn hold(&mut self, record: &Reservation, sign: i128) {
        for charge in record.charges.iter().filter(|charge| charge.held > 0) {
            for level in charge.path.iter() {
                let key = CounterKey { account: level.account, meter: charge.meter_id };
                let on_it = self.holds.entry(key).or_default();
                let hold = on_it.entry(record.create_time).or_default();
                hold.held += sign * i128::from(charge.held);
                hold.top_up += sign * i128::from(level.held_top_up);
                if *hold == Hold::default() {
                    on_it.remove(&record.create_time);
                    if on_it.is_empty() {
                        self.holds.remove(&key);
                    }
                }
            }
        }
    }
}
