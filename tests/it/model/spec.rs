//! The model: one call after the other, ids first, then state, then contents; all it knows are the facts, the
//! reservations and the request ids.

use super::catalog::Catalog;
use super::digest::{Line, Said};
use super::facts::{Fact, Facts};
use super::reservation::{Ask, Charge, DEFAULT_TTL, Level, Op, Reservation, path};

/// How long a denial is remembered by its request id, in milliseconds.
pub(crate) const DENIAL: i64 = 120_000;

/// A request id that was used.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) id: String,
    contents: Op,
    /// The first verdict, with the place of the reservation.
    said: Said,
    pub(crate) reservation: Option<usize>,
    pub(crate) time: i64,
}

/// The model.
#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) catalog: Catalog,
    pub(crate) now: i64,
    pub(crate) facts: Facts,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) requests: Vec<Request>,
    pub(crate) operation: usize,
    /// No figure comes near 2^53, so that each says what is left.
    pub(crate) exact: bool,
}

impl Model {
    /// Does one call. `made` is the id that the engine gave the reservation if the caller gave none.
    pub(crate) fn call(&mut self, op: &Op, made: Option<String>) -> Said {
        self.expire();
        if let Some(said) = self.replay(op) {
            return said;
        }
        self.operation += 1;
        let (said, reservation) = match op {
            Op::Check { asks } => match self.admit(asks, self.now, None) {
                Ok(_) => (Said::Allowed(self.allowance(asks)), None),
                Err(violations) => (Said::Denied { violations, replayed: false }, None),
            },
            Op::Reserve { res, asks, ttl, .. } => self.reserve(op, res.clone().or(made), asks, Some(*ttl)),
            Op::Consume { res, asks, .. } => self.reserve(op, res.clone().or(made), asks, None),
            Op::Commit { res, asks, is_final, .. } => self.commit(op, res, asks, *is_final),
            Op::Release { res, asks, .. } => {
                let ended = self.find(res).is_some_and(|place| !self.reservations[place].is_open());
                let (mut said, reservation) = self.settled(res, |model, place| model.release(place, asks));
                if let Said::Stands { replayed, .. } = &mut said {
                    *replayed = ended;
                }
                (said, reservation)
            }
            Op::Extend { res, asks, ttl, .. } => self.extend(res, asks, ttl.unwrap_or(DEFAULT_TTL)),
            Op::Free { res, .. } => self.free(res),
            Op::FreeAmounts { asks, .. } => (self.free_amounts(asks), None),
            Op::Adjust { asks, changes, .. } => (self.adjust(asks, changes), None),
            Op::Get { res } => self.settled(res, |_, _| Ok(())),
            Op::Usage { account, meter } => (self.usage(account, meter), None),
        };
        if let Some(id) = op.request()
            && has_effect(&said)
        {
            let stands =
                Request { id: id.clone(), contents: op.contents(), said: said.clone(), reservation, time: self.now };
            self.requests.push(stands);
        }
        said
    }

    /// The engine was started anew: denials are forgotten, and nothing else.
    pub(crate) fn restart(&mut self) {
        self.requests.retain(|request| !is_denied(&request.said));
    }

    /// A repeat by request id, or, for what makes a reservation, by reservation id.
    fn replay(&mut self, op: &Op) -> Option<Said> {
        self.requests.retain(|request| !(is_denied(&request.said) && self.now - request.time >= DENIAL));
        let known = op.request().and_then(|id| self.requests.iter().find(|request| request.id == *id));
        if let Some(request) = known {
            if request.contents != op.contents() {
                return Some(Said::Refused(String::from("IdReused")));
            }
            let view = request.reservation.map(|place| self.reservations[place].view());
            return Some(again(request.said.clone(), view));
        }
        let (Op::Reserve { res: Some(res), .. } | Op::Consume { res: Some(res), .. }) = op else { return None };
        let reservation = &self.reservations[self.find(res)?];
        Some(if reservation.contents == op.contents() {
            Said::Stands { view: reservation.view(), replayed: true }
        } else {
            Said::Refused(String::from("IdReused"))
        })
    }

