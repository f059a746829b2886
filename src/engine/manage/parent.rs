//! Whether limits fit into what the accounts above have left, for meters that want it (S1.32, S1.33). What is used is asked while the
//! catalog's version is held to what it was; a use in between does no harm, because both limits bind when something is admitted.

use super::quotas::QuotaError;
use crate::domain::meter::Meter;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::quota::{Limit, Quota, Subject};
use crate::domain::time::Timestamp;
use crate::domain::window::WindowKind;
use crate::engine::call::{CallError, MeterUsage};
use crate::engine::ports::Boxed;

/// What is used now.
pub trait LiveUse: Send + Sync {
    /// An account's windows on a meter.
    fn windows<'a>(
        &'a self,
        account: &'a AccountName,
        meter: &'a MeterName,
    ) -> Boxed<'a, Result<Option<MeterUsage>, CallError>>;
}

/// A quota that is to be set, with the field that it came in.
pub(super) struct Wanted<'a> {
    pub(super) field: String,
    pub(super) quota: &'a Quota,
    /// What it takes the place of.
    pub(super) before: Option<&'a Quota>,
}

/// Refuses limits that are above what an account above has available: its limit less what is used there, and plus the limit that
/// is replaced. A raise is judged likewise, unless it has ended or stood there before. Where nothing is limited above, anything fits.
pub(super) async fn check(
    wanted: &[Wanted<'_>],
    meters: &[Meter],
    now: Timestamp,
    live: &dyn LiveUse,
) -> Result<(), QuotaError> {
    let mut above = Vec::new();
    for Wanted { field, quota, before } in wanted {
        let before = *before;
        let Subject::Account(account) = &quota.subject else { continue };
        if !meters.iter().any(|meter| meter.name == quota.meter && meter.within_parent) {
            continue;
        }
        let levels = account.depth() - 1;
        for parent in account.chain().take(levels).filter_map(|name| name.parse::<AccountName>().ok()) {
            let Some(usage) = live.windows(&parent, &quota.meter).await? else { continue };
            for window in &usage.windows {
                let (Some(limit), kind) = (window.limit, window.kind) else { continue };
                let own =
                    (amount(&quota.limits, kind), before.and_then(|before| amount(&before.limits, kind)), "limits");
                let raise =
                    (raised(quota, before, kind, now), before.and_then(|before| in_force(before, kind, now)), "raise");
                for (asked, back, what) in [own, raise] {
                    let Some(asked) = asked else { continue };
                    let available = i128::from(limit) - i128::from(window.used) + i128::from(back.unwrap_or(0));
                    if i128::from(asked) > available {
                        let available = available.max(0);
                        let why = format!("{asked} is above the {available} that {parent} has available ({kind})");
                        above.push((format!("{field}.{what}"), why));
                    }
                }
            }
        }
    }
    if above.is_empty() { Ok(()) } else { Err(QuotaError::AboveParent(above)) }
}

/// What a new raise would set over a window.
fn raised(quota: &Quota, before: Option<&Quota>, kind: WindowKind, now: Timestamp) -> Option<u64> {
    let raise = quota.raise.as_ref().filter(|raise| !raise.is_over(now))?;
    let stood = before.is_some_and(|before| before.raise.as_ref() == Some(raise));
    if stood { None } else { raise.of(kind)?.finite() }
}

/// The limit that is in force at `now`, where it is finite.
fn in_force(quota: &Quota, kind: WindowKind, now: Timestamp) -> Option<u64> {
    let raise = quota.raise.as_ref().filter(|raise| !raise.is_over(now));
    match raise.and_then(|raise| raise.of(kind)) {
        Some(raised) => raised.finite(),
        None => amount(&quota.limits, kind),
    }
}

fn amount(limits: &[Limit], kind: WindowKind) -> Option<u64> {
    limits.iter().find(|limit| limit.window.kind == kind).and_then(|limit| limit.value.finite())
}
