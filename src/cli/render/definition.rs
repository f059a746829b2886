//! Meters, plans and rate cards.

use super::table::{Column, View, instant_or_dash, words};
use crate::proto::v1::{
    AdmissionRule, ChargeRule, DefaultPolicy, Discount, ExchangeRate, ExpiryRule, FailurePolicy, ItemPrice, Meter,
    OverageRule, Plan, RateCard,
};
use Column::{Number, Text};

/// A line for each meter.
pub fn meters(view: &View, meters: &[Meter]) -> String {
    if meters.is_empty() {
        return "no meters".to_owned();
    }
    let columns = [Text("meter"), Text("of"), Text("unit"), Number("decimals"), Text("family"), Text("rules")];
    let row = |meter: &Meter| {
        vec![
            meter.name.clone(),
            owner(&meter.tenant),
            meter.unit.clone(),
            meter.decimals.to_string(),
            words(meter.family().as_str_name(), "METER_FAMILY_"),
            rules(meter),
        ]
    };
    view.table(&columns, meters.iter().map(row).collect())
}

/// A meter, and a line for each language that it has a name in.
pub fn meter(view: &View, meter: &Meter) -> String {
    let own = meters(view, std::slice::from_ref(meter));
    let mut languages: Vec<&String> = meter.display_names.keys().chain(meter.unit_names.keys()).collect();
    languages.sort();
    languages.dedup();
    if languages.is_empty() {
        return own;
    }
    let row = |language: &String| {
        let name = |names: &std::collections::HashMap<String, String>| names.get(language).cloned().unwrap_or_default();
        vec![language.clone(), name(&meter.display_names), name(&meter.unit_names)]
    };
    let columns = [Text("language"), Text("name"), Text("unit")];
    format!("{own}\n{}", view.table(&columns, languages.into_iter().map(row).collect()))
}

/// What departs from the defaults: `positive balance, overage cap, limits 1 to 100`.
fn rules(meter: &Meter) -> String {
    let mut said = Vec::new();
    if meter.admission() == AdmissionRule::Positive {
        said.push("positive balance".to_owned());
    }
    let overage = meter.overage();
    if overage != OverageRule::Record {
        said.push(format!("overage {}", words(overage.as_str_name(), "OVERAGE_RULE_")));
    }
    let expiry = meter.expiry();
    if expiry != ExpiryRule::GiveBack {
        said.push(format!("expiry {}", words(expiry.as_str_name(), "EXPIRY_RULE_")));
    }
    if meter.charge() == ChargeRule::OnReserve {
        said.push("charged on reserve".to_owned());
    }
    if meter.default_policy() == DefaultPolicy::Deny {
        said.push("denied without a quota".to_owned());
    }
    if meter.failure_policy() == FailurePolicy::FailOpen {
        said.push("fails open".to_owned());
    }
    said.extend(bounds(meter.min_limit.unwrap_or(0), meter.max_limit));
    for (departs, text) in [
        (meter.may_be_unlimited == Some(false), "never unlimited"),
        (meter.ordered_limits == Some(false), "limits in any order"),
        (meter.within_parent, "within parent"),
    ] {
        said.extend(departs.then(|| text.to_owned()));
    }
    said.extend(meter.warn_percent.filter(|percent| *percent != 80).map(|percent| format!("low above {percent} %")));
    said.join(", ")
}

fn bounds(least: i64, most: Option<i64>) -> Option<String> {
    match (least, most) {
        (0, None) => None,
        (least, None) => Some(format!("limits from {least}")),
        (least, Some(most)) => Some(format!("limits {least} to {most}")),
    }
}

/// A line for each plan.
pub fn plans(view: &View, plans: &[Plan]) -> String {
    if plans.is_empty() {
        return "no plans".to_owned();
    }
    let columns = [Text("plan"), Text("of"), Text("name"), Text("features")];
    let row =
        |plan: &Plan| vec![plan.name.clone(), owner(&plan.tenant), plan.display_name.clone(), plan.features.join(", ")];
    view.table(&columns, plans.iter().map(row).collect())
}

/// A line for each rate card.
pub fn cards(view: &View, cards: &[RateCard]) -> String {
    if cards.is_empty() {
        return "no rate cards".to_owned();
    }
    let columns = [Text("meter"), Text("from"), Text("of"), Number("prices")];
    let row = |card: &RateCard| {
        let from = instant_or_dash(card.from_time.as_ref());
        vec![card.meter.clone(), from, owner(&card.tenant), card.price_count.to_string()]
    };
    view.table(&columns, cards.iter().map(row).collect())
}

/// A rate card with its prices, discounts and exchange rates.
pub fn card(view: &View, card: &RateCard) -> String {
    let mut parts = vec![cards(view, std::slice::from_ref(card))];
    let price = |price: &ItemPrice| {
        let mut components: Vec<String> =
            price.components.iter().map(|(name, price)| format!("{name} {price}")).collect();
        components.sort();
        vec![price.item.clone(), components.join(", "), price.per.to_string(), price.currency.clone()]
    };
    let columns = [Text("item"), Text("price"), Number("per"), Text("currency")];
    parts.extend(table(view, &columns, &card.prices, price));
    let discount = |discount: &Discount| {
        let item = if discount.item.is_empty() { "(all)" } else { &discount.item };
        vec![discount.service.clone(), item.to_owned(), discount.factor.clone()]
    };
    parts.extend(table(view, &[Text("service"), Text("item"), Number("factor")], &card.discounts, discount));
    let rate =
        |rate: &ExchangeRate| vec![rate.currency.clone(), instant_or_dash(rate.since_time.as_ref()), rate.rate.clone()];
    parts.extend(table(view, &[Text("currency"), Text("since"), Number("rate")], &card.rates, rate));
    parts.join("\n")
}

fn table<T>(view: &View, columns: &[Column], items: &[T], row: impl Fn(&T) -> Vec<String>) -> Option<String> {
    (!items.is_empty()).then(|| view.table(columns, items.iter().map(row).collect()))
}

fn owner(tenant: &str) -> String {
    if tenant.is_empty() { "installation".to_owned() } else { tenant.to_owned() }
}
