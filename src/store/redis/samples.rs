//! Random reservations and counters for the tests of the codecs, with figures up to 2^53-1.

use super::value::Value;
use crate::domain::amount;
use crate::domain::counter::{Counter, Gauge, Usage, WindowCount};
use crate::domain::exact::Exact;
use crate::domain::meter::{Admission, ChargeMoment, Expiry, Family, Overage, Rules};
use crate::domain::name::{IdKey, MeterId, Uid};
use crate::domain::price::{Priced, Quantities, Tariff};
use crate::domain::reservation::{About, Flags, Held, Level, Reservation, State};
use crate::domain::time::{Period, Timestamp};
use crate::domain::window::WindowId;
use rand::RngExt;
use rand::rngs::StdRng;
use std::sync::Arc;

/// An amount of any size.
pub fn amount(rng: &mut StdRng) -> u64 {
    match rng.random_range(0..5) {
        0 => 0,
        1 => amount::MAX,
        _ => rng.random_range(0..=amount::MAX) >> rng.random_range(0..53),
    }
}

/// A time of any size, also the ends.
pub fn time(rng: &mut StdRng) -> Timestamp {
    match rng.random_range(0..6) {
        0 => Timestamp::MIN,
        1 => Timestamp::MAX,
        _ => Timestamp::from_millis(rng.random_range(-1_000_000..2_000_000_000_000)),
    }
}

fn text(rng: &mut StdRng) -> Box<str> {
    (0..rng.random_range(0..40)).map(|_| rng.random_range('a'..='z')).collect::<String>().into()
}

fn usage(rng: &mut StdRng) -> Usage {
    Usage { used: amount(rng), held: amount(rng) }
}

/// A charge of nothing.
pub fn empty_charge() -> Held {
    Held {
        about: Arc::new(About::of("", "", MeterId(0))),
        asked: None,
        held: 0,
        committed: 0,
        unconfirmed: 0,
        lapsed: 0,
        freed: 0,
        final_amount: None,
        rules: Rules::default(),
        path: Vec::new().into(),
        price: None,
        estimate: None,
    }
}

/// A charge with two or three levels.
pub fn charge(rng: &mut StdRng) -> Held {
    let also = (0..rng.random_range(0..2)).map(|_| text(rng)).collect();
    let rules = Rules {
        family: [Family::Consumption, Family::Allocation][rng.random_range(0..2)],
        admission: [Admission::Fits, Admission::Positive][rng.random_range(0..2)],
        overage: [Overage::Record, Overage::Cap, Overage::Refuse][rng.random_range(0..3)],
        expiry: [Expiry::GiveBack, Expiry::Charge, Expiry::Park][rng.random_range(0..3)],
        charge: [ChargeMoment::OnCommit, ChargeMoment::OnReserve][rng.random_range(0..2)],
    };
    let level = |rng: &mut StdRng| Level {
        account: Uid(rng.random()),
        has_top_up: rng.random(),
        held_top_up: amount(rng),
        used_top_up: amount(rng),
    };
    let about = About { item: text(rng), also, ..About::of("tenants/acme/users/u1", text(rng), MeterId(rng.random())) };
    let mut held = Held {
        about: Arc::new(about),
        asked: rng.random::<bool>().then(|| amount(rng)),
        held: amount(rng),
        committed: amount(rng),
        unconfirmed: amount(rng),
        lapsed: amount(rng),
        freed: amount(rng),
        final_amount: rng.random::<bool>().then(|| amount(rng)),
        rules,
        path: (0..rng.random_range(2..4)).map(|_| level(rng)).collect(),
        price: None,
        estimate: None,
    };
    if rng.random() {
        held.price = Some(Box::new(priced(rng)));
        held.estimate = rng.random::<bool>().then(|| Box::new(quantities(rng)));
    }
    held
}

fn quantities(rng: &mut StdRng) -> Quantities {
    let all: Vec<_> = (0..rng.random_range(0..3)).map(|_| (text(rng), amount(rng) >> 20)).collect();
    Quantities::new(all)
}

fn priced(rng: &mut StdRng) -> Priced {
    let exact = |rng: &mut StdRng| Exact::new(rng.random_range(0..10_i128.pow(12)));
    let quantities = quantities(rng);
    let mut components: Vec<(Box<str>, Exact)> = quantities.iter().map(|(name, _)| (name.into(), exact(rng))).collect();
    components.push(("~".into(), exact(rng)));
    let tariff = Tariff {
        service: text(rng),
        card: time(rng),
        decimals: rng.random_range(0..=10),
        per: rng.random_range(1..1_000_000),
        components,
        exchange: rng.random::<bool>().then(|| (text(rng), exact(rng))),
        discount: exact(rng),
    };
    Priced { tariff, quantities }
}

