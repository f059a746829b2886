//! What stands in the spool, in memory: found by reservation and by request id, so that a repeat gets its answer and no call
//! overtakes what the store does not know yet. Each change is in the spool before it is here.

use super::entry::Spooled;
use crate::domain::error::RuleError;
use crate::domain::name::IdKey;
use crate::domain::reservation::Reservation;
use crate::engine::ports::{Spool, SpoolError, StoreError};
use crate::telemetry::metrics;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The spool and what stands in it.
pub struct Shelf {
    spool: Arc<dyn Spool>,
    state: Mutex<State>,
    /// Held by whoever puts a call: a disk that takes its time keeps nobody from looking.
    putting: Mutex<()>,
    /// How many entries there are: what every call looks at first.
    count: AtomicUsize,
    arrived: Notify,
    /// The store could not be reached by the last entry that was sent.
    away: AtomicBool,
    /// Held by whoever sends an entry to the store: those of one reservation go in order.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<u64, Arc<Spooled>>,
    reservations: HashMap<IdKey, Standing>,
    requests: HashMap<IdKey, (u64, IdKey)>,
    /// How many entries came to each end since the spool was empty the last time.
    tally: [u64; 3],
    /// It was said already that the spool takes no more.
    refusing: bool,
}

/// A reservation in the spool.
struct Standing {
    reservation: Arc<Reservation>,
    numbers: Vec<u64>,
}

/// What became of an entry when it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Recorded.
    Recorded,
    /// The store had it already.
    Known,
    /// The store has the reservation otherwise by now, or the catalog its meters no longer.
    Refused,
}

impl End {
    fn word(self) -> &'static str {
        match self {
            End::Recorded => "recorded",
            End::Known => "known",
            End::Refused => "refused",
        }
    }
}

/// A call that shall be put on the shelf.
pub(super) struct Wanted {
    /// What is asked, by which call; its reservation is what it makes if none stands here.
    pub spooled: Spooled,
    /// Whether it may make that reservation.
    pub makes: bool,
}

/// What a call is.
enum Judged {
    /// One to be put, with the reservation after it.
    New(Box<Spooled>),
    /// One that was answered before.
    Repeat(Arc<Reservation>),
}

/// Why a call is not put.
#[derive(Debug)]
pub(super) enum NotPut {
    /// A rule refuses it.
    Rule(RuleError),
    /// It is about a reservation that does not stand here.
    Unknown,
    /// The spool does not take it.
    Spool(SpoolError),
}

impl Shelf {
    /// On a spool, with what an earlier process left in it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for an entry that can't be read.
    pub fn new(spool: Arc<dyn Spool>, found: &[(u64, Vec<u8>)]) -> Result<Shelf, StoreError> {
        let mut state = State::default();
        for (number, bytes) in found {
            let spooled = Spooled::decode(bytes);
            let damaged = || StoreError::Corrupt(format!("entry {number} of the spool can't be read by this version"));
            state.keep(*number, Arc::new(spooled.ok_or_else(damaged)?));
        }
        if !found.is_empty() {
            tracing::info!(entries = found.len(), "the spool has calls that the counter store does not know yet");
        }
        let count = AtomicUsize::new(found.len());
        let (arrived, away, turn) = (Notify::new(), AtomicBool::new(false), tokio::sync::Mutex::default());
        let (state, putting) = (Mutex::new(state), Mutex::new(()));
        Ok(Shelf { spool, state, putting, count, arrived, away, turn })
    }

    /// How many entries wait.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on the disk.
    pub fn size(&self) -> u64 {
        self.spool.size()
    }

    /// Notes whether the store answered the last entry that was sent.
    pub(super) fn note_away(&self, away: bool) {
        self.away.store(away, Ordering::Release);
    }

    /// Whether the store could not be reached when an entry was sent last: who sends them tries again.
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// Resolves once something waits.
    pub async fn filled(&self) {
        loop {
            let arrived = self.arrived.notified();
            if !self.is_empty() {
                return;
            }
            arrived.await;
        }
    }

    /// The reservation that stands here by its own key or by that of a request.
    pub(super) fn standing(&self, key: Option<IdKey>, request: Option<IdKey>) -> Option<Arc<Reservation>> {
        if self.is_empty() {
            return None;
        }
        let state = self.state();
        let by_request = request.and_then(|request| state.requests.get(&request)).map(|(_, key)| *key);
        let found = [key, by_request].into_iter().flatten().find_map(|key| state.reservations.get(&key));
        found.map(|standing| standing.reservation.clone())
    }

