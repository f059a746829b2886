//! Reads the `accounts` and `plans` of a document.

use super::draft::Found;
use super::errors::{Place, Problems, quoted};
use super::fields::{Fields, scalar};
use super::yaml::Node;
use crate::domain::account::{Account, AccountPolicy, AccountState, Plan};
use crate::domain::name::{AccountName, Pattern};
use crate::domain::time::Timestamp;
use crate::domain::window::{WindowKind, WindowSpec};
use std::collections::BTreeSet;

const ACCOUNT_KEYS: [&str; 7] = ["name", "display_name", "plan", "time_zone", "labels", "state", "currency"];
const PLAN_KEYS: [&str; 4] = ["name", "display_name", "features", "quotas"];
/// The longest name for people, in bytes.
pub const MAX_DISPLAY_NAME: usize = 1_024;
/// The longest text of a label, in bytes.
pub const MAX_LABEL: usize = 1_024;
const MAX_FEATURE: usize = 63;

/// Words of the states, the default first.
pub const STATES: [(&str, AccountState); 3] =
    [("active", AccountState::Active), ("suspended", AccountState::Suspended), ("closed", AccountState::Closed)];
/// Words of the policies, the default first.
pub const POLICIES: [(&str, AccountPolicy); 2] =
    [("open", AccountPolicy::Open), ("registered", AccountPolicy::Registered)];

/// Reads one account's record.
pub fn read_account(node: &Node<'_>, at: &Place, tenant: &str, problems: &mut Problems) -> Option<Found<Account>> {
    let fields = Fields::open(node, at, &ACCOUNT_KEYS, problems)?;
    let name = fields.needed("name", |text| text.parse::<AccountName>(), problems);
    if let Some(name) = &name
        && !name.is_within(tenant)
    {
        problems.add(&fields.place("name"), format!("must begin with the tenant {tenant}"));
    }
    let account = read_record(&fields, name?, problems);
    Some(Found { at: at.clone(), value: account })
}

/// Reads what a record says of an account beside its name, from its own map or from a tenant's block.
pub fn read_record(fields: &Fields<'_, '_>, name: AccountName, problems: &mut Problems) -> Account {
    Account {
        name,
        display_name: fields.text("display_name", MAX_DISPLAY_NAME, problems).unwrap_or_default(),
        plan: fields.get("plan").and_then(|_| fields.needed("plan", plan_name, problems)),
        time_zone: fields.get("time_zone").and_then(|_| fields.needed("time_zone", zone, problems)),
        labels: fields.texts("labels", MAX_LABEL, problems),
        state: fields.choice("state", &STATES, problems),
        currency: fields.get("currency").and_then(|_| fields.needed("currency", currency, problems)),
        account_policy: fields.choice("account_policy", &POLICIES, problems),
        create_time: Timestamp::MIN,
    }
}

/// Reads one plan; its quotas are read apart.
pub fn read_plan<'n, 'a>(
    node: &'n Node<'a>,
    at: &Place,
    tenant: Option<&str>,
    problems: &mut Problems,
) -> Option<(Found<Plan>, Fields<'n, 'a>)> {
    let fields = Fields::open(node, at, &PLAN_KEYS, problems)?;
    let name = fields.needed("name", plan_name, problems)?;
    let display_name = fields.text("display_name", MAX_DISPLAY_NAME, problems).unwrap_or_default();
    let features = read_features(&fields, problems);
    let plan = Plan { name, tenant: tenant.map(str::to_owned), display_name, features };
    Some((Found { at: at.clone(), value: plan }, fields))
}

fn read_features(fields: &Fields<'_, '_>, problems: &mut Problems) -> BTreeSet<String> {
    let items = fields.list("features", problems);
    let read = |(node, at): (&Node<'_>, Place)| {
        let text = scalar(node, &at, usize::MAX, problems)?;
        feature(&text).map_err(|error| problems.add(&at, format!("{error}; it is {}", quoted(&text)))).ok()
    };
    items.into_iter().filter_map(read).collect()
}

/// The name of a plan's feature.
///
/// # Errors
/// What it must be.
pub fn feature(text: &str) -> Result<String, &'static str> {
    let word =
        |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= MAX_FEATURE && word(text) {
        Ok(text.to_owned())
    } else {
        Err("must be a feature's name: a lower-case letter, then lower-case letters, digits, - or _, at most 63")
    }
}

/// A plan's name.
///
/// # Errors
/// What is wrong with it.
pub fn plan_name(text: &str) -> Result<String, String> {
    match Pattern::from_parts("plans", text) {
        Ok(pattern) if !pattern.is_wild() && !text.contains('/') => Ok(text.to_owned()),
        _ => Err(String::from("must be a plan's name: letters, digits and . _ ~ @ + -, at most 128")),
    }
}

/// An IANA time zone.
///
/// # Errors
/// What is wrong with it.
pub fn zone(text: &str) -> Result<String, String> {
    let zone = Some(text.to_owned());
    let day = WindowSpec { kind: WindowKind::Day, zone, anchor: None, length: None, cron: None };
    if day.compile("UTC").is_ok() {
        Ok(text.to_owned())
    } else {
        Err(String::from("must be a name of the IANA time zone database"))
    }
}

/// A currency: three capital letters, as in ISO 4217.
///
/// # Errors
/// What is wrong with it.
pub fn currency(text: &str) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err(String::from("must be three capital letters, like CNY"))
    }
}
