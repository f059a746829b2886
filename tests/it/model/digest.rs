//! Answers in one plain form that the model makes by itself and into which the engine's are brought.

use quotad::domain::decision::Refusal;
use quotad::domain::error::RuleError;
use quotad::domain::reservation;
use quotad::engine::adjust::Adjusted;
use quotad::engine::call::{Answer, CallError, Denial, Extended, Freed, MeterUsage, Verdict};
use std::sync::Arc;

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// A check that passes: its limits, account by account.
    Allowed(Vec<Line>),
    /// It does not fit, and why, sorted.
    Denied { violations: Vec<Line>, replayed: bool },
    /// How the reservation stands.
    Stands { view: View, replayed: bool },
    /// How it stands after an extend, and why it was not raised.
    Extended { view: View, violations: Vec<Line>, replayed: bool },
    /// What went back; or, of an adjustment, what was charged before and after.
    Freed { view: Option<View>, amounts: Vec<i128>, replayed: bool },
    /// The windows of an account on a meter, and what its top-up leaves.
    Usage { windows: Vec<Line>, top_up: Option<i128> },
    /// A rule refuses it, by the name of its error.
    Refused(String),
}

/// One limit with its figures.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Line {
    pub(crate) account: String,
    pub(crate) meter: String,
    pub(crate) kind: String,
    pub(crate) limit: Option<u64>,
    pub(crate) used: i128,
    pub(crate) held: i128,
    pub(crate) remaining: Option<i128>,
    pub(crate) requested: i128,
    pub(crate) reset: Option<i64>,
    /// Why it denies, or the state of the account.
    pub(crate) word: String,
}

/// A reservation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct View {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    /// The flags that are set.
    pub(crate) flags: Vec<&'static str>,
    pub(crate) create: i64,
    pub(crate) expire: i64,
    pub(crate) charges: Vec<ChargeView>,
}

/// One of its charges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ChargeView {
    pub(crate) account: String,
    pub(crate) meter: String,
    pub(crate) item: String,
    pub(crate) asked: Option<u64>,
    pub(crate) held: i128,
    pub(crate) committed: i128,
    pub(crate) freed: i128,
}

impl View {
    /// Of the engine's reservation.
    pub(crate) fn of(reservation: &reservation::Reservation) -> View {
        let flags = [
            (reservation.flags.overrun, "overrun"),
            (reservation.flags.late, "late"),
            (reservation.flags.recovered, "recovered"),
            (reservation.flags.unenforced, "unenforced"),
        ];
        View {
            id: reservation.id.to_string(),
            state: match reservation.state {
                reservation::State::Held => "HELD",
                reservation::State::PartiallyCommitted => "PARTIALLY_COMMITTED",
                reservation::State::Committed => "COMMITTED",
                reservation::State::Released => "RELEASED",
                reservation::State::Expired => "EXPIRED",
                reservation::State::Parked => "PARKED",
            },
            flags: flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect(),
            create: reservation.create_time.millis(),
            expire: reservation.expire_time.millis(),
            charges: reservation
                .charges
                .iter()
                .map(|charge| ChargeView {
                    account: charge.account.to_string(),
                    meter: charge.meter.to_string(),
                    item: charge.item.to_string(),
                    asked: charge.asked,
                    held: charge.held.into(),
                    committed: charge.committed.into(),
                    freed: charge.freed.into(),
                })
                .collect(),
        }
    }
}

impl Said {
    /// The id of the reservation that stands.
    pub(crate) fn reservation(&self) -> Option<String> {
        if let Said::Stands { view, .. } = self { Some(view.id.clone()) } else { None }
    }

    /// Of a check.
    pub(crate) fn check(answer: Result<Verdict<Vec<quotad::engine::call::AllowanceLine>>, CallError>) -> Said {
        match answer {
            Err(error) => refused(&error),
            Ok(Verdict::Denied(denial)) => Said::Denied { violations: violations(&denial), replayed: false },
            Ok(Verdict::Granted(lines)) => {
                let mut lines: Vec<Line> = lines
                    .into_iter()
                    .map(|line| Line {
                        account: line.account.to_string(),
                        meter: line.meter.to_string(),
                        kind: line.kind.as_str().to_owned(),
                        limit: line.limit,
                        used: line.used.into(),
                        held: line.held.into(),
                        remaining: line.remaining.map(i128::from),
                        requested: 0,
                        reset: None,
                        word: String::new(),
                    })
                    .collect();
                lines.sort();
                Said::Allowed(lines)
            }
        }
    }

    /// Of a reserve or consume.
    pub(crate) fn reserve(answer: Result<Answer<Verdict<Arc<reservation::Reservation>>>, CallError>) -> Said {
        match answer {
            Err(error) => refused(&error),
            Ok(Answer { value: Verdict::Denied(denial), replayed, .. }) => {
                Said::Denied { violations: violations(&denial), replayed }
            }
            Ok(Answer { value: Verdict::Granted(held), replayed, .. }) => {
                Said::Stands { view: View::of(&held), replayed }
            }
        }
    }

