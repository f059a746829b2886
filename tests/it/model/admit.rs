//! The model's admission: sum what is asked of each counter, compare with what every limit leaves, deal out what fits.

use super::MAX;
use super::catalog::Binding;
use super::digest::Line;
use super::facts::Figures;
use super::reservation::{Ask, path};
use super::spec::Model;

/// A counter of one request: account, meter, and the charges that count there with the place of the account in the path
/// of each.
struct Counter {
    account: &'static str,
    meter: &'static str,
    charges: Vec<(usize, usize)>,
}

impl Model {
    /// Decides. `at` says in whose periods, `raise` which reservation's hold is to be raised. Answers by charge, by account of its path,
    /// what stands in the top-up; or every limit that stands in the way.
    pub(crate) fn admit(&self, asks: &[Ask], at: i64, raise: Option<usize>) -> Result<Vec<Vec<i128>>, Vec<Line>> {
        let counters = counters(asks);
        let mut lines = Vec::new();
        for counter in &counters {
            let sum = counter.sum(asks);
            // A raise by nothing asks nothing.
            for binding in
                self.catalog.bindings(counter.account, counter.meter).into_iter().filter(|_| raise.is_none() || sum > 0)
            {
                let mut figures = self.figures(counter.account, counter.meter, &binding, at, sum);
                if raise.is_some_and(|place| !self.is_kept(place, counter.account, counter.meter, binding.shape)) {
                    // What is kept no longer shows nothing.
                    figures =
                        Figures { used: 0, held: 0, remaining: binding.limit.unwrap_or(0).min(MAX).into(), ..figures };
                }
                if let Some(word) =
                    self.refuse(counter, &binding, figures, sum, at, raise.map(|place| self.held_by(place, counter)))
                {
                    lines.push(line(counter.account, counter.meter, &binding, figures, sum, word));
                }
            }
        }
        lines.extend(asks.iter().filter(|ask| raise.is_none() && self.denies_by_default(ask)).map(no_quota));
        lines.sort();
        if lines.is_empty() { Ok(self.deal(asks, at)) } else { Err(lines) }
    }

    /// Where amounts stand that are let in: by charge, by account of its path, the part in the top-up.
    pub(crate) fn deal(&self, asks: &[Ask], at: i64) -> Vec<Vec<i128>> {
        let mut parts: Vec<Vec<i128>> = asks.iter().map(|ask| vec![0; path(ask).len()]).collect();
        for counter in counters(asks) {
            let sum = counter.sum(asks);
            let rest = self.rest(counter.account, counter.meter, at).map_or(sum, |rest| rest.max(0));
            let in_top_up = (sum - rest).clamp(0, self.top_up_rest(counter.account, counter.meter));
            let mut in_period = sum - in_top_up;
            for (charge, level) in counter.charges {
                let amount = amount(&asks[charge]);
                parts[charge][level] = amount - amount.min(in_period);
                in_period -= amount.min(in_period);
            }
        }
        parts
    }

    /// The limits that a check passes, with their figures.
    pub(crate) fn allowance(&self, asks: &[Ask]) -> Vec<Line> {
        let mut lines = Vec::new();
        for counter in counters(asks) {
            for binding in self.catalog.bindings(counter.account, counter.meter) {
                let figures = self.figures(counter.account, counter.meter, &binding, self.now, 0);
                let mut line = line(counter.account, counter.meter, &binding, figures, 0, "");
                line.remaining = binding.limit.map(|_| figures.remaining);
                line.reset = None;
                lines.push(line);
            }
        }
        lines.sort();
        lines
    }

