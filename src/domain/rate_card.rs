//! Rate cards: what the items of a meter cost from some time on, with discounts by service and exchange rates (S3.06).

use super::exact::Exact;
use super::name::MeterName;
use super::price::Tariff;
use super::time::{Period, Timestamp};
use std::collections::BTreeMap;
use thiserror::Error;

/// The prices of one meter from a time on, until the next card of the same meter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RateCard {
    /// The tenant it belongs to; `None` for the installation.
    pub tenant: Option<String>,
    /// The meter that is charged. Its unit is the currency of all costs.
    pub meter: MeterName,
    /// When it begins to be in force.
    pub from: Timestamp,
    /// Prices, one for each item, in order of item.
    pub prices: Vec<ItemPrice>,
    /// Discounts.
    pub discounts: Vec<Discount>,
    /// Exchange rates.
    pub rates: Vec<ExchangeRate>,
}

/// What one item costs: a model, a tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ItemPrice {
    /// The item.
    pub item: String,
    /// Currency of the prices; `None`: the meter's.
    pub currency: Option<String>,
    /// How many units of a component a price is for.
    pub per: u64,
    /// Price of each component.
    pub components: BTreeMap<String, Exact>,
}

/// What one service pays of the price.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discount {
    /// The service.
    pub service: String,
    /// The item; `None`: every item that has no discount of its own for the service.
    pub item: Option<String>,
    /// 0 (free) to 1 (none).
    pub factor: Exact,
}

/// What one of another currency is in the meter's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeRate {
    /// The other currency.
    pub currency: String,
    /// From when on; `None`: from the beginning.
    pub since: Option<Timestamp>,
    /// The rate.
    pub rate: Exact,
}

/// Why a card has no price.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NoPrice {
    /// The item is not on it.
    #[error("the rate card in force has no price of {0:?}")]
    Item(String),
    /// There is no rate from the currency of the item's prices.
    #[error("no exchange rate from {0} to {1} is in force")]
    Rate(String, String),
}

impl RateCard {
    /// What there is one of in a scope: the meter and when the card begins.
    pub fn name(&self) -> String {
        card_name(&self.meter, self.from)
    }

    /// The prices of an item for a service at a time, on a meter of that unit and those decimals; and the time in which they are
    /// these.
    ///
    /// # Errors
    /// [`NoPrice`]: what is not on the card is never free by accident (S3.08).
    pub fn tariff(
        &self,
        (item, service): (&str, &str),
        (unit, decimals): (&str, u8),
        at: Timestamp,
    ) -> Result<(Tariff, Period), NoPrice> {
        let place = self.prices.binary_search_by(|price| price.item.as_str().cmp(item));
        let price = &self.prices[place.map_err(|_| NoPrice::Item(item.to_owned()))?];
        let (exchange, valid) = match price.currency.as_deref().filter(|currency| *currency != unit) {
            None => (None, Period::ALWAYS),
            Some(currency) => {
                let missing = || NoPrice::Rate(currency.to_owned(), unit.to_owned());
                let (rate, valid) = self.rate(currency, at).ok_or_else(missing)?;
                (Some((currency.into(), rate)), valid)
            }
        };
        let tariff = Tariff {
            service: service.into(),
            card: self.from,
            decimals,
            per: price.per,
            components: price.components.iter().map(|(name, price)| (name.as_str().into(), *price)).collect(),
            exchange,
            discount: self.discount(item, service),
        };
        Ok((tariff, valid))
    }

    /// The rate of a currency at a time, and the time in which it is that.
    fn rate(&self, currency: &str, at: Timestamp) -> Option<(Exact, Period)> {
        let since = |rate: &ExchangeRate| rate.since.unwrap_or(Timestamp::MIN);
        let rates = || self.rates.iter().filter(|rate| rate.currency == currency);
        let found = rates().filter(|rate| since(rate) <= at).max_by_key(|rate| since(rate))?;
        let end = rates().map(since).filter(|start| *start > at).min().unwrap_or(Timestamp::MAX);
        Some((found.rate, Period { start: since(found), end }))
    }

    /// What a service pays of an item's price: its own discount, else that of all items, else all of it.
    fn discount(&self, item: &str, service: &str) -> Exact {
        let of = |wanted: Option<&str>| {
            self.discounts.iter().find(|discount| discount.service == service && discount.item.as_deref() == wanted)
        };
        of(Some(item)).or_else(|| of(None)).map_or(Exact::ONE, |discount| discount.factor)
    }
}

