//! What is due when: ids by the second in which something is to happen to them.

use crate::domain::name::IdKey;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

/// Ids by second. One that is no longer wanted is not looked for here: it is met when its second has come, and let go.
#[derive(Default)]
pub struct Due(BTreeMap<i64, Vec<IdKey>>);

impl Due {
    /// Puts in an id that is due at a time, at the end of its second.
    pub fn push(&mut self, at: Timestamp, key: IdKey) {
        self.0.entry(at.ceil_second()).or_default().push(key);
    }

    /// Takes out an id that is due at `now`, of the oldest second.
    pub fn pop(&mut self, now: Timestamp) -> Option<IdKey> {
        let mut oldest = self.0.first_entry().filter(|entry| *entry.key() <= second(now))?;
        let key = oldest.get_mut().pop();
        if oldest.get().is_empty() {
            oldest.remove();
        }
        key
    }

    /// Whether any is due at `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.0.first_key_value().is_some_and(|(oldest, _)| *oldest <= second(now))
    }
}

fn second(now: Timestamp) -> i64 {
    now.millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_due_once_its_second_is_over_and_nothing_stays_behind() {
        let (mut due, at) = (Due::default(), Timestamp::from_millis);
        for (millis, key) in [(2_001, 3), (1_000, 1), (1_999, 2), (-1, 0)] {
            due.push(at(millis), IdKey(key));
        }
        assert!(!due.is_due(at(-1)) && due.pop(at(-1)).is_none());
        assert_eq!((due.is_due(at(999)), due.pop(at(999)), due.pop(at(999))), (true, Some(IdKey(0)), None));
        assert_eq!(
            (due.pop(at(2_999)), due.pop(at(2_999)), due.pop(at(2_999))),
            (Some(IdKey(1)), Some(IdKey(2)), None)
        );
        assert_eq!((due.is_due(at(2_999)), due.pop(at(3_000)), due.is_due(at(9_999))), (false, Some(IdKey(3)), false));
        assert!(due.0.is_empty());
    }
}