    fn refuse(
        &self,
        counter: &Counter,
        binding: &Binding,
        figures: Figures,
        sum: i128,
        at: i64,
        raise: Option<i128>,
    ) -> Option<&'static str> {
        if raise.is_some() && (binding.shape.period(at).1 <= self.now || binding.shape.has_slid_past(at, self.now)) {
            return binding.enforced.then_some("PeriodEnded");
        }
        if sum > MAX.into() || figures.used + figures.held + sum > MAX.into() {
            return Some("AmountRange");
        }
        if binding.limit.is_none() || !binding.enforced {
            return None;
        }
        if binding.hold_cap.is_some_and(|cap| sum + raise.unwrap_or(0) > cap.into()) {
            return Some("HoldShare");
        }
        let positive = self.catalog.meter(counter.meter).is_some_and(|meter| meter.positive);
        let top_up = self.top_up_rest(counter.account, counter.meter);
        let fits = |rest: i128| sum <= rest.max(0) + top_up && (!positive || rest.max(0) + top_up > 0);
        match (fits(figures.remaining), fits(figures.remaining + figures.held) && figures.held > 0) {
            (true, _) => None,
            (false, true) => Some("HeldByOthers"),
            (false, false) => Some("Spent"),
        }
    }

    /// What a reservation holds on a counter already.
    fn held_by(&self, place: usize, counter: &Counter) -> i128 {
        let charges = self.reservations[place].charges.iter().filter(|charge| {
            charge.ask.meter == counter.meter && charge.path.iter().any(|level| level.account == counter.account)
        });
        charges.map(|charge| charge.held).sum()
    }

    fn denies_by_default(&self, ask: &Ask) -> bool {
        let denies = self.catalog.meter(ask.meter).is_some_and(|meter| meter.deny_by_default);
        denies && !path(ask).iter().any(|account| self.catalog.has_quota(account, ask.meter))
    }

    /// One window's figures in the periods at `at`.
    pub(crate) fn figures(&self, account: &str, meter: &str, binding: &Binding, at: i64, amount: i128) -> Figures {
        self.facts.window((account, meter), binding.shape, binding.limit, (at, self.now), amount)
    }

    /// The least that an account's enforced limits leave on a meter.
    pub(crate) fn rest(&self, account: &str, meter: &str, at: i64) -> Option<i128> {
        let bindings = self.catalog.bindings(account, meter);
        let enforced = bindings.iter().filter(|binding| binding.enforced);
        enforced.map(|binding| self.figures(account, meter, binding, at, 0).remaining).min()
    }

    /// What an account's top-up leaves.
    pub(crate) fn top_up_rest(&self, account: &str, meter: &str) -> i128 {
        let (used, held) = self.facts.top_up(account, meter);
        let top_up = i128::from(self.catalog.top_up(account, meter).unwrap_or(0).min(MAX));
        (top_up - used - held).max(0)
    }
}

impl Counter {
    fn sum(&self, asks: &[Ask]) -> i128 {
        self.charges.iter().map(|(charge, _)| amount(&asks[*charge])).sum()
    }
}

fn amount(ask: &Ask) -> i128 {
    ask.amount.unwrap_or(0).into()
}

fn counters(asks: &[Ask]) -> Vec<Counter> {
    let mut counters: Vec<Counter> = Vec::new();
    for (charge, ask) in asks.iter().enumerate() {
        for (level, account) in path(ask).into_iter().enumerate() {
            match counters.iter_mut().find(|counter| (counter.account, counter.meter) == (account, ask.meter)) {
                Some(counter) => counter.charges.push((charge, level)),
                None => counters.push(Counter { account, meter: ask.meter, charges: vec![(charge, level)] }),
            }
        }
    }
    counters
}

fn line(account: &str, meter: &str, binding: &Binding, figures: Figures, requested: i128, word: &str) -> Line {
    Line {
        account: account.to_owned(),
        meter: meter.to_owned(),
        kind: binding.shape.kind().to_owned(),
        limit: binding.limit,
        used: figures.used,
        held: figures.held,
        remaining: Some(figures.remaining),
        // Beyond what the protocol can say it stays at the end.
        requested: requested.min(u64::MAX.into()),
        reset: figures.reset,
        word: word.to_owned(),
    }
}

fn no_quota(ask: &Ask) -> Line {
    Line {
        account: ask.account.to_owned(),
        meter: ask.meter.to_owned(),
        kind: String::from("lifetime"),
        limit: None,
        used: 0,
        held: 0,
        remaining: Some(0),
        requested: amount(ask),
        reset: None,
        word: String::from("NoQuota"),
    }
}