/// What names a rate card within its scope: its meter and its beginning.
pub fn card_name(meter: &MeterName, from: Timestamp) -> String {
    format!("{meter} {from}")
}

/// The card in force at a time among those of one meter, and the time in which it is that one: a tenant's own, once one of them has
/// begun, wins as a whole.
pub fn in_force(cards: &[RateCard], at: Timestamp) -> (Option<&RateCard>, Period) {
    let begun = cards.iter().filter(|card| card.from <= at);
    let card = begun.max_by_key(|card| (card.tenant.is_some(), card.from));
    let own = card.is_some_and(|card| card.tenant.is_some());
    let next = cards.iter().filter(|other| other.from > at && other.tenant.is_some() >= own);
    let end = next.map(|other| other.from).min().unwrap_or(Timestamp::MAX);
    (card, Period { start: card.map_or(Timestamp::MIN, |card| card.from), end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn card(tenant: Option<&str>, from: i64) -> RateCard {
        let price = |item: &str, currency: Option<&str>| ItemPrice {
            item: item.into(),
            currency: currency.map(Into::into),
            per: 1_000_000,
            components: [("input".to_owned(), Exact::ONE)].into(),
        };
        let discount = |item: Option<&str>, factor: &str| Discount {
            service: "chat".into(),
            item: item.map(Into::into),
            factor: factor.parse().unwrap(),
        };
        let rate = |since: Option<i64>, rate: &str| ExchangeRate {
            currency: "USD".into(),
            since: since.map(at),
            rate: rate.parse().unwrap(),
        };
        RateCard {
            tenant: tenant.map(Into::into),
            meter: "llm.cost".parse().unwrap(),
            from: at(from),
            prices: vec![price("gpt", None), price("opus", Some("USD")), price("yuan", Some("CNY"))],
            discounts: vec![discount(None, "0.8"), discount(Some("gpt"), "0.5")],
            rates: vec![rate(Some(200), "7.2"), rate(Some(100), "7.1")],
        }
    }

    fn tariff(item: &str, service: &str, when: i64) -> Result<(Tariff, Period), NoPrice> {
        card(None, 0).tariff((item, service), ("CNY", 6), at(when))
    }

    #[test]
    fn a_discount_is_of_a_service_and_the_item_s_own_wins() {
        let factor = |item, service| tariff(item, service, 150).unwrap().0.discount.to_string();
        assert_eq!((factor("gpt", "chat"), factor("opus", "chat")), ("0.50".into(), "0.80".into()));
        assert_eq!((factor("gpt", "api"), factor("gpt", "")), ("1.00".into(), "1.00".into()));
    }

    #[test]
    fn the_rate_is_that_of_the_day() {
        let rate =
            |when| tariff("opus", "", when).map(|(tariff, valid)| (tariff.exchange.unwrap().1.to_string(), valid));
        assert_eq!(rate(100).unwrap(), ("7.10".into(), Period { start: at(100), end: at(200) }));
        assert_eq!(rate(200).unwrap(), ("7.20".into(), Period { start: at(200), end: Timestamp::MAX }));
        assert_eq!(rate(99), Err(NoPrice::Rate("USD".into(), "CNY".into())));
        for item in ["gpt", "yuan"] {
            assert_eq!(tariff(item, "", 0).map(|(tariff, valid)| (tariff.exchange, valid)), Ok((None, Period::ALWAYS)));
        }
        assert_eq!(tariff("other", "", 0).unwrap_err(), NoPrice::Item("other".into()));
    }

    #[test]
    fn a_card_is_in_force_until_the_next_and_a_tenant_s_own_wins() {
        let cards = [card(None, 10), card(None, 30), card(Some("tenants/a"), 20), card(Some("tenants/a"), 40)];
        let found = |when| {
            let (card, valid) = in_force(&cards, at(when));
            card.map(|card| (card.tenant.is_some(), card.from, valid))
        };
        assert_eq!(in_force(&cards, at(9)), (None, Period { start: Timestamp::MIN, end: at(10) }));
        assert_eq!(found(10), Some((false, at(10), Period { start: at(10), end: at(20) })));
        assert_eq!(found(20), Some((true, at(20), Period { start: at(20), end: at(40) })));
        assert_eq!(found(35), Some((true, at(20), Period { start: at(20), end: at(40) })));
        assert_eq!(found(40), Some((true, at(40), Period { start: at(40), end: Timestamp::MAX })));
    }
}
