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
    /// By level of the path: the parts of these that stand in the top-up, (used, held). What is left out at the end is nothing: all,
    /// where nothing stands in one.
    pub top_up: Vec<(i64, i64)>,
    /// Where a part was priced: the quantities that were priced before it.
    pub priced: Option<Quantities>,
}

impl Change {
    pub(super) fn none(charge: usize) -> Change {
        Change { charge, ..Change::default() }
    }

    /// The parts that stand in the top-up of a level, (used, held).
    pub fn top_up_on(&self, level: usize) -> (i64, i64) {
        self.top_up.get(level).copied().unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn top_up_mut(&mut self, level: usize) -> &mut (i64, i64) {
        if self.top_up.len() <= level {
            self.top_up.resize(level + 1, (0, 0));
        }
        &mut self.top_up[level]
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

/// Moves a part of what stands in the top-up of a level: on the charge, and in what that changes.
fn shift_top_up(charge: &mut Held, change: &mut Change, level: usize, (used, held): (i64, i64)) {
    if (used, held) == (0, 0) {
        return;
    }
    let Some(part) = charge.path.part_mut(level) else { return };
    part.used = part.used.saturating_add_signed(used);
    part.held = part.held.saturating_add_signed(held);
    let parts = change.top_up_mut(level);
    (parts.0, parts.1) = (parts.0 + used, parts.1 + held);
}

/// Takes an admitted amount: held, or used at once. Of it, `top_up` says by level what stands in the top-up, if that is anything.
pub(super) fn take(charge: &mut Held, amount: u64, top_up: &[u64], at_once: bool, change: &mut Change) {
    for (level, part) in top_up.iter().enumerate().filter(|(_, part)| **part > 0) {
        let part = signed(*part);
        shift_top_up(charge, change, level, if at_once { (part, 0) } else { (0, part) });
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
    for place in top_up_places(charge) {
        let Some(level) = charge.path.get(place) else { continue };
        let in_period = charge.held - level.held_top_up;
        let part = signed(amount.saturating_sub(in_period));
        shift_top_up(charge, change, place, (part, -part));
    }
    charge.held -= amount;
    grow(&mut charge.committed, amount);
    change.held -= signed(amount);
    change.used += signed(amount);
}

/// What was held is free again: the top-up's part goes first, so that what stays held stands in the period.
pub(super) fn release_hold(charge: &mut Held, amount: u64, change: &mut Change) {
    for place in top_up_places(charge) {
        let Some(level) = charge.path.get(place) else { continue };
        shift_top_up(charge, change, place, (0, -signed(level.held_top_up.min(amount))));
    }
    charge.held -= amount;
    change.held -= signed(amount);
}

/// The levels that may have something in their top-up.
fn top_up_places(charge: &Held) -> std::ops::Range<usize> {
    0..if charge.path.is_plain() { 0 } else { charge.path.len() }
}

/// What was used goes back: the top-up's part first, as far as that has it and the period does not lack it.
pub(super) fn return_use(charge: &mut Held, amount: u64, left: &Left, change: &mut Change) {
    for place in 0..charge.path.len() {
        let mut part = charge.path.get(place).map_or(0, |level| level.used_top_up).min(amount);
        if let Some(there) = left.levels.get(place) {
            part = part.min(there.top_up).max(amount.saturating_sub(there.period));
        }
        shift_top_up(charge, change, place, (-signed(part), 0));
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
    for (place, room) in rooms.iter().enumerate() {
        let rest = room.rest.map_or(amount, |rest| u64::try_from(rest).unwrap_or(0));
        let part = amount.saturating_sub(rest).min(room.top_up);
        shift_top_up(charge, change, place, (signed(part), 0));
    }
    grow(&mut charge.committed, amount);
    change.used = change.used.saturating_add(signed(amount));
}

/// An amount as a change.
pub(super) fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
