//! Everything that ever happened to any counter, as a plain list; every figure is summed over it when it is asked for.

use super::MAX;
use super::windows::Shape;

/// One change of one account on one meter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fact {
    pub(crate) account: &'static str,
    pub(crate) meter: &'static str,
    /// When the reservation was made: what decides in which periods it counts.
    pub(crate) at: i64,
    /// When the change was made: what a rate looks at.
    pub(crate) recorded: i64,
    /// Change of what is used and held, the top-up's parts included.
    pub(crate) used: i128,
    pub(crate) held: i128,
    /// The parts of these that stand in the top-up.
    pub(crate) used_top: i128,
    pub(crate) held_top: i128,
    /// Whether this very account was charged, and not one below it.
    pub(crate) own: bool,
    /// Number of the operation and of its charge: one operation changes a counter once for each charge.
    pub(crate) cause: (usize, usize),
}

/// What a window has counted, and what a limit leaves of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Figures {
    pub(crate) used: i128,
    pub(crate) held: i128,
    pub(crate) remaining: i128,
    pub(crate) reset: Option<i64>,
}

/// The list.
#[derive(Clone, Default)]
pub(crate) struct Facts {
    pub(crate) list: Vec<Fact>,
}

impl Facts {
    /// Adds a change; the changes that one charge of one operation makes on one account are one change.
    pub(crate) fn add(&mut self, new: Fact) {
        let same = |fact: &&mut Fact| fact.cause == new.cause && fact.account == new.account;
        match self.list.iter_mut().rev().take_while(|fact| fact.cause.0 == new.cause.0).find(same) {
            Some(fact) => {
                fact.used += new.used;
                fact.held += new.held;
                fact.used_top += new.used_top;
                fact.held_top += new.held_top;
            }
            None => self.list.push(new),
        }
    }

    fn of<'a>(&'a self, account: &'a str, meter: &'a str) -> impl Iterator<Item = &'a Fact> {
        self.list.iter().filter(move |fact| fact.account == account && fact.meter == meter)
    }

    /// Used and held in [start, end), the top-up's parts left out.
    pub(crate) fn within(&self, account: &str, meter: &str, (start, end): (i64, i64)) -> (i128, i128) {
        self.of(account, meter).filter(|fact| start <= fact.at && fact.at < end).fold((0, 0), |(used, held), fact| {
            (cut(used + fact.used - fact.used_top), cut(held + fact.held - fact.held_top))
        })
    }

    /// Used and held in the top-up.
    pub(crate) fn top_up(&self, account: &str, meter: &str) -> (i128, i128) {
        self.of(account, meter)
            .fold((0, 0), |(used, held), fact| (cut(used + fact.used_top), cut(held + fact.held_top)))
    }

    /// Used by charges on this very account.
    pub(crate) fn own(&self, account: &str, meter: &str) -> i128 {
        self.of(account, meter).filter(|fact| fact.own).fold(0, |own, fact| cut(own + fact.used))
    }

    /// A window of the periods at `at`, seen at `now`: its figures, what `limit` leaves, and when it resets for somebody
    /// who wants `amount`.
    pub(crate) fn window(
        &self,
        (account, meter): (&str, &str),
        shape: Shape,
        limit: Option<u64>,
        (at, now): (i64, i64),
        amount: i128,
    ) -> Figures {
        let capped = i128::from(limit.unwrap_or(u64::MAX)).min(MAX.into());
        match shape {
            Shape::Sliding(length) => self.sliding((account, meter), length / 60, limit, now, amount),
            Shape::Rate(length) => self.rate((account, meter), length.into(), limit, now, amount),
            _ => {
                let period = shape.period(at);
                let (used, held) = self.within(account, meter, period);
                let reset = (period.1 != i64::MAX).then_some(period.1);
                Figures { used, held, remaining: capped - used - held, reset }
            }
        }
    }

    /// Sixty steps and the one that is running, the oldest counted whole.
    fn sliding(
        &self,
        (account, meter): (&str, &str),
        step: i64,
        limit: Option<u64>,
        now: i64,
        amount: i128,
    ) -> Figures {
        let running = now.div_euclid(step);
        let one = |number: i64| self.within(account, meter, (number * step, (number + 1) * step));
        let steps: Vec<(i64, (i128, i128))> =
            (running - 60..=running).map(|number| (number, one(number))).filter(|(_, one)| *one != (0, 0)).collect();
        let used = steps.iter().fold(0, |used, (_, one)| cut(used + one.0));
        let held = steps.iter().fold(0, |held, (_, one)| cut(held + one.1));
        // The first step with whose end the later ones alone leave room for the amount.
        let wanted = |from: usize| amount.max(1) + steps[from..].iter().map(|(_, one)| one.0 + one.1).sum::<i128>();
        let finite = i128::from(limit.unwrap_or(0)).min(MAX.into());
        let enough = (0..steps.len()).find(|index| wanted(index + 1) <= finite);
        let reset = enough.map(|index| (steps[index].0 + 61) * step);
        let capped = i128::from(limit.unwrap_or(u64::MAX)).min(MAX.into());
        Figures { used, held, remaining: capped - used - held, reset }
    }

    /// A bucket in amount x milliseconds, refilled by every change and drained by `limit` per millisecond.
    fn rate(
        &self,
        (account, meter): (&str, &str),
        length: i128,
        limit: Option<u64>,
        now: i64,
        amount: i128,
    ) -> Figures {
        let speed = i128::from(limit.unwrap_or(0));
        let (mut backlog, mut since) = (0, i64::MIN);
        let drained =
            |backlog: i128, since: i64, until: i64| (backlog - i128::from(until.saturating_sub(since)) * speed).max(0);
        for fact in self.of(account, meter) {
            let change = fact.used - fact.used_top + fact.held - fact.held_top;
            // Forced use may go beyond what 64 bits hold; there it stays.
            backlog = (drained(backlog, since, fact.recorded) + change * length).clamp(0, MAX.into());
            since = fact.recorded;
        }
        backlog = drained(backlog, since, now);
        let full = speed * length;
        let missing = (backlog + amount * length - full).max(0);
        let reset = (amount <= speed && speed > 0)
            .then(|| now.saturating_add(i64::try_from((missing + speed - 1) / speed).unwrap_or(i64::MAX)));
        let used = (backlog + length - 1) / length;
        Figures { used, held: 0, remaining: (full - backlog).div_euclid(length), reset }
    }
}

