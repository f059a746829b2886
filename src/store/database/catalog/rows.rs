//! Domain values as rows: what has no column of its own is JSON, in structs of this file alone, so that a renamed field
//! of the domain never changes what is stored.

use super::super::row::Row;
use crate::domain::account::{Account, AccountPolicy, AccountState, Plan};
use crate::domain::meter::{
    Admission, ChargeMoment, DefaultPolicy, Expiry, FailurePolicy, Family, Meter, Overage, Rules,
};
use crate::domain::quota::{Enforcement, Limit, LimitValue, Quota, QuotaState, Raise, Subject};
use crate::domain::time::{Span, Timestamp};
use crate::domain::window::{WindowKind, WindowSpec};
use crate::engine::ports::{QuotaVersion, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const SHADOW: &str = "shadow";
const ENFORCE: &str = "enforce";

#[derive(Serialize, Deserialize)]
struct MeterJson {
    unit: String,
    decimals: u8,
    display_names: BTreeMap<String, String>,
    unit_names: BTreeMap<String, String>,
    family: FamilyJson,
    admission: AdmissionJson,
    overage: OverageJson,
    expiry: ExpiryJson,
    charge: ChargeJson,
    min_limit: u64,
    max_limit: Option<u64>,
    may_be_unlimited: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    any_order: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    within_parent: bool,
    warn_percent: u8,
    deny_by_default: bool,
    fail_open: bool,
}

#[derive(Serialize, Deserialize)]
struct PlanJson {
    display_name: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    features: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct AccountJson {
    display_name: String,
    plan: Option<String>,
    time_zone: Option<String>,
    labels: BTreeMap<String, String>,
    /// Absent: active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StateJson>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    registers_accounts: bool,
}

#[derive(Serialize, Deserialize)]
struct LimitJson {
    kind: KindJson,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anchor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length_millis: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    /// Absent: unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct RaiseJson {
    limits: Vec<LimitJson>,
    until_millis: i64,
}

/// Words for an enum of the domain, one for each value, both ways; a value without a word does not compile.
macro_rules! words {
    ($json:ident for $domain:ident { $($name:ident),+ }) => {
        #[derive(Clone, Copy, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum $json { $($name),+ }
        impl From<$domain> for $json {
            fn from(value: $domain) -> $json {
                match value { $($domain::$name => $json::$name),+ }
            }
        }
        impl From<$json> for $domain {
            fn from(value: $json) -> $domain {
                match value { $($json::$name => $domain::$name),+ }
            }
        }
    };
}

words!(FamilyJson for Family { Consumption, Allocation });
words!(AdmissionJson for Admission { Fits, Positive });
words!(OverageJson for Overage { Record, Cap, Refuse });
words!(ExpiryJson for Expiry { GiveBack, Charge, Park });
words!(ChargeJson for ChargeMoment { OnCommit, OnReserve });
words!(StateJson for AccountState { Active, Suspended, Closed });
words!(KindJson for WindowKind { Lifetime, Minute, Hour, Day, Week, Month, Year, Cron, Sliding, Rate });

/// A meter's definition.
pub(super) fn meter_to_json(meter: &Meter) -> Result<String, StoreError> {
    to_json(&MeterJson {
        unit: meter.unit.clone(),
        decimals: meter.decimals,
        display_names: meter.display_names.clone(),
        unit_names: meter.unit_names.clone(),
        family: meter.rules.family.into(),
        admission: meter.rules.admission.into(),
        overage: meter.rules.overage.into(),
        expiry: meter.rules.expiry.into(),
        charge: meter.rules.charge.into(),
        min_limit: meter.min_limit,
        max_limit: meter.max_limit,
        may_be_unlimited: meter.may_be_unlimited,
        any_order: !meter.ordered_limits,
        within_parent: meter.within_parent,
        warn_percent: meter.warn_percent,
        deny_by_default: meter.default_policy == DefaultPolicy::Deny,
        fail_open: meter.failure_policy == FailurePolicy::FailOpen,
    })
}

/// A meter from its definition.
pub(super) fn meter_from_json(scope: &str, name: &str, json: &str) -> Result<Meter, StoreError> {
    let row: MeterJson = from_json(json)?;
    Ok(Meter {
        name: name.parse().map_err(|error| damaged("meter", name, &error))?,
        tenant: tenant_of(scope),
        display_names: row.display_names,
        unit_names: row.unit_names,
        unit: row.unit,
        decimals: row.decimals,
        min_limit: row.min_limit,
        max_limit: row.max_limit,
        may_be_unlimited: row.may_be_unlimited,
        ordered_limits: !row.any_order,
        within_parent: row.within_parent,
        warn_percent: row.warn_percent,
        default_policy: if row.deny_by_default { DefaultPolicy::Deny } else { DefaultPolicy::Allow },
        failure_policy: if row.fail_open { FailurePolicy::FailOpen } else { FailurePolicy::FailClosed },
        rules: Rules {
            family: row.family.into(),
            admission: row.admission.into(),
            overage: row.overage.into(),
            expiry: row.expiry.into(),
            charge: row.charge.into(),
        },
    })
}

/// A plan's definition.
pub(super) fn plan_to_json(plan: &Plan) -> Result<String, StoreError> {
    to_json(&PlanJson { display_name: plan.display_name.clone(), features: plan.features.clone() })
}

/// A plan from its definition.
pub(super) fn plan_from_json(scope: &str, name: &str, json: &str) -> Result<Plan, StoreError> {
    let row: PlanJson = from_json(json)?;
    Ok(Plan { name: name.to_owned(), tenant: tenant_of(scope), display_name: row.display_name, features: row.features })
}

/// An account's definition.
pub(super) fn account_to_json(account: &Account) -> Result<String, StoreError> {
    to_json(&AccountJson {
        display_name: account.display_name.clone(),
        plan: account.plan.clone(),
        time_zone: account.time_zone.clone(),
        labels: account.labels.clone(),
        state: Some(account.state).filter(|state| *state != AccountState::Active).map(StateJson::from),
        currency: account.currency.clone(),
        registers_accounts: account.account_policy == AccountPolicy::Registered,
    })
}

/// An account from its definition.
pub(super) fn account_from_json(name: &str, json: &str, create_time: i64) -> Result<Account, StoreError> {
    let row: AccountJson = from_json(json)?;
    Ok(Account {
        name: name.parse().map_err(|error| damaged("account", name, &error))?,
        display_name: row.display_name,
        plan: row.plan,
        time_zone: row.time_zone,
        labels: row.labels,
        state: row.state.map_or(AccountState::Active, AccountState::from),
        currency: row.currency,
        account_policy: if row.registers_accounts { AccountPolicy::Registered } else { AccountPolicy::Open },
        create_time: Timestamp::from_millis(create_time),
    })
}

/// A quota's limits.
pub(super) fn limits_to_json(limits: &[Limit]) -> Result<String, StoreError> {
    to_json(&limit_rows(limits))
}

fn limit_rows(limits: &[Limit]) -> Vec<LimitJson> {
    let row = |Limit { window, value }: &Limit| LimitJson {
        kind: window.kind.into(),
        zone: window.zone.clone(),
        anchor: window.anchor.clone(),
        length_millis: window.length.map(Span::millis),
        cron: window.cron.clone(),
        amount: value.finite(),
    };
    limits.iter().map(row).collect()
}

/// Limits as they are stored.
pub(super) fn limits_from_json(json: &str) -> Result<Vec<Limit>, StoreError> {
    Ok(limits_of(from_json(json)?))
}

fn limits_of(rows: Vec<LimitJson>) -> Vec<Limit> {
    let limit = |row: LimitJson| Limit {
        window: WindowSpec {
            kind: row.kind.into(),
            zone: row.zone,
            anchor: row.anchor,
            length: row.length_millis.map(Span::from_millis),
            cron: row.cron,
        },
        value: row.amount.map_or(LimitValue::Unlimited, LimitValue::Finite),
    };
    rows.into_iter().map(limit).collect()
}

/// A quota's raise.
pub(super) fn raise_to_json(raise: &Raise) -> Result<String, StoreError> {
    to_json(&RaiseJson { limits: limit_rows(&raise.limits), until_millis: raise.until.millis() })
}

fn raise_from_json(json: &str) -> Result<Raise, StoreError> {
    let row: RaiseJson = from_json(json)?;
    Ok(Raise { limits: limits_of(row.limits), until: Timestamp::from_millis(row.until_millis) })
}

/// A quota from its row, whose columns are in the order of `catalog_quota_page.sql`.
pub(super) fn quota_from_row(scope: &str, row: &Row) -> Result<Quota, StoreError> {
    let (subject, meter) = (row.text(0)?, row.text(1)?);
    let top_up = row.maybe_int(6)?.map(u64::try_from).transpose();
    let hold_share = row.maybe_int(7)?.map(u8::try_from).transpose();
    Ok(Quota {
        tenant: tenant_of(scope),
        meter: meter.parse().map_err(|error| damaged("meter", &meter, &error))?,
        limits: limits_from_json(&row.text(5)?)?,
        top_up: top_up.map_err(|error| damaged("top-up", &subject, &error))?,
        hold_share_percent: hold_share.map_err(|error| damaged("hold share", &subject, &error))?,
        enforcement: if row.text(8)? == SHADOW { Enforcement::Shadow } else { Enforcement::Enforce },
        note: row.text(9)?,
        locked_without: row.maybe_text(10)?,
        raise: row.maybe_text(11)?.map(|json| raise_from_json(&json)).transpose()?,
        version: row.int(2)?,
        create_time: Timestamp::from_millis(row.int(3)?),
        update_time: Timestamp::from_millis(row.int(4)?),
        subject: Subject::parse(&subject).map_err(|error| damaged("subject", &subject, &error))?,
    })
}

/// A version from its row, whose columns are in the order of `catalog_quota_versions.sql`.
pub(super) fn version_from_row(scope: &str, row: &Row) -> Result<QuotaVersion, StoreError> {
    let state = row.text(12)?;
    Ok(QuotaVersion {
        quota: quota_from_row(scope, row)?,
        state: match state.as_str() {
            "current" => QuotaState::Current,
            "closed" => QuotaState::Closed,
            "deleted" => QuotaState::Deleted,
            _ => return Err(damaged("state", &state, &"no such state")),
        },
        close_time: row.maybe_int(13)?.map(Timestamp::from_millis),
    })
}

/// The column of an enforcement.
pub(super) fn enforcement_text(enforcement: Enforcement) -> &'static str {
    match enforcement {
        Enforcement::Enforce => ENFORCE,
        Enforcement::Shadow => SHADOW,
    }
}

/// Whether two quotas say the same, whatever their versions and times.
pub(super) fn same_quota(one: &Quota, other: &Quota) -> bool {
    let Quota { version, create_time, update_time, .. } = *other;
    Quota { version, create_time, update_time, ..one.clone() } == *other
}

/// A quota for the audit.
pub(super) fn quota_to_json(quota: &Quota) -> Result<String, StoreError> {
    let limits: serde_json::Value = from_json(&limits_to_json(&quota.limits)?)?;
    let mut text = serde_json::json!({
        "limits": limits,
        "top_up": quota.top_up,
        "hold_share_percent": quota.hold_share_percent,
        "enforcement": enforcement_text(quota.enforcement),
        "locked_without": quota.locked_without,
        "note": quota.note,
    });
    if let Some(raise) = &quota.raise {
        text["raise"] = from_json(&raise_to_json(raise)?)?;
    }
    to_json(&text)
}

/// Whether to leave a flag out: what was written before there was one has none.
fn is_false(flag: &bool) -> bool {
    !flag
}

pub(super) fn tenant_of(scope: &str) -> Option<String> {
    (!scope.is_empty()).then(|| scope.to_owned())
}

/// A definition as it is stored.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("catalog: {error}")))
}

/// What [`to_json`] made.
pub(super) fn from_json<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt(format!("catalog: {error}")))
}

/// What is said of a text that nobody here has written.
pub(super) fn damaged(what: &str, text: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("catalog: the {what} {text:?} can't be what was written: {error}"))
}
