//! The counters of a partition: found once by key, then reached by place.

use super::slots::{Keyed, Slots};
use crate::domain::counter::Counter;
use crate::domain::time::Timestamp;
use crate::engine::ports::CounterKey;

/// Counters by key and by place.
pub type Table = Slots<Slot>;

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

impl Keyed for Slot {
    type Key = CounterKey;

    fn key(&self) -> CounterKey {
        self.key
    }
}

impl Slots<Slot> {
    /// Drops counters of a block that nobody touched since `before` and that hold nothing; answers their tenants and when the last
    /// of them was touched.
    pub fn drop_idle(&mut self, block: usize, before: Timestamp) -> (Vec<u32>, Option<Timestamp>) {
        let is_idle = |slot: &Slot| slot.touched < before && !slot.counter.holds();
        let idle: Vec<u32> = self.in_block(block).filter(|(_, slot)| is_idle(slot)).map(|(place, _)| place).collect();
        let gone: Vec<Slot> = idle.into_iter().filter_map(|place| self.take(place)).collect();
        (gone.iter().map(|slot| slot.tenant).collect(), gone.iter().map(|slot| slot.touched).max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::{MeterId, Uid};

    #[test]
    fn what_is_idle_leaves_block_by_block() {
        let (mut table, count) = (Table::default(), 2_058_i64);
        for number in 0..count {
            let key = CounterKey { account: Uid(number as u128), meter: MeterId(1) };
            let touched = Timestamp::from_millis(number);
            table.insert(Slot { key, counter: Counter::default(), tenant: number as u32, touched });
        }
        let idle = 1_029;
        let before = Timestamp::from_millis(idle);
        let dropped: Vec<_> = (0..=table.blocks()).map(|block| table.drop_idle(block, before)).collect();
        let last = |number| Some(Timestamp::from_millis(number));
        let found: Vec<_> = dropped.iter().map(|(tenants, last)| (tenants.len(), *last)).collect();
        assert_eq!(found, [(1024, last(1023)), (5, last(1028)), (0, None), (0, None)]);
        let key = |number: i64| CounterKey { account: Uid(number as u128), meter: MeterId(1) };
        assert_eq!(table.len() as i64, count - idle);
        assert!(table.place(&key(idle - 1)).is_none() && table.place(&key(idle)) == Some(idle as u32));
    }
}
