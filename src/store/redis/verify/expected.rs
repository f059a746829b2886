//! What a counter must be: the ledger's answer, what the journal has beyond it, and what is held; and where it is not that.

use super::follower::{Holds, Use};
use crate::domain::amount;
use crate::domain::counter::{Counter, Gauge, STEPS, Usage};
use crate::domain::time::{Period, Timestamp};
use crate::engine::ports::{CounterKey, UsageAnswer, UsageQuery};
use std::collections::BTreeMap;

/// One figure that is not what it must be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wrong {
    /// Of which window; empty: of none.
    pub window: String,
    pub figure: &'static str,
    pub kept: Option<i64>,
    pub expected: Option<i64>,
}

/// What became of a comparison.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Judged {
    /// All is as it must be, or the counter is not there.
    Right,
    /// These figures are not.
    Wrong(Vec<Wrong>),
    /// A figure was cut to its range on the way: no sum tells it.
    Cut,
    /// It is being loaded from the ledger.
    Loading,
    /// It has windows for which the ledger was not asked: it changed between two looks.
    Unread,
}

/// What the ledger is asked of a counter: its lifetime, then each of its windows that has an answer there (a rate has none).
pub(super) fn queries(key: CounterKey, counter: &Counter, now: Timestamp) -> Vec<UsageQuery> {
    let query = |period, step| UsageQuery { counter: key, period, step, holds: false };
    let of = |gauge: &Gauge| match gauge {
        Gauge::Period { period, .. } => Some(query(*period, None)),
        Gauge::Sliding { step, .. } => {
            let start = Timestamp::from_millis(oldest(now, *step).saturating_mul(*step));
            Some(query(Period { start, end: Timestamp::MAX }, Some(*step)))
        }
        Gauge::Rate { .. } => None,
    };
    let windows = counter.windows.iter().filter_map(|count| of(&count.gauge));
    std::iter::once(query(Period::ALWAYS, None)).chain(windows).collect()
}

/// The true figures of a counter, in parts.
pub(super) struct Truth<'a> {
    /// What the ledger was asked, and its answers.
    pub ledger: &'a [(UsageQuery, UsageAnswer)],
    /// What was used beyond.
    pub beyond: &'a [Use],
    /// What is held.
    pub holds: &'a Holds,
    /// The store's time.
    pub now: Timestamp,
}

impl Truth<'_> {
    /// Compares a counter with what it must be.
    pub(super) fn judge(&self, counter: &Counter) -> Judged {
        if counter.cut {
            return Judged::Cut;
        }
        let mut findings = Findings::default();
        if counter.lifetime_known {
            self.lifetime(counter, &mut findings);
        }
        for count in &counter.windows {
            let known = match &count.gauge {
                Gauge::Period { period, usage } => self.period(*period, *usage, &mut findings),
                Gauge::Sliding { step, buckets } => self.sliding(*step, buckets, &mut findings),
                Gauge::Rate { .. } => true,
            };
            if !known {
                return Judged::Unread;
            }
        }
        match (findings.cut, findings.wrong.is_empty()) {
            (true, _) => Judged::Cut,
            (false, true) => Judged::Right,
            (false, false) => Judged::Wrong(findings.wrong),
        }
    }

    fn lifetime(&self, counter: &Counter, findings: &mut Findings) {
        let Some((_, answer)) = self.ledger.first() else { return };
        let beyond = |part: fn(&Use) -> i64| self.beyond.iter().map(|used| i128::from(part(used))).sum::<i128>();
        let top_up = i128::from(answer.used.top_up) + beyond(|used| used.top_up);
        findings.compare("", "top-up used", counter.top_up.used, top_up);
        let held = self.holds.values().map(|hold| hold.top_up).sum();
        findings.compare("", "top-up held", counter.top_up.held, held);
        findings.compare("", "own", counter.own, i128::from(answer.own) + beyond(|used| used.own));
    }

    fn period(&self, period: Period, kept: Usage, findings: &mut Findings) -> bool {
        let asked = self.ledger.iter().find(|(query, _)| query.period == period && query.step.is_none());
        let Some((_, answer)) = asked else { return false };
        let inside = self.beyond.iter().filter(|used| period.contains(used.at));
        let used = i128::from(answer.used.total) - i128::from(answer.used.top_up);
        let used = used + inside.map(in_period).sum::<i128>();
        let held = self.holds.iter().filter(|(at, _)| period.contains(**at)).map(|(_, hold)| hold.held - hold.top_up);
        let window = match period {
            Period::ALWAYS => String::from("lifetime"),
            Period { start, end } => format!("from {start} to {end}"),
        };
        findings.compare(&window, "used", kept.used, used);
        findings.compare(&window, "held", kept.held, held.sum());
        true
    }

    /// Steps that count no longer are not looked at: nobody keeps them up to date.
    fn sliding(&self, step: i64, buckets: &[(i64, Usage)], findings: &mut Findings) -> bool {
        let Some((_, answer)) = self.ledger.iter().find(|(query, _)| query.step == Some(step)) else { return false };
        let mut steps: BTreeMap<i64, (Usage, i128, i128)> = BTreeMap::new();
        for (index, usage) in buckets {
            steps.entry(*index).or_default().0 = *usage;
        }
        for (index, used) in &answer.steps {
            steps.entry(*index).or_default().1 += i128::from(used.total) - i128::from(used.top_up);
        }
        for used in self.beyond {
            steps.entry(used.at.millis().div_euclid(step)).or_default().1 += in_period(used);
        }
        for (at, hold) in self.holds {
            steps.entry(at.millis().div_euclid(step)).or_default().2 += hold.held - hold.top_up;
        }
        for (index, (kept, used, held)) in steps.range(oldest(self.now, step)..) {
            let window = format!("the step from {}", Timestamp::from_millis(index.saturating_mul(step)));
            findings.compare(&window, "used", kept.used, *used);
            findings.compare(&window, "held", kept.held, *held);
        }
        true
    }
}

fn in_period(used: &Use) -> i128 {
    i128::from(used.total) - i128::from(used.top_up)
}

/// The oldest step of a sliding window that counts.
fn oldest(now: Timestamp, step: i64) -> i64 {
    now.millis().div_euclid(step) - STEPS
}

#[derive(Default)]
struct Findings {
    wrong: Vec<Wrong>,
    cut: bool,
}

impl Findings {
    fn compare(&mut self, window: &str, figure: &'static str, kept: u64, expected: i128) {
        if !(0..i128::from(amount::MAX)).contains(&expected) {
            self.cut = true;
        } else if i128::from(kept) != expected {
            let (kept, expected) = (i64::try_from(kept).ok(), i64::try_from(expected).ok());
            self.wrong.push(Wrong { window: window.to_owned(), figure, kept, expected });
        }
    }
}