fn cut(figure: i128) -> i128 {
    figure.clamp(0, MAX.into())
}

#[test]
fn figures_are_sums_over_the_list() {
    let mut facts = Facts::default();
    let mut operation = 0;
    let mut add = |facts: &mut Facts, at, recorded, used, held, held_top| {
        operation += 1;
        let cause = (operation, 0);
        facts.add(Fact { account: "a", meter: "m", at, recorded, used, held, used_top: 0, held_top, own: true, cause });
    };
    add(&mut facts, 1_000, 1_000, 0, 7, 2);
    add(&mut facts, 61_000, 61_000, 4, 0, 0);
    assert_eq!(facts.within("a", "m", (0, 60_000)), (0, 5));
    assert_eq!(facts.within("a", "m", (i64::MIN, i64::MAX)), (4, 5));
    assert_eq!(facts.top_up("a", "m"), (0, 2));
    assert_eq!(facts.own("a", "m"), 4);
    let sliding_for = |now, amount| facts.window(("a", "m"), Shape::Sliding(60_000), Some(10), (now, now), amount);
    let sliding = |now| sliding_for(now, 1);
    assert_eq!([sliding_for(61_999, 7).reset, sliding_for(61_999, 11).reset], [Some(122_000), None]);
    assert_eq!(sliding(61_999), Figures { used: 4, held: 5, remaining: 1, reset: Some(62_000) }, "the oldest, whole");
    assert_eq!(sliding(62_000), Figures { used: 4, held: 0, remaining: 6, reset: Some(122_000) });
    let rate = |now| facts.window(("a", "m"), Shape::Rate(10_000), Some(10), (now, now), 10);
    assert_eq!(rate(61_000), Figures { used: 4, held: 0, remaining: 6, reset: Some(65_000) });
    assert_eq!(rate(62_500), Figures { used: 3, held: 0, remaining: 7, reset: Some(65_000) });
}
