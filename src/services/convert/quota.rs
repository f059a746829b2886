//! Quotas and their limits.

use super::reservation::signed;
use super::time::timestamp;
use super::window::window;
use crate::domain::quota::{Enforcement, Limit, LimitValue, Quota, QuotaState, Raise};
use crate::domain::time::Timestamp;
use crate::engine::ports::QuotaVersion;
use crate::proto::v1;

/// A quota in force at `now`, as the protocol shows it.
pub fn quota(quota: &Quota, now: Timestamp) -> v1::Quota {
    v1::Quota {
        tenant: quota.tenant.clone().unwrap_or_default(),
        subject: quota.subject.to_string(),
        meter: quota.meter.to_string(),
        limits: quota.limits.iter().map(limit).collect(),
        top_up: quota.top_up.map(signed),
        hold_share_percent: quota.hold_share_percent.map(i32::from),
        enforcement: enforcement(quota.enforcement).into(),
        note: quota.note.clone(),
        version: quota.version,
        state: v1::QuotaState::Current.into(),
        create_time: timestamp(quota.create_time),
        update_time: timestamp(quota.update_time),
        close_time: None,
        locked_without: quota.locked_without.clone().unwrap_or_default(),
        raise: quota.raise.as_ref().map(|raise| self::raise(raise, now)),
    }
}

fn raise(raise: &Raise, now: Timestamp) -> v1::Raise {
    v1::Raise {
        limits: raise.limits.iter().map(limit).collect(),
        until: timestamp(raise.until),
        is_over: raise.is_over(now),
    }
}

/// Any version of a quota.
pub fn version(version: &QuotaVersion, now: Timestamp) -> v1::Quota {
    let state = match version.state {
        QuotaState::Current => v1::QuotaState::Current,
        QuotaState::Closed => v1::QuotaState::Closed,
        QuotaState::Deleted => v1::QuotaState::Deleted,
    };
    v1::Quota { state: state.into(), close_time: version.close_time.and_then(timestamp), ..quota(&version.quota, now) }
}

/// A limit.
pub fn limit(limit: &Limit) -> v1::Limit {
    use v1::limit::Value;
    let value = match limit.value {
        LimitValue::Unlimited => Value::Unlimited(true),
        LimitValue::Finite(amount) => Value::Amount(signed(amount)),
    };
    v1::Limit { window: Some(window(&limit.window)), value: Some(value) }
}

/// Whether a quota denies.
pub fn enforcement(enforcement: Enforcement) -> v1::Enforcement {
    match enforcement {
        Enforcement::Enforce => v1::Enforcement::Enforce,
        Enforcement::Shadow => v1::Enforcement::Shadow,
    }
}
