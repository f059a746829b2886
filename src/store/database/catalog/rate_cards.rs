//! Rate cards as rows: the definition is JSON, in structs of this file alone; prices are texts, so that they stay exact.

use super::rows::{from_json, tenant_of, to_json};
use crate::domain::exact::Exact;
use crate::domain::name::MeterName;
use crate::domain::rate_card::{Discount, ExchangeRate, ItemPrice, RateCard};
use crate::domain::time::Timestamp;
use crate::engine::ports::StoreError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
struct CardJson {
    meter: String,
    from_millis: i64,
    prices: Vec<PriceJson>,
    discounts: Vec<DiscountJson>,
    rates: Vec<RateJson>,
}

#[derive(Serialize, Deserialize)]
struct PriceJson {
    item: String,
    currency: Option<String>,
    per: u64,
    components: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct DiscountJson {
    service: String,
    item: Option<String>,
    factor: String,
}

#[derive(Serialize, Deserialize)]
struct RateJson {
    currency: String,
    since_millis: Option<i64>,
    rate: String,
}

/// A rate card's definition.
pub(super) fn to_definition(card: &RateCard) -> Result<String, StoreError> {
    let prices = card.prices.iter().map(|price| PriceJson {
        item: price.item.clone(),
        currency: price.currency.clone(),
        per: price.per,
        components: price.components.iter().map(|(name, price)| (name.clone(), price.to_string())).collect(),
    });
    let discounts = card.discounts.iter().map(|discount| DiscountJson {
        service: discount.service.clone(),
        item: discount.item.clone(),
        factor: discount.factor.to_string(),
    });
    let rates = card.rates.iter().map(|rate| RateJson {
        currency: rate.currency.clone(),
        since_millis: rate.since.map(Timestamp::millis),
        rate: rate.rate.to_string(),
    });
    to_json(&CardJson {
        meter: card.meter.to_string(),
        from_millis: card.from.millis(),
        prices: prices.collect(),
        discounts: discounts.collect(),
        rates: rates.collect(),
    })
}

/// A rate card from its definition.
pub(super) fn from_definition(scope: &str, json: &str) -> Result<RateCard, StoreError> {
    let row: CardJson = from_json(json)?;
    let price = |price: PriceJson| {
        let components = price.components.into_iter().map(|(name, text)| Ok((name, exact(&text)?)));
        let components = components.collect::<Result<_, StoreError>>()?;
        Ok(ItemPrice { item: price.item, currency: price.currency, per: price.per, components })
    };
    let discount = |discount: DiscountJson| {
        Ok(Discount { service: discount.service, item: discount.item, factor: exact(&discount.factor)? })
    };
    let rate = |rate: RateJson| {
        let since = rate.since_millis.map(Timestamp::from_millis);
        Ok(ExchangeRate { currency: rate.currency, since, rate: exact(&rate.rate)? })
    };
    Ok(RateCard {
        tenant: tenant_of(scope),
        meter: row.meter.parse::<MeterName>().map_err(|error| damaged(&row.meter, &error))?,
        from: Timestamp::from_millis(row.from_millis),
        prices: row.prices.into_iter().map(price).collect::<Result<_, StoreError>>()?,
        discounts: row.discounts.into_iter().map(discount).collect::<Result<_, StoreError>>()?,
        rates: row.rates.into_iter().map(rate).collect::<Result<_, StoreError>>()?,
    })
}

fn exact(text: &str) -> Result<Exact, StoreError> {
    text.parse().map_err(|error: &str| damaged(text, &error))
}

fn damaged(text: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("catalog: {text:?} of a rate card: {error}"))
}
