//! Reads the `pools` of a document.

use super::errors::{Place, Problems, quoted};
use super::fields::{Fields, scalar};
use super::yaml::{Node, Value};
use crate::domain::name::{AccountName, MeterName, is_caller_id};
use crate::domain::pool::{Items, Join, Member, Pool};
use crate::domain::time::{Period, Timestamp};
use std::collections::BTreeSet;

const KEYS: [&str; 8] = ["account", "meters", "join", "enabled", "members", "rule", "items", "overflow"];
const MEMBER_KEYS: [&str; 3] = ["account", "from", "to"];
const ITEMS_KEYS: [&str; 2] = ["allow", "deny"];
const MAX_LABEL: usize = 1_024;
/// Most members that a pool names; more are let in by its rule.
pub const MAX_MEMBERS: usize = 50_000;
/// Most pools of an overflow list: each is an attempt of its own.
pub const MAX_OVERFLOW: usize = 8;
/// Most items that a pool allows, or denies.
pub const MAX_ITEMS: usize = 1_000;

/// Words of the ways to join, the default first.
pub const JOINS: [(&str, Join); 2] = [("chosen", Join::Chosen), ("always", Join::Always)];

/// A pool as it stands in the document: its meters may stand in the catalog or further down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DraftPool {
    /// Where.
    pub at: Place,
    /// Where each of its meters stands, in their order.
    pub meters_at: Vec<Place>,
    /// Where each pool of its overflow list stands.
    pub overflow_at: Vec<Place>,
    /// What it says.
    pub pool: Pool,
}

/// Reads one pool.
pub fn read_pool(node: &Node<'_>, at: &Place, tenant: &str, problems: &mut Problems) -> Option<DraftPool> {
    let fields = Fields::open(node, at, &KEYS, problems)?;
    let account = fields.needed("account", |text| pool_account(text, tenant), problems);
    let mut meters = Vec::new();
    for (node, at) in fields.list("meters", problems) {
        let Some(text) = scalar(node, &at, usize::MAX, problems) else { continue };
        match text.parse::<MeterName>() {
            Ok(meter) => meters.push((meter, at)),
            Err(error) => problems.add(&at, format!("{error}; it is {}", quoted(&text))),
        }
    }
    if fields.get("meters").is_none_or(|(node, _)| matches!(&node.value, Value::List(items) if items.is_empty())) {
        problems.add(&fields.place("meters"), "must name at least one meter, on which it is a pool");
    }
    let join = fields.choice("join", &JOINS, problems);
    let enabled = fields.flag("enabled", true, problems);
    let members = read_members(&fields, tenant, problems);
    let rule = fields.texts("rule", MAX_LABEL, problems);
    let items = read_items(&fields, problems);
    let (overflow, overflow_at) = read_overflow(&fields, tenant, problems);
    // In one order, so that a document in another says the same.
    meters.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (meters, meters_at) = meters.into_iter().unzip();
    let pool = Pool { account: account?, meters, join, enabled, members, rule, items, overflow };
    Some(DraftPool { at: at.clone(), meters_at, overflow_at, pool })
}

/// The account of a pool: one below the tenant.
///
/// # Errors
/// What is wrong with it.
pub fn pool_account(text: &str, tenant: &str) -> Result<AccountName, String> {
    let name = account_of(text, tenant)?;
    if name.depth() == 1 { Err(String::from("must be an account below the tenant")) } else { Ok(name) }
}

/// An account of a tenant.
///
/// # Errors
/// What is wrong with it.
pub fn account_of(text: &str, tenant: &str) -> Result<AccountName, String> {
    let name = text.parse::<AccountName>().map_err(|error| error.to_string())?;
    if name.is_within(tenant) { Ok(name) } else { Err(format!("must begin with the tenant {tenant}")) }
}

/// An item of a list.
///
/// # Errors
/// What is wrong with it.
pub fn item(text: &str) -> Result<String, String> {
    if is_caller_id(text) {
        Ok(text.to_owned())
    } else {
        Err(String::from("must be 1 to 128 visible ASCII characters"))
    }
}

fn read_overflow(fields: &Fields<'_, '_>, tenant: &str, problems: &mut Problems) -> (Vec<AccountName>, Vec<Place>) {
    let list = fields.list("overflow", problems);
    if list.len() > MAX_OVERFLOW {
        problems.add(
            &fields.place("overflow"),
            format!("must name at most {MAX_OVERFLOW} pools; there are {}", list.len()),
        );
        return Default::default();
    }
    let read = |(node, at): (&Node<'_>, Place)| {
        let text = scalar(node, &at, usize::MAX, problems)?;
        let name = pool_account(&text, tenant);
        let name = name.map_err(|error| problems.add(&at, format!("{error}; it is {}", quoted(&text)))).ok()?;
        Some((name, at))
    };
    list.into_iter().filter_map(read).unzip()
}

fn read_members(fields: &Fields<'_, '_>, tenant: &str, problems: &mut Problems) -> Vec<Member> {
    let list = fields.list("members", problems);
    if list.len() > MAX_MEMBERS {
        problems.add(&fields.place("members"), format!("must be at most {MAX_MEMBERS}; there are {}", list.len()));
        return Vec::new();
    }
    let read = |(node, at): (&Node<'_>, Place)| {
        if let Value::Map(_) = node.value {
            let fields = Fields::open(node, &at, &MEMBER_KEYS, problems)?;
            let account = fields.needed("account", |text| account_of(text, tenant), problems);
            let mut time = |key, open| match fields.get(key) {
                None => Some(open),
                Some(_) => fields.needed(key, str::parse::<Timestamp>, problems),
            };
            let (start, end) = (time("from", Timestamp::MIN), time("to", Timestamp::MAX));
            let period = Period { start: start?, end: end? };
            if period.start >= period.end {
                problems.add(&fields.place("to"), "must be after from");
            }
            return Some(Member { account: account?, period });
        }
        let text = scalar(node, &at, usize::MAX, problems)?;
        let account = account_of(&text, tenant);
        let account = account.map_err(|error| problems.add(&at, format!("{error}; it is {}", quoted(&text)))).ok()?;
        Some(Member { account, period: Period::ALWAYS })
    };
    list.into_iter().filter_map(read).collect()
}

fn read_items(fields: &Fields<'_, '_>, problems: &mut Problems) -> Items {
    let Some((node, at)) = fields.get("items") else { return Items::default() };
    let Some(fields) = Fields::open(node, &at, &ITEMS_KEYS, problems) else { return Items::default() };
    let mut read = |key: &str| {
        let list = fields.list(key, problems);
        // Nothing allowed would read like nothing forbidden.
        if list.len() > MAX_ITEMS || (list.is_empty() && fields.get(key).is_some()) {
            problems.add(&fields.place(key), format!("must name 1 to {MAX_ITEMS} items; leave the key out for all"));
            return BTreeSet::new();
        }
        let one = |(node, at): (&Node<'_>, Place)| {
            let text = scalar(node, &at, usize::MAX, problems)?;
            item(&text).map_err(|error| problems.add(&at, format!("{error}; it is {}", quoted(&text)))).ok()
        };
        list.into_iter().filter_map(one).collect()
    };
    let (allow, deny) = (read("allow"), read("deny"));
    Items { allow, deny }
}
