//! The model's settlement: the table state x operation of `src/ARCHITECTURE.md`, done on the reservation and written down
//! as facts.

use super::catalog::{Expiry, Overage};
use super::digest::Said;
use super::facts::Fact;
use super::reservation::{Ask, path};
use super::spec::Model;
use super::windows::Shape;

impl Model {
    /// The charges that a call lists, matched by account, meter and item; all, as held, if it lists none.
    pub(crate) fn listed(&self, place: usize, asks: &[Ask]) -> Result<Vec<(usize, Option<i128>)>, String> {
        let charges = &self.reservations[place].charges;
        if asks.is_empty() {
            return Ok((0..charges.len()).map(|index| (index, None)).collect());
        }
        let find = |(number, ask): (usize, &Ask)| {
            let same = |theirs: &Ask| (theirs.account, theirs.meter, theirs.item) == (ask.account, ask.meter, ask.item);
            let index =
                charges.iter().position(|charge| same(&charge.ask)).ok_or(format!("ChargeNotHeld({number})"))?;
            Ok((index, ask.amount.map(i128::from)))
        };
        asks.iter().enumerate().map(find).collect()
    }

    /// Ends what is due: looked at by the second.
    pub(crate) fn expire(&mut self) {
        for place in 0..self.reservations.len() {
            let reservation = &self.reservations[place];
            let due = (reservation.expire + 999).div_euclid(1000) * 1000 <= self.now;
            if !due || !matches!(reservation.state, "HELD" | "PARTIALLY_COMMITTED") {
                continue;
            }
            self.operation += 1;
            let mut parked = false;
            for index in 0..self.reservations[place].charges.len() {
                let charge = &self.reservations[place].charges[index];
                let (held, rule) = (charge.held, charge.rules.expiry);
                match rule {
                    Expiry::GiveBack => self.give_up(place, index, held),
                    Expiry::Charge => self.use_held(place, index, held),
                    Expiry::Park => parked |= held > 0,
                }
                let charge = &mut self.reservations[place].charges[index];
                match rule {
                    Expiry::GiveBack => grow(&mut charge.lapsed, held),
                    Expiry::Charge => grow(&mut charge.unconfirmed, held),
                    Expiry::Park => {}
                }
            }
            self.reservations[place].state = if parked { "PARKED" } else { "EXPIRED" };
        }
    }

    /// Commit of a known reservation.
    pub(crate) fn settle_commit(&mut self, place: usize, asks: &[Ask], is_final: bool) -> Result<(), String> {
        match self.reservations[place].state {
            "COMMITTED" => return Err(String::from("Committed")),
            "RELEASED" => return Err(String::from("Released")),
            _ => {}
        }
        let listed = self.listed(place, asks)?;
        let late = self.reservations[place].state == "EXPIRED";
        let kept = self.kept(place);
        let undo = (self.facts.clone(), self.reservations[place].clone());
        let mut beyond = Vec::new();
        for index in 0..self.reservations[place].charges.len() {
            let item = listed.iter().find(|(charge, _)| *charge == index);
            let charge = &mut self.reservations[place].charges[index];
            let amount = item.map_or(0, |(_, amount)| amount.unwrap_or(charge.as_held()));
            let confirmed = amount.min(charge.unconfirmed);
            charge.unconfirmed -= confirmed;
            let covered = (amount - confirmed).min(charge.held);
            self.use_held(place, index, covered);
            beyond.push(amount - confirmed - covered);
            if is_final {
                let charge = &mut self.reservations[place].charges[index];
                let (held, unconfirmed) = (charge.held, std::mem::take(&mut charge.unconfirmed));
                charge.last = Some(amount);
                let on_reserve = charge.rules.on_reserve;
                self.give_up(place, index, held);
                if !on_reserve {
                    self.take_back(place, index, unconfirmed);
                }
            }
        }
        for (index, beyond) in beyond.into_iter().enumerate().filter(|(_, beyond)| *beyond > 0) {
            if let Err(error) = self.use_beyond(place, index, beyond, late, &kept) {
                (self.facts, self.reservations[place]) = undo;
                return Err(error);
            }
        }
        let reservation = &mut self.reservations[place];
        reservation.late |= late;
        reservation.state = match (is_final, reservation.state) {
            (true, _) => "COMMITTED",
            (false, "EXPIRED") => "EXPIRED",
            (false, "PARKED") => "PARKED",
            (false, _) => "PARTIALLY_COMMITTED",
        };
        Ok(())
    }

