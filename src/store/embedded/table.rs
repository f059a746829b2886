//! The counters of a partition: found once by key, then reached by place.

use super::split_map::SplitMap;
use crate::domain::counter::Counter;
use crate::domain::time::Timestamp;
use crate::engine::ports::CounterKey;

/// Counters of a block.
const BLOCK: usize = 1024;

/// Counters by key and by place.
#[derive(Default)]
pub struct Table {
    places: SplitMap<CounterKey, u32>,
    /// In blocks that stay where they are.
    blocks: Vec<Vec<Option<Slot>>>,
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
        self.blocks.get(place as usize / BLOCK)?.get(place as usize % BLOCK)?.as_ref()
    }

    /// The counter at a place.
    pub fn at(&mut self, place: u32) -> Option<&mut Slot> {
        self.blocks.get_mut(place as usize / BLOCK)?.get_mut(place as usize % BLOCK)?.as_mut()
    }

    /// The counter of a key.
    pub fn get(&mut self, key: &CounterKey) -> Option<&mut Slot> {
        let place = self.place(key)?;
        self.at(place)
    }

    /// Puts in a counter that is not there yet, and answers its place.
    pub fn insert(&mut self, slot: Slot) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| self.make_place());
        self.places.insert(slot.key, place);
        self.blocks[place as usize / BLOCK][place as usize % BLOCK] = Some(slot);
        place
    }

    fn make_place(&mut self) -> u32 {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let before = (self.blocks.len() - 1) * BLOCK;
        let block = &mut self.blocks[before / BLOCK];
        block.push(None);
        u32::try_from(before + block.len() - 1).unwrap_or(u32::MAX)
    }

    /// How many blocks [`Table::drop_idle`] has to be called for.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Drops counters of a block that nobody touched since `before` and that hold nothing; answers their tenants and when the last
    /// of them was touched.
    pub fn drop_idle(&mut self, block: usize, before: Timestamp) -> (Vec<u32>, Option<Timestamp>) {
        let mut tenants = Vec::new();
        let mut last: Option<Timestamp> = None;
        for (at, entry) in self.blocks.get_mut(block).into_iter().flatten().enumerate() {
            if let Some(slot) = entry
                && slot.touched < before
                && !slot.counter.holds()
            {
                tenants.push(slot.tenant);
                last = last.max(Some(slot.touched));
                self.places.remove(&slot.key);
                self.free.push(u32::try_from(block * BLOCK + at).unwrap_or(u32::MAX));
                *entry = None;
            }
        }
        (tenants, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{MeterId, Uid};

    fn key(number: usize) -> CounterKey {
        CounterKey { account: Uid((number as u128) << 116), meter: MeterId(1) }
    }

    #[test]
    fn what_is_idle_leaves_block_by_block_and_its_place_is_used_again() {
        let (mut table, count) = (Table::default(), 2 * BLOCK + 10);
        let slot = |number: usize| {
            let touched = Timestamp::from_millis(number as i64);
            Slot { key: key(number), counter: Counter::default(), tenant: number as u32, touched }
        };
        let places: Vec<u32> = (0..count).map(|number| table.insert(slot(number))).collect();
        assert_eq!(places, (0..count as u32).collect::<Vec<_>>());
        assert_eq!(table.blocks(), 3);
        let idle = BLOCK + 5;
        let before = Timestamp::from_millis(idle as i64);
        let dropped: Vec<_> = (0..=table.blocks()).map(|block| table.drop_idle(block, before)).collect();
        let last = |number: usize| Some(Timestamp::from_millis(number as i64));
        assert_eq!(dropped.iter().map(|(tenants, _)| tenants.len()).collect::<Vec<_>>(), [BLOCK, 5, 0, 0]);
        assert_eq!(
            dropped.iter().map(|(_, last)| *last).collect::<Vec<_>>(),
            [last(BLOCK - 1), last(idle - 1), None, None]
        );
        assert_eq!(
            (table.len(), table.place(&key(0)), table.place(&key(idle))),
            (count - idle, None, Some(idle as u32))
        );
        assert!((count..count + idle).all(|number| table.insert(slot(number)) < idle as u32));
        assert_eq!(table.insert(slot(count + idle)), count as u32, "then the table grows on");
        assert_eq!(table.get(&key(count)).unwrap().key, key(count));
    }
}
