//! Records of accounts, and pools.

use super::table::{Column, View, instant_or_dash, words};
use crate::proto::v1::{Account, AccountPolicy, Pool, PoolMember};
use Column::{Number, Text};

/// A line for each record.
pub fn accounts(view: &View, accounts: &[Account]) -> String {
    if accounts.is_empty() {
        return "no records".to_owned();
    }
    let columns =
        [Text("account"), Text("name"), Text("state"), Text("plan"), Text("pool"), Text("labels"), Text("more")];
    let row = |account: &Account| {
        vec![
            account.name.clone(),
            account.display_name.clone(),
            words(account.state().as_str_name(), "ACCOUNT_STATE_"),
            account.plan.clone(),
            account.active_pool.clone(),
            pairs(account.labels.iter()),
            more(account),
        ]
    };
    view.table(&columns, accounts.iter().map(row).collect())
}

fn more(account: &Account) -> String {
    let mut said = Vec::new();
    said.extend(Some(format!("zone {}", account.time_zone)).filter(|_| !account.time_zone.is_empty()));
    said.extend(Some(format!("currency {}", account.currency)).filter(|_| !account.currency.is_empty()));
    if account.account_policy() == AccountPolicy::Registered {
        said.push("registered accounts only".to_owned());
    }
    said.join(", ")
}

/// A line for each pool; the chosen one is marked.
pub fn pools(view: &View, pools: &[Pool], active: &str) -> String {
    if pools.is_empty() {
        return "no pools".to_owned();
    }
    let columns =
        [Text(""), Text("pool"), Text("meters"), Text("join"), Number("members"), Text("rule"), Text("items")];
    let row = |pool: &Pool| {
        let disabled = if pool.disabled { " (disabled)" } else { "" };
        vec![
            if pool.account == active { "*" } else { "" }.to_owned(),
            format!("{}{disabled}", pool.account),
            pool.meters.join(", "),
            words(pool.join().as_str_name(), "POOL_JOIN_"),
            pool.member_count.to_string(),
            pairs(pool.rule.iter()),
            items(pool),
        ]
    };
    view.table(&columns, pools.iter().map(row).collect())
}

/// A pool, and a line for each of its members.
pub fn pool(view: &View, pool: &Pool) -> String {
    let mut own = pools(view, std::slice::from_ref(pool), "");
    if !pool.overflow.is_empty() {
        own.push_str(&format!("\nwithout room: {}", pool.overflow.join(", ")));
    }
    let columns = [Text("member"), Text("from"), Text("to")];
    let row = |member: &PoolMember| {
        let times = [&member.from_time, &member.to_time].map(|time| instant_or_dash(time.as_ref()));
        std::iter::once(member.account.clone()).chain(times).collect()
    };
    if pool.members.is_empty() {
        return own;
    }
    format!("{own}\n{}", view.table(&columns, pool.members.iter().map(row).collect()))
}

fn items(pool: &Pool) -> String {
    let lists = [("only ", &pool.allow_items), ("not ", &pool.deny_items)];
    let said =
        lists.iter().filter(|(_, list)| !list.is_empty()).map(|(word, list)| format!("{word}{}", list.join(", ")));
    said.collect::<Vec<_>>().join("; ")
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let mut said: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    said.sort();
    said.join(", ")
}
