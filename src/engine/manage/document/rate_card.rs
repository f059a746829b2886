//! Reads the `rate_cards` of a document.

use super::amount::read_amount;
use super::draft::Found;
use super::errors::{Place, Problems, quoted};
use super::fields::{Fields, scalar};
use super::yaml::{Node, Value};
use crate::domain::exact::Exact;
use crate::domain::name::{MeterName, is_caller_id};
use crate::domain::rate_card::{Discount, ExchangeRate, ItemPrice, RateCard};
use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

const CARD_KEYS: [&str; 5] = ["meter", "from", "prices", "discounts", "rates"];
const PRICE_KEYS: [&str; 4] = ["item", "currency", "per", "components"];
const DISCOUNT_KEYS: [&str; 3] = ["service", "item", "factor"];
const RATE_KEYS: [&str; 3] = ["currency", "since", "rate"];
const MAX_PER: u64 = 1_000_000_000;
/// Most components of an item's price.
pub const MAX_COMPONENTS: usize = 16;

/// Reads one rate card. Whether its meter and its exchange rates fit together is left for the catalog to judge.
pub fn read_rate_card(
    node: &Node<'_>,
    at: &Place,
    tenant: Option<&str>,
    problems: &mut Problems,
) -> Option<Found<RateCard>> {
    let fields = Fields::open(node, at, &CARD_KEYS, problems)?;
    let meter = fields.needed("meter", |text| text.parse::<MeterName>(), problems);
    let from = fields.needed("from", |text| text.parse::<Timestamp>(), problems);
    let prices: Vec<ItemPrice> = read_all(&fields, "prices", read_price, problems);
    let discounts: Vec<Discount> = read_all(&fields, "discounts", read_discount, problems);
    let rates: Vec<ExchangeRate> = read_all(&fields, "rates", read_rate, problems);
    let tenant = tenant.map(str::to_owned);
    let card = in_order(RateCard { tenant, meter: meter?, from: from?, prices, discounts, rates });
    Some(Found { at: at.clone(), value: card })
}

/// The card with its lists in the order in which it is kept and compared.
pub fn in_order(mut card: RateCard) -> RateCard {
    card.prices.sort_by(|a, b| a.item.cmp(&b.item));
    card.discounts.sort_by(|a, b| (&a.service, &a.item).cmp(&(&b.service, &b.item)));
    card.rates.sort_by(|a, b| (&a.currency, a.since).cmp(&(&b.currency, b.since)));
    card
}

/// By what a discount stands on a card once.
pub fn discount_key(service: &str, item: Option<&str>) -> String {
    format!("{service} {}", item.unwrap_or("for all items"))
}

/// By what an exchange rate stands on a card once.
pub fn rate_key(currency: &str, since: Option<Timestamp>) -> String {
    since.map_or_else(|| currency.to_owned(), |since| format!("{currency} since {since}"))
}

