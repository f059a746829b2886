//! Pricing: from quantities to amounts, by the rate card in force or by what a reservation froze. The engine prices, never the caller
//! and never a script (rule 16).

use super::call::{CallError, ChargeRequest};
use super::listed::{Charges, ListedCharge};
use super::snapshot::Snapshot;
use crate::domain::meter::Meter;
use crate::domain::name::MeterName;
use crate::domain::price::{Priced, Quantities, Tariff};
use crate::domain::rate_card::NoPrice;
use crate::domain::reservation::{Held, Reservation, State};
use crate::domain::settlement::Pricing;
use crate::domain::time::{Period, Timestamp};

/// What a rate card says of a charge.
pub(super) struct Quote {
    /// The prices; `None`: the charge needs none.
    pub tariff: Option<Tariff>,
    /// The amount: said, or the price of the quantities.
    pub amount: Option<u64>,
    /// When this is so.
    pub valid: Period,
}

impl Quote {
    /// A charge that no rate card concerns.
    pub(super) fn said(amount: Option<u64>) -> Quote {
        Quote { tariff: None, amount, valid: Period::ALWAYS }
    }

    /// Whether its item costs nothing, so that the balance need not admit it (S3.19).
    pub(super) fn is_free(&self) -> bool {
        self.amount.unwrap_or(0) == 0 && self.tariff.as_ref().is_some_and(Tariff::is_free)
    }
}