/// A reservation of any state.
pub fn reservation(rng: &mut StdRng) -> Reservation {
    Reservation {
        tenant: Uid(rng.random()),
        tenant_name: "tenants/acme".into(),
        id: text(rng),
        key: IdKey(rng.random()),
        fingerprint: rng.random(),
        state: State::from_code(rng.random_range(1..=6)).unwrap_or(State::Held),
        flags: Flags {
            overrun: rng.random(),
            late: rng.random(),
            recovered: rng.random(),
            unenforced: rng.random(),
            saturated: rng.random(),
        },
        create_time: time(rng),
        expire_time: time(rng),
        charges: (0..rng.random_range(1..5)).map(|_| charge(rng)).collect(),
        labels: (0..rng.random_range(0..3)).map(|_| (text(rng), text(rng))).collect(),
        requests: (0..rng.random_range(0..20)).map(|_| IdKey(rng.random())).collect(),
    }
}

/// A counter with windows of every kind.
pub fn value(rng: &mut StdRng) -> Value {
    let windows = (0..rng.random_range(0..6)).map(|_| window(rng)).collect();
    let counter =
        Counter { windows, top_up: usage(rng), own: amount(rng), lifetime_known: rng.random(), cut: rng.random() };
    Value { counter, loading: rng.random::<bool>().then(|| (amount(rng), rng.random_range(0..5))) }
}

fn window(rng: &mut StdRng) -> WindowCount {
    let gauge = match rng.random_range(0..3) {
        0 => Gauge::Period { period: Period { start: time(rng), end: time(rng) }, usage: usage(rng) },
        1 => {
            let buckets = (0..rng.random_range(0..62)).map(|i| (29_000_000 + i, usage(rng))).collect();
            Gauge::Sliding { step: rng.random_range(1..100_000), buckets }
        }
        _ => Gauge::Rate {
            length: rng.random_range(1..100_000),
            limit: if rng.random() { u64::MAX } else { amount(rng) },
            backlog: amount(rng),
            at: time(rng),
        },
    };
    WindowCount { window: WindowId(rng.random()), planned: rng.random(), gauge }
}

/// A value as a script writes it.
pub fn value_bytes(value: &Value) -> Vec<u8> {
    let mut out = vec![1];
    let double = |out: &mut Vec<u8>, figure: i64| out.extend((figure as f64).to_le_bytes());
    let end = |time: Timestamp| time.millis().clamp(-super::pack::MAX, super::pack::MAX);
    let counter = &value.counter;
    let flags = u8::from(counter.lifetime_known) | u8::from(counter.cut) << 1 | u8::from(value.loading.is_some()) << 2;
    out.push(flags);
    for figure in [counter.top_up.used, counter.top_up.held, counter.own] {
        double(&mut out, figure as i64);
    }
    out.push(counter.windows.len() as u8);
    for window in &counter.windows {
        out.extend(window.window.0.to_be_bytes());
        let planned = if window.planned { 128 } else { 0 };
        match &window.gauge {
            Gauge::Period { period, usage } => {
                out.push(planned);
                for figure in [end(period.start), end(period.end), usage.used as i64, usage.held as i64] {
                    double(&mut out, figure);
                }
            }
            Gauge::Sliding { step, buckets } => {
                out.push(planned + 1);
                double(&mut out, *step);
                out.extend((buckets.len() as u16).to_le_bytes());
                for (index, usage) in buckets {
                    [*index, usage.used as i64, usage.held as i64].iter().for_each(|figure| double(&mut out, *figure));
                }
            }
            Gauge::Rate { length, limit, backlog, at } => {
                out.push(planned + 2);
                let limit = if *limit == u64::MAX { -1 } else { *limit as i64 };
                [*length, limit, *backlog as i64, end(*at)].iter().for_each(|figure| double(&mut out, *figure));
            }
        }
    }
    if let Some((since, count)) = value.loading {
        double(&mut out, since as i64);
        out.extend((count as u16).to_le_bytes());
        out.resize(out.len() + count * 49, 0);
    }
    out
}
