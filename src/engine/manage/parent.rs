//! Whether limits fit into what the accounts above have left, for meters that want it (S1.32, S1.33). What is used is asked while the
//! catalog's version is held to what it was; a use in between does no harm, because both limits bind when something is admitted.

use super::quotas::QuotaError;
use crate::domain::meter::Meter;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::quota::{Limit, LimitValue, Quota, Subject};
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
/// is replaced. Where nothing is limited above, anything fits.
pub(super) async fn check(wanted: &[Wanted<'_>], meters: &[Meter], live: &dyn LiveUse) -> Result<(), QuotaError> {
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
                let (Some(limit), Some(asked)) = (window.limit, amount(&quota.limits, window.kind)) else { continue };
                let back = before.and_then(|before| amount(&before.limits, window.kind)).unwrap_or(0);
                let available = i128::from(limit) - i128::from(window.used) + i128::from(back);
                if i128::from(asked) > available {
                    let kind = window.kind;
                    let why = format!("{asked} is above the {} that {parent} has available ({kind})", available.max(0));
                    above.push((format!("{field}.limits"), why));
                }
            }
        }
    }
    if above.is_empty() { Ok(()) } else { Err(QuotaError::AboveParent(above)) }
}

fn amount(limits: &[Limit], kind: crate::domain::window::WindowKind) -> Option<u64> {
    limits.iter().find(|limit| limit.window.kind == kind).and_then(|limit| match limit.value {
        LimitValue::Finite(amount) => Some(amount),
        LimitValue::Unlimited => None,
    })
}