    /// Of a commit or release.
    pub(crate) fn settle(answer: Result<Answer<Arc<reservation::Reservation>>, CallError>) -> Said {
        match answer {
            Err(error) => refused(&error),
            Ok(answer) => Said::Stands { view: View::of(&answer.value), replayed: answer.replayed },
        }
    }

    /// Of a look at one reservation.
    pub(crate) fn get(answer: Result<reservation::Reservation, CallError>) -> Said {
        match answer {
            Err(error) => refused(&error),
            Ok(reservation) => Said::Stands { view: View::of(&reservation), replayed: false },
        }
    }

    /// Of an extend.
    pub(crate) fn extend(answer: Result<Answer<Extended>, CallError>) -> Said {
        match answer {
            Err(error) => refused(&error),
            Ok(answer) => Said::Extended {
                view: View::of(&answer.value.reservation),
                violations: answer.value.denied.as_ref().map(violations).unwrap_or_default(),
                replayed: answer.replayed,
            },
        }
    }

    /// Of a free.
    pub(crate) fn free(answer: Result<Answer<Freed>, CallError>) -> Said {
        match answer {
            Err(error) => refused(&error),
            Ok(answer) => Said::Freed {
                view: answer.value.reservation.as_ref().map(View::of),
                amounts: answer.value.amounts.iter().map(|amount| i128::from(*amount)).collect(),
                replayed: answer.replayed,
            },
        }
    }

    /// Of an adjustment: by line, what was charged to its account before and after.
    pub(crate) fn adjust(answer: Result<Answer<Vec<Adjusted>>, CallError>) -> Said {
        match answer {
            Err(error) => refused(&error),
            Ok(answer) => {
                let amounts = answer.value.iter().flat_map(|one| [one.before, one.after]).map(i128::from).collect();
                Said::Freed { view: None, amounts, replayed: answer.replayed }
            }
        }
    }

    /// Of a look at one meter of one account.
    pub(crate) fn usage(account: &str, usage: &MeterUsage) -> Said {
        let mut windows: Vec<Line> = usage
            .windows
            .iter()
            .map(|window| Line {
                account: account.to_owned(),
                meter: usage.meter.to_string(),
                kind: window.kind.as_str().to_owned(),
                limit: window.limit,
                used: window.used.into(),
                held: window.held.into(),
                remaining: None,
                requested: 0,
                reset: None,
                word: format!("{:?}", window.state),
            })
            .collect();
        windows.sort();
        Said::Usage { windows, top_up: usage.top_up_remaining.map(i128::from) }
    }
}

/// The violations of a denial, sorted; they must have come with the least remaining first (S4.25).
fn violations(denial: &Denial) -> Vec<Line> {
    let figures: Vec<&Refusal> = denial.violations.iter().map(|violation| &violation.refusal).collect();
    assert!(!figures.is_empty(), "a denial without a reason");
    assert!(figures.is_sorted_by_key(|refusal| refusal.remaining), "the least remaining comes first: {denial:?}");
    let mut lines: Vec<Line> = denial
        .violations
        .iter()
        .map(|violation| Line {
            account: violation.account.to_string(),
            meter: violation.meter.to_string(),
            kind: violation.refusal.kind.as_str().to_owned(),
            limit: violation.refusal.limit,
            used: violation.refusal.used.into(),
            held: violation.refusal.held.into(),
            remaining: Some(violation.refusal.remaining.into()),
            requested: violation.refusal.requested.into(),
            reset: violation.refusal.reset.map(|reset| reset.millis()),
            word: format!("{:?}", violation.refusal.cause),
        })
        .collect();
    lines.sort();
    lines
}

fn refused(error: &CallError) -> Said {
    match error {
        CallError::Rule(RuleError::Committed(_)) => Said::Refused(String::from("Committed")),
        CallError::Rule(rule) => Said::Refused(format!("{rule:?}")),
        CallError::BadCharges(_) => Said::Refused(String::from("BadCharges")),
        other => Said::Refused(format!("{other:?}")),
    }
}

/// The name of a refusal, or of the kind of answer: for counting what a run has seen.
pub(crate) fn outcome(said: &Said) -> String {
    let replayed = |text: &str, replayed: &bool| format!("{text}{}", if *replayed { " replayed" } else { "" });
    match said {
        Said::Allowed(_) => String::from("allowed"),
        Said::Denied { violations, replayed: again } => replayed(&format!("denied {}", violations[0].word), again),
        Said::Stands { view, replayed: again } => replayed(view.state, again),
        Said::Extended { violations, replayed: again, .. } if violations.is_empty() => replayed("extended", again),
        Said::Extended { violations, replayed: again, .. } => {
            replayed(&format!("not raised {}", violations[0].word), again)
        }
        Said::Freed { replayed: again, .. } => replayed("freed", again),
        Said::Usage { .. } => String::from("usage"),
        Said::Refused(error) => error.split('(').next().unwrap_or_default().to_owned(),
    }
}
