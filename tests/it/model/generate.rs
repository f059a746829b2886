//! Random catalogs: each history draws its own few meters, limits, top-ups, patterns and plans, and changes of them.

use super::MAX;
use super::catalog::{Catalog, Expiry, Limit, Meter, Overage, Quota};
use super::windows::Shape;
use rand::prelude::*;

/// Accounts that are charged; their ancestors have limits too.
pub(crate) const CHARGED: [&str; 6] = [
    "tenants/t",
    "tenants/t/users/u1",
    "tenants/t/users/u2",
    "tenants/t/subtenants/a",
    "tenants/t/subtenants/a/users/u3",
    "tenants/t/subtenants/a/users/u4/repos/r",
];
/// Accounts that a charge may add to its path.
pub(crate) const ADDED: [&str; 3] = ["tenants/t/pools/p", "tenants/t/projects/x", "tenants/t/users/u2"];
/// Every account there is.
pub(crate) const ACCOUNTS: [&str; 9] = [
    "tenants/t",
    "tenants/t/users/u1",
    "tenants/t/users/u2",
    "tenants/t/subtenants/a",
    "tenants/t/subtenants/a/users/u3",
    "tenants/t/subtenants/a/users/u4",
    "tenants/t/subtenants/a/users/u4/repos/r",
    "tenants/t/pools/p",
    "tenants/t/projects/x",
];
const PATTERNS: [&str; 7] = [
    "tenants/-/users/-",
    "tenants/-/subtenants/-/users/-",
    "tenants/t/users/-",
    "tenants/t/subtenants/-/users/-",
    "tenants/t/subtenants/a/users/-",
    "plans/vip",
    "plans/trial",
];
const METERS: [&str; 3] = ["m.a", "m.b", "m.c"];

/// What kind of history it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taste {
    /// With rates: then the catalog stays as it is, because a rate looks at what the limit was all the way.
    pub(crate) rates: bool,
    /// With amounts around 2^53: then counters saturate, and a saturated counter is no sum any more.
    /// The catalog stays as it is then too: a window that comes later is filled from sums that were cut to their range.
    pub(crate) huge: bool,
    /// With top-ups.
    pub(crate) top_ups: bool,
    /// With further accounts on the path.
    pub(crate) also: bool,
    /// How use is given back.
    pub(crate) frees: Frees,
    /// With adjustments. The catalog stays as it is then too: a window that comes later is filled from a sum that may be
    /// below zero.
    pub(crate) adjusts: bool,
}

/// How use is given back in a history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frees {
    /// By reservation.
    ByReservation,
    /// By amount.
    ByAmount,
    /// By both: what goes back by reservation may have gone back by amount. Not with amounts around 2^53: a counter that was
    /// cut no longer says what is left.
    Both,
}

impl Taste {
    pub(crate) fn new(rng: &mut impl Rng) -> Taste {
        let (rates, huge) = (rng.random_bool(0.2), rng.random_bool(0.15));
        let (top_ups, also) = (rng.random_bool(0.4), rng.random_bool(0.6));
        let frees = match rng.random_range(0..3) {
            0 => Frees::ByReservation,
            1 => Frees::ByAmount,
            _ if huge => Frees::ByAmount,
            _ => Frees::Both,
        };
        Taste { rates, huge, top_ups, also, frees, adjusts: false }
    }
}

/// A catalog of one to three meters and some quotas.
pub(crate) fn catalog(rng: &mut impl Rng, taste: Taste) -> Catalog {
    let mut catalog = Catalog::default();
    for name in &METERS[..rng.random_range(1..=METERS.len())] {
        catalog.meters.push(meter(rng, taste, name));
    }
    for _ in 0..rng.random_range(1..8) {
        add_quota(rng, taste, &mut catalog, true);
    }
    for account in ACCOUNTS {
        carry(rng, &mut catalog, account);
    }
    catalog
}

fn meter(rng: &mut impl Rng, taste: Taste, name: &'static str) -> Meter {
    let mut meter = Meter {
        name,
        allocation: rng.random_bool(0.3),
        positive: rng.random_bool(0.3),
        overage: *[Overage::Record, Overage::Cap, Overage::Refuse].choose(rng).unwrap(),
        expiry: *[Expiry::GiveBack, Expiry::Charge, Expiry::Park].choose(rng).unwrap(),
        on_reserve: rng.random_bool(0.15),
        deny_by_default: rng.random_bool(0.15),
    };
    if taste.huge && meter.allocation && taste.frees == Frees::ByAmount && meter.expiry == Expiry::Charge {
        // A late commit gives back what expiry charged too much, which may have gone back by amount: as with `Frees::Both`.
        meter.expiry = Expiry::GiveBack;
    }
    meter
}

