//! Journal entries: what the atomic step writes about itself, and all that the flusher needs to fill the ledger.

use super::legacy::EntryV1;
use super::levels::{Levels, OnLevel};
use super::name::{IdKey, Uid};
use super::price::LinePrice;
use super::reservation::{About, Reservation};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::sync::Arc;

/// The format of an encoded entry; its first byte. Readers take this and the one before.
pub const FORMAT: u8 = 2;

/// One entry of a partition's journal: what one group commit (or one script call) did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// The store's time when it was written.
    pub time: Timestamp,
    /// What was done, in order.
    pub effects: Vec<Effect>,
}

/// What one operation did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Effect {
    /// The tenant.
    pub tenant: Uid,
    /// The store's time of the operation.
    pub time: Timestamp,
    /// The tenant's catalog version that it was decided under; 0 where none was needed.
    pub catalog_version: u64,
    /// What it was.
    pub kind: Kind,
    /// The caller's request id, its fingerprint and the reservation it belongs to.
    pub request: Option<RequestStamp>,
    /// The reservation as it stands after the operation.
    #[serde(with = "shared")]
    pub reservation: Option<Arc<Reservation>>,
    /// What it changed on counters: one for each charge that changed any.
    pub lines: Vec<Line>,
    /// Who adjusted, and why; stands behind all effects of an entry, few of which have one.
    #[serde(skip)]
    pub note: Option<Note>,
}

impl Effect {
    /// What a line changed of what was charged to its account itself. An adjustment takes no more from it than there was, and
    /// its amounts say how much that is.
    pub fn own(&self, line: &Line) -> i64 {
        let stamp = self.request.as_ref().filter(|_| self.kind == Kind::Adjust);
        match stamp.and_then(|stamp| stamp.amounts.chunks_exact(2).nth(usize::from(line.charge))) {
            Some(charged) => charged[1].cast_signed() - charged[0].cast_signed(),
            None => line.used,
        }
    }
}

/// Who adjusted, and why: opaque to every rule, kept for the audit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Note {
    /// Who asked for it.
    pub actor: Box<str>,
    /// The reason that was given.
    pub reason: Box<str>,
}

/// What an operation was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// A hold was taken.
    Reserve = 1,
    /// Use was recorded.
    Commit = 2,
    /// A hold was given back.
    Release = 3,
    /// A deadline was moved, or a hold raised.
    Extend = 4,
    /// Use was recorded without a hold.
    Consume = 5,
    /// Committed use was given back.
    Free = 6,
    /// A deadline passed.
    Expire = 7,
    /// A repeat that came too late to be recognised was undone.
    Reverse = 8,
    /// An administrator corrected what was used.
    Adjust = 9,
}

/// A request id as the store remembers it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RequestStamp {
    /// The id.
    pub key: IdKey,
    /// Over what it asked for.
    pub fingerprint: u64,
    /// The reservation it made or changed.
    pub reservation: Option<IdKey>,
    /// What a Free by amount gave back, by charge; of an Adjust, what was charged to its account before and after.
    pub amounts: Vec<u64>,
}

/// What one charge changed on every account of its path. Amounts are signed: what was given back is below zero.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Index of the charge in the reservation (or in a Free by amount).
    pub charge: u8,
    /// What the charge is about.
    pub about: Arc<About>,
    /// The time of the Reserve: the periods that contain it are those that changed (rule 8).
    pub effective: Timestamp,
    /// Change of what is used, on every level alike.
    pub used: i64,
    /// Change of what is held, on every level alike.
    pub held: i64,
    /// The accounts, the charged one's chain first (the charged one is `chain - 1`), then what `also` adds.
    pub levels: Levels<LineLevel>,
    /// How many of `levels` are the charged account's own chain. More than there are: no account is charged; the levels are the last
    /// of that chain (what is in use below them moves to them, or away).
    pub chain: u8,
    /// What it says about money, where a rate card prices the charge.
    pub price: Option<Box<LinePrice>>,
}

