//! The model's adjustments: line by line on the list of facts, which is put back as it was if one can't be.

use super::facts::Fact;
use super::reservation::{Ask, Change, path};
use super::spec::Model;
use super::{digest::Said, windows::Shape};

impl Model {
    /// Corrects what was used; says what was charged to each line's account before and after.
    pub(crate) fn adjust(&mut self, asks: &[Ask], changes: &[Change]) -> Said {
        if asks.iter().zip(changes).any(|(ask, change)| self.is_not_judged(ask, change)) {
            return Said::Refused(String::from("BadCharges"));
        }
        let saved = self.facts.clone();
        let mut amounts = Vec::new();
        for (line, (ask, change)) in asks.iter().zip(changes).enumerate() {
            let before = self.facts.own(ask.account, ask.meter);
            if let Err(refused) = self.adjust_line(line, ask, change, before) {
                self.facts = saved;
                return Said::Refused(refused);
            }
            amounts.extend([before, self.facts.own(ask.account, ask.meter)]);
        }
        Said::Freed { view: None, amounts, replayed: false }
    }

    /// What can't be asked for: measuring what adds up.
    fn is_not_judged(&self, ask: &Ask, change: &Change) -> bool {
        matches!(change, Change::To(..)) && !self.catalog.meter(ask.meter).unwrap().allocation
    }

    fn adjust_line(&mut self, line: usize, ask: &Ask, change: &Change, own: i128) -> Result<(), String> {
        let (by, at) = match *change {
            Change::By(by, at) => (i128::from(by), at.unwrap_or(self.now)),
            Change::To(measured, expected) => {
                if expected.is_some_and(|expected| i128::from(expected) != own) {
                    let level = path(ask).iter().position(|account| *account == ask.account).unwrap();
                    return Err(format!("Unexpected({})", short(line, level, own)));
                }
                (i128::from(measured) - own, self.now)
            }
        };
        for (level, account) in path(ask).into_iter().enumerate().rev() {
            let mut bindings = self.catalog.bindings(account, ask.meter).into_iter();
            if by < 0 && bindings.any(|binding| binding.shape.period(at) != binding.shape.period(self.now)) {
                return Err(format!("PeriodEnded({})", short(line, level, 0)));
            }
            // What goes back leaves the top-up first.
            let given_back = -self.facts.top_up(account, ask.meter).0.min(-by);
            let used_top = if by < 0 { given_back } else { self.top_added(ask, account, by, at) };
            if by < 0
                && let Some(in_use) = self.lacks(ask, account, -by, -used_top, at)
            {
                return Err(format!("BelowZero({})", short(line, level, in_use)));
            }
            self.facts.add(Fact {
                account,
                meter: ask.meter,
                at,
                recorded: self.now,
                used: by,
                held: 0,
                used_top,
                held_top: 0,
                own: account == ask.account,
                cause: (self.operation, line),
            });
        }
        Ok(())
    }

    /// What is added stands in the top-up as far as the present periods that have its time leave no room.
    fn top_added(&self, ask: &Ask, account: &str, by: i128, at: i64) -> i128 {
        let bindings = self.catalog.bindings(account, ask.meter);
        let reached = bindings.iter().filter(|binding| {
            let (start, end) = binding.shape.period(self.now);
            binding.enforced && start <= at && at < end
        });
        let rest = reached.map(|binding| self.figures(account, ask.meter, binding, self.now, 0).remaining).min();
        (by - rest.map_or(by, |rest| rest.max(0))).clamp(0, self.top_up_rest(account, ask.meter))
    }

    /// What is in use, where that is less than what is to go back.
    fn lacks(&self, ask: &Ask, account: &str, size: i128, top: i128, at: i64) -> Option<i128> {
        let used = |shape: Shape| match shape {
            Shape::Rate(_) => None,
            Shape::Sliding(length) => {
                let step = length / 60;
                let index = at.div_euclid(step);
                let counts = index >= self.now.div_euclid(step) - 60;
                counts.then(|| self.facts.within(account, ask.meter, (index * step, (index + 1) * step)).0)
            }
            _ => Some(self.facts.within(account, ask.meter, shape.period(at)).0),
        };
        let bindings = self.catalog.bindings(account, ask.meter);
        let there = bindings.iter().filter_map(|binding| used(binding.shape)).min();
        if let Some(there) = there.filter(|there| *there < size - top) {
            return Some(there + self.facts.top_up(account, ask.meter).0);
        }
        let allocation = self.catalog.meter(ask.meter).unwrap().allocation;
        let own = self.facts.own(account, ask.meter);
        (account == ask.account && (allocation || there.is_none()) && own < size).then_some(own)
    }
}

fn short(line: usize, level: usize, in_use: i128) -> String {
    format!("Short {{ line: {line}, level: {level}, in_use: {in_use} }}")
}
