//! Which reservations of a batch are first ones, which are repeats that came too late (rule 5), and which were undone.

use super::fold::{RequestRow, ReservationChange, key_of};
use crate::domain::entry::Kind;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::Reservation;
use crate::domain::time::Timestamp;
use foldhash::{HashMap, HashMapExt};

/// The first reservation of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct First {
    /// When it was made.
    pub(super) time: Timestamp,
    /// What was asked for; `None` if no other reservation of that key is in question.
    pub(super) fingerprint: Option<u64>,
}

/// What a request id was first used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FirstUse {
    /// The content of the request.
    pub(super) fingerprint: u64,
    /// The reservation that it made or changed.
    pub(super) reservation: Option<IdKey>,
}

/// What of a batch's reservations is written, given what the ledger has.
#[derive(Default)]
pub(super) struct Resolved<'a> {
    /// The last record of each, and whether the ledger had none.
    pub(super) last: HashMap<(Uid, IdKey), (ReservationChange<'a>, bool)>,
    /// Repeats that came too late to be recognised: the first one stays, they are to be undone.
    pub(super) repeated: Vec<&'a Reservation>,
    /// Reservations that were undone.
    pub(super) undone: Vec<&'a Reservation>,
}

impl<'a> Resolved<'a> {
    /// Goes through the changes in order. A record with another create time than the first one's is of a second
    /// reservation of that id: it never takes the first one's place, and is a repeat if it asked for the same. Another
    /// content under a known id was granted, and counts.
    pub(super) fn of(changes: &[ReservationChange<'a>], found: HashMap<(Uid, IdKey), First>) -> Resolved<'a> {
        let mut resolved = Resolved { last: HashMap::with_capacity(changes.len()), ..Resolved::default() };
        let mut firsts: HashMap<(Uid, IdKey), (First, bool)> =
            found.into_iter().map(|(key, first)| (key, (first, false))).collect();
        for change in changes {
            let (key, record) = (key_of(change.record), change.record);
            let this = First { time: record.create_time, fingerprint: Some(record.fingerprint) };
            let (first, new) = *firsts.entry(key).or_insert((this, true));
            if first.time == this.time {
                resolved.last.insert(key, (*change, new));
            } else if makes(change.kind) && first.fingerprint == this.fingerprint {
                resolved.repeated.push(record);
            }
            if change.kind == Kind::Reverse {
                resolved.undone.push(record);
            }
        }
        resolved
    }

    /// Adds the reservations that a request made although its id had made another one: repeats by request id alone.
    pub(super) fn add_requests(&mut self, requests: &[RequestRow<'a>], mut found: HashMap<(Uid, IdKey), FirstUse>) {
        for row in requests {
            let stamp = row.stamp;
            let this = FirstUse { fingerprint: stamp.fingerprint, reservation: stamp.reservation };
            let first = *found.entry((row.effect.tenant, stamp.key)).or_insert(this);
            let Some(record) = row.effect.reservation.as_deref().filter(|_| makes(row.effect.kind)) else { continue };
            let another = first.reservation.is_some() && first.reservation != this.reservation;
            let told = |one: &&Reservation| key_of(one) == key_of(record) && one.create_time == record.create_time;
            if another && first.fingerprint == this.fingerprint && !self.repeated.iter().any(told) {
                self.repeated.push(record);
            }
        }
    }
}

/// The reservations of which the ledger's first must be looked at whole: it was made at another time than theirs.
pub(super) fn in_question(
    changes: &[ReservationChange<'_>],
    found: &HashMap<(Uid, IdKey), First>,
) -> Vec<(Uid, IdKey)> {
    let other = |change: &&ReservationChange<'_>| {
        makes(change.kind)
            && found.get(&key_of(change.record)).is_some_and(|first| first.time != change.record.create_time)
    };
    let mut keys: Vec<_> = changes.iter().filter(other).map(|change| key_of(change.record)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Whether an effect of this kind makes a reservation.
pub(super) fn makes(kind: Kind) -> bool {
    matches!(kind, Kind::Reserve | Kind::Consume)
}
