//! Which meter can't stand for another of its name.

use super::helpers::{catalog, contents, judge};
use crate::domain::time::Timestamp;
use crate::engine::manage::alike::hindrances;
use crate::engine::manage::{content_of, diff};
use crate::engine::ports::ScopeWrite;

const TENANT: &str = "tenants/a";

/// What hinders a document of the tenant, or of the installation, that is to be all there is; in words, with whom it is told.
fn told(before: &str, after: &str, tenant: Option<&str>) -> Vec<String> {
    let current = catalog(&contents(before));
    let wanted = judge(after, tenant, &current, true).unwrap();
    let write = |content: &crate::engine::manage::ScopeContent| {
        let tenant = content.tenant.as_deref();
        let standing = content_of(tenant, current.of(tenant).unwrap());
        let changes = diff(content, &standing, true, Timestamp::from_millis(1)).writes;
        ScopeWrite { tenant: content.tenant.clone(), expect_version: None, changes }
    };
    let writes: Vec<ScopeWrite> = wanted.iter().map(write).collect();
    let found = hindrances(&current, &writes).into_iter();
    found.map(|(whom, hindrance)| format!("{}: {hindrance}", whom.unwrap_or_default())).collect()
}

/// An installation with a meter, and a tenant with its own of that name, and a card.
fn both(meter: &str, own: &str, card: bool) -> String {
    let card = if card { "rate_cards: [{meter: m, from: 2020-01-01T00:00:00Z}]" } else { "plans: []" };
    format!(
        "meters: [{{name: m, {meter}}}]\ntenants:\n  - name: {TENANT}\n    meters: [{{name: m, {own}}}]\n    {card}\n"
    )
}

#[test]
fn an_own_meter_goes_only_for_one_that_counts_alike() {
    let (empty, card) = (format!("name: {TENANT}"), "rate_cards: [{meter: m, from: 2020-01-01T00:00:00Z}]");
    let place =
        "tenants/a: the meter m of the installation would take the place of that of tenants/a, and has another ";
    for (meter, own, priced, wanted) in [
        ("family: allocation", "unit: x", false, "family or other decimals"),
        ("decimals: 2", "unit: x", false, "family or other decimals"),
        ("unit: x", "unit: CNY", true, "unit than rate cards price in"),
    ] {
        let after = if priced { card } else { &empty };
        assert_eq!(told(&both(meter, own, priced), after, Some(TENANT)), [format!("{place}{wanted}")]);
    }
    assert!(told(&both("unit: x", "unit: CNY", true), &empty, Some(TENANT)).is_empty(), "the card goes as well");
    assert!(told(&both("unit: x", "unit: y", false), &empty, Some(TENANT)).is_empty());
    // Where the installation's is made, or goes, in the same document, that is the one that is asked.
    let made = format!("meters: [{{name: m, decimals: 2}}]\ntenants:\n  - name: {TENANT}\n");
    let alone = format!("tenants:\n  - {{name: {TENANT}, meters: [{{name: m}}]}}\n");
    assert_eq!(told(&alone, &made, None), [format!("{place}family or other decimals")]);
    assert!(told(&both("decimals: 2", "unit: x", false), &format!("tenants:\n  - name: {TENANT}\n"), None).is_empty());
}

#[test]
fn a_unit_stays_that_cards_price_in() {
    let card = "rate_cards: [{meter: m, from: 2020-01-01T00:00:00Z}]";
    let own = |unit: &str| format!("meters: [{{name: m, unit: {unit}}}]\n{card}");
    let before = format!("{}\ntenants: [{{name: {TENANT}, {card}}}]", own("CNY"));
    let told = |after: &str, tenant| told(&before, after, tenant);
    let text = "the unit of the meter m is what the rate cards of";
    let (of_all, of_tenant) = (format!("{text} the installation price in"), format!("{text} {TENANT} price in"));
    let says = |found: Vec<String>, wanted: &[String]| {
        let found: Vec<&str> = found.iter().map(|text| text.split_once(':').unwrap().1.trim()).collect();
        let wanted: Vec<String> = wanted.iter().map(|text| format!("{text}: delete these first")).collect();
        assert_eq!(found, wanted);
    };
    says(told(&own("USD"), None), &[of_all, of_tenant.clone()]);
    says(told(&own("CNY"), None), &[]);
    // Another card is made for the unit that it finds.
    says(told(&own("USD").replace("2020", "2021"), None), &[of_tenant]);
    // A meter that a tenant makes is, for what it had, the same as the installation's was.
    says(told(&own("USD"), Some(TENANT)), &[format!("{text} the installation price in")]);
    says(told(&own("CNY"), Some(TENANT)), &[]);
}
