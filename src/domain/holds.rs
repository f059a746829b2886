//! How one charge of a reservation moves: taken, used, released, given back, with the change that this is on every account
//! of its path. What the operations of `settlement` share; `lua/lib/holds.lua` is the twin.

use super::amount::grow;
use super::meter::ChargeMoment;
use super::price::{Priced, Quantities};
use super::reservation::Held;

/// What one charge changes on every account of its path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Index of the charge.
    pub charge: usize,
    /// Change of what is used.
    pub used: i64,
    /// Change of what is held.
    pub held: i64,
    /// By level of the path: the parts of these that stand in the top-up, (used, held).
    pub top_up: Vec<(i64, i64)>,
    /// Where a part was priced: the quantities that were priced before it.
    pub priced: Option<Quantities>,
}

impl Change {
    pub(super) fn none(charge: usize, held: &Held) -> Change {
        Change { charge, used: 0, held: 0, top_up: vec![(0, 0); held.path.len()], priced: None }
    }

    /// Whether nothing moves, and nothing was priced: what is free leaves a line too (S3.19).
    pub fn is_empty(&self) -> bool {
        self.used == 0 && self.held == 0 && self.priced.is_none() && self.top_up.iter().all(|parts| *parts == (0, 0))
    }
}

/// A part was priced: from now on the charge's price state is this.
pub(super) fn price(charge: &mut Held, after: Box<Priced>, change: &mut Change) {
    change.priced = Some(charge.priced());
    charge.price = Some(after);
}

/// What is in use on one level of a charge's path: what can be taken back there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InUse {
    /// In the period.
    pub period: u64,
    /// In the top-up.
    pub top_up: u64,
}

/// What a charge may give back: never more than is there, however much of its use went back by amount already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// In all.
    pub amount: u64,
    /// By level; empty where nothing says it.
    pub levels: Vec<InUse>,
}

impl Left {
    /// Where a figure was cut to its range: then it no longer says how much is left.
    pub fn unknown() -> Left {
        Left { amount: u64::MAX, levels: Vec::new() }
    }

    /// Where nothing is.
    pub fn nothing() -> Left {
        Left { amount: 0, levels: Vec::new() }
    }
}

/// What the limits leave for a commit above its hold, on one level of one charge's path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Room {
    /// The least rest over the enforced windows of the reserve's periods; `None`: nothing limits, or the period is kept
    /// no longer.
    pub rest: Option<i64>,
    /// The top-up's rest.
    pub top_up: u64,
}

impl Room {
    /// What fits in all; `None` where nothing limits.
    pub fn fits(&self) -> Option<u64> {
        Some(u64::try_from(self.rest?).unwrap_or(0).saturating_add(self.top_up))
    }
}

/// Takes an admitted amount: held, or used at once.
pub(super) fn take(charge: &mut Held, amount: u64, top_up: &[u64], at_once: bool, change: &mut Change) {
    for (position, level) in charge.path.iter_mut().enumerate() {
        let part = top_up.get(position).copied().unwrap_or(0);
        if at_once {
            level.used_top_up += part;
            change.top_up[position].0 += signed(part);
        } else {
            level.held_top_up += part;
            change.top_up[position].1 += signed(part);
        }
    }
    if at_once {
        grow(&mut charge.committed, amount);
        change.used += signed(amount);
    } else {
        grow(&mut charge.held, amount);
        change.held += signed(amount);
    }
}

/// Takes an admitted amount by the meter's rule: held, or used at once and then waiting for a commit to confirm it.
pub(super) fn take_by_rule(charge: &mut Held, amount: u64, top_up: &[u64], change: &mut Change) {
    let at_once = charge.rules.charge == ChargeMoment::OnReserve;
    take(charge, amount, top_up, at_once, change);
    if at_once {
        grow(&mut charge.unconfirmed, amount);
    }
}

/// What was held becomes used: on each level the period's part first, then the top-up's (S3.25).
pub(super) fn use_hold(charge: &mut Held, amount: u64, change: &mut Change) {
    for (level, parts) in charge.path.iter_mut().zip(&mut change.top_up) {
        let in_period = charge.held - level.held_top_up;
        let part = amount.saturating_sub(in_period);
        level.held_top_up -= part;
        level.used_top_up += part;
        parts.0 += signed(part);
        parts.1 -= signed(part);
    }
    charge.held -= amount;
    grow(&mut charge.committed, amount);
    change.held -= signed(amount);
    change.used += signed(amount);
}

/// What was held is free again: the top-up's part goes first, so that what stays held stands in the period.
pub(super) fn release_hold(charge: &mut Held, amount: u64, change: &mut Change) {
    for (level, parts) in charge.path.iter_mut().zip(&mut change.top_up) {
        let part = level.held_top_up.min(amount);
        level.held_top_up -= part;
        parts.1 -= signed(part);
    }
    charge.held -= amount;
    change.held -= signed(amount);
}

/// What was used goes back: the top-up's part first, as far as that has it and the period does not lack it.
pub(super) fn return_use(charge: &mut Held, amount: u64, left: &Left, change: &mut Change) {
    for (place, (level, parts)) in charge.path.iter_mut().zip(&mut change.top_up).enumerate() {
        let mut part = level.used_top_up.min(amount);
        if let Some(there) = left.levels.get(place) {
            part = part.min(there.top_up).max(amount.saturating_sub(there.period));
        }
        level.used_top_up = level.used_top_up.saturating_sub(part);
        parts.0 -= signed(part);
    }
    change.used -= signed(amount);
}

/// What was charged was not used: it goes back, as far as it is still there.
pub(super) fn give_back(charge: &mut Held, amount: u64, left: &Left, change: &mut Change) {
    return_use(charge, amount.min(left.amount), left, change);
    charge.committed -= amount;
}

/// Use beyond the hold: the period's rest first, then the top-up's, then the period goes below zero (rule 3).
pub(super) fn use_more(charge: &mut Held, amount: u64, rooms: &[Room], change: &mut Change) {
    for ((level, parts), room) in charge.path.iter_mut().zip(&mut change.top_up).zip(rooms) {
        let rest = room.rest.map_or(amount, |rest| u64::try_from(rest).unwrap_or(0));
        let part = amount.saturating_sub(rest).min(room.top_up);
        level.used_top_up += part;
        parts.0 += signed(part);
    }
    grow(&mut charge.committed, amount);
    change.used = change.used.saturating_add(signed(amount));
}

/// An amount as a change.
pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