    pub(crate) fn find(&self, res: &str) -> Option<usize> {
        self.reservations.iter().position(|reservation| reservation.id == *res)
    }

    /// Does something with a reservation and says how it stands then.
    fn settled(
        &mut self,
        res: &str,
        act: impl FnOnce(&mut Model, usize) -> Result<(), String>,
    ) -> (Said, Option<usize>) {
        let Some(place) = self.find(res) else { return (Said::Refused(String::from("NotFound")), None) };
        match act(self, place) {
            Ok(()) => (Said::Stands { view: self.reservations[place].view(), replayed: false }, Some(place)),
            Err(error) => (Said::Refused(error), None),
        }
    }

    /// Reserve, or Consume where no `ttl` is given.
    fn reserve(
        &mut self,
        op: &Op,
        id: Option<String>,
        asks: &[Ask],
        ttl: Option<Option<i64>>,
    ) -> (Said, Option<usize>) {
        let tops = match self.admit(asks, self.now, None) {
            Ok(tops) => tops,
            Err(violations) => return (Said::Denied { violations, replayed: false }, None),
        };
        let place = self.make(op, id.unwrap_or_default(), asks);
        for (index, ask) in asks.iter().enumerate() {
            let amount = i128::from(ask.amount.unwrap_or(0));
            let at_once = ttl.is_none() || self.reservations[place].charges[index].rules.on_reserve;
            self.take(place, index, amount, &tops[index], at_once);
            let charge = &mut self.reservations[place].charges[index];
            if ttl.is_none() {
                charge.last = Some(amount);
            } else if at_once {
                charge.unconfirmed = amount;
            }
        }
        let reservation = &mut self.reservations[place];
        reservation.expire = self.now + ttl.map_or(0, |ttl| ttl.unwrap_or(DEFAULT_TTL));
        reservation.state = if ttl.is_some() { "HELD" } else { "COMMITTED" };
        (Said::Stands { view: reservation.view(), replayed: false }, Some(place))
    }

    /// A reservation with nothing in it yet.
    fn make(&mut self, op: &Op, id: String, asks: &[Ask]) -> usize {
        let level = |account, meter| {
            let has_top = self.catalog.top_up(account, meter).is_some();
            Level { account, has_top, held_top: 0, used_top: 0 }
        };
        let charge = |ask: &Ask| Charge {
            ask: ask.clone(),
            rules: self.catalog.meter(ask.meter).unwrap().clone(),
            held: 0,
            committed: 0,
            unconfirmed: 0,
            lapsed: 0,
            freed: 0,
            last: None,
            path: path(ask).into_iter().map(|account| level(account, ask.meter)).collect(),
        };
        self.reservations.push(Reservation {
            id,
            contents: op.contents(),
            state: "HELD",
            overrun: false,
            late: false,
            recovered: false,
            create: self.now,
            expire: self.now,
            charges: asks.iter().map(charge).collect(),
        });
        self.reservations.len() - 1
    }

    /// Commit, of what is known and of what is not.
    fn commit(&mut self, op: &Op, res: &str, asks: &[Ask], is_final: bool) -> (Said, Option<usize>) {
        if let Some(place) = self.find(res) {
            let repeat = is_final && self.repeats(place, asks);
            let (mut said, place) = self
                .settled(res, |model, place| if repeat { Ok(()) } else { model.settle_commit(place, asks, is_final) });
            if let Said::Stands { replayed, .. } = &mut said {
                *replayed = repeat;
            }
            return (said, place);
        }
        if asks.is_empty() || asks.iter().any(|ask| ask.amount.is_none()) {
            return (Said::Refused(String::from("NotFound")), None);
        }
        let tops = self.deal(asks, self.now);
        let place = self.make(op, res.to_owned(), asks);
        for (index, ask) in asks.iter().enumerate() {
            let amount = i128::from(ask.amount.unwrap_or(0));
            self.take(place, index, amount, &tops[index], true);
            self.reservations[place].charges[index].last = is_final.then_some(amount);
        }
        let reservation = &mut self.reservations[place];
        (reservation.late, reservation.recovered) = (true, true);
        reservation.state = if is_final { "COMMITTED" } else { "EXPIRED" };
        (Said::Stands { view: reservation.view(), replayed: false }, Some(place))
    }

