//! Meters that take the place of others of their name: what was counted by the one, and priced in its unit, is read by the other.

use super::in_use::Hindrance;
use super::validate::Current;
use crate::domain::meter::Meter;
use crate::domain::name::MeterName;
use crate::domain::time::Timestamp;
use crate::engine::ports::{CatalogData, CatalogWrite, ScopeWrite};
use std::collections::{BTreeMap, BTreeSet};

/// A rate card: whose, of which meter, since when.
type Card<'a> = (Option<&'a str>, &'a MeterName, Timestamp);

/// What a scope sees of meters, and of the cards that price them.
#[derive(Clone, Default)]
pub(super) struct Sight<'a> {
    meters: BTreeMap<&'a MeterName, &'a Meter>,
    cards: BTreeSet<Card<'a>>,
}

impl<'a> Sight<'a> {
    /// All that there is.
    pub(super) fn of(data: &'a CatalogData) -> Sight<'a> {
        Sight::such(data, |_| true)
    }

    /// What a scope has of its own.
    fn own(data: &'a CatalogData, tenant: Option<&str>) -> Sight<'a> {
        Sight::such(data, |owner| owner == tenant)
    }

    fn such(data: &'a CatalogData, is_meant: impl Fn(Option<&str>) -> bool) -> Sight<'a> {
        let meters = data.meters.iter().filter(|meter| is_meant(meter.tenant.as_deref()));
        let cards = data.rate_cards.iter().filter(|card| is_meant(card.tenant.as_deref()));
        Sight {
            meters: meters.map(|meter| (&meter.name, meter)).collect(),
            cards: cards.map(|card| (card.tenant.as_deref(), &card.meter, card.from)).collect(),
        }
    }

    /// The same once this is written.
    pub(super) fn written(mut self, changes: &'a [CatalogWrite]) -> Sight<'a> {
        for change in changes {
            match change {
                CatalogWrite::PutMeter(meter) => drop(self.meters.insert(&meter.name, meter)),
                CatalogWrite::DeleteMeter(meter) => drop(self.meters.remove(&meter.name)),
                CatalogWrite::DeleteRateCard(card) => {
                    self.cards.remove(&(card.tenant.as_deref(), &card.meter, card.from));
                }
                // A new card prices in the unit that it finds.
                _ => {}
            }
        }
        self
    }

    /// A tenant's own, with the installation's where it has none.
    pub(super) fn over(mut self, below: &Sight<'a>) -> Sight<'a> {
        for (name, meter) in &below.meters {
            self.meters.entry(name).or_insert(meter);
        }
        self.cards.extend(&below.cards);
        self
    }

    /// What keeps the meters of `after` from taking the place of these, in the eyes of a scope.
    pub(super) fn hindrances(&self, after: &Sight<'_>, tenant: Option<&str>) -> Vec<Hindrance> {
        let pairs =
            self.meters.values().filter_map(|before| after.meters.get(&before.name).map(|after| (before, after)));
        let found = pairs.filter_map(|(before, wanted)| {
            // A tenant's own goes for the installation's. Which meter may be made is judged where it is made.
            let goes = before.tenant.as_ref().filter(|_| wanted.tenant.is_none()).cloned();
            let meter = before.name.clone();
            if let Some(tenant) = &goes
                && (before.rules.family, before.decimals) != (wanted.rules.family, wanted.decimals)
            {
                return Some(Hindrance::CountsOtherwise { meter, tenant: tenant.clone() });
            }
            if before.unit == wanted.unit {
                return None;
            }
            // Of the installation's meter and its own cards the installation is told.
            let is_theirs = before.tenant.is_none() && wanted.tenant.is_none() && tenant.is_some();
            let stays = |card: &&Card<'_>| *card.1 == before.name && after.cards.contains(*card);
            let (owner, ..) = self.cards.iter().filter(stays).find(|(owner, ..)| !is_theirs || owner.is_some())?;
            Some(match goes {
                Some(tenant) => Hindrance::PricedOtherwise { meter, tenant },
                None => Hindrance::Priced { meter, whose: owner.unwrap_or("the installation").to_owned() },
            })
        });
        found.collect()
    }
}

/// What keeps the writes of a document from being made, in the eyes of each scope that it describes.
pub(super) fn hindrances(current: &Current, writes: &[ScopeWrite]) -> Vec<(Option<String>, Hindrance)> {
    let changes = |tenant: Option<&str>| {
        let scope = writes.iter().find(|scope| scope.tenant.as_deref() == tenant);
        scope.map_or(&[][..], |scope| &scope.changes)
    };
    let touches = |change| matches!(change, &CatalogWrite::PutMeter(_) | &CatalogWrite::DeleteMeter(_));
    if !writes.iter().flat_map(|scope| &scope.changes).any(touches) {
        return Vec::new();
    }
    let before = Sight::own(&current.installation, None);
    let after = before.clone().written(changes(None));
    let mut found: Vec<_> = before.hindrances(&after, None).into_iter().map(|hindrance| (None, hindrance)).collect();
    for (tenant, data) in &current.tenants {
        let own = Sight::own(data, Some(tenant));
        let own_after = own.clone().written(changes(Some(tenant))).over(&after);
        let of_tenant = own.over(&before).hindrances(&own_after, Some(tenant));
        found.extend(of_tenant.into_iter().map(|hindrance| (Some(tenant.clone()), hindrance)));
    }
    found
}
