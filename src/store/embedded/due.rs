//! What is due when: things by the second in which something is to happen to them.

use crate::domain::time::Timestamp;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// A second since 1970, in four bytes: there are millions of them. Those before count as the first one, and after the year 2106 comes
/// none but [`Second::NEVER`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Second(NonZeroU32);

impl Second {
    /// None that ever comes.
    pub const NEVER: Second = Second(NonZeroU32::MAX);

    /// The one in which a time lies.
    pub fn of(now: Timestamp) -> Second {
        Second::numbered(now.millis().div_euclid(1000))
    }

    /// The first one that begins at a time or after it.
    pub fn after(at: Timestamp) -> Second {
        Second::numbered(at.ceil_second())
    }

    /// The next one.
    pub fn next(self) -> Second {
        Second(self.0.saturating_add(1))
    }

    fn numbered(second: i64) -> Second {
        Second(u32::try_from(second.max(1)).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX))
    }
}

/// By second, the names of things (ids, or places where they are). One that is no longer wanted is not looked for here: it is met when
/// its second has come, and let go. So whoever meets one looks whether what it names by then is due.
pub struct Due<T>(BTreeMap<Second, Vec<T>>);

impl<T> Default for Due<T> {
    fn default() -> Self {
        Due(BTreeMap::new())
    }
}

impl<T> Due<T> {
    /// Puts in what is due from a second on.
    pub fn push(&mut self, second: Second, thing: T) {
        self.0.entry(second).or_default().push(thing);
    }

    /// Takes out one that is due in second `now`, of the oldest.
    pub fn pop(&mut self, now: Second) -> Option<T> {
        let mut oldest = self.0.first_entry().filter(|entry| *entry.key() <= now)?;
        let thing = oldest.get_mut().pop();
        if oldest.get().is_empty() {
            oldest.remove();
        }
        thing
    }

    /// Whether any is due in second `now`.
    pub fn is_due(&self, now: Second) -> bool {
        self.0.first_key_value().is_some_and(|(oldest, _)| *oldest <= now)
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_due_once_its_second_is_over_and_nothing_stays_behind() {
        let mut due = Due::default();
        let (after, now) = (
            |millis| Second::after(Timestamp::from_millis(millis)),
            |millis| Second::of(Timestamp::from_millis(millis)),
        );
        for (millis, thing) in [(3_001, 3), (2_000, 1), (2_999, 2), (1_000, 0)] {
            due.push(after(millis), thing);
        }
        assert!(due.is_due(now(1_999)) && due.pop(now(1_999)) == Some(0) && !due.is_due(now(1_999)));
        assert_eq!((due.is_due(now(2_000)), due.pop(now(2_999)), due.pop(now(2_999))), (true, Some(1), None));
        assert_eq!((due.pop(now(3_999)), due.pop(now(3_999)), due.pop(now(3_999))), (Some(2), None, None));
        assert_eq!((due.is_due(now(3_999)), due.pop(now(4_000)), due.is_due(now(9_999))), (false, Some(3), false));
        assert!(due.is_empty());
    }

    #[test]
    fn a_second_is_one_of_those_that_there_are() {
        let of = |millis| Second::of(Timestamp::from_millis(millis));
        assert_eq!((of(i64::MIN), of(-1), of(0)), (of(1_000), of(1_999), of(1_000)), "the first");
        assert!(of(1_999) < of(2_000) && of(1_999).next() == of(2_000));
        assert_eq!(
            (of(i64::MAX), Second::after(Timestamp::MAX), Second::NEVER.next()),
            (Second::NEVER, Second::NEVER, Second::NEVER)
        );
        let after = |millis| Second::after(Timestamp::from_millis(millis));
        assert_eq!((after(2_000), after(2_001), after(2_999)), (of(2_000), of(3_000), of(3_000)));
    }
}
