//! Random histories: which call, clock move or change of the catalog comes next. It looks at the model to aim at edges.

use super::MAX;
use super::catalog::Expiry;
use super::generate::{ADDED, CHARGED, Frees, Taste, change};
use super::reservation::{Ask, Change, Op, Reservation};
use super::spec::Model;
use super::windows::Shape;
use rand::prelude::*;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// What has ended is remembered by its ids for ten minutes; a later repeat is found by the flusher, some time.
const REMEMBERED: i64 = 9 * MINUTE;

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Call(Op),
    /// The clock is wound to this time.
    Clock(i64),
    /// Another catalog.
    Catalog(super::catalog::Catalog),
}

/// What a history has done so far and what it likes to do.
pub(crate) struct History {
    taste: Taste,
    /// By kind of call.
    weights: Vec<u32>,
    /// Calls with the time at which they were made.
    calls: Vec<(i64, Op)>,
    /// Ids of reservations that are not too old to be known.
    pub(crate) known: Vec<String>,
    named: usize,
}

impl History {
    pub(crate) fn new(rng: &mut impl Rng, taste: Taste) -> History {
        let weights = (0..13).map(|_| *[0, 1, 3, 10].choose(rng).unwrap()).collect::<Vec<u32>>();
        let mut history = History { taste, weights, calls: Vec::new(), known: Vec::new(), named: 0 };
        // Nothing happens without these.
        history.weights[1] += 5;
        history.weights[3] += 3;
        history.weights[10] += 1;
        history.weights[11] += 2;
        if taste.adjusts {
            history.weights.push(5);
        }
        history
    }

    /// The next step.
    pub(crate) fn next(&mut self, rng: &mut impl Rng, model: &Model) -> Step {
        let kinds: Vec<usize> = (0..self.weights.len()).collect();
        let kind = *kinds.choose_weighted(rng, |kind| self.weights[*kind]).unwrap();
        let op = match kind {
            0 => Op::Check { asks: self.asks(rng, model) },
            1 => self.reserve(rng, model),
            2 => self.consume(rng, model),
            3 | 4 => self.commit(rng, model),
            5 => self.release(rng, model),
            6 => self.extend(rng, model),
            7 => self.free(rng, model),
            8 => Op::Get { res: self.reservation(rng) },
            9 => Op::Usage { account: CHARGED.choose(rng).unwrap(), meter: meter(rng, model) },
            10 => self.again(rng, model),
            11 => return Step::Clock(self.later(rng, model)),
            13 => self.adjust(rng, model),
            _ if self.taste.rates || self.taste.huge || self.taste.adjusts => Op::Check { asks: self.asks(rng, model) },
            _ => {
                let mut catalog = model.catalog.clone();
                change(rng, self.taste, &mut catalog);
                return Step::Catalog(catalog);
            }
        };
        self.calls.push((model.now, op.clone()));
        Step::Call(op)
    }

    /// After a long time, forgets what the engine may have forgotten.
    pub(crate) fn forget(&mut self, model: &Model) {
        self.calls.clear();
        let known = |id: &String| model.find(id).is_some_and(|place| model.reservations[place].is_open());
        self.known.retain(known);
    }

    fn name(&mut self, letter: char) -> String {
        self.named += 1;
        format!("{letter}{}", self.named)
    }

    fn request(&mut self, rng: &mut impl Rng) -> Option<String> {
        rng.random_bool(0.6).then(|| self.name('q'))
    }

    fn reserve(&mut self, rng: &mut impl Rng, model: &Model) -> Op {
        let mut asks = self.asks(rng, model);
        for ask in &mut asks {
            if model.catalog.meter(ask.meter).unwrap().positive && rng.random_bool(0.4) {
                ask.amount = None;
            }
        }
        let res = rng.random_bool(0.8).then(|| self.name('r'));
        Op::Reserve { res, req: self.request(rng), asks, ttl: ttl(rng) }
    }

