//! Many things in memory, each found by its key. They stay where they were put, in blocks, and a table of few bytes for each says where.
//!
//! One large table that is full moves all that is in it at once, a tenth of a second with a million keys, and all calls of the
//! partition wait meanwhile. Here the table is in many parts that grow one by one, and what moves is eight bytes for each key.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, Hash};

/// Things of a block.
const BLOCK: usize = 1024;
/// Parts of the table: one for each value of a byte.
const PARTS: usize = 256;

/// What is found by a key of its own.
pub trait Keyed {
    /// The key, which never changes while the thing is kept.
    type Key: Hash + Eq;

    /// The thing's own.
    fn key(&self) -> Self::Key;
}

/// Things by key and by place.
pub struct Slots<T> {
    parts: Box<[HashTable<Pointer>]>,
    hasher: foldhash::fast::RandomState,
    /// In blocks that stay where they are.
    blocks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
}

/// Where a thing is, and enough of its key's hash to tell it from nearly all others without a look at it.
#[derive(Clone, Copy)]
struct Pointer {
    hash: u32,
    place: u32,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots {
            parts: std::iter::repeat_with(HashTable::new).take(PARTS).collect(),
            hasher: foldhash::fast::RandomState::default(),
            blocks: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T: Keyed> Slots<T> {
    /// How many there are; it adds up the parts.
    pub fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    /// The place of what has this key.
    pub fn place(&self, key: &T::Key) -> Option<u32> {
        let (part, hash) = self.hash(key);
        let is_this = |to: &Pointer| to.hash == hash && self.at(to.place).is_some_and(|thing| thing.key() == *key);
        self.parts[part].find(spread(hash), is_this).map(|to| to.place)
    }

    /// What is at a place.
    pub fn at(&self, place: u32) -> Option<&T> {
        at(&self.blocks, place)
    }

    /// The same, to change it.
    pub fn at_mut(&mut self, place: u32) -> Option<&mut T> {
        self.blocks.get_mut(place as usize / BLOCK)?.get_mut(place as usize % BLOCK)?.as_mut()
    }

    /// What has this key.
    pub fn get(&self, key: &T::Key) -> Option<&T> {
        self.at(self.place(key)?)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &T::Key) -> Option<&mut T> {
        self.at_mut(self.place(key)?)
    }

    /// Puts in a thing and answers its place, and what had the same key before.
    pub fn insert(&mut self, thing: T) -> (u32, Option<T>) {
        let key = thing.key();
        let (part, hash) = self.hash(&key);
        let Slots { parts, blocks, free, .. } = self;
        let is_this = |to: &Pointer| to.hash == hash && at(blocks, to.place).is_some_and(|thing| thing.key() == key);
        let place = match parts[part].entry(spread(hash), is_this, |to| spread(to.hash)) {
            Entry::Occupied(found) => found.get().place,
            Entry::Vacant(vacant) => {
                let place = free.pop().unwrap_or_else(|| make_place(blocks));
                vacant.insert(Pointer { hash, place });
                place
            }
        };
        let before = blocks[place as usize / BLOCK][place as usize % BLOCK].replace(thing);
        (place, before)
    }

    /// Takes out what has this key.
    pub fn remove(&mut self, key: &T::Key) -> Option<T> {
        self.take(self.place(key)?)
    }

    /// Takes out what is at a place, which is then another's.
    pub fn take(&mut self, place: u32) -> Option<T> {
        let thing = self.blocks.get_mut(place as usize / BLOCK)?.get_mut(place as usize % BLOCK)?.take()?;
        let (part, hash) = self.hash(&thing.key());
        if let Ok(found) = self.parts[part].find_entry(spread(hash), |to| to.place == place) {
            found.remove();
        }
        self.free.push(place);
        Some(thing)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten().flatten()
    }

    /// Takes out all of them, in no order.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.blocks.into_iter().flatten().flatten()
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// What is in a block, with the places.
    pub fn in_block(&self, block: usize) -> impl Iterator<Item = (u32, &T)> {
        let things = self.blocks.get(block).into_iter().flatten();
        things.zip(number(block * BLOCK)..).filter_map(|(thing, place)| Some((place, thing.as_ref()?)))
    }

    /// The part of a key, and its hash there.
    fn hash(&self, key: &T::Key) -> (usize, u32) {
        let hash = self.hasher.hash_one(key);
        ((hash >> 56) as usize % PARTS, hash as u32)
    }
}

fn at<T>(blocks: &[Vec<Option<T>>], place: u32) -> Option<&T> {
    blocks.get(place as usize / BLOCK)?.get(place as usize % BLOCK)?.as_ref()
}

/// A place that nothing had before.
fn make_place<T>(blocks: &mut Vec<Vec<Option<T>>>) -> u32 {
    if blocks.last().is_none_or(|block| block.len() == BLOCK) {
        blocks.push(Vec::with_capacity(BLOCK));
    }
    let before = (blocks.len() - 1) * BLOCK;
    let block = &mut blocks[before / BLOCK];
    block.push(None);
    number(before + block.len() - 1)
}

/// The bits of a hash where a table looks for them: it takes the lowest ones, and seven of the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Thing(u32, u32);

    impl Keyed for Thing {
        type Key = u32;

        fn key(&self) -> u32 {
            self.0
        }
    }

    #[test]
    fn each_is_found_by_key_and_by_place_until_it_is_taken_out() {
        let mut slots = Slots::default();
        let count = 20_000;
        let places: Vec<u32> = (0..count).map(|key| slots.insert(Thing(key, key + 1)).0).collect();
        assert_eq!(places, (0..count).collect::<Vec<_>>());
        assert!((0..count).all(|key| slots.get(&key) == Some(&Thing(key, key + 1)) && slots.place(&key) == Some(key)));
        assert!(slots.parts.iter().all(|part| (30..=150).contains(&part.len())), "spread evenly");
        assert_eq!(slots.insert(Thing(7, 0)), (7, Some(Thing(7, 8))), "in its place");
        slots.get_mut(&9).unwrap().1 = 0;
        assert_eq!((slots.at(9), slots.len()), (Some(&Thing(9, 0)), 20_000));
        assert_eq!(
            (slots.remove(&8), slots.remove(&8), slots.get(&8), slots.at(8)),
            (Some(Thing(8, 9)), None, None, None)
        );
        assert_eq!((slots.take(11), slots.take(11), slots.take(count)), (Some(Thing(11, 12)), None, None));
        assert_eq!((slots.len(), slots.iter().count()), (19_998, 19_998));
        assert_eq!(
            [slots.insert(Thing(count, 1)).0, slots.insert(Thing(count + 1, 2)).0],
            [11, 8],
            "what is free first"
        );
        assert_eq!(slots.insert(Thing(count + 2, 0)).0, count, "then it grows on");
        assert_eq!((slots.blocks(), slots.in_block(20).count()), (20, 0));
        let last = (BLOCK * 19) as u32;
        assert_eq!(
            slots.in_block(19).map(|(place, thing)| (place, thing.0)).take(2).collect::<Vec<_>>(),
            [(last, last), (last + 1, last + 1)]
        );
        assert_eq!(slots.into_values().count(), 20_001);
    }
}
