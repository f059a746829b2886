//! Operations with random plans, and replies as a script writes them.

use crate::domain::amount;
use crate::domain::counter::{Counter, Gauge, WindowCount, WindowPlan};
use crate::domain::decision::Cause;
use crate::domain::meter::{Admission, Rules};
use crate::domain::name::{IdKey, MeterId, MeterName, Uid};
use crate::domain::quota::EffectiveQuota;
use crate::domain::reservation::{About, Flags, Held, Level, Reservation, State};
use crate::domain::time::{Period, Span, Timestamp};
use crate::domain::window::{WindowId, WindowKind};
use crate::engine::operation::{Barred, Bound, CounterPlan, Known, Operation, Plan, Verb};
use crate::engine::ports::CounterKey;
use crate::store::redis::barred;
use crate::store::redis::pack::Writer;
use crate::store::redis::reply::{Header, RawReply, Status, split};
use crate::store::redis::samples;
use crate::store::redis::value::Value;
use rand::RngExt;
use rand::rngs::StdRng;
use std::sync::Arc;

/// The time of all replies.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// The accounts of all plans: tenant, user one, user two.
const ACCOUNTS: [&str; 3] = ["tenants/acme", "tenants/acme/users/u1", "tenants/acme/users/u2"];
const METER: &str = "training.runs";

fn meter() -> MeterId {
    METER.parse::<MeterName>().unwrap().id()
}

fn window(rng: &mut StdRng, number: u64) -> WindowPlan {
    let (kind, period, step) = match rng.random_range(0..4) {
        0 => (WindowKind::Lifetime, Period::ALWAYS, 0),
        1 => {
            let start = Timestamp::from_millis(NOW.millis() - 1_000);
            (WindowKind::Day, Period { start, end: start + Span::from_secs(86_400) }, 0)
        }
        2 => (WindowKind::Sliding, Period::ALWAYS, 60_000),
        _ => (WindowKind::Rate, Period::ALWAYS, 60_000),
    };
    let limit = match rng.random_range(0..6) {
        0 => None,
        1 if kind != WindowKind::Rate => Some(amount::MAX + rng.random_range(0..1_000_000)),
        2 => Some(0),
        _ => Some(rng.random_range(0..30)),
    };
    let hold_cap = (limit.is_some() && rng.random_range(0..4) == 0).then(|| rng.random_range(0..10));
    WindowPlan { window: WindowId(number), kind, period, step, limit, enforced: rng.random_range(0..4) > 0, hold_cap }
}

/// A counter with every planned window, with figures around the limits.
pub(crate) fn counter(rng: &mut StdRng, plan: &CounterPlan) -> Counter {
    let mut counter = Counter { lifetime_known: true, ..Counter::default() };
    for window in plan.windows.iter() {
        let mut gauge = Gauge::empty(window, NOW);
        let figure = |rng: &mut StdRng| match rng.random_range(0..6) {
            0 => amount::MAX,
            _ => rng.random_range(0..20),
        };
        match &mut gauge {
            Gauge::Period { usage, .. } => (usage.used, usage.held) = (figure(rng), rng.random_range(0..8)),
            Gauge::Sliding { step, buckets } => {
                let last = NOW.millis() / *step;
                for index in last - 62..=last {
                    if rng.random_range(0..9) == 0 {
                        let usage = crate::domain::counter::Usage { used: rng.random_range(0..9), held: 1 };
                        buckets.push((index, usage));
                    }
                }
            }
            Gauge::Rate { backlog, .. } => *backlog = rng.random_range(0..2_000_000),
        }
        counter.windows.push(WindowCount { window: window.window, planned: true, gauge });
    }
    counter.top_up.used = rng.random_range(0..5);
    counter
}

/// An operation that asks for one or two charges, each on a user and the tenant.
pub(crate) fn operation(rng: &mut StdRng) -> Operation {
    let bound = |rng: &mut StdRng, at: usize| {
        let top_up = (rng.random_range(0..3) == 0).then(|| rng.random_range(0..12));
        let windows = (0..rng.random_range(1..4)).map(|number| window(rng, at as u64 * 10 + number)).collect();
        let key = CounterKey { account: Uid::of(ACCOUNTS[at]), meter: meter() };
        let quota = EffectiveQuota { top_up, ..EffectiveQuota::default() };
        let bound = Bound { key, account: ACCOUNTS[at].into(), meter: METER.into(), quota: Arc::new(quota) };
        CounterPlan { bound: Arc::new(bound), windows }
    };
    let users = rng.random_range(1..3);
    let mut counters = (0..=users).map(|at| bound(rng, at)).collect::<Vec<_>>();
    // Accounts with limits from the same quota share their windows.
    if users == 2 && rng.random() {
        counters[2].windows = counters[1].windows.clone();
    }
    let paths = (1..=users as u16).map(|user| vec![0, user]).collect();
    let charges: Vec<Held> = (1..=users).map(|user| charge(rng, user)).collect();
    let valid = Period { start: Timestamp::from_millis(NOW.millis() - 1_000), end: Timestamp::MAX };
    let bar = |cause| Barred { charge: 0, cause, account: ACCOUNTS[0].into() };
    let barred = (rng.random_range(0..5) == 0).then(|| bar(Cause::NoQuota)).into_iter().collect();
    Operation {
        tenant: Uid::of(ACCOUNTS[0]),
        catalog_version: 7,
        request: rng.random::<bool>().then(|| IdKey(rng.random())),
        fingerprint: rng.random(),
        verb: Verb::Reserve {
            template: Arc::new(reservation(charges)),
            ttl: Span::from_secs(60),
            consume: false,
            fresh: false,
            tentative: false,
            granted: None,
        },
        plan: Some(Arc::new(Plan { valid: Some(valid), counters, paths, barred })),
        known: Known::default(),
    }
}

