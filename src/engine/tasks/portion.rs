//! What goes into one ledger transaction.

use crate::domain::entry::Effect;
use crate::engine::operation::Numbered;

/// Rows from which on no further entry goes into the same ledger transaction: those of some 16,000 effects with one charge. Many
/// together cost a half of what few do: the pages that they touch are written once, and there is one commit. It bounds the memory
/// and how long the ledger is taken.
pub(super) const ENOUGH: usize = 80_000;

/// A part of the journal.
pub(super) struct Portion {
    pub(super) entries: Vec<Numbered>,
    /// What they become in the ledger, about.
    pub(super) rows: usize,
    /// Whether there was more.
    pub(super) more: bool,
}

impl Portion {
    /// Takes entries until there are rows enough.
    pub(super) fn take(&mut self, page: Vec<Numbered>, enough: usize) {
        for (seq, entry) in page {
            if self.rows >= enough {
                self.more = true;
                return;
            }
            self.rows += entry.effects.iter().map(rows_of).sum::<usize>();
            self.entries.push((seq, entry));
        }
    }
}

/// About how many rows an effect becomes in the ledger: its record, each line, and what that used on each account.
fn rows_of(effect: &Effect) -> usize {
    1 + effect.lines.iter().map(|line| 1 + line.levels.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::{Entry, Kind};
    use crate::domain::name::Uid;
    use crate::domain::time::Timestamp;
    use std::sync::Arc;

    #[test]
    fn a_portion_ends_where_it_has_rows_enough() {
        let effect = Effect {
            tenant: Uid(1),
            time: Timestamp::from_millis(0),
            catalog_version: 0,
            kind: Kind::Release,
            request: None,
            reservation: None,
            lines: Vec::new(),
            note: None,
        };
        let entry = |effects: usize| Entry { effects: vec![effect.clone(); effects], ..Entry::default() };
        let page = |effects: &[usize]| (1..).zip(effects.iter().map(|effects| Arc::new(entry(*effects)))).collect();
        let taken = |effects: &[usize]| {
            let mut portion = Portion { entries: Vec::new(), rows: 0, more: false };
            portion.take(page(effects), ENOUGH);
            (portion.entries.len(), portion.rows, portion.more)
        };
        assert_eq!(taken(&[1, 2]), (2, 3, false));
        assert_eq!(taken(&[ENOUGH - 1, 2]), (2, ENOUGH + 1, false), "an entry goes as a whole");
        assert_eq!(taken(&[ENOUGH, 1, 1]), (1, ENOUGH, true), "the others are still there");
        assert_eq!(taken(&[3 * ENOUGH]), (1, 3 * ENOUGH, false), "one goes at least");
    }
}
