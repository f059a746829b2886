//! Whether limits fit into what the accounts above have left, for meters that want it (S1.32, S1.33). What is used is asked while the
//! catalog's version is held to what it was; a use in between does no harm, because both limits bind when something is admitted.

use super::quotas::QuotaError;
use super::raise::words;
use crate::domain::meter::Meter;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::quota::{Limit, LimitValue, Quota, Subject};
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
/// is replaced; unlimited is above whatever is limited. A raise is judged likewise, unless it has ended or stood there before. What
/// is raised above has room only for a raise that ends no later. Where nothing is limited above, anything fits.
pub(super) async fn check(
    wanted: &[Wanted<'_>],
    meters: &[Meter],
    now: Timestamp,
    live: &dyn LiveUse,
) -> Result<(), QuotaError> {
    let mut above = Vec::new();
    for Wanted { field, quota, before } in wanted {
        let Subject::Account(account) = &quota.subject else { continue };
        if !meters.iter().any(|meter| meter.name == quota.meter && meter.within_parent) {
            continue;
        }
        let levels = account.depth() - 1;
        for parent in account.chain().take(levels).filter_map(|name| name.parse::<AccountName>().ok()) {
            let Some(usage) = live.windows(&parent, &quota.meter).await? else { continue };
            for window in &usage.windows {
                for Asked { what, value, back, until } in asked(quota, *before, window.kind, now) {
                    // What is raised above is there for what ends no later.
                    let lasts = window.raised_until.is_some_and(|end| until.is_some_and(|until| until <= end));
                    let Some(limit) = (if lasts { window.limit } else { window.own }) else { continue };
                    let available = i128::from(limit) - i128::from(window.used) + i128::from(back.unwrap_or(0));
                    let fits = value.finite().is_some_and(|asked| i128::from(asked) <= available);
                    if !fits {
                        let (available, kind) = (available.max(0), window.kind);
                        let why =
                            format!("{} is above the {available} that {parent} has available ({kind})", words(value));
                        above.push((format!("{field}.{what}"), why));
                    }
                }
            }
        }
    }
    if above.is_empty() { Ok(()) } else { Err(QuotaError::AboveParent(above)) }
}

/// A limit that is to be set over a window.
struct Asked {
    /// In which field of the quota.
    what: &'static str,
    value: LimitValue,
    /// What is replaced.
    back: Option<u64>,
    /// Until when it is set; `None`: for good.
    until: Option<Timestamp>,
}

/// What a quota sets over a kind of window: its own limit, and a raise that is new. No limit that stood there unlimited is asked about.
fn asked(quota: &Quota, before: Option<&Quota>, kind: WindowKind, now: Timestamp) -> Vec<Asked> {
    let own = |value| {
        let stood = before.and_then(|before| limit(&before.limits, kind));
        Asked { what: "limits", value, back: stood.and_then(LimitValue::finite), until: None }
    };
    let raised = |(value, until)| {
        let stood = before.and_then(|before| in_force(before, kind, now));
        Asked { what: "raise", value, back: stood.and_then(LimitValue::finite), until: Some(until) }
    };
    let is_kept = |value: &LimitValue| {
        *value == LimitValue::Unlimited && before.and_then(|before| limit(&before.limits, kind)) == Some(*value)
    };
    let own = limit(&quota.limits, kind).filter(|value| !is_kept(value)).map(own);
    own.into_iter().chain(raised_anew(quota, before, kind, now).map(raised)).collect()
}

/// What a new raise would set over a window, and until when.
fn raised_anew(
    quota: &Quota,
    before: Option<&Quota>,
    kind: WindowKind,
    now: Timestamp,
) -> Option<(LimitValue, Timestamp)> {
    let raise = quota.raise.as_ref().filter(|raise| !raise.is_over(now))?;
    let stood = before.is_some_and(|before| before.raise.as_ref() == Some(raise));
    if stood { None } else { Some((raise.of(kind)?, raise.until)) }
}

/// The limit that is in force at `now`.
fn in_force(quota: &Quota, kind: WindowKind, now: Timestamp) -> Option<LimitValue> {
    let raise = quota.raise.as_ref().filter(|raise| !raise.is_over(now));
    raise.and_then(|raise| raise.of(kind)).or_else(|| limit(&quota.limits, kind))
}

fn limit(limits: &[Limit], kind: WindowKind) -> Option<LimitValue> {
    limits.iter().find(|limit| limit.window.kind == kind).map(|limit| limit.value)
}