    fn consume(&mut self, rng: &mut impl Rng, model: &Model) -> Op {
        let res = rng.random_bool(0.7).then(|| self.name('r'));
        Op::Consume { res, req: self.request(rng), asks: self.asks(rng, model) }
    }

    fn commit(&mut self, rng: &mut impl Rng, model: &Model) -> Op {
        let res = self.reservation(rng);
        let is_final = rng.random_bool(0.7);
        let req = if is_final { self.request(rng) } else { Some(self.name('q')) };
        let asks = if model.find(&res).is_none() && rng.random_bool(0.6) {
            self.asks(rng, model)
        } else {
            self.listed(rng, model, &res, true)
        };
        let asks =
            asks.into_iter().map(|ask| Ask { amount: ask.amount.map(|amount| amount.min(MAX)), ..ask }).collect();
        Op::Commit { res, req, asks, is_final }
    }

    fn release(&mut self, rng: &mut impl Rng, model: &Model) -> Op {
        let res = self.reservation(rng);
        let asks = if rng.random_bool(0.5) { Vec::new() } else { self.listed(rng, model, &res, true) };
        Op::Release { req: self.request(rng), asks, res }
    }

    fn extend(&mut self, rng: &mut impl Rng, model: &Model) -> Op {
        let res = self.reservation(rng);
        let asks = if rng.random_bool(0.5) { Vec::new() } else { self.listed(rng, model, &res, false) };
        Op::Extend { req: self.request(rng), asks, ttl: ttl(rng), res }
    }

    fn free(&mut self, rng: &mut impl Rng, model: &Model) -> Op {
        let by_amount = match self.taste.frees {
            Frees::ByReservation => false,
            Frees::ByAmount => true,
            Frees::Both => rng.random_bool(0.5),
        };
        if by_amount {
            let mut asks = self.asks(rng, model);
            asks.iter_mut().for_each(|ask| ask.amount = ask.amount.max(Some(1)));
            Op::FreeAmounts { req: self.request(rng), asks }
        } else {
            Op::Free { res: self.reservation(rng), req: self.request(rng) }
        }
    }

    /// Corrections up and down, of which some take what is there and a little more.
    fn adjust(&mut self, rng: &mut impl Rng, model: &Model) -> Op {
        let mut asks = self.asks(rng, model);
        let changes = asks.iter_mut().map(|ask| {
            let meter = model.catalog.meter(ask.meter).unwrap();
            let own = model.facts.own(ask.account, ask.meter).clamp(0, 1_000_000) as u64;
            let size = ask.amount.take().unwrap_or(1).clamp(1, 1_000_000) as i64;
            if rng.random_bool(if meter.allocation { 0.5 } else { 0.03 }) {
                let measured = *[0, own, own + 1, own + 3, own / 2, rng.random_range(0..25)].choose(rng).unwrap();
                return Change::To(measured, *[None, None, Some(own), Some(own + 1)].choose(rng).unwrap());
            }
            // What the deadline charged is taken back by a late commit, whatever was given back before.
            if meter.expiry == Expiry::Charge || rng.random_bool(0.4) {
                let past = *[0, 1, 5_000, MINUTE, DAY, 40 * DAY].choose(rng).unwrap();
                return Change::By(size, rng.random_bool(0.4).then_some(model.now - past));
            }
            let size = *[size, size, own as i64, own as i64 + 1].choose(rng).unwrap();
            let past = rng.random_range(0..100_000);
            Change::By(-size.max(1), rng.random_bool(0.3).then_some(model.now - past))
        });
        let changes = changes.collect();
        Op::Adjust { req: self.request(rng), asks, changes }
    }

