//! A map in many parts. One large table that is full moves everything in it at once, a tenth of a second with a million keys, and all
//! calls of the partition wait meanwhile; of many small ones each moves its own few.

use crate::domain::name::IdKey;
use crate::engine::ports::CounterKey;
use std::collections::HashMap;
use std::hash::Hash;

/// How many parts: one for each value of a byte.
const PARTS: usize = 256;

type Part<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A key that is as good as random, or begins with one that is.
pub trait Scattered: Eq + Hash {
    /// One of its random bytes.
    fn byte(&self) -> u8;
}

impl Scattered for IdKey {
    fn byte(&self) -> u8 {
        (self.0 >> 120) as u8
    }
}

impl Scattered for CounterKey {
    fn byte(&self) -> u8 {
        (self.account.0 >> 120) as u8
    }
}

/// A map by a key that is as good as random.
pub struct SplitMap<K, V>(Box<[Part<K, V>]>);

impl<K, V> Default for SplitMap<K, V> {
    fn default() -> Self {
        SplitMap(std::iter::repeat_with(Part::default).take(PARTS).collect())
    }
}

impl<K: Scattered, V> SplitMap<K, V> {
    fn part(&self, key: &K) -> &Part<K, V> {
        &self.0[usize::from(key.byte())]
    }

    fn part_mut(&mut self, key: &K) -> &mut Part<K, V> {
        &mut self.0[usize::from(key.byte())]
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.part(key).get(key)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.part_mut(key).get_mut(key)
    }

    /// Whether the key is there.
    pub fn contains_key(&self, key: &K) -> bool {
        self.part(key).contains_key(key)
    }

    /// Puts in a value and answers the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.part_mut(&key).insert(key, value)
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.part_mut(key).remove(key)
    }

    /// How many keys there are; it adds up the parts.
    pub fn len(&self) -> usize {
        self.0.iter().map(HashMap::len).sum()
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().flat_map(HashMap::values)
    }

    /// Takes out all values, in no order.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.0.into_iter().flat_map(HashMap::into_values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_map() {
        let key = |number: u128| IdKey(number << 116);
        let mut map = SplitMap::default();
        assert!((0..4096).all(|number| map.insert(key(number), number).is_none()));
        assert_eq!((map.len(), map.0.iter().map(HashMap::len).max()), (4096, Some(16)), "spread evenly");
        assert_eq!(map.insert(key(7), 0), Some(7));
        assert_eq!((map.remove(&key(8)), map.remove(&key(8)), map.get(&key(9))), (Some(8), None, Some(&9)));
        *map.get_mut(&key(10)).unwrap() = 1;
        assert!(map.contains_key(&key(10)) && !map.contains_key(&key(8)));
        assert_eq!(map.values().sum::<u128>(), 4095 * 2048 - 7 - 8 - 9);
        assert_eq!(map.into_values().count(), 4095);
    }
}