/// What stands in a list, each with the words by which it stands there once.
fn read_all<T>(
    fields: &Fields<'_, '_>,
    key: &str,
    read: impl Fn(&Node<'_>, &Place, &mut Problems) -> Option<(String, T)>,
    problems: &mut Problems,
) -> Vec<T> {
    let (mut all, mut names) = (Vec::new(), BTreeSet::new());
    for (node, at) in fields.list(key, problems) {
        let Some((name, item)) = read(node, &at, problems) else { continue };
        if !names.insert(name.clone()) {
            problems.add(&at, format!("{name} stands here twice"));
        }
        all.push(item);
    }
    all
}

fn read_price(node: &Node<'_>, at: &Place, problems: &mut Problems) -> Option<(String, ItemPrice)> {
    let fields = Fields::open(node, at, &PRICE_KEYS, problems)?;
    let item = fields.needed("item", id, problems);
    let currency = optional(&fields, "currency", id, problems);
    let per = optional(&fields, "per", per, problems).unwrap_or(1);
    let components = read_components(&fields, problems);
    let item = item?;
    Some((item.clone(), ItemPrice { item, currency, per, components }))
}

fn read_components(fields: &Fields<'_, '_>, problems: &mut Problems) -> BTreeMap<String, Exact> {
    let mut components = BTreeMap::new();
    let Some((node, at)) = fields.get("components") else {
        problems.add(&fields.at, "components is needed");
        return components;
    };
    let entries = match &node.value {
        Value::Map(entries) if (1..=MAX_COMPONENTS).contains(&entries.len()) => entries,
        _ => {
            problems.add(&at, "must be a map of 1 to 16 components to their prices, like {input: \"2.00\"}");
            return components;
        }
    };
    for (name, node) in entries {
        let at = at.key(&name.text.chars().take(40).collect::<String>(), name.line);
        if let Err(message) = id(&name.text) {
            problems.add(&at, format!("a component {message}"));
        }
        let Some(text) = scalar(node, &at, usize::MAX, problems) else { continue };
        match text.parse::<Exact>() {
            Ok(price) if components.insert(name.text.clone().into_owned(), price).is_some() => {
                problems.add(&at, "stands here twice");
            }
            Ok(_) => {}
            Err(message) => problems.add(&at, format!("{message}; it is {}", quoted(&text))),
        }
    }
    components
}

fn read_discount(node: &Node<'_>, at: &Place, problems: &mut Problems) -> Option<(String, Discount)> {
    let fields = Fields::open(node, at, &DISCOUNT_KEYS, problems)?;
    let service = fields.needed("service", id, problems);
    let item = optional(&fields, "item", id, problems);
    let factor = fields.needed("factor", factor, problems)?;
    let service = service?;
    Some((discount_key(&service, item.as_deref()), Discount { service, item, factor }))
}

fn read_rate(node: &Node<'_>, at: &Place, problems: &mut Problems) -> Option<(String, ExchangeRate)> {
    let fields = Fields::open(node, at, &RATE_KEYS, problems)?;
    let currency = fields.needed("currency", id, problems);
    let since = optional(&fields, "since", |text| text.parse::<Timestamp>(), problems);
    let rate = fields.needed("rate", rate, problems)?;
    let currency = currency?;
    Some((rate_key(&currency, since), ExchangeRate { currency, since, rate }))
}

fn optional<T, E: std::fmt::Display>(
    fields: &Fields<'_, '_>,
    key: &str,
    read: impl FnOnce(&str) -> Result<T, E>,
    problems: &mut Problems,
) -> Option<T> {
    fields.get(key).and_then(|_| fields.needed(key, read, problems))
}

/// The name of an item, a component, a currency or a service.
///
/// # Errors
/// What it must be.
pub fn id(text: &str) -> Result<String, &'static str> {
    if is_caller_id(text) { Ok(text.to_owned()) } else { Err("must be 1 to 128 visible ASCII characters") }
}

fn per(text: &str) -> Result<u64, String> {
    checked_per(read_amount(text, 0)?)
}

/// How many units a price may be for.
///
/// # Errors
/// How many it must be.
pub fn checked_per(per: u64) -> Result<u64, String> {
    if (1..=MAX_PER).contains(&per) { Ok(per) } else { Err(format!("must be from 1 to {MAX_PER}")) }
}

/// What a service pays of the price.
///
/// # Errors
/// What it must be.
pub fn factor(text: &str) -> Result<Exact, &'static str> {
    let factor: Exact = text.parse()?;
    if factor <= Exact::ONE { Ok(factor) } else { Err("must be from 0 (free) to 1 (no discount)") }
}

/// An exchange rate.
///
/// # Errors
/// What it must be.
pub fn rate(text: &str) -> Result<Exact, &'static str> {
    let rate: Exact = text.parse()?;
    if rate > Exact::ZERO { Ok(rate) } else { Err("must be above 0") }
}
