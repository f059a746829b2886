//! Rate cards, both ways.

use super::reservation::signed;
use super::time::{in_calendar, timestamp};
use crate::domain::exact::Exact;
use crate::domain::name::MeterName;
use crate::domain::rate_card::{Discount, ExchangeRate, ItemPrice, RateCard};
use crate::engine::manage::document::rate_card::{
    MAX_COMPONENTS, checked_per, discount_key, factor, id, in_order, rate, rate_key,
};
use crate::engine::manage::document::{Found, Place, Problems};
use crate::proto::v1;
use std::collections::BTreeSet;
use std::fmt::Display;

/// A rate card as the protocol shows it.
pub fn rate_card(card: &RateCard) -> v1::RateCard {
    let price = |price: &ItemPrice| v1::ItemPrice {
        item: price.item.clone(),
        currency: price.currency.clone().unwrap_or_default(),
        per: signed(price.per),
        components: price.components.iter().map(|(name, price)| (name.clone(), price.to_string())).collect(),
    };
    let discount = |discount: &Discount| v1::Discount {
        service: discount.service.clone(),
        item: discount.item.clone().unwrap_or_default(),
        factor: discount.factor.to_string(),
    };
    let rate = |rate: &ExchangeRate| v1::ExchangeRate {
        currency: rate.currency.clone(),
        since_time: rate.since.and_then(timestamp),
        rate: rate.rate.to_string(),
    };
    v1::RateCard {
        prices: card.prices.iter().map(price).collect(),
        discounts: card.discounts.iter().map(discount).collect(),
        rates: card.rates.iter().map(rate).collect(),
        ..without_prices(card)
    }
}

/// The same as a list shows it.
pub fn without_prices(card: &RateCard) -> v1::RateCard {
    v1::RateCard {
        tenant: card.tenant.clone().unwrap_or_default(),
        meter: card.meter.to_string(),
        from_time: timestamp(card.from),
        price_count: i32::try_from(card.prices.len()).unwrap_or(i32::MAX),
        ..Default::default()
    }
}

/// A rate card that an administrator sends, at `at`. What is faulty is reported; whether it fits its meter is left to the catalog.
pub fn draft(card: v1::RateCard, tenant: Option<&str>, at: &Place, problems: &mut Problems) -> Option<Found<RateCard>> {
    let field = |name: &str| at.key(name, 0);
    let meter = read(&card.meter, str::parse::<MeterName>, &field("meter"), problems);
    let from = card.from_time.as_ref().and_then(in_calendar);
    if from.is_none() {
        problems.add(&field("from_time"), "is required: a time of the calendar");
    }
    let prices = all(card.prices, price, &field("prices"), problems);
    let discounts = all(card.discounts, discount, &field("discounts"), problems);
    let rates = all(card.rates, exchange_rate, &field("rates"), problems);
    let tenant = tenant.map(str::to_owned);
    let value = in_order(RateCard { tenant, meter: meter?, from: from?, prices, discounts, rates });
    Some(Found { at: at.clone(), value })
}

/// What stands in a list, each with the words by which it stands there once.
fn all<P, T>(
    items: Vec<P>,
    read: impl Fn(P, &Place, &mut Problems) -> Option<(String, T)>,
    at: &Place,
    problems: &mut Problems,
) -> Vec<T> {
    let (mut found, mut names) = (Vec::new(), BTreeSet::new());
    for (index, item) in items.into_iter().enumerate() {
        let at = at.item(index, 0);
        let Some((name, item)) = read(item, &at, problems) else { continue };
        if !names.insert(name.clone()) {
            problems.add(&at, format!("{name} stands here twice"));
        }
        found.push(item);
    }
    found
}

fn price(price: v1::ItemPrice, at: &Place, problems: &mut Problems) -> Option<(String, ItemPrice)> {
    let item = read(&price.item, id, &at.key("item", 0), problems);
    let currency = optional(&price.currency, &at.key("currency", 0), problems);
    let per = match price.per {
        0 => 1,
        per => checked_per(per.try_into().unwrap_or(0)).unwrap_or_else(|error| {
            problems.add(&at.key("per", 0), error);
            1
        }),
    };
    let at_components = at.key("components", 0);
    if !(1..=MAX_COMPONENTS).contains(&price.components.len()) {
        problems.add(&at_components, format!("must be 1 to {MAX_COMPONENTS} components with their prices"));
        return None;
    }
    let mut components: Vec<(String, String)> = price.components.into_iter().collect();
    components.sort();
    let mut component = |(name, text): (String, String)| {
        if let Err(error) = id(&name) {
            problems.add(&at_components, format!("a component {error}"));
        }
        let price = read(&text, str::parse::<Exact>, &at_components.key(&name, 0), problems)?;
        Some((name, price))
    };
    let components = components.into_iter().filter_map(&mut component).collect();
    let item = item?;
    Some((item.clone(), ItemPrice { item, currency, per, components }))
}

fn discount(discount: v1::Discount, at: &Place, problems: &mut Problems) -> Option<(String, Discount)> {
    let service = read(&discount.service, id, &at.key("service", 0), problems);
    let item = optional(&discount.item, &at.key("item", 0), problems);
    let factor = read(&discount.factor, factor, &at.key("factor", 0), problems);
    let (service, factor) = (service?, factor?);
    Some((discount_key(&service, item.as_deref()), Discount { service, item, factor }))
}

fn exchange_rate(given: v1::ExchangeRate, at: &Place, problems: &mut Problems) -> Option<(String, ExchangeRate)> {
    let currency = read(&given.currency, id, &at.key("currency", 0), problems);
    let since = given.since_time.as_ref().map(|time| {
        let since = in_calendar(time);
        if since.is_none() {
            problems.add(&at.key("since_time", 0), "is no time of the calendar");
        }
        since
    });
    let rate = read(&given.rate, rate, &at.key("rate", 0), problems);
    let (currency, since, rate) = (currency?, since.flatten(), rate?);
    Some((rate_key(&currency, since), ExchangeRate { currency, since, rate }))
}

fn optional(text: &str, at: &Place, problems: &mut Problems) -> Option<String> {
    if text.is_empty() { None } else { read(text, id, at, problems) }
}

fn read<T, E: Display>(
    text: &str,
    rule: impl FnOnce(&str) -> Result<T, E>,
    at: &Place,
    problems: &mut Problems,
) -> Option<T> {
    rule(text).map_err(|error| problems.add(at, error.to_string())).ok()
}
