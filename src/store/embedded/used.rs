//! What effects used on counters, in a form that is quickly looked through: a counter that comes from the ledger is completed by what
//! the journal has beyond that, while the other calls of its partition wait.

use crate::domain::counter::Parts;
use crate::domain::entry::Effect;
use crate::domain::name::{MeterId, Uid};
use crate::domain::time::Timestamp;
use crate::engine::ports::CounterKey;

/// What some effects used.
#[derive(Default)]
pub struct Used {
    lines: Vec<UsedLine>,
    /// The accounts of all lines, one after the other.
    accounts: Vec<Uid>,
    /// The top-up's part on each account of those lines that say so.
    top_ups: Vec<i64>,
}

/// What a line used on all its accounts.
struct UsedLine {
    meter: MeterId,
    effective: Timestamp,
    used: i64,
    /// What of it was charged to the account at `charged` itself.
    own: i64,
    accounts: usize,
    charged: Option<usize>,
    has_top_ups: bool,
}

impl Used {
    /// Nothing yet, with room for about as much as another one has, and no more than `most` lines.
    pub fn like(other: &Used, most: usize) -> Used {
        Used {
            lines: Vec::with_capacity(other.lines.len().min(most)),
            accounts: Vec::with_capacity(other.accounts.len().min(4 * most)),
            top_ups: Vec::new(),
        }
    }

    /// Adds what an effect used, unless that is nothing.
    pub fn add(&mut self, effect: &Effect) {
        for line in &effect.lines {
            let has_top_ups = !line.levels.is_plain();
            if line.used == 0 && line.levels.iter().all(|level| level.used_top_up == 0) {
                continue;
            }
            self.accounts.extend_from_slice(line.levels.accounts());
            if has_top_ups {
                self.top_ups.extend(line.levels.iter().map(|level| level.used_top_up));
            }
            self.lines.push(UsedLine {
                meter: line.meter_id,
                effective: line.effective,
                used: line.used,
                own: effect.own(line),
                accounts: line.levels.len(),
                charged: usize::from(line.chain).checked_sub(1),
                has_top_ups,
            });
        }
    }

    /// What was used on one counter: (effective time, used, what of it was charged to that very account).
    pub fn on<'a>(&'a self, counter: &'a CounterKey) -> impl Iterator<Item = (Timestamp, Parts, i64)> + 'a {
        let (mut accounts, mut top_ups) = (&*self.accounts, &*self.top_ups);
        self.lines.iter().flat_map(move |line| {
            let (own_accounts, rest) = accounts.split_at(line.accounts);
            accounts = rest;
            let (own_top_ups, rest) = top_ups.split_at(if line.has_top_ups { line.accounts } else { 0 });
            top_ups = rest;
            let alike = own_accounts.iter().enumerate().filter(move |_| line.meter == counter.meter);
            alike.filter(|(_, account)| **account == counter.account).map(move |(level, _)| {
                let own = if line.charged == Some(level) { line.own } else { 0 };
                (line.effective, Parts::of(line.used, own_top_ups.get(level).copied().unwrap_or(0)), own)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::{Kind, Line, LineLevel, RequestStamp};
    use crate::domain::name::IdKey;
    use crate::domain::reservation::About;
    use std::sync::Arc;

    fn line(meter: u64, used: i64, chain: u8, levels: &[(u128, i64)]) -> Line {
        let level = |(account, used_top_up): &(u128, i64)| LineLevel {
            account: Uid(*account),
            used_top_up: *used_top_up,
            held_top_up: 1,
        };
        Line {
            charge: 0,
            about: Arc::new(About::of("a", "m", MeterId(meter))),
            effective: Timestamp::from_millis(used),
            used,
            held: 5,
            levels: levels.iter().map(level).collect(),
            chain,
            price: None,
        }
    }

    fn effect(kind: Kind, lines: Vec<Line>) -> Effect {
        let (time, amounts) = (Timestamp::from_millis(0), vec![10, 4]);
        let request = Some(RequestStamp { key: IdKey(1), fingerprint: 0, reservation: None, amounts });
        Effect { tenant: Uid(1), time, catalog_version: 0, kind, request, reservation: None, lines, note: None }
    }

    #[test]
    fn each_line_counts_on_its_accounts_with_what_was_charged_to_them_and_the_top_ups_parts() {
        let mut used = Used::default();
        let lines = vec![
            line(1, 7, 2, &[(1, 0), (2, 0), (3, 0)]),
            line(1, 0, 1, &[(2, 0)]),
            line(2, 8, 1, &[(2, 3)]),
            line(1, 9, 2, &[(1, 2), (2, 0)]),
            line(1, 0, 2, &[(1, 0), (2, -4)]),
        ];
        used.add(&effect(Kind::Commit, lines));
        // What an adjustment took from the account itself stands in its amounts.
        used.add(&effect(Kind::Adjust, vec![line(1, -9, 1, &[(2, -1)])]));
        // More of a chain than there are accounts: none is charged itself.
        used.add(&effect(Kind::Adjust, vec![line(1, 2, 2, &[(2, 0)])]));
        let on = |account, meter| {
            let key = CounterKey { account: Uid(account), meter: MeterId(meter) };
            used.on(&key).map(|(at, parts, own)| (at.millis(), parts.period, parts.top_up, own)).collect::<Vec<_>>()
        };
        assert_eq!(on(1, 1), [(7, 7, 0, 0), (9, 7, 2, 0), (0, 0, 0, 0)]);
        assert_eq!(on(2, 1), [(7, 7, 0, 7), (9, 9, 0, 9), (0, 4, -4, 0), (-9, -8, -1, -6), (2, 2, 0, 0)]);
        assert_eq!((on(3, 1), on(2, 2), on(3, 2)), (vec![(7, 7, 0, 0)], vec![(8, 5, 3, 8)], Vec::new()));
    }
}
