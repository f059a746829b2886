//! What is kept for a while: found by its key, and forgotten once its time is over and the ledger has it.

use super::due::{Due, Second};
use super::slots::{Keyed, Slots};
use crate::domain::time::Timestamp;

/// What is kept for a while.
pub trait Passes: Keyed {
    /// For how long it is kept.
    fn until(&self) -> Second;

    /// The journal entry that has it.
    fn seq(&self) -> u64;
}

/// Things that are kept for a while.
pub struct Passing<T> {
    slots: Slots<T>,
    /// The places of those that may be forgotten, by the second. Another thing may be at a place by then.
    due: Due<u32>,
}

impl<T> Default for Passing<T> {
    fn default() -> Self {
        Passing { slots: Slots::default(), due: Due::default() }
    }
}

impl<T: Passes> Passing<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// What has this key.
    pub fn get(&self, key: &T::Key) -> Option<&T> {
        self.slots.get(key)
    }

    /// Puts in a thing, in place of what had the same key.
    pub fn insert(&mut self, thing: T) {
        let until = thing.until();
        let (place, _) = self.slots.insert(thing);
        self.push(until, place);
    }

    /// Changes what has this key, if anything has.
    pub fn change(&mut self, key: &T::Key, change: impl FnOnce(&mut T)) {
        let Some(place) = self.slots.place(key) else { return };
        let Some(thing) = self.slots.at_mut(place) else { return };
        let before = thing.until();
        change(thing);
        let until = thing.until();
        if until != before {
            self.push(until, place);
        }
    }

    /// Forgets what is due, at most `limit` of it, and tells `gone` of each. What the ledger, which has all entries up to `flushed`,
    /// lacks is looked at again a second later.
    pub fn forget(&mut self, now: Timestamp, flushed: u64, limit: usize, mut gone: impl FnMut(T)) {
        let this = Second::of(now);
        for _ in 0..limit {
            let Some(place) = self.due.pop(this) else { return };
            let Some(thing) = self.slots.at(place).filter(|thing| thing.until() <= this) else { continue };
            if thing.seq() > flushed {
                self.due.push(this.next(), place);
            } else {
                self.slots.take(place).into_iter().for_each(&mut gone);
            }
        }
    }

    fn push(&mut self, until: Second, place: u32) {
        if until != Second::NEVER {
            self.due.push(until, place);
        }
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.slots.len() == 0 && self.due.is_empty()
    }
}
