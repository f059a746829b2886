//! Turns the catalog into YAML that `apply` takes back unchanged. Whatever has its default is left out.

use super::document::amount::write_length;
use super::document::{account as account_words, meter as meter_words, pool as pool_words, quota as quota_words};
use super::emit::Yaml;
use super::validate::{Current, ScopeContent};
use crate::domain::account::{Account, AccountPolicy, AccountState, Plan};
use crate::domain::meter::Meter;
use crate::domain::pool::{Member, Pool};
use crate::domain::quota::{Limit, LimitValue, Quota, Subject};
use crate::domain::rate_card::{Discount, ExchangeRate, ItemPrice, RateCard};
use crate::domain::time::Timestamp;
use crate::domain::window::WindowSpec;
use crate::engine::ports::CatalogData;
use std::collections::{BTreeMap, BTreeSet};

/// The document of the installation and all given tenants.
pub fn export_installation(current: &Current) -> String {
    let mut map = scope(&content_of(None, &current.installation));
    let tenants = current.tenants.iter();
    let blocks = tenants.map(|(name, data)| Yaml::Map(tenant_block(name, data))).collect();
    put_list(&mut map, "tenants", blocks);
    Yaml::Map(map).document()
}

/// The document of one tenant: its own, not what it sees of the installation.
pub fn export_tenant(name: &str, data: &CatalogData) -> String {
    Yaml::Map(tenant_block(name, data)).document()
}

/// What of the catalog belongs to one scope itself, in order of name.
pub fn content_of(tenant: Option<&str>, data: &CatalogData) -> ScopeContent {
    let mut content = ScopeContent {
        tenant: tenant.map(str::to_owned),
        meters: data.meters.iter().filter(|meter| meter.tenant.as_deref() == tenant).cloned().collect(),
        plans: data.plans.iter().filter(|plan| plan.tenant.as_deref() == tenant).cloned().collect(),
        accounts: data.accounts.iter().filter(|account| Some(account.name.tenant()) == tenant).cloned().collect(),
        pools: data.pools.iter().filter(|pool| Some(pool.account.tenant()) == tenant).cloned().collect(),
        quotas: data.quotas.iter().filter(|quota| quota.tenant.as_deref() == tenant).cloned().collect(),
        rate_cards: data.rate_cards.iter().filter(|card| card.tenant.as_deref() == tenant).cloned().collect(),
    };
    content.meters.sort_by(|a, b| a.name.cmp(&b.name));
    content.plans.sort_by(|a, b| a.name.cmp(&b.name));
    content.accounts.sort_by(|a, b| a.name.cmp(&b.name));
    content.pools.sort_by(|a, b| a.account.cmp(&b.account));
    content.quotas.sort_by(|a, b| (&a.subject, &a.meter).cmp(&(&b.subject, &b.meter)));
    content.rate_cards.sort_by(|a, b| (&a.meter, a.from).cmp(&(&b.meter, b.from)));
    content
}

/// A meter as an item of `meters`.
pub fn meter(meter: &Meter) -> Yaml {
    let mut map = Vec::new();
    put_text(&mut map, "name", meter.name.as_str());
    put_text(&mut map, "unit", &meter.unit);
    if meter.decimals > 0 {
        put_bare(&mut map, "decimals", meter.decimals);
    }
    put_texts(&mut map, "display_names", &meter.display_names);
    put_texts(&mut map, "unit_names", &meter.unit_names);
    put_choice(&mut map, "family", &meter_words::FAMILIES, meter.rules.family);
    put_choice(&mut map, "admission", &meter_words::ADMISSIONS, meter.rules.admission);
    put_choice(&mut map, "overage", &meter_words::OVERAGES, meter.rules.overage);
    put_choice(&mut map, "expiry", &meter_words::EXPIRIES, meter.rules.expiry);
    put_choice(&mut map, "charge", &meter_words::CHARGES, meter.rules.charge);
    if meter.min_limit > 0 {
        put_bare(&mut map, "min_limit", meter.min_limit);
    }
    if let Some(most) = meter.max_limit {
        put_bare(&mut map, "max_limit", most);
    }
    if !meter.may_be_unlimited {
        put_bare(&mut map, "may_be_unlimited", false);
    }
    if !meter.ordered_limits {
        put_bare(&mut map, "ordered_limits", false);
    }
    if meter.within_parent {
        put_bare(&mut map, "within_parent", true);
    }
    if meter.warn_percent != Meter::new(meter.name.clone()).warn_percent {
        put_bare(&mut map, "warn_percent", meter.warn_percent);
    }
    put_choice(&mut map, "default_policy", &meter_words::DEFAULT_POLICIES, meter.default_policy);
    put_choice(&mut map, "failure_policy", &meter_words::FAILURE_POLICIES, meter.failure_policy);
    Yaml::Map(map)
}

/// A plan as an item of `plans`, without its quotas.
pub fn plan(plan: &Plan) -> Yaml {
    Yaml::Map(plan_map(plan))
}

/// An account as an item of `accounts`.
pub fn account(account: &Account) -> Yaml {
    let mut map = Vec::new();
    put_text(&mut map, "name", account.name.as_str());
    put_record(&mut map, account);
    Yaml::Map(map)
}