    /// The windows of the reservation's paths whose period, that of the Reserve, is still kept.
    fn kept(&self, place: usize) -> Vec<(&'static str, &'static str, Shape)> {
        let reservation = &self.reservations[place];
        let mut kept = Vec::new();
        for charge in &reservation.charges {
            for level in &charge.path {
                for binding in self.catalog.bindings(level.account, charge.ask.meter) {
                    if self.is_kept(place, level.account, charge.ask.meter, binding.shape) {
                        kept.push((level.account, charge.ask.meter, binding.shape));
                    }
                }
            }
        }
        kept
    }

    /// Whether the period of the Reserve is the present one, or the reservation still holds on that counter.
    pub(crate) fn is_kept(&self, place: usize, account: &str, meter: &str, shape: Shape) -> bool {
        let reservation = &self.reservations[place];
        let mut charges = reservation.charges.iter();
        let holds = charges.any(|charge| {
            charge.held > 0 && charge.ask.meter == meter && charge.path.iter().any(|level| level.account == account)
        });
        holds || shape.period(reservation.create).1 > self.now
    }

    /// Use beyond the hold, by the overage rule.
    fn use_beyond(
        &mut self,
        place: usize,
        index: usize,
        beyond: i128,
        late: bool,
        kept: &[(&'static str, &'static str, Shape)],
    ) -> Result<(), String> {
        let reservation = &self.reservations[place];
        let charge = &reservation.charges[index];
        // By account: what its windows leave (nothing limits: `None`), and its top-up.
        let rooms: Vec<(Option<i128>, i128)> = charge
            .path
            .iter()
            .map(|level| {
                let bindings = self.catalog.bindings(level.account, charge.ask.meter);
                let rest = bindings
                    .iter()
                    .filter(|binding| binding.enforced)
                    .filter(|binding| kept.contains(&(level.account, charge.ask.meter, binding.shape)))
                    .map(|binding| {
                        self.figures(level.account, charge.ask.meter, binding, reservation.create, 0).remaining
                    })
                    .min();
                let top_up = if level.has_top { self.top_up_rest(level.account, charge.ask.meter) } else { 0 };
                (rest, top_up)
            })
            .collect();
        let fits = rooms.iter().filter_map(|(rest, top_up)| Some(rest.as_ref()?.max(&0) + top_up)).min();
        let amount = match (charge.rules.overage, fits) {
            (Overage::Refuse, Some(fits)) if !late && beyond > fits => return Err(format!("OverageRefused({index})")),
            (Overage::Cap, Some(fits)) if !late => beyond.min(fits),
            _ => beyond,
        };
        let tops: Vec<i128> = rooms
            .iter()
            .map(|(rest, top_up)| rest.map_or(0, |rest| (amount - rest.max(0)).clamp(0, *top_up)))
            .collect();
        let lapsed = charge.lapsed;
        self.reservations[place].overrun |= beyond > lapsed;
        self.reservations[place].charges[index].lapsed -= amount.min(lapsed);
        self.take(place, index, amount, &tops, true);
        Ok(())
    }

    /// Release of a known reservation.
    pub(crate) fn release(&mut self, place: usize, asks: &[Ask]) -> Result<(), String> {
        let reservation = &self.reservations[place];
        let charged = reservation.charges.iter().any(|charge| charge.unconfirmed > 0);
        match reservation.state {
            "COMMITTED" => return Err(String::from("Committed")),
            "EXPIRED" if charged => return Err(String::from("Committed")),
            "RELEASED" | "EXPIRED" => return Ok(()),
            _ => {}
        }
        for (index, amount) in self.listed(place, asks)? {
            let held = self.reservations[place].charges[index].held;
            self.give_up(place, index, amount.unwrap_or(held).min(held));
        }
        let reservation = &mut self.reservations[place];
        if asks.is_empty() || reservation.charges.iter().all(|charge| charge.held == 0) {
            reservation.state = "RELEASED";
        }
        Ok(())
    }

