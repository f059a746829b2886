//! Denials and allowances: every limit with its figures, and a sentence for a person (S0.29, S4.25).

use super::reservation::signed;
use super::time::timestamp;
use crate::domain::decision::{Cause, Refusal};
use crate::engine::call::{AllowanceLine, Denial, Violation};
use crate::proto::v1;

/// A denial as the protocol shows it.
pub fn denial(denial: &Denial) -> v1::Denial {
    v1::Denial {
        message: denial.violations.first().map(sentence).unwrap_or_default(),
        violations: denial.violations.iter().map(violation).collect(),
        tried_pools: denial.tried.iter().map(ToString::to_string).collect(),
    }
}

fn violation(violation: &Violation) -> v1::Violation {
    let refusal = &violation.refusal;
    v1::Violation {
        account: violation.account.to_string(),
        meter: violation.meter.to_string(),
        window: refusal.kind.as_str().to_owned(),
        limit: refusal.limit.map(signed),
        used: signed(refusal.used),
        held: signed(refusal.held),
        remaining: refusal.remaining,
        requested: signed(refusal.requested),
        reset_time: refusal.reset.and_then(timestamp),
        cause: cause(refusal.cause).into(),
        advice: advice(violation),
    }
}

fn cause(cause: Cause) -> v1::Cause {
    match cause {
        Cause::Spent => v1::Cause::Spent,
        Cause::HeldByOthers => v1::Cause::HeldByOthers,
        Cause::NoQuota => v1::Cause::NoQuota,
        Cause::AmountRange => v1::Cause::AmountRange,
        Cause::PeriodEnded => v1::Cause::PeriodEnded,
        Cause::HoldShare => v1::Cause::HoldShare,
        Cause::PoolNotFound => v1::Cause::PoolNotFound,
        Cause::PoolDisabled => v1::Cause::PoolDisabled,
        Cause::NotAMember => v1::Cause::NotAMember,
        Cause::NotPermitted => v1::Cause::NotPermitted,
    }
}

/// Names of the causes in the metrics, in the order of [`index`].
pub const CAUSES: [&str; 10] = [
    "SPENT",
    "HELD_BY_OTHERS",
    "NO_QUOTA",
    "AMOUNT_RANGE",
    "PERIOD_ENDED",
    "HOLD_SHARE",
    "POOL_NOT_FOUND",
    "POOL_DISABLED",
    "NOT_A_MEMBER",
    "NOT_PERMITTED",
];

/// The place of a denial's first cause in [`CAUSES`].
pub fn index(denial: &Denial) -> usize {
    match denial.violations.first().map(|violation| violation.refusal.cause) {
        Some(Cause::Spent) | None => 0,
        Some(Cause::HeldByOthers) => 1,
        Some(Cause::NoQuota) => 2,
        Some(Cause::AmountRange) => 3,
        Some(Cause::PeriodEnded) => 4,
        Some(Cause::HoldShare) => 5,
        Some(Cause::PoolNotFound) => 6,
        Some(Cause::PoolDisabled) => 7,
        Some(Cause::NotAMember) => 8,
        Some(Cause::NotPermitted) => 9,
    }
}

/// Says which limit of whom stands in the way, and its figures.
fn sentence(violation: &Violation) -> String {
    let refusal = &violation.refusal;
    let Violation { account, meter, .. } = violation;
    let Some(limit) = refusal.limit else {
        return match refusal.cause {
            Cause::NoQuota => format!("{meter}: {account} has no quota, and this meter needs one"),
            Cause::PoolNotFound => format!("{meter}: the chosen pool {account} is no more"),
            Cause::PoolDisabled => format!("{meter}: the pool {account} is disabled"),
            Cause::NotAMember => format!("{meter}: only members may use the pool {account}"),
            Cause::NotPermitted => format!("{meter}: {account} does not permit this"),
            _ => format!("{meter}: the amount of {} is beyond what can be counted", refusal.requested),
        };
    };
    let window = refusal.kind.as_str();
    let Refusal { used, held, requested, top_up, .. } = refusal;
    if let (Cause::HoldShare, Some(share)) = (refusal.cause, refusal.hold_cap) {
        return format!(
            "{meter}: one request may take {share} of the {window} limit of {limit} for {account} ({requested} requested)"
        );
    }
    let left = refusal.remaining.max(0);
    let beside = if *top_up > 0 { format!(" and {top_up} of the top-up") } else { String::new() };
    let figures = format!("{used} used, {held} held, {left} left{beside}, {requested} requested");
    format!("{meter}: the {window} limit of {limit} for {account} stands in the way ({figures})")
}

fn advice(violation: &Violation) -> String {
    let refusal = &violation.refusal;
    // Waiting does not help a request that no empty period has room for.
    if let (Cause::Spent, Some(limit)) = (refusal.cause, refusal.limit)
        && refusal.requested > limit.saturating_add(refusal.top_up)
    {
        let room = u64::try_from(refusal.remaining).unwrap_or(0).saturating_add(refusal.top_up);
        let fits = if room > 0 { format!("at most {room} now") } else { String::from("less") };
        return match (limit, refusal.top_up) {
            (0, 0) => String::from("ask an administrator for more"),
            (_, 0) => format!(
                "this asks for more than the whole limit of {limit}: ask for {fits}, or ask an administrator for more"
            ),
            (_, top_up) => format!(
                "this asks for more than the whole limit of {limit} and the {top_up} that the top-up leaves: ask for {fits}, \
                 or ask an administrator for more"
            ),
        };
    }
    let reset = refusal.reset.map(|time| format!(", or wait until {time}")).unwrap_or_default();
    match refusal.cause {
        Cause::Spent => format!("ask an administrator for more{reset}"),
        Cause::HeldByOthers => format!("retry when other reservations have ended{reset}"),
        Cause::NoQuota => String::from("ask an administrator for a quota"),
        Cause::PoolNotFound | Cause::PoolDisabled | Cause::NotAMember => String::from("choose another pool"),
        Cause::NotPermitted => {
            String::from("choose another item or pool; a suspended or closed account permits nothing")
        }
        Cause::AmountRange => String::from("ask for less"),
        Cause::PeriodEnded => String::from("commit this reservation and make a new one"),
        Cause::HoldShare => {
            let share = refusal.hold_cap.unwrap_or(0);
            format!("ask for at most {share} at a time, or ask an administrator for more")
        }
    }
}

/// The figures of a check that passes.
pub fn allowance(lines: &[AllowanceLine]) -> v1::Allowance {
    let line = |line: &AllowanceLine| v1::AllowanceLine {
        account: line.account.to_string(),
        meter: line.meter.to_string(),
        window: line.kind.as_str().to_owned(),
        limit: line.limit.map(signed),
        used: signed(line.used),
        held: signed(line.held),
        remaining: line.remaining,
    };
    // Every counter has a window to tell of; where none is told, nobody could be asked.
    v1::Allowance { limits: lines.iter().map(line).collect(), unenforced: lines.is_empty() }
}