/// A pool as an item of `pools`.
pub fn pool(pool: &Pool) -> Yaml {
    let mut map = Vec::new();
    put_text(&mut map, "account", pool.account.as_str());
    put_names(&mut map, "meters", pool.meters.iter().map(ToString::to_string));
    put_choice(&mut map, "join", &pool_words::JOINS, pool.join);
    if !pool.enabled {
        put_bare(&mut map, "enabled", false);
    }
    put_list(&mut map, "members", pool.members.iter().map(member).collect());
    put_texts(&mut map, "rule", &pool.rule);
    let mut items = Vec::new();
    put_names(&mut items, "allow", pool.items.allow.iter().cloned());
    put_names(&mut items, "deny", pool.items.deny.iter().cloned());
    if !items.is_empty() {
        map.push(("items".to_owned(), Yaml::Map(items)));
    }
    put_names(&mut map, "overflow", pool.overflow.iter().map(ToString::to_string));
    Yaml::Map(map)
}

/// The account alone, or a map where the membership has an end.
fn member(member: &Member) -> Yaml {
    let mut map = vec![("account".to_owned(), Yaml::Text(member.account.to_string()))];
    let bounds = [("from", member.period.start, Timestamp::MIN), ("to", member.period.end, Timestamp::MAX)];
    for (key, time, open) in bounds {
        if time != open {
            put_text(&mut map, key, &time.to_string());
        }
    }
    if map.len() == 1 { Yaml::Text(member.account.to_string()) } else { Yaml::Map(map) }
}

/// A quota as an item of `quotas`.
pub fn quota(quota: &Quota) -> Yaml {
    let mut map = Vec::new();
    put_text(&mut map, "subject", &quota.subject.to_string());
    put_quota(&mut map, quota);
    Yaml::Map(map)
}

/// A rate card as an item of `rate_cards`.
pub fn rate_card(card: &RateCard) -> Yaml {
    let mut map = Vec::new();
    put_text(&mut map, "meter", card.meter.as_str());
    put_text(&mut map, "from", &card.from.to_string());
    put_list(&mut map, "prices", card.prices.iter().map(item_price).collect());
    put_list(&mut map, "discounts", card.discounts.iter().map(discount).collect());
    put_list(&mut map, "rates", card.rates.iter().map(exchange_rate).collect());
    Yaml::Map(map)
}

type Map = Vec<(String, Yaml)>;

fn tenant_block(name: &str, data: &CatalogData) -> Map {
    let mut content = content_of(Some(name), data);
    let mut map = Vec::new();
    put_text(&mut map, "name", name);
    if let Some(at) =
        content.accounts.iter().position(|account| account.name.as_str() == name && says_something(account))
    {
        put_record(&mut map, &content.accounts.remove(at));
    }
    map.extend(scope(&content));
    map
}

fn says_something(account: &Account) -> bool {
    !account.display_name.is_empty()
        || account.plan.is_some()
        || account.time_zone.is_some()
        || !account.labels.is_empty()
        || account.state != AccountState::Active
        || account.currency.is_some()
        || account.account_policy != AccountPolicy::Open
}

fn scope(content: &ScopeContent) -> Map {
    let own_plans: BTreeSet<&str> = content.plans.iter().map(|plan| plan.name.as_str()).collect();
    let mut of_plans: BTreeMap<&str, Vec<Yaml>> = BTreeMap::new();
    let mut quotas = Vec::new();
    for item in &content.quotas {
        match &item.subject {
            Subject::Plan(plan) if own_plans.contains(plan.as_str()) => {
                let mut map = Vec::new();
                put_quota(&mut map, item);
                of_plans.entry(plan).or_default().push(Yaml::Map(map));
            }
            _ => quotas.push(quota(item)),
        }
    }
    let plans = content.plans.iter().map(|plan| {
        let mut map = plan_map(plan);
        put_list(&mut map, "quotas", of_plans.remove(plan.name.as_str()).unwrap_or_default());
        Yaml::Map(map)
    });
    let mut map = Vec::new();
    put_list(&mut map, "meters", content.meters.iter().map(meter).collect());
    put_list(&mut map, "plans", plans.collect());
    put_list(&mut map, "accounts", content.accounts.iter().map(account).collect());
    put_list(&mut map, "pools", content.pools.iter().map(pool).collect());
    put_list(&mut map, "quotas", quotas);
    put_list(&mut map, "rate_cards", content.rate_cards.iter().map(rate_card).collect());
    map
}

fn plan_map(plan: &Plan) -> Map {
    let mut map = Vec::new();
    put_text(&mut map, "name", &plan.name);
    put_text(&mut map, "display_name", &plan.display_name);
    put_list(&mut map, "features", plan.features.iter().map(|feature| Yaml::Text(feature.clone())).collect());
    map
}