/// Why a charge has no price: the field and the reason.
type Unpriced = (&'static str, String);

/// Prices a charge at a time. `has_happened`: what is said to have been used needs no price.
///
/// # Errors
/// [`Unpriced`]: nothing is charged 0 by accident (S3.08).
pub(super) fn quote(
    snapshot: &Snapshot,
    charge: &ChargeRequest,
    meter: &Meter,
    has_happened: bool,
    now: Timestamp,
) -> Result<Quote, Unpriced> {
    let priced = !charge.quantities.is_empty();
    match tariff(snapshot, meter, (&charge.item, &charge.service), now) {
        Ok((tariff, valid)) => {
            check_components(&tariff, &charge.item, &charge.quantities)?;
            let amount = if priced { Some(tariff.cost(&charge.quantities).amount) } else { charge.amount };
            Ok(Quote { tariff: Some(tariff), amount, valid })
        }
        Err(missing) if priced => Err(("quantities", missing.why.to_string())),
        Err(missing) if missing.has_card() && !charge.item.is_empty() && !has_happened => {
            Err(("item", missing.why.to_string()))
        }
        // Without a card, or a name that it could have, it is an amount that the caller knows.
        Err(missing) => Ok(Quote { valid: missing.valid, ..Quote::said(charge.amount) }),
    }
}

/// Why there are no prices. Put into words only where it is told: most meters have none.
struct NoTariff {
    /// When this is so.
    valid: Period,
    /// Why.
    why: Missing,
}

/// What is missing for a price.
#[derive(thiserror::Error, Debug)]
enum Missing {
    #[error("{0} has no rate card in force")]
    Card(MeterName),
    #[error(transparent)]
    Price(NoPrice),
}

impl NoTariff {
    /// Whether a card is in force and does not have them.
    fn has_card(&self) -> bool {
        matches!(self.why, Missing::Price(_))
    }
}

/// The prices of an item for a service at a time, and when they are these.
fn tariff(
    snapshot: &Snapshot,
    meter: &Meter,
    names: (&str, &str),
    at: Timestamp,
) -> Result<(Tariff, Period), NoTariff> {
    let (card, valid) = snapshot.rate_card(meter, at);
    let Some(card) = card else {
        return Err(NoTariff { valid, why: Missing::Card(meter.name.clone()) });
    };
    match card.tariff(names, (&meter.unit, meter.decimals), at) {
        Ok((tariff, rate_valid)) => Ok((tariff, valid.intersect(&rate_valid))),
        Err(error) => Err(NoTariff { valid, why: Missing::Price(error) }),
    }
}

fn check_components(tariff: &Tariff, item: &str, quantities: &Quantities) -> Result<(), Unpriced> {
    match tariff.unknown(quantities).as_slice() {
        [] => Ok(()),
        unknown => Err(("quantities", format!("{item:?} has no price of {}", unknown.join(", ")))),
    }
}

/// Prices what a commit lists by the card in force now, as if nothing was priced before: the best guess as long as the reservation is
/// not known.
pub(super) fn guess(snapshot: &Snapshot, listed: &mut Charges, now: Timestamp) {
    for item in listed.0.iter_mut().filter(|item| !item.quantities.is_empty()) {
        if let Some(tariff) =
            today(snapshot, item, now).ok().filter(|tariff| tariff.unknown(&item.quantities).is_empty())
        {
            price(item, Some(Box::new(Priced::new(tariff))));
        }
    }
}

/// Prices what a commit lists by what the reservation froze, on what was priced so far; by the card in force now where it froze nothing.
///
/// # Errors
/// [`CallError::NoRateCard`] for each that has no price.
pub(super) fn reprice(
    snapshot: &Snapshot,
    reservation: &Reservation,
    listed: &mut Charges,
    now: Timestamp,
) -> Result<(), CallError> {
    let mut unpriced = Vec::new();
    for (index, item) in listed.0.iter_mut().enumerate().filter(|(_, item)| !item.quantities.is_empty()) {
        let Some(held) = reservation.charges.iter().find(|held| item.is(held)) else { continue };
        if let Err((field, why)) = reprice_one(snapshot, (held, reservation.state), item, now) {
            unpriced.push((index, field, why));
        }
    }
    if unpriced.is_empty() { Ok(()) } else { Err(CallError::NoRateCard(unpriced)) }
}

fn reprice_one(
    snapshot: &Snapshot,
    (held, state): (&Held, State),
    item: &mut ListedCharge,
    now: Timestamp,
) -> Result<(), Unpriced> {
    let Some(frozen) = &held.price else {
        let tariff = today(snapshot, item, now).map_err(|why| ("quantities", why))?;
        check_components(&tariff, &item.item, &item.quantities)?;
        let (after, amount) = Priced::new(tariff).with(&item.quantities);
        (item.amount, item.pricing) = (Some(amount), Pricing::Priced { before: None, after: Box::new(after) });
        return Ok(());
    };
    check_components(&frozen.tariff, &item.item, &item.quantities)?;
    // Of what is committed already it can only be the repeat: what was priced before that is what it is compared with.
    let first = frozen.quantities.minus(&item.quantities).filter(|_| state == State::Committed);
    let before = first.map_or_else(|| frozen.clone(), |first| Box::new(frozen.holding(first)));
    price(item, Some(before));
    Ok(())
}

/// Leaves the amounts at what they came to when the commit was answered.
pub(super) fn keep_amounts(listed: &mut Charges) {
    for item in listed.0.iter_mut().filter(|item| !item.quantities.is_empty()) {
        (item.quantities, item.pricing) = (Quantities::default(), Pricing::Said);
    }
}

fn price(item: &mut ListedCharge, before: Option<Box<Priced>>) {
    if let Some(base) = &before {
        let (after, amount) = base.with(&item.quantities);
        (item.amount, item.pricing) = (Some(amount), Pricing::Priced { before, after: Box::new(after) });
    }
}

/// The prices of a listed charge by the card in force now.
fn today(snapshot: &Snapshot, item: &ListedCharge, now: Timestamp) -> Result<Tariff, String> {
    let meter = item.meter.parse().ok().and_then(|name| snapshot.meter(&name));
    let meter = meter.ok_or_else(|| format!("there is no meter {}", item.meter))?;
    tariff(snapshot, meter, (&item.item, &item.service), now)
        .map(|(tariff, _)| tariff)
        .map_err(|missing| missing.why.to_string())
}