    /// An earlier call once more, as it was or altered.
    fn again(&mut self, rng: &mut impl Rng, model: &Model) -> Op {
        self.calls.retain(|(time, op)| {
            (model.now - time < REMEMBERED || may_be_repeated(model, op)) && request_stands(model, op)
        });
        let Some((_, mut op)) = self.calls.choose(rng).cloned() else { return Op::Get { res: self.reservation(rng) } };
        if rng.random_bool(0.7) {
            return op;
        }
        match &mut op {
            Op::FreeAmounts { asks, .. } => {
                asks.iter_mut().for_each(|ask| ask.amount = ask.amount.map(|amount| amount + 1))
            }
            Op::Adjust { changes, .. } => changes.iter_mut().for_each(|change| {
                if let Change::By(by, _) = change {
                    *by = by.abs() + 1;
                }
            }),
            Op::Check { asks } | Op::Consume { asks, .. } => *asks = self.asks(rng, model),
            Op::Reserve { asks, .. } if rng.random_bool(0.5) => *asks = self.asks(rng, model),
            Op::Reserve { ttl, .. } => *ttl = Some(77_000),
            Op::Commit { is_final, req, .. } if rng.random_bool(0.5) => {
                *is_final = !*is_final;
                *req = Some(req.take().unwrap_or_else(|| self.name('q')));
            }
            Op::Commit { res, asks, .. } => *asks = self.listed(rng, model, res, true),
            Op::Release { res, asks, .. } => *asks = self.listed(rng, model, res, true),
            Op::Extend { res, asks, .. } => *asks = self.listed(rng, model, res, false),
            Op::Free { res, .. } | Op::Get { res } => *res = self.reservation(rng),
            Op::Usage { .. } => {}
        }
        op
    }

    fn reservation(&mut self, rng: &mut impl Rng) -> String {
        let recent = self.known.len().saturating_sub(8);
        let from = if rng.random_bool(0.7) { &self.known[recent..] } else { &self.known[..] };
        match from.choose(rng) {
            Some(id) if rng.random_bool(0.93) => id.clone(),
            _ => self.name('g'),
        }
    }

    /// Charges of a reservation with amounts around what is held; now and then one that was never held.
    fn listed(&mut self, rng: &mut impl Rng, model: &Model, res: &str, or_none: bool) -> Vec<Ask> {
        let Some(place) = model.find(res) else {
            let mut asks = self.asks(rng, model);
            asks.iter_mut().filter(|_| !or_none).for_each(|ask| ask.amount = ask.amount.max(Some(1)));
            return asks;
        };
        if or_none && rng.random_bool(0.3) {
            return Vec::new();
        }
        let mut asks: Vec<Ask> = Vec::new();
        for charge in &model.reservations[place].charges {
            if rng.random_bool(0.8) {
                let held = u64::try_from(charge.as_held()).unwrap();
                let near = [0, 1, held.saturating_sub(1), held, held + 1, held + 2, held * 2, rng.random_range(0..30)];
                let amount = near.choose(rng).copied().max(Some(u64::from(!or_none)));
                let amount = if or_none && rng.random_bool(0.2) { None } else { amount };
                asks.push(Ask { amount, ..charge.ask.clone() });
            }
        }
        if rng.random_bool(0.05) {
            asks.extend(self.asks(rng, model).pop().map(|ask| Ask { item: "never", amount: Some(1), ..ask }));
        }
        asks
    }

    /// One charge, seldom more, no two alike.
    fn asks(&self, rng: &mut impl Rng, model: &Model) -> Vec<Ask> {
        let mut asks: Vec<Ask> = Vec::new();
        for _ in 0..*[1, 1, 1, 1, 2, 3, 4].choose(rng).unwrap() {
            let (account, meter) = (*CHARGED.choose(rng).unwrap(), meter(rng, model));
            let item = *["", "", "x"].choose(rng).unwrap();
            let also = if self.taste.also { rng.random_range(0..3) } else { 0 };
            let mut also: Vec<&'static str> = ADDED.sample(rng, also).copied().collect();
            also.shuffle(rng);
            if !asks.iter().any(|ask| (ask.account, ask.meter, ask.item) == (account, meter, item)) {
                // Nothing is asked by nothing, but where the balance alone is asked.
                let least = u64::from(!model.catalog.meter(meter).unwrap().positive);
                let amount = Some(self.amount(rng, model, account, meter).max(least));
                asks.push(Ask { account, meter, item, amount, also });
            }
        }
        asks
    }

