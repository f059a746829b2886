//! The accounts on the path of a charge. They never change, and all that is about the charge shares them: its record, what changes
//! it, the journal (what is read from somewhere has its own). What differs from account to account is kept only where it is
//! something; hardly a charge has a top-up.

use super::name::Uid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{Debug, Formatter};
use std::sync::Arc;

/// An account on a path with its part of something.
pub trait OnLevel: Copy + PartialEq + Debug {
    /// The part; nothing, if it is the default.
    type Part: Copy + Default + PartialEq;

    /// Of an account and its part.
    fn new(account: Uid, part: Self::Part) -> Self;

    /// The account and its part.
    fn split(self) -> (Uid, Self::Part);
}

/// The accounts of a path in order, each with its part.
#[derive(Clone)]
pub struct Levels<L: OnLevel> {
    accounts: Arc<[Uid]>,
    /// None, if all are nothing; else one for each account.
    parts: Box<[L::Part]>,
}

impl<L: OnLevel> Levels<L> {
    /// These accounts with these parts, in their order; what is left out is nothing.
    pub fn new(accounts: Arc<[Uid]>, parts: impl IntoIterator<Item = L::Part>) -> Levels<L> {
        let mut levels = Levels { accounts, parts: Box::default() };
        for (place, part) in parts.into_iter().enumerate().filter(|(_, part)| *part != L::Part::default()) {
            if let Some(own) = levels.part_mut(place) {
                *own = part;
            }
        }
        levels
    }

    /// The accounts.
    pub fn accounts(&self) -> &Arc<[Uid]> {
        &self.accounts
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Whether no parts are kept: all are nothing.
    pub fn is_plain(&self) -> bool {
        self.parts.is_empty()
    }

    /// The account at a place.
    pub fn get(&self, place: usize) -> Option<L> {
        Some(L::new(*self.accounts.get(place)?, self.parts.get(place).copied().unwrap_or_default()))
    }

    /// The part of the account at a place, to be changed to something.
    pub fn part_mut(&mut self, place: usize) -> Option<&mut L::Part> {
        if self.parts.is_empty() && place < self.len() {
            self.parts = vec![L::Part::default(); self.len()].into();
        }
        self.parts.get_mut(place)
    }

    /// All accounts in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = L> + ExactSizeIterator + Clone + '_ {
        let part = |place| self.parts.get(place).copied().unwrap_or_default();
        self.accounts.iter().enumerate().map(move |(place, account)| L::new(*account, part(place)))
    }
}

impl<L: OnLevel> FromIterator<L> for Levels<L> {
    fn from_iter<I: IntoIterator<Item = L>>(levels: I) -> Levels<L> {
        levels.into_iter().collect::<Vec<L>>().into()
    }
}

impl<L: OnLevel> From<Vec<L>> for Levels<L> {
    fn from(levels: Vec<L>) -> Levels<L> {
        let accounts = levels.iter().map(|level| level.split().0).collect();
        Levels::new(accounts, levels.into_iter().map(|level| level.split().1))
    }
}

impl<L: OnLevel> PartialEq for Levels<L> {
    fn eq(&self, other: &Levels<L>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<L: OnLevel> Eq for Levels<L> {}

impl<L: OnLevel> Debug for Levels<L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<L: OnLevel + Serialize> Serialize for Levels<L> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.iter())
    }
}

impl<'a, L: OnLevel + Deserialize<'a>> Deserialize<'a> for Levels<L> {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Levels<L>, D::Error> {
        Vec::<L>::deserialize(from).map(Levels::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reservation::Level;

    fn level(account: u128, held_top_up: u64) -> Level {
        Level { account: Uid(account), has_top_up: false, held_top_up, used_top_up: 0 }
    }

    #[test]
    fn parts_are_kept_where_one_is_something_and_nobody_sees_a_difference() {
        let mut plain: Levels<Level> = vec![level(1, 0), level(2, 0)].into();
        let other: Levels<Level> = vec![level(1, 0), level(2, 7)].into();
        assert!(plain.is_plain() && !other.is_plain() && plain != other);
        assert_eq!((plain.get(1), other.get(1), other.get(2)), (Some(level(2, 0)), Some(level(2, 7)), None));
        assert!(plain.part_mut(2).is_none());
        plain.part_mut(1).unwrap().held = 7;
        assert_eq!(plain, other);
        plain.part_mut(1).unwrap().held = 0;
        assert!(!plain.is_plain() && plain == Levels::new(plain.accounts().clone(), []));
        assert!(Levels::<Level>::new(other.accounts().clone(), [Default::default(); 9]).is_plain());
    }

    #[test]
    fn they_are_written_like_a_list() {
        for list in [Vec::new(), vec![level(1, 0), level(2, 0)], vec![level(1, 0), level(u128::MAX, u64::MAX)]] {
            let bytes = postcard::to_stdvec(&list).unwrap();
            let levels = Levels::from(list.clone());
            assert_eq!(postcard::to_stdvec(&levels).unwrap(), bytes);
            assert_eq!(postcard::from_bytes::<Levels<Level>>(&bytes).unwrap(), levels);
            assert_eq!(levels.iter().collect::<Vec<_>>(), list);
        }
    }
}
