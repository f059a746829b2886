//! Records of accounts, both ways.

use super::time::timestamp;
use crate::domain::account::{Account, AccountPolicy, AccountState};
use crate::domain::name::{AccountName, Uid};
use crate::domain::time::Timestamp;
use crate::engine::manage::document::account::{MAX_DISPLAY_NAME, MAX_LABEL, currency, plan_name, zone};
use crate::engine::manage::document::pool::account_of;
use crate::engine::manage::document::{Found, Place, Problems};
use crate::proto::v1;
use std::collections::{BTreeMap, HashMap};

/// Most labels.
const MAX_LABELS: usize = 64;
/// The longest key of a label, in bytes.
const MAX_KEY: usize = 63;

/// A record as the protocol shows it, with the identity behind its name and the pool that it chose.
pub fn account(account: &Account, uid: Option<Uid>, active_pool: Option<&AccountName>) -> v1::Account {
    v1::Account {
        name: account.name.to_string(),
        uid: uid.unwrap_or_else(|| Uid::of(account.name.as_str())).to_string(),
        display_name: account.display_name.clone(),
        plan: account.plan.clone().unwrap_or_default(),
        time_zone: account.time_zone.clone().unwrap_or_default(),
        labels: account.labels.clone().into_iter().collect(),
        create_time: timestamp(account.create_time),
        state: match account.state {
            AccountState::Active => v1::AccountState::Active,
            AccountState::Suspended => v1::AccountState::Suspended,
            AccountState::Closed => v1::AccountState::Closed,
        }
        .into(),
        currency: account.currency.clone().unwrap_or_default(),
        kind: account.name.pairs().last().map(|(collection, _)| collection.to_owned()).unwrap_or_default(),
        account_policy: match account.account_policy {
            AccountPolicy::Open => v1::AccountPolicy::Open,
            AccountPolicy::Registered => v1::AccountPolicy::Registered,
        }
        .into(),
        active_pool: active_pool.map(ToString::to_string).unwrap_or_default(),
    }
}

/// A record that an administrator sends, at `at`. What is faulty is reported.
pub fn draft(account: v1::Account, tenant: &str, at: &Place, problems: &mut Problems) -> Option<Found<Account>> {
    let field = |name: &str| at.key(name, 0);
    let name = account_of(&account.name, tenant).map_err(|error| problems.add(&field("name"), error)).ok();
    if account.display_name.len() > MAX_DISPLAY_NAME {
        problems.add(&field("display_name"), format!("must be at most {MAX_DISPLAY_NAME} bytes"));
    }
    let mut read = |key: &str, text: &str, rule: fn(&str) -> Result<String, String>| {
        let text = (!text.is_empty()).then(|| rule(text).map_err(|error| problems.add(&field(key), error)).ok());
        text.flatten()
    };
    let plan = read("plan", &account.plan, plan_name);
    let time_zone = read("time_zone", &account.time_zone, zone);
    let currency = read("currency", &account.currency, currency);
    let state = state(account.state, &field("state"), problems);
    let account_policy = policy(account.account_policy, &field("account_policy"), problems);
    let labels = labels(account.labels, &field("labels"), problems);
    let name = name?;
    if account_policy == AccountPolicy::Registered && name.depth() > 1 {
        problems.add(&field("account_policy"), "is of a tenant's own record alone");
    }
    let display_name = account.display_name;
    let create_time = Timestamp::MIN;
    let value = Account { name, display_name, plan, time_zone, labels, state, currency, account_policy, create_time };
    Some(Found { at: at.clone(), value })
}

/// Free labels.
pub fn labels(labels: HashMap<String, String>, at: &Place, problems: &mut Problems) -> BTreeMap<String, String> {
    let fits = |(key, text): (&String, &String)| (1..=MAX_KEY).contains(&key.len()) && text.len() <= MAX_LABEL;
    if labels.len() > MAX_LABELS || !labels.iter().all(fits) {
        let message =
            format!("must be at most {MAX_LABELS}, keys of 1 to {MAX_KEY} bytes, texts of at most {MAX_LABEL}");
        problems.add(at, message);
    }
    labels.into_iter().collect()
}

fn state(number: i32, at: &Place, problems: &mut Problems) -> AccountState {
    match v1::AccountState::try_from(number) {
        Ok(v1::AccountState::Unspecified | v1::AccountState::Active) => AccountState::Active,
        Ok(v1::AccountState::Suspended) => AccountState::Suspended,
        Ok(v1::AccountState::Closed) => AccountState::Closed,
        Err(_) => {
            problems.add(at, "must be ACTIVE, SUSPENDED or CLOSED");
            AccountState::Active
        }
    }
}

fn policy(number: i32, at: &Place, problems: &mut Problems) -> AccountPolicy {
    match v1::AccountPolicy::try_from(number) {
        Ok(v1::AccountPolicy::Unspecified | v1::AccountPolicy::Open) => AccountPolicy::Open,
        Ok(v1::AccountPolicy::Registered) => AccountPolicy::Registered,
        Err(_) => {
            problems.add(at, "must be OPEN or REGISTERED");
            AccountPolicy::Open
        }
    }
}
