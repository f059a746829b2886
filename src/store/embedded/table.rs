//! The counters of a partition: found once by key, then reached by place.

use crate::domain::counter::Counter;
use crate::domain::time::Timestamp;
use crate::engine::ports::CounterKey;
use std::collections::HashMap;

/// Counters by key and by place.
#[derive(Default)]
pub struct Table {
    places: HashMap<CounterKey, u32, foldhash::fast::RandomState>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
}

/// A counter with what is known about it.
pub struct Slot {
    /// Which.
    pub key: CounterKey,
    /// The value.
    pub counter: Counter,
    /// The tenant that it counts for, by its place in the partition.
    pub tenant: u32,
    /// When it was last used.
    pub touched: Timestamp,
}

impl Table {
    /// Number of counters.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The place of a counter.
    pub fn place(&self, key: &CounterKey) -> Option<u32> {
        self.places.get(key).copied()
    }

    /// The counter at a place, to look at.
    pub fn slot(&self, place: u32) -> Option<&Slot> {
        self.slots.get(place as usize)?.as_ref()
    }

    /// The counter at a place.
    pub fn at(&mut self, place: u32) -> Option<&mut Slot> {
        self.slots.get_mut(place as usize)?.as_mut()
    }

    /// The counter of a key.
    pub fn get(&mut self, key: &CounterKey) -> Option<&mut Slot> {
        let place = self.place(key)?;
        self.at(place)
    }

    /// Puts in a counter that is not there yet, and answers its place.
    pub fn insert(&mut self, slot: Slot) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.places.insert(slot.key, place);
        self.slots[place as usize] = Some(slot);
        place
    }

    /// Drops counters that nobody touched since `before` and that hold nothing; answers their tenants and when the last
    /// of them was touched.
    pub fn drop_idle(&mut self, before: Timestamp) -> (Vec<u32>, Option<Timestamp>) {
        let mut tenants = Vec::new();
        let mut last: Option<Timestamp> = None;
        for (place, entry) in self.slots.iter_mut().enumerate() {
            if let Some(slot) = entry
                && slot.touched < before
                && !slot.counter.holds()
            {
                tenants.push(slot.tenant);
                last = last.max(Some(slot.touched));
                self.places.remove(&slot.key);
                self.free.push(u32::try_from(place).unwrap_or(u32::MAX));
                *entry = None;
            }
        }
        (tenants, last)
    }
}