    /// Whether a final commit repeats the one that ended the reservation: as held, or the same amounts.
    fn repeats(&self, place: usize, asks: &[Ask]) -> bool {
        let reservation = &self.reservations[place];
        let Ok(listed) = self.listed(place, asks) else { return false };
        reservation.state == "COMMITTED"
            && (asks.is_empty()
                || reservation.charges.iter().enumerate().all(|(index, charge)| {
                    let item = listed.iter().find(|(listed, _)| *listed == index);
                    item.map_or(Some(0), |(_, amount)| amount.or(charge.last)) == charge.last
                }))
    }

    /// Writes down what one charge changes on every account of its path; `tops` are the parts in the top-up, (used, held).
    pub(crate) fn record(&mut self, place: usize, index: usize, used: i128, held: i128, tops: &[(i128, i128)]) {
        let reservation = &self.reservations[place];
        let charge = &reservation.charges[index];
        for (level, (used_top, held_top)) in charge.path.iter().zip(tops) {
            self.facts.add(Fact {
                account: level.account,
                meter: charge.ask.meter,
                at: reservation.create,
                recorded: self.now,
                used,
                held,
                used_top: *used_top,
                held_top: *held_top,
                own: level.account == charge.ask.account,
                cause: (self.operation, index),
            });
        }
    }

    fn usage(&self, account: &str, meter: &str) -> Said {
        let windows = self.catalog.bindings(account, meter).into_iter().map(|binding| {
            let figures = self.figures(account, meter, &binding, self.now, 0);
            let taken = figures.used + figures.held;
            let word = match binding.limit {
                Some(_) if figures.remaining <= 0 => "Exhausted",
                Some(limit) if taken * 100 > 80 * i128::from(limit) => "Low",
                _ => "Normal",
            };
            Line {
                account: account.to_owned(),
                meter: meter.to_owned(),
                kind: binding.shape.kind().to_owned(),
                limit: binding.limit,
                used: figures.used,
                held: figures.held,
                remaining: None,
                requested: 0,
                reset: None,
                word: word.to_owned(),
            }
        });
        let mut windows: Vec<Line> = windows.collect();
        windows.sort();
        let top_up = self.catalog.top_up(account, meter).map(|_| self.top_up_rest(account, meter));
        Said::Usage { windows, top_up }
    }
}

/// Whether a call did something that its request id is remembered for: an error, and what finds nothing to do, is not.
fn has_effect(said: &Said) -> bool {
    match said {
        Said::Refused(_) => false,
        Said::Stands { replayed, .. } | Said::Freed { replayed, .. } => !replayed,
        _ => true,
    }
}

fn is_denied(said: &Said) -> bool {
    match said {
        Said::Denied { .. } => true,
        Said::Extended { violations, .. } => !violations.is_empty(),
        _ => false,
    }
}

/// The same verdict again, with the reservation as it stands now.
fn again(mut said: Said, now: Option<super::digest::View>) -> Said {
    match &mut said {
        Said::Stands { view, replayed } | Said::Extended { view, replayed, .. } => {
            *replayed = true;
            *view = now.unwrap_or(view.clone());
        }
        Said::Freed { view, amounts, replayed } => {
            if let Some(now) = &now {
                *amounts = now.charges.iter().map(|charge| charge.freed).collect();
            }
            (*view, *replayed) = (now, true);
        }
        Said::Denied { replayed, .. } => *replayed = true,
        Said::Allowed(_) | Said::Usage { .. } | Said::Refused(_) => {}
    }
    said
}
