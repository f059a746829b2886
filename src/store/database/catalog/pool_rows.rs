//! Pools and the choices of them as rows; as in `rows`, the JSON is this file's alone.

use super::rows::{damaged, from_json, to_json};
use crate::domain::name::AccountName;
use crate::domain::pool::{Items, Join, Member, Pool};
use crate::domain::time::{Period, Timestamp};
use crate::engine::ports::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Serialize, Deserialize)]
struct PoolJson {
    meters: Vec<String>,
    always: bool,
    enabled: bool,
    members: Vec<MemberJson>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rule: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    allow: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    deny: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    overflow: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct MemberJson {
    account: String,
    /// Milliseconds since 1970. Absent: always was, always will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<i64>,
}

/// A pool's definition.
pub(super) fn pool_to_json(pool: &Pool) -> Result<String, StoreError> {
    let bound = |time: Timestamp, open: Timestamp| (time != open).then(|| time.millis());
    let member = |member: &Member| MemberJson {
        account: member.account.to_string(),
        from: bound(member.period.start, Timestamp::MIN),
        to: bound(member.period.end, Timestamp::MAX),
    };
    to_json(&PoolJson {
        meters: pool.meters.iter().map(ToString::to_string).collect(),
        always: pool.join == Join::Always,
        enabled: pool.enabled,
        members: pool.members.iter().map(member).collect(),
        rule: pool.rule.clone(),
        allow: pool.items.allow.clone(),
        deny: pool.items.deny.clone(),
        overflow: pool.overflow.iter().map(ToString::to_string).collect(),
    })
}

/// A pool from its definition.
pub(super) fn pool_from_json(name: &str, json: &str) -> Result<Pool, StoreError> {
    let row: PoolJson = from_json(json)?;
    let meter = |meter: &String| meter.parse().map_err(|error| damaged("meter", meter, &error));
    let member = |row: &MemberJson| {
        let start = row.from.map_or(Timestamp::MIN, Timestamp::from_millis);
        let end = row.to.map_or(Timestamp::MAX, Timestamp::from_millis);
        Ok(Member { account: account(&row.account)?, period: Period { start, end } })
    };
    Ok(Pool {
        account: account(name)?,
        meters: row.meters.iter().map(meter).collect::<Result<_, _>>()?,
        join: if row.always { Join::Always } else { Join::Chosen },
        enabled: row.enabled,
        members: row.members.iter().map(member).collect::<Result<_, StoreError>>()?,
        rule: row.rule,
        items: Items { allow: row.allow, deny: row.deny },
        overflow: row.overflow.iter().map(|name| account(name)).collect::<Result<_, _>>()?,
    })
}

/// A choice: the name of the pool.
pub(super) fn choice_to_json(pool: &AccountName) -> Result<String, StoreError> {
    to_json(&pool.as_str())
}

/// Account and pool.
pub(super) fn choice_from_json(name: &str, json: &str) -> Result<(AccountName, AccountName), StoreError> {
    let pool: String = from_json(json)?;
    Ok((account(name)?, account(&pool)?))
}

fn account(name: &str) -> Result<AccountName, StoreError> {
    name.parse().map_err(|error| damaged("account", name, &error))
}