fn charge(rng: &mut StdRng, user: usize) -> Held {
    let level = |account| Level { account, has_top_up: false, held_top_up: 0, used_top_up: 0 };
    let asked = match rng.random_range(0..8) {
        0 => Some(amount::MAX + rng.random_range(1..1_000)),
        1 => None,
        _ => Some(rng.random_range(0..12)),
    };
    let admission = if asked.is_none() { Admission::Positive } else { Admission::Fits };
    Held {
        about: Arc::new(About::of(ACCOUNTS[user], METER, meter())),
        asked,
        rules: Rules { admission, ..Rules::default() },
        path: vec![level(Uid::of(ACCOUNTS[0])), level(Uid::of(ACCOUNTS[user]))].into(),
        ..samples::empty_charge()
    }
}

/// A reservation with these charges, held.
pub(crate) fn reservation(charges: Vec<Held>) -> Reservation {
    Reservation {
        tenant: Uid::of(ACCOUNTS[0]),
        tenant_name: ACCOUNTS[0].into(),
        id: "r1".into(),
        key: IdKey(9),
        fingerprint: 5,
        state: State::Held,
        flags: Flags::default(),
        create_time: NOW,
        expire_time: NOW + Span::from_secs(60),
        charges,
        labels: Vec::new(),
        requests: Vec::new(),
    }
}

/// The charges of an operation of [`operation`].
pub(crate) fn charges(operation: &Operation) -> &[Held] {
    match &operation.verb {
        Verb::Reserve { template, .. } => &template.charges,
        Verb::Check { charges } => charges,
        _ => &[],
    }
}

/// The header of a call that was decided.
pub(crate) fn header() -> Header {
    Header {
        status: Status::Decided,
        now: NOW,
        seq: 42,
        flushed: 40,
        open: 3,
        counters: 4,
        incarnation: 2,
        server: None,
    }
}

/// One reply, written by `write`, as it comes out of a call.
pub(crate) fn reply(write: impl FnOnce(&mut Writer)) -> RawReply {
    let mut out = Writer::default();
    out.array(9).int(1).int(0).time(NOW).int(42).int(40).int(3).int(4).int(2).array(1);
    write(&mut out);
    let (read, mut replies) = split(out.finish()).unwrap();
    assert_eq!(read, header());
    replies.pop().unwrap()
}

/// A counter's value as bytes.
pub(crate) fn bytes(counter: &Counter) -> Vec<u8> {
    samples::value_bytes(&Value { counter: counter.clone(), loading: None })
}

/// A denial as a script leaves it: of the planned counters with these values, those for which `is_denied`.
pub(crate) fn denial(operation: &Operation, values: &[Counter], demands: &[(u64, bool)], denied: &[usize]) -> Vec<u8> {
    let plan = operation.plan.as_ref().unwrap();
    let mut out = Writer::default();
    out.array(4).time(NOW).bytes(&barred::pack(&plan.barred)).array(denied.len());
    for index in denied {
        let counter = &plan.counters[*index];
        out.array(4);
        write_bound(&mut out, counter);
        out.bytes(&bytes(&values[*index])).asked(demands[*index].0).flag(demands[*index].1);
    }
    out.bytes(b"");
    out.finish()
}

/// A planned counter as it was sent.
pub(crate) fn write_bound(out: &mut Writer, counter: &CounterPlan) {
    out.array(3).bytes(&crate::store::redis::request::counter_key(counter.bound.key));
    out.maybe(counter.bound.quota.top_up).array(counter.windows.len());
    for window in counter.windows.iter() {
        let kind = WindowKind::ALL.iter().position(|kind| *kind == window.kind).unwrap();
        out.array(8).word(window.window.0).count(kind).time(window.period.start).time(window.period.end);
        out.int(window.step).maybe(window.limit).flag(window.enforced).maybe(window.hold_cap);
    }
}