    /// Puts a call into the spool, and answers the reservation after it and whether that repeats an earlier call. Blocks for as
    /// long as the disk takes.
    ///
    /// # Errors
    /// [`NotPut`]; then nothing changed.
    pub(super) fn put(&self, wanted: Wanted) -> Result<(Arc<Reservation>, bool), NotPut> {
        let _one = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        let spooled = match self.state().judge(wanted)? {
            Judged::New(spooled) => spooled,
            Judged::Repeat(reservation) => return Ok((reservation, true)),
        };
        let put = self.spool.put(&spooled.encode());
        let mut state = self.state();
        let number = match put {
            Ok(number) => number,
            Err(error) => {
                metrics::engine().spool_refused.increment(1);
                if !std::mem::replace(&mut state.refusing, true) {
                    tracing::error!(%error, "calls that fail open are refused until the counter store is back");
                }
                return Err(NotPut::Spool(error));
            }
        };
        if state.entries.is_empty() {
            tracing::warn!("the counter store can't be reached: meters that fail open are granted without it");
        }
        let reservation = state.keep(number, Arc::new(*spooled));
        self.count.store(state.entries.len(), Ordering::Release);
        self.arrived.notify_one();
        Ok((reservation, false))
    }

    /// The entry that was put first; of one reservation, if a key is given.
    pub(super) fn first(&self, key: Option<IdKey>) -> Option<(u64, Arc<Spooled>)> {
        let state = self.state();
        let number = match key {
            Some(key) => state.reservations.get(&key)?.numbers.first().copied(),
            None => state.entries.keys().next().copied(),
        }?;
        state.entries.get(&number).map(|spooled| (number, spooled.clone()))
    }

    /// Whether another call about the same reservation comes after this entry.
    pub(super) fn is_followed(&self, number: u64, key: IdKey) -> bool {
        self.state().reservations.get(&key).is_some_and(|standing| standing.numbers.iter().any(|other| *other > number))
    }

    /// The store has answered for an entry: it goes.
    pub(super) fn remove(&self, number: u64, end: End) {
        self.spool.remove(number);
        let mut state = self.state();
        state.forget(number);
        state.tally[end as usize] += 1;
        metrics::engine().replayed(end.word());
        self.count.store(state.entries.len(), Ordering::Release);
        if state.entries.is_empty() {
            let [recorded, known, refused] = std::mem::take(&mut state.tally);
            state.refusing = false;
            tracing::info!(recorded, known, refused, "the counter store has what was granted without it");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What a call makes of what stands here.
    fn judge(&self, wanted: Wanted) -> Result<Judged, NotPut> {
        let Wanted { mut spooled, makes } = wanted;
        if let Some((fingerprint, key)) = spooled.request.and_then(|request| self.requests.get(&request)) {
            let standing = self.reservations.get(key).filter(|_| *fingerprint == spooled.fingerprint);
            let standing = standing.ok_or(NotPut::Rule(RuleError::IdReused))?;
            return Ok(Judged::Repeat(standing.reservation.clone()));
        }
        match self.reservations.get(&spooled.reservation.key) {
            Some(Standing { reservation, .. }) if spooled.act.needs_price(reservation) => return Err(NotPut::Unknown),
            Some(Standing { reservation, .. }) => {
                match spooled.act.follow(reservation, spooled.fingerprint).map_err(NotPut::Rule)? {
                    Some(after) => spooled.reservation = after,
                    None => return Ok(Judged::Repeat(reservation.clone())),
                }
            }
            None if makes => {}
            None => return Err(NotPut::Unknown),
        }
        Ok(Judged::New(Box::new(spooled)))
    }

    fn keep(&mut self, number: u64, spooled: Arc<Spooled>) -> Arc<Reservation> {
        let key = spooled.reservation.key;
        let reservation = Arc::new(spooled.reservation.clone());
        if let Some(request) = spooled.request {
            self.requests.insert(request, (spooled.fingerprint, key));
        }
        let new = || Standing { reservation: reservation.clone(), numbers: Vec::new() };
        let standing = self.reservations.entry(key).or_insert_with(new);
        standing.numbers.push(number);
        standing.reservation = reservation.clone();
        self.entries.insert(number, spooled);
        reservation
    }

    /// What the store knows it can tell by itself; the other calls about the reservation still wait for their turn.
    fn forget(&mut self, number: u64) {
        let Some(spooled) = self.entries.remove(&number) else { return };
        if let Some(request) = spooled.request {
            self.requests.remove(&request);
        }
        let key = spooled.reservation.key;
        if let Some(standing) = self.reservations.get_mut(&key) {
            standing.numbers.retain(|other| *other != number);
            if standing.numbers.is_empty() {
                self.reservations.remove(&key);
            }
        }
    }
}