impl Deref for Line {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

impl Line {
    /// The charged account's uid.
    pub fn charged(&self) -> Option<Uid> {
        self.levels.accounts().get(usize::from(self.chain).checked_sub(1)?).copied()
    }
}

/// What a line changed on one account: `used` and `held` of the line, of which these parts stand in the top-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LineLevel {
    /// The account.
    pub account: Uid,
    /// The part of the line's `used` that is the top-up's.
    pub used_top_up: i64,
    /// The part of the line's `held` that is the top-up's.
    pub held_top_up: i64,
}

impl OnLevel for LineLevel {
    /// The top-up's part of the line's `used`, and of its `held`.
    type Part = (i64, i64);

    fn new(account: Uid, (used_top_up, held_top_up): (i64, i64)) -> LineLevel {
        LineLevel { account, used_top_up, held_top_up }
    }

    fn split(self) -> (Uid, (i64, i64)) {
        (self.account, (self.used_top_up, self.held_top_up))
    }
}

/// Why bytes are not an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer quotad.
    #[error("journal entry of format {0}, which this version does not read")]
    Format(u8),
    /// Not an entry.
    #[error("journal entry is damaged")]
    Damaged,
}

impl Entry {
    /// The entry as bytes, the format first.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_behind(Vec::new())
    }

    /// The same behind what is there already, whose memory may have been used before.
    pub fn encode_behind(&self, mut out: Vec<u8>) -> Vec<u8> {
        // About what an effect takes: growing by doubling copies everything twice.
        out.reserve(64 + 512 * self.effects.len());
        out.push(FORMAT);
        let noted = |(at, effect): (usize, &Effect)| Some((u32::try_from(at).ok()?, effect.note.clone()?));
        let notes: Vec<(u32, Note)> = self.effects.iter().enumerate().filter_map(noted).collect();
        // Serializing plain data into a growing vector has nothing that can fail.
        let out = postcard::to_extend(self, out).unwrap_or_default();
        postcard::to_extend(&notes, out).unwrap_or_default()
    }

    /// Reads what [`Entry::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for another format or damaged bytes.
    pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
        let damaged = |_| DecodeError::Damaged;
        match bytes.split_first() {
            Some((&FORMAT, body)) => {
                let (mut entry, behind) = postcard::take_from_bytes::<Entry>(body).map_err(damaged)?;
                for (at, note) in postcard::from_bytes::<Vec<(usize, Note)>>(behind).map_err(damaged)? {
                    entry.effects.get_mut(at).ok_or(DecodeError::Damaged)?.note = Some(note);
                }
                Ok(entry)
            }
            Some((1, body)) => postcard::from_bytes::<EntryV1>(body).map(Entry::from).map_err(damaged),
            Some((&other, _)) => Err(DecodeError::Format(other)),
            None => Err(DecodeError::Damaged),
        }
    }
}

/// A shared reservation is written like one of its own.
mod shared {
    use super::{Arc, Reservation};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<Arc<Reservation>>, out: S) -> Result<S::Ok, S::Error> {
        value.as_deref().serialize(out)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<Arc<Reservation>>, D::Error> {
        Ok(Option::<Box<Reservation>>::deserialize(from)?.map(Arc::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let effect = |note| Effect {
            tenant: Uid(7),
            time: Timestamp::from_millis(5),
            catalog_version: 3,
            kind: Kind::Adjust,
            request: None,
            reservation: None,
            lines: Vec::new(),
            note,
        };
        let note = Note { actor: "ann".into(), reason: "counted twice".into() };
        Entry { time: Timestamp::from_millis(5), effects: vec![effect(None), effect(Some(note))] }
    }

    #[test]
    fn notes_come_back_with_their_effects() {
        let bytes = entry().encode();
        assert_eq!(Entry::decode(&bytes).unwrap(), entry());
        assert_eq!(Entry::decode(&bytes[..bytes.len() - 1]), Err(DecodeError::Damaged));
    }
}