    /// An amount, often at the edge of a limit.
    fn amount(&self, rng: &mut impl Rng, model: &Model, account: &'static str, meter: &'static str) -> u64 {
        let bindings = model.catalog.bindings(account, meter);
        let binding = bindings.choose(rng).unwrap();
        let limit = binding.limit.unwrap_or(5);
        let remaining = model.figures(account, meter, binding, model.now, 0).remaining.clamp(0, 40) as u64;
        let edges =
            [0, 1, 1, 1, 2, 3, limit.saturating_sub(1), limit, limit.saturating_add(1), remaining, remaining + 1];
        let huge = [100_000_000_000_000, 100_000_000_000_001, MAX - 1, MAX, MAX + 1];
        let amount = match rng.random_range(0..10) {
            0 if self.taste.huge => *huge.choose(rng).unwrap(),
            1..=4 => rng.random_range(0..6),
            _ => *edges.choose(rng).unwrap(),
        };
        if self.taste.huge { amount } else { amount.min(1_000_000) }
    }

    /// A time not before now: the same, a little later, about a period's edge or a deadline, much later.
    fn later(&mut self, rng: &mut impl Rng, model: &Model) -> i64 {
        let now = model.now;
        let shapes =
            [Shape::Minute, Shape::Day { zoned: true }, Shape::Day { zoned: false }, Shape::Week, Shape::Month];
        let open: Vec<&Reservation> =
            model.reservations.iter().filter(|one| matches!(one.state, "HELD" | "PARTIALLY_COMMITTED")).collect();
        let edge = match rng.random_range(0..20) {
            0 => now,
            1..=3 => now + 1,
            4..=8 => now + rng.random_range(1..10_000),
            9 => now + rng.random_range(MINUTE..60 * MINUTE),
            10..=12 => open.choose(rng).map_or(now, |one| one.expire) + rng.random_range(-1..=1),
            13..=14 => {
                open.choose(rng).map_or(now, |one| (one.expire + 999).div_euclid(1000) * 1000)
                    + rng.random_range(-1..=1)
            }
            15 => now + DAY,
            16 if rng.random_bool(0.1) => now + 40 * DAY,
            _ => shapes.choose(rng).unwrap().period(now).1 + rng.random_range(-1..=1),
        };
        edge.max(now)
    }
}

/// Whether a call may be made again however old it is: it only looks, or what it changed is still open.
fn may_be_repeated(model: &Model, op: &Op) -> bool {
    match op {
        Op::Check { .. } | Op::Get { .. } | Op::Usage { .. } => true,
        Op::Reserve { res: Some(res), .. }
        | Op::Commit { res, .. }
        | Op::Release { res, .. }
        | Op::Extend { res, .. }
        | Op::Free { res, .. } => model.find(res).is_some_and(|place| model.reservations[place].is_open()),
        Op::Reserve { .. } | Op::Consume { .. } | Op::FreeAmounts { .. } | Op::Adjust { .. } => false,
    }
}

/// Whether the engine still knows what became of the call's request id, if it was ever used.
fn request_stands(model: &Model, op: &Op) -> bool {
    let Some(id) = op.request() else { return true };
    model.requests.iter().filter(|request| request.id == *id).all(|request| {
        let open = request.reservation.is_some_and(|place| model.reservations[place].is_open());
        open || model.now - request.time < REMEMBERED
    })
}

fn meter(rng: &mut impl Rng, model: &Model) -> &'static str {
    model.catalog.meters.choose(rng).unwrap().name
}

fn ttl(rng: &mut impl Rng) -> Option<i64> {
    let millis = [1, 999, 1_000, 1_001, 5_000, 60_000, 3_600_000, DAY, rng.random_range(1..100_000)];
    rng.random_bool(0.8).then(|| *millis.choose(rng).unwrap())
}