/// Changes one thing: a limit raised, lowered, lifted, removed; a quota or a plan added or removed; a window of another
/// shape. What belongs to the installation stays.
pub(crate) fn change(rng: &mut impl Rng, taste: Taste, catalog: &mut Catalog) {
    let own: Vec<usize> =
        (0..catalog.quotas.len()).filter(|at| !catalog.quotas[*at].subject.starts_with("tenants/-")).collect();
    let Some(&at) = own.choose(rng) else { return add_quota(rng, taste, catalog, false) };
    match rng.random_range(0..8) {
        0 | 1 => add_quota(rng, taste, catalog, false),
        2 => drop(catalog.quotas.remove(at)),
        3 => {
            let account = *ACCOUNTS.choose(rng).unwrap();
            carry(rng, catalog, account);
        }
        4 => catalog.quotas[at].shadow = !catalog.quotas[at].shadow,
        5 if taste.top_ups => catalog.quotas[at].top_up = rng.random_bool(0.7).then(|| rng.random_range(0..10)),
        5 | 6 => {
            let limits = &mut catalog.quotas[at].limits;
            if let Some(limit) = limits.choose_mut(rng) {
                limit.amount = amount(rng, taste, limit.shape);
            }
            in_order(limits);
        }
        _ => {
            let meter = catalog.meter(catalog.quotas[at].meter).unwrap().clone();
            catalog.quotas[at].limits = limits(rng, taste, &meter);
        }
    }
}

fn carry(rng: &mut impl Rng, catalog: &mut Catalog, account: &str) {
    match rng.random_range(0..6) {
        0 => drop(catalog.plans.insert(account.to_owned(), String::from("vip"))),
        1 => drop(catalog.plans.insert(account.to_owned(), String::from("trial"))),
        _ => drop(catalog.plans.remove(account)),
    }
}

fn add_quota(rng: &mut impl Rng, taste: Taste, catalog: &mut Catalog, installation: bool) {
    let meter = catalog.meters.choose(rng).unwrap().clone();
    let anything = *ACCOUNTS.iter().chain(&PATTERNS).choose(rng).unwrap();
    let subject = if rng.random_bool(0.5) { *CHARGED.choose(rng).unwrap() } else { anything };
    let known = catalog.quotas.iter().any(|quota| quota.subject == subject && quota.meter == meter.name);
    // The installation's document is applied once, at the start.
    if known || (subject.starts_with("tenants/-") && !installation) {
        return;
    }
    catalog.quotas.push(Quota {
        subject: subject.to_owned(),
        meter: meter.name,
        limits: limits(rng, taste, &meter),
        top_up: (taste.top_ups && rng.random_bool(0.4)).then(|| rng.random_range(0..10)),
        hold_share: rng.random_bool(0.1).then(|| rng.random_range(1..=100)),
        shadow: rng.random_bool(0.1),
    });
}

fn limits(rng: &mut impl Rng, taste: Taste, meter: &Meter) -> Vec<Limit> {
    let shapes = if meter.allocation { vec![Shape::Lifetime] } else { shapes(rng, taste) };
    let mut limits: Vec<Limit> = Vec::new();
    for shape in shapes {
        if !limits.iter().any(|limit| limit.shape.kind() == shape.kind()) {
            limits.push(Limit { shape, amount: amount(rng, taste, shape) });
        }
    }
    in_order(&mut limits);
    limits
}

fn shapes(rng: &mut impl Rng, taste: Taste) -> Vec<Shape> {
    let all = [
        Shape::Lifetime,
        Shape::Minute,
        Shape::Day { zoned: false },
        Shape::Day { zoned: true },
        Shape::Week,
        Shape::Month,
        Shape::Sliding(3_600_000),
        Shape::Sliding(600_000),
        Shape::Rate(1_000),
        Shape::Rate(60_000),
    ];
    let usable = &all[..if taste.rates { 10 } else { 8 }];
    (0..rng.random_range(1..=3)).map(|_| *usable.choose(rng).unwrap()).collect()
}

fn amount(rng: &mut impl Rng, taste: Taste, shape: Shape) -> Option<u64> {
    if matches!(shape, Shape::Rate(_)) {
        return Some(rng.random_range(1..20));
    }
    if rng.random_bool(0.08) {
        return None;
    }
    if taste.huge && rng.random_bool(0.5) {
        return [100_000_000_000_001, MAX - 1, MAX, MAX + 1, i64::MAX as u64].choose(rng).copied();
    }
    Some(rng.random_range(0..25))
}

/// A day's limit is not above a month's: the catalog refuses that.
fn in_order(limits: &mut [Limit]) {
    let day = limits.iter().find(|limit| limit.shape.kind() == "day").and_then(|limit| limit.amount);
    for limit in limits.iter_mut().filter(|limit| limit.shape == Shape::Month) {
        limit.amount = limit.amount.map(|month| month.max(day.unwrap_or(0)));
    }
}
