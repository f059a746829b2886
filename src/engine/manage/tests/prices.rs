//! What a rate card may say: names, exact prices, currencies, and the meters that it may price.

use super::helpers::{catalog, contents, faults, judge};
use crate::domain::exact::Exact;

/// A document with a meter and a card of it.
fn with(meter: &str, card: &str) -> String {
    format!(
        "meters:\n  - {{name: m, unit: CNY, {meter}}}\nrate_cards:\n  - {{meter: m, from: 2026-01-01T00:00:00Z, {card}}}\n"
    )
}

#[test]
fn prices_are_exact_and_in_order() {
    let card =
        "prices: [{item: z, per: 1_000_000, components: {b: 2, a: \"0.0000000001\"}}, {item: a, components: {a: 0}}]";
    let contents = contents(&with("decimals: 6", card));
    let card = &contents[0].rate_cards[0];
    let items: Vec<(&str, u64)> = card.prices.iter().map(|price| (price.item.as_str(), price.per)).collect();
    assert_eq!(items, [("a", 1), ("z", 1_000_000)]);
    let prices: Vec<Exact> = card.prices[1].components.values().copied().collect();
    assert_eq!(prices, [Exact::new(1), Exact::new(20_000_000_000)]);
}

#[test]
fn every_fault_of_a_card_has_its_line() {
    for (meter, card, message) in [
        ("decimals: 2", "prices: [{item: a}]", "line 4: rate_cards[0].prices[0]: components is needed"),
        ("decimals: 2", "prices: [{item: a, components: {x: 0.12345678901}}]", "must have at most 10 decimals"),
        (
            "decimals: 2",
            "prices: [{item: a, components: {x: 1}}, {item: a, components: {x: 1}}]",
            "a stands here twice",
        ),
        ("decimals: 2", "prices: [{item: a b, components: {x: 1}}]", "must be 1 to 128 visible ASCII characters"),
        ("decimals: 2", "discounts: [{service: chat, factor: -1}]", "must not be negative"),
        (
            "decimals: 2",
            "discounts: [{service: c, factor: 1}, {service: c, factor: 0}]",
            "c for all items stands here twice",
        ),
        ("decimals: 2", "rates: [{currency: CNY, rate: 2}]", "CNY is the meter's own unit and needs no rate"),
        (
            "decimals: 2",
            "prices: [{item: a, currency: USD, components: {x: 1}}]",
            "has no rate of USD, in which \"a\" is priced",
        ),
        ("family: allocation", "prices: []", "must be a consumption meter"),
    ] {
        let found = faults(&with(meter, card));
        assert!(found.len() == 1 && found[0].contains(message), "{card}: {found:?}");
    }
    let unknown = faults("rate_cards: [{meter: m, from: 2026-01-01T00:00:00Z}]\n");
    assert_eq!(unknown, ["line 1: rate_cards[0].meter: there is no meter \"m\""]);
    let twice =
        "rate_cards:\n  - {meter: m, from: 2026-01-01T00:00:00Z}\n  - {meter: m, from: 2026-01-01T08:00:00+08:00}\n";
    assert!(faults(&format!("meters: [{{name: m}}]\n{twice}"))[0].contains("stands on line 3 already"));
}

#[test]
fn a_pruned_meter_is_not_priced() {
    let current = catalog(&contents(&with("decimals: 2", "prices: []")));
    let tenant = "name: tenants/a\nrate_cards: [{meter: m, from: 2026-01-01T00:00:00Z}]\n";
    assert!(judge(tenant, Some("tenants/a"), &current, true).is_ok(), "the installation's meter");
    let pruned = judge(
        "tenants:\n  - {name: tenants/a, rate_cards: [{meter: m, from: 2026-01-01T00:00:00Z}]}\n",
        None,
        &current,
        true,
    );
    assert!(pruned.unwrap_err()[0].contains("there is no meter"));
}