fn put_record(map: &mut Map, account: &Account) {
    put_text(map, "display_name", &account.display_name);
    put_text(map, "plan", account.plan.as_deref().unwrap_or_default());
    put_text(map, "time_zone", account.time_zone.as_deref().unwrap_or_default());
    put_texts(map, "labels", &account.labels);
    put_choice(map, "state", &account_words::STATES, account.state);
    put_text(map, "currency", account.currency.as_deref().unwrap_or_default());
    put_choice(map, "account_policy", &account_words::POLICIES, account.account_policy);
}

fn put_quota(map: &mut Map, quota: &Quota) {
    put_text(map, "meter", quota.meter.as_str());
    if !quota.limits.is_empty() {
        map.push(("limits".to_owned(), Yaml::Map(quota.limits.iter().map(limit).collect())));
    }
    if let Some(raise) = &quota.raise {
        // Their windows are those of the quota's own limits.
        let limits = raise.limits.iter().map(|limit| (kind_word(limit), amount_word(limit))).collect();
        let until = Yaml::Text(raise.until.to_string());
        map.push((
            "raise".to_owned(),
            Yaml::Map(vec![("limits".to_owned(), Yaml::Map(limits)), ("until".to_owned(), until)]),
        ));
    }
    if let Some(top_up) = quota.top_up {
        put_bare(map, "top_up", top_up);
    }
    if let Some(share) = quota.hold_share_percent {
        put_bare(map, "hold_share_percent", share);
    }
    put_choice(map, "enforcement", &quota_words::ENFORCEMENTS, quota.enforcement);
    put_text(map, "locked_without", quota.locked_without.as_deref().unwrap_or_default());
    put_text(map, "note", &quota.note);
}

/// `day: 5`, or a map where the window has a shape of its own.
fn limit(limit: &Limit) -> (String, Yaml) {
    let WindowSpec { kind: _, zone, anchor, length, cron } = &limit.window;
    let amount = amount_word(limit);
    let mut map = vec![("amount".to_owned(), amount.clone())];
    put_text(&mut map, "zone", zone.as_deref().unwrap_or_default());
    put_text(&mut map, "anchor", anchor.as_deref().unwrap_or_default());
    put_text(&mut map, "length", &length.map(write_length).unwrap_or_default());
    put_text(&mut map, "cron", cron.as_deref().unwrap_or_default());
    (kind_word(limit), if map.len() == 1 { amount } else { Yaml::Map(map) })
}

fn kind_word(limit: &Limit) -> String {
    let known = quota_words::KINDS.iter().find(|(_, kind)| *kind == limit.window.kind);
    known.map_or_else(String::new, |(name, _)| (*name).to_owned())
}

fn amount_word(limit: &Limit) -> Yaml {
    Yaml::Bare(match limit.value {
        LimitValue::Unlimited => "unlimited".to_owned(),
        LimitValue::Finite(amount) => amount.to_string(),
    })
}

fn item_price(price: &ItemPrice) -> Yaml {
    let mut map = Vec::new();
    put_text(&mut map, "item", &price.item);
    put_text(&mut map, "currency", price.currency.as_deref().unwrap_or_default());
    if price.per != 1 {
        put_bare(&mut map, "per", price.per);
    }
    let components = price.components.iter().map(|(name, price)| (name.clone(), price.to_string()));
    put_texts(&mut map, "components", &components.collect());
    Yaml::Map(map)
}

fn discount(discount: &Discount) -> Yaml {
    let mut map = Vec::new();
    put_text(&mut map, "service", &discount.service);
    put_text(&mut map, "item", discount.item.as_deref().unwrap_or_default());
    put_text(&mut map, "factor", &discount.factor.to_string());
    Yaml::Map(map)
}

fn exchange_rate(rate: &ExchangeRate) -> Yaml {
    let mut map = Vec::new();
    put_text(&mut map, "currency", &rate.currency);
    put_text(&mut map, "since", &rate.since.map(|since| since.to_string()).unwrap_or_default());
    put_text(&mut map, "rate", &rate.rate.to_string());
    Yaml::Map(map)
}

fn put_text(map: &mut Map, key: &str, text: &str) {
    if !text.is_empty() {
        map.push((key.to_owned(), Yaml::Text(text.to_owned())));
    }
}

fn put_bare(map: &mut Map, key: &str, value: impl ToString) {
    map.push((key.to_owned(), Yaml::Bare(value.to_string())));
}

fn put_list(map: &mut Map, key: &str, items: Vec<Yaml>) {
    if !items.is_empty() {
        map.push((key.to_owned(), Yaml::List(items)));
    }
}

fn put_names(map: &mut Map, key: &str, names: impl Iterator<Item = String>) {
    put_list(map, key, names.map(Yaml::Text).collect());
}

fn put_texts(map: &mut Map, key: &str, texts: &BTreeMap<String, String>) {
    if !texts.is_empty() {
        let entries = texts.iter().map(|(name, text)| (name.clone(), Yaml::Text(text.clone()))).collect();
        map.push((key.to_owned(), Yaml::Map(entries)));
    }
}

/// Nothing for the first word, the default.
fn put_choice<T: PartialEq>(map: &mut Map, key: &str, words: &[(&str, T)], value: T) {
    if let Some((word, _)) = words.iter().skip(1).find(|(_, known)| *known == value) {
        put_bare(map, key, word);
    }
}