    /// Extend.
    pub(crate) fn extend(&mut self, res: &str, asks: &[Ask], ttl: i64) -> (Said, Option<usize>) {
        let refused = |error: &str| (Said::Refused(error.to_owned()), None);
        let Some(place) = self.find(res) else { return refused("NotFound") };
        match self.reservations[place].state {
            "COMMITTED" => return refused("Committed"),
            "RELEASED" => return refused("Released"),
            "EXPIRED" => return refused("Expired"),
            "PARKED" => return refused("Parked"),
            _ => {}
        }
        let listed = if asks.is_empty() { Ok(Vec::new()) } else { self.listed(place, asks) };
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return (Said::Refused(error), None),
        };
        // What is raised counts on the frozen path, whatever the call says of further accounts.
        let raised: Vec<Ask> = listed
            .iter()
            .map(|(index, amount)| {
                let amount = amount.map(|amount| u64::try_from(amount).unwrap());
                Ask { amount, ..self.reservations[place].charges[*index].ask.clone() }
            })
            .collect();
        match self.admit(&raised, self.reservations[place].create, Some(place)) {
            Ok(tops) => {
                for ((index, amount), tops) in listed.iter().zip(&tops) {
                    let at_once = self.reservations[place].charges[*index].rules.on_reserve;
                    self.take(place, *index, amount.unwrap_or(0), tops, at_once);
                    if at_once {
                        grow(&mut self.reservations[place].charges[*index].unconfirmed, amount.unwrap_or(0));
                    }
                }
                let reservation = &mut self.reservations[place];
                reservation.expire = reservation.expire.max(self.now + ttl);
                (Said::Extended { view: reservation.view(), violations: Vec::new(), replayed: false }, Some(place))
            }
            Err(violations) => {
                let view = self.reservations[place].view();
                (Said::Extended { view, violations, replayed: false }, Some(place))
            }
        }
    }

    /// Free by reservation.
    pub(crate) fn free(&mut self, res: &str) -> (Said, Option<usize>) {
        let Some(place) = self.find(res) else { return (Said::Refused(String::from("NotFound")), None) };
        if self.reservations[place].is_open() {
            return (Said::Refused(String::from("Open")), None);
        }
        if let Some(index) = self.reservations[place].charges.iter().position(|charge| !charge.rules.allocation) {
            return (Said::Refused(format!("NotFreeable({index})")), None);
        }
        let (mut amounts, mut replayed) = (Vec::new(), true);
        for index in 0..self.reservations[place].charges.len() {
            let charge = &mut self.reservations[place].charges[index];
            let wanted = charge.committed - charge.freed;
            replayed &= wanted == 0;
            // What is not there any more was freed by amount.
            charge.freed = charge.committed;
            amounts.push(self.put_back(place, index, wanted));
        }
        let view = Some(self.reservations[place].view());
        (Said::Freed { view, amounts, replayed }, Some(place))
    }

    /// Free by amount: what was charged to that very account, and is in use on every level.
    pub(crate) fn free_amounts(&mut self, asks: &[Ask]) -> Said {
        if let Some(index) = asks.iter().position(|ask| !self.catalog.meter(ask.meter).unwrap().allocation) {
            return Said::Refused(format!("NotFreeable({index})"));
        }
        let mut amounts = Vec::new();
        for (index, ask) in asks.iter().enumerate() {
            let in_use = |account: &&'static str| {
                let period = self.facts.within(account, ask.meter, super::windows::ALWAYS).0;
                period + self.facts.top_up(account, ask.meter).0
            };
            let least = path(ask).iter().map(in_use).min().unwrap();
            let amount = i128::from(ask.amount.unwrap_or(0)).min(self.facts.own(ask.account, ask.meter)).min(least);
            for account in path(ask) {
                let used_top = -self.facts.top_up(account, ask.meter).0.min(amount);
                self.facts.add(Fact {
                    account,
                    meter: ask.meter,
                    at: self.now,
                    recorded: self.now,
                    used: -amount,
                    held: 0,
                    used_top,
                    held_top: 0,
                    own: account == ask.account,
                    cause: (self.operation, index),
                });
            }
            amounts.push(amount);
        }
        Said::Freed { view: None, amounts, replayed: false }
    }

    /// Takes an amount, of which `tops` stand in the top-ups: used at once, or held.
    pub(crate) fn take(&mut self, place: usize, index: usize, amount: i128, tops: &[i128], at_once: bool) {
        let charge = &mut self.reservations[place].charges[index];
        let (used, held) = if at_once { (amount, 0) } else { (0, amount) };
        grow(&mut charge.committed, used);
        grow(&mut charge.held, held);
        let mut parts = Vec::new();
        for (level, top) in charge.path.iter_mut().zip(tops) {
            let (used, held) = if at_once { (*top, 0) } else { (0, *top) };
            level.used_top += used;
            level.held_top += held;
            parts.push((used, held));
        }
        self.record(place, index, used, held, &parts);
    }

    /// A hold becomes use: the period's part first.
    fn use_held(&mut self, place: usize, index: usize, amount: i128) {
        let charge = &mut self.reservations[place].charges[index];
        let mut tops = Vec::new();
        for level in &mut charge.path {
            let in_period = (charge.held - level.held_top).min(amount);
            let part = amount - in_period;
            level.held_top -= part;
            level.used_top += part;
            tops.push((part, -part));
        }
        charge.held -= amount;
        grow(&mut charge.committed, amount);
        self.record(place, index, amount, -amount, &tops);
    }

    /// A hold is released: the top-up's part first.
    fn give_up(&mut self, place: usize, index: usize, amount: i128) {
        let charge = &mut self.reservations[place].charges[index];
        charge.held -= amount;
        let parts = take_from(charge.path.iter_mut().map(|level| &mut level.held_top), amount);
        let tops: Vec<_> = parts.into_iter().map(|part| (0, -part)).collect();
        self.record(place, index, 0, -amount, &tops);
    }

    /// What the deadline charged goes back, unless it was freed meanwhile: the top-up's part first.
    fn take_back(&mut self, place: usize, index: usize, amount: i128) {
        let charge = &mut self.reservations[place].charges[index];
        let amount = amount.min(charge.committed - charge.freed);
        charge.committed -= amount;
        self.put_back(place, index, amount);
    }

    /// Use goes back, as far as it is there: allocation by what is in use on every level and by the account's own charges.
    /// Where it stood in the top-up is known for each charge, but what others took out of it since moves the rest.
    fn put_back(&mut self, place: usize, index: usize, wanted: i128) -> i128 {
        let charge = &self.reservations[place].charges[index];
        let meter = charge.ask.meter;
        let there: Vec<(i128, i128)> = charge
            .path
            .iter()
            .map(|level| {
                let period = self.facts.within(level.account, meter, super::windows::ALWAYS).0;
                (period, self.facts.top_up(level.account, meter).0)
            })
            .collect();
        let counts = charge.rules.allocation && self.exact;
        let amount = match there.iter().map(|(period, top_up)| period + top_up).min() {
            Some(least) if counts => wanted.min(least).min(self.facts.own(charge.ask.account, meter)),
            _ => wanted,
        };
        let charge = &mut self.reservations[place].charges[index];
        let mut tops = Vec::new();
        for (level, (period, top_up)) in charge.path.iter_mut().zip(there) {
            let mut part = level.used_top.min(amount);
            if counts {
                part = part.min(top_up).max(amount - period);
            }
            level.used_top = (level.used_top - part).max(0);
            tops.push((-part, 0));
        }
        self.record(place, index, -amount, 0, &tops);
        amount
    }
}

/// Adds to a figure of a charge: what is beyond 2^53-1 is not shown.
fn grow(figure: &mut i128, by: i128) {
    *figure = (*figure + by).min(super::MAX.into());
}

/// Takes up to `amount` from each figure and says how much of it each one gave.
fn take_from<'a>(figures: impl Iterator<Item = &'a mut i128>, amount: i128) -> Vec<i128> {
    figures
        .map(|figure| {
            let part = amount.min(*figure);
            *figure -= part;
            part
        })
        .collect()
}
