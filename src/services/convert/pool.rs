//! Pools, both ways.

use super::account::labels;
use super::time::{in_calendar, timestamp};
use crate::domain::name::{AccountName, MeterName};
use crate::domain::pool::{Items, Join, Member, Pool};
use crate::domain::time::{Period, Timestamp};
use crate::engine::manage::document::pool::{
    DraftPool, MAX_ITEMS, MAX_MEMBERS, MAX_OVERFLOW, account_of, item, pool_account,
};
use crate::engine::manage::document::{Place, Problems};
use crate::proto::v1;
use std::collections::BTreeSet;

/// A pool as the protocol shows it.
pub fn pool(pool: &Pool) -> v1::Pool {
    let member = |member: &Member| v1::PoolMember {
        account: member.account.to_string(),
        from_time: timestamp(member.period.start),
        to_time: timestamp(member.period.end),
    };
    v1::Pool { members: pool.members.iter().map(member).collect(), ..without_members(pool) }
}

/// The same as a list shows it.
pub fn without_members(pool: &Pool) -> v1::Pool {
    v1::Pool {
        account: pool.account.to_string(),
        meters: pool.meters.iter().map(ToString::to_string).collect(),
        join: match pool.join {
            Join::Chosen => v1::PoolJoin::Chosen,
            Join::Always => v1::PoolJoin::Always,
        }
        .into(),
        disabled: !pool.enabled,
        members: Vec::new(),
        rule: pool.rule.clone().into_iter().collect(),
        allow_items: pool.items.allow.iter().cloned().collect(),
        deny_items: pool.items.deny.iter().cloned().collect(),
        overflow: pool.overflow.iter().map(ToString::to_string).collect(),
        member_count: i32::try_from(pool.members.len()).unwrap_or(i32::MAX),
    }
}

/// A pool that an administrator sends, at `at`. What is faulty is reported; whether its meters exist is left to the catalog.
pub fn draft(pool: v1::Pool, tenant: &str, at: &Place, problems: &mut Problems) -> Option<DraftPool> {
    let field = |name: &str| at.key(name, 0);
    let account = pool_account(&pool.account, tenant).map_err(|error| problems.add(&field("account"), error)).ok();
    let mut meters = Vec::new();
    for (index, meter) in pool.meters.iter().enumerate() {
        let at = field("meters").item(index, 0);
        match meter.parse::<MeterName>() {
            Ok(meter) => meters.push((meter, at)),
            Err(error) => problems.add(&at, error.to_string()),
        }
    }
    if pool.meters.is_empty() {
        problems.add(&field("meters"), "must name at least one meter");
    }
    let join = match v1::PoolJoin::try_from(pool.join) {
        Ok(v1::PoolJoin::Unspecified | v1::PoolJoin::Chosen) => Join::Chosen,
        Ok(v1::PoolJoin::Always) => Join::Always,
        Err(_) => {
            problems.add(&field("join"), "must be CHOSEN or ALWAYS");
            Join::Chosen
        }
    };
    let members = members(pool.members, tenant, &field("members"), problems);
    let rule = labels(pool.rule, &field("rule"), problems);
    let allow = items(&pool.allow_items, &field("allow_items"), problems);
    let deny = items(&pool.deny_items, &field("deny_items"), problems);
    meters.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (meters, meters_at) = meters.into_iter().unzip();
    let (items, enabled) = (Items { allow, deny }, !pool.disabled);
    let (overflow, overflow_at) = overflow(&pool.overflow, tenant, &field("overflow"), problems);
    let pool = Pool { account: account?, meters, join, enabled, members, rule, items, overflow };
    Some(DraftPool { at: at.clone(), meters_at, overflow_at, pool })
}

fn overflow(pools: &[String], tenant: &str, at: &Place, problems: &mut Problems) -> (Vec<AccountName>, Vec<Place>) {
    if pools.len() > MAX_OVERFLOW {
        problems.add(at, format!("must be at most {MAX_OVERFLOW}"));
    }
    let mut read = |(index, text): (usize, &String)| {
        let at = at.item(index, 0);
        let name = pool_account(text, tenant).map_err(|error| problems.add(&at, error)).ok()?;
        Some((name, at))
    };
    pools.iter().take(MAX_OVERFLOW).enumerate().filter_map(&mut read).unzip()
}

fn members(members: Vec<v1::PoolMember>, tenant: &str, at: &Place, problems: &mut Problems) -> Vec<Member> {
    if members.len() > MAX_MEMBERS {
        problems.add(at, format!("must be at most {MAX_MEMBERS}"));
    }
    let mut read = |(index, member): (usize, v1::PoolMember)| {
        let at = at.item(index, 0);
        let account = account_of(&member.account, tenant);
        let account = account.map_err(|error| problems.add(&at.key("account", 0), error)).ok();
        let mut time = |key, time: Option<pbjson_types::Timestamp>, open| {
            let read = |time: &pbjson_types::Timestamp| {
                in_calendar(time).unwrap_or_else(|| {
                    problems.add(&at.key(key, 0), "is no time");
                    open
                })
            };
            time.as_ref().map_or(open, read)
        };
        let start = time("from_time", member.from_time, Timestamp::MIN);
        let end = time("to_time", member.to_time, Timestamp::MAX);
        if start >= end {
            problems.add(&at.key("to_time", 0), "must be after from_time");
        }
        Some(Member { account: account?, period: Period { start, end } })
    };
    members.into_iter().take(MAX_MEMBERS).enumerate().filter_map(&mut read).collect()
}

fn items(items: &[String], at: &Place, problems: &mut Problems) -> BTreeSet<String> {
    if items.len() > MAX_ITEMS {
        problems.add(at, format!("must be at most {MAX_ITEMS}"));
    }
    let mut read =
        |(index, text): (usize, &String)| item(text).map_err(|error| problems.add(&at.item(index, 0), error)).ok();
    items.iter().take(MAX_ITEMS).enumerate().filter_map(&mut read).collect()
}
