//! What commit, release, extend, free and expiry change: the specification of every state x operation.
//!
//! The table stands in `src/ARCHITECTURE.md`. Each function takes a reservation as it is and answers what changes, or
//! why not; nothing here touches a counter. Amounts are in the meter's smallest unit.

use super::amount::grow;
use super::error::RuleError;
use super::holds::{give_back, price, release_hold, return_use, take, take_by_rule, use_hold, use_more};
use super::meter::{ChargeMoment, Expiry, Overage};
use super::price::Priced;
use super::reservation::{Held, Reservation, State};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::holds::{Change, InUse, Left, Room};

/// What an operation makes of a reservation: how it stands afterwards, and what that changes on counters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// The reservation afterwards.
    pub reservation: Reservation,
    /// What changes.
    pub changes: Vec<Change>,
}

/// One charge that a commit, release or extend lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Index in the reservation.
    pub charge: usize,
    /// The amount; `None`: as held.
    pub amount: Option<u64>,
    /// Where the amount comes from.
    pub pricing: Pricing,
}

/// Where the amount of a listed charge comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Pricing {
    /// It was said, or is as held.
    #[default]
    Said,
    /// From quantities that are not priced yet.
    Open,
    /// From quantities: they bring the charge's price state from `before` to `after`.
    Priced {
        /// The price state that they were priced on.
        before: Option<Box<Priced>>,
        /// The price state that they make of it.
        after: Box<Priced>,
    },
}

impl Pricing {
    /// Whether it was priced on another state than the charge has; of what was committed, the state after it tells a repeat.
    fn differs(&self, charge: &Held, state: State) -> bool {
        match self {
            Pricing::Said => false,
            Pricing::Open => true,
            Pricing::Priced { before, after } => {
                charge.price != *before && !(state == State::Committed && charge.price.as_ref() == Some(after))
            }
        }
    }
}

/// Whether what is listed must be priced, by the prices that the reservation froze and on what was priced so far.
pub fn needs_price(before: &Reservation, listed: &[Listed]) -> bool {
    listed.iter().any(|item| item.pricing.differs(&before.charges[item.charge], before.state))
}

/// Whether a commit needs to know the limits: it goes above its hold where a rule or a top-up asks what fits.
pub fn needs_room(reservation: &Reservation, listed: &[Listed]) -> bool {
    listed.iter().any(|item| {
        let charge = &reservation.charges[item.charge];
        let above = item.amount.unwrap_or(charge.as_held()) > charge.held + charge.unconfirmed;
        let ruled = charge.rules.overage != Overage::Record && reservation.state.is_open();
        above && (ruled || charge.path.iter().any(|level| level.has_top_up))
    })
}

/// Whether a final commit needs to know what is in use: it gives back what a deadline charged to an allocation, of which a
/// Free by amount may have taken some.
pub fn needs_left(reservation: &Reservation, listed: &[Listed], is_final: bool) -> bool {
    is_final
        && reservation.charges.iter().enumerate().any(|(index, charge)| {
            let item = listed.iter().find(|item| item.charge == index);
            let amount = item.map_or(0, |item| item.amount.unwrap_or(charge.as_held()));
            gives_back(charge, charge.unconfirmed.saturating_sub(amount)) > 0 && charge.is_allocation()
        })
}

/// The price state after a commit of an amount: that of the quantities, or of the estimate where it was true.
fn priced(charge: &Held, item: &Listed, amount: u64) -> Option<Box<Priced>> {
    match &item.pricing {
        Pricing::Priced { after, .. } => Some(after.clone()),
        Pricing::Said if item.amount.is_none() && charge.asked == Some(amount) && charge.priced().is_empty() => {
            charge.estimated().map(Box::new)
        }
        Pricing::Said | Pricing::Open => None,
    }
}

/// What of the unconfirmed rest goes back: what was freed meanwhile has gone already.
fn gives_back(charge: &Held, unconfirmed: u64) -> u64 {
    match charge.rules.charge {
        ChargeMoment::OnCommit => unconfirmed.min(charge.committed - charge.freed),
        ChargeMoment::OnReserve => 0,
    }
}

/// What a commit asks of the counters on the reservation's paths.
pub trait Counted {
    /// What fits beyond the hold on a level of a charge's path, after the changes that this very commit already makes.
    fn room(&mut self, charge: usize, level: usize, changes: &[Change]) -> Room;
    /// What a charge may give back after those changes.
    fn left(&mut self, charge: usize, changes: &[Change]) -> Left;
}

/// Where no counter can be asked: nothing limits.
pub struct Uncounted;

impl Counted for Uncounted {
    fn room(&mut self, _: usize, _: usize, _: &[Change]) -> Room {
        Room::default()
    }

    fn left(&mut self, _: usize, _: &[Change]) -> Left {
        Left::unknown()
    }
}

/// Commit: turns what is held into what is used, with the amounts that were really used (rule 6), in whatever state the
/// reservation is, unless it was committed or released already (rule 7).
///
/// `listed` is what the caller lists (all charges, as held, if it lists none).
///
/// # Errors
/// [`RuleError`] for a state that allows no commit, or overage that is refused.
pub fn commit(
    before: &Reservation,
    listed: &[Listed],
    is_final: bool,
    counted: &mut impl Counted,
) -> Result<Settlement, RuleError> {
    match before.state {
        State::Committed => return Err(RuleError::Committed(Box::new(before.clone()))),
        State::Released => return Err(RuleError::Released),
        State::Held | State::PartiallyCommitted | State::Parked | State::Expired => {}
    }
    let late = before.state == State::Expired;
    let mut after = before.clone();
    let mut changes: Vec<Change> = Vec::with_capacity(before.charges.len());
    let mut extras: Vec<(usize, u64)> = Vec::new();

    // First what is covered: what the hold, or a charge at expiry, already stands for.
    for (index, charge) in after.charges.iter_mut().enumerate() {
        let item = listed.iter().find(|item| item.charge == index);
        let mut change = Change::none(index);
        let amount = item.map_or(0, |item| item.amount.unwrap_or(charge.as_held()));
        if let Some(item) = item {
            if let Some(after) = priced(charge, item, amount) {
                price(charge, after, &mut change);
            }
            let confirmed = amount.min(charge.unconfirmed);
            charge.unconfirmed -= confirmed;
            let covered = (amount - confirmed).min(charge.held);
            use_hold(charge, covered, &mut change);
            extras.push((index, amount - confirmed - covered));
        }
        if is_final {
            let rest = charge.held;
            release_hold(charge, rest, &mut change);
            let rest = gives_back(charge, charge.unconfirmed);
            if rest > 0 {
                let left = if charge.is_allocation() { counted.left(index, &changes) } else { Left::unknown() };
                give_back(charge, rest, &left, &mut change);
            }
            charge.unconfirmed = 0;
            charge.final_amount = Some(amount);
        }
        changes.push(change);
    }

    // Then what goes above, against what that leaves.
    for (index, extra) in extras.into_iter().filter(|(_, extra)| *extra > 0) {
        let charge = &mut after.charges[index];
        let rooms: Vec<Room> = (0..charge.path.len()).map(|level| counted.room(index, level, &changes)).collect();
        let fits = rooms.iter().filter_map(Room::fits).min();
        after.flags.overrun |= extra > charge.lapsed;
        let extra = match (charge.rules.overage, fits) {
            (Overage::Refuse, Some(fits)) if extra > fits && !late => return Err(RuleError::OverageRefused(index)),
            (Overage::Cap, Some(fits)) if !late => extra.min(fits),
            _ => extra,
        };
        charge.lapsed -= extra.min(charge.lapsed);
        use_more(charge, extra, &rooms, &mut changes[index]);
    }

    after.flags.late |= late;
    after.state = match (is_final, late) {
        (true, _) => State::Committed,
        (false, true) => State::Expired,
        (false, false) if before.state == State::Parked => State::Parked,
        (false, false) => State::PartiallyCommitted,
    };
    Ok(Settlement { reservation: after, changes })
}

/// Whether a second final commit asks for what the first recorded: then it is a repeat, not another amount (rule 7).
pub fn repeats_commit(before: &Reservation, listed: &[Listed], as_held: bool) -> bool {
    as_held
        || before.charges.iter().enumerate().all(|(index, charge)| {
            let item = listed.iter().find(|item| item.charge == index);
            let priced = item.is_none_or(|item| match &item.pricing {
                Pricing::Priced { after, .. } => charge.price.as_ref() == Some(after),
                Pricing::Said | Pricing::Open => true,
            });
            priced && item.map_or(Some(0), |item| item.amount.or(charge.final_amount)) == charge.final_amount
        })
}

/// Release: gives back what is held, all of it or what is listed. After a release, or a deadline that gave back, it has
/// no effect; after a commit, or a deadline that charged, it is refused (rule 7).
///
/// # Errors
/// [`RuleError`] as said.
pub fn release(before: &Reservation, listed: &[Listed], all: bool) -> Result<Option<Settlement>, RuleError> {
    match before.state {
        State::Committed => return Err(RuleError::Committed(Box::new(before.clone()))),
        State::Expired if before.charges.iter().any(|charge| charge.unconfirmed > 0) => {
            return Err(RuleError::Committed(Box::new(before.clone())));
        }
        State::Released | State::Expired => return Ok(None),
        State::Held | State::PartiallyCommitted | State::Parked => {}
    }
    let mut after = before.clone();
    let mut changes = Vec::new();
    for (index, charge) in after.charges.iter_mut().enumerate() {
        let item = listed.iter().find(|item| item.charge == index);
        if !all && item.is_none() {
            continue;
        }
        let amount = item.and_then(|item| item.amount).unwrap_or(charge.held).min(charge.held);
        let mut change = Change::none(index);
        release_hold(charge, amount, &mut change);
        changes.push(change);
    }
    if all || !after.holds() {
        after.state = State::Released;
    }
    Ok(Some(Settlement { reservation: after, changes }))
}

/// Extend: moves the deadline, never earlier, and raises holds by what was admitted: (charge, amount, by level the part
/// in the top-up).
///
/// # Errors
/// [`RuleError`] unless the reservation is held or partially committed.
pub fn extend(
    before: &Reservation,
    expire_time: Timestamp,
    raised: &[(usize, u64, Vec<u64>)],
) -> Result<Settlement, RuleError> {
    match before.state {
        State::Held | State::PartiallyCommitted => {}
        State::Parked => return Err(RuleError::Parked),
        State::Committed => return Err(RuleError::Committed(Box::new(before.clone()))),
        State::Released => return Err(RuleError::Released),
        State::Expired => return Err(RuleError::Expired),
    }
    let mut after = before.clone();
    after.expire_time = after.expire_time.max(expire_time);
    let mut changes = Vec::new();
    for (index, amount, top_up) in raised {
        let charge = &mut after.charges[*index];
        let mut change = Change::none(*index);
        take_by_rule(charge, *amount, top_up, &mut change);
        changes.push(change);
    }
    Ok(Settlement { reservation: after, changes })
}

/// The change that takes a new reservation's charge: held, or used at once where the meter charges on reserve; what is
/// used at once waits for a commit to confirm it.
pub fn take_new(index: usize, charge: &mut Held, amount: u64, top_up: &[u64]) -> Change {
    let mut change = Change::none(index);
    take_by_rule(charge, amount, top_up, &mut change);
    change
}

/// The change that records a charge for good, without a hold: Consume, and a commit that nobody held for.
pub fn record_new(index: usize, charge: &mut Held, amount: u64, top_up: &[u64]) -> Change {
    let mut change = Change::none(index);
    take(charge, amount, top_up, true, &mut change);
    charge.final_amount = Some(amount);
    if let Some(after) = charge.estimated() {
        price(charge, Box::new(after), &mut change);
    }
    change
}

/// The deadline passes: each charge's hold goes by its meter's expiry rule (rule 9).
pub fn expire(before: &Reservation) -> Settlement {
    let mut after = before.clone();
    let mut changes = Vec::new();
    let mut parked = false;
    for (index, charge) in after.charges.iter_mut().enumerate() {
        let mut change = Change::none(index);
        let held = charge.held;
        match charge.rules.expiry {
            Expiry::GiveBack => {
                release_hold(charge, held, &mut change);
                grow(&mut charge.lapsed, held);
            }
            Expiry::Charge => {
                use_hold(charge, held, &mut change);
                grow(&mut charge.unconfirmed, held);
            }
            Expiry::Park => parked |= held > 0,
        }
        changes.push(change);
    }
    after.state = if parked { State::Parked } else { State::Expired };
    Settlement { reservation: after, changes }
}

/// Free by reservation: gives back what its allocation charges committed (rule 10), as far as `left` says that it is
/// still there. A second one finds nothing.
///
/// # Errors
/// [`RuleError::Open`] while it holds, [`RuleError::NotFreeable`] if it charges a consumption meter.
pub fn free(
    before: &Reservation,
    mut left: impl FnMut(usize, &[Change]) -> Left,
) -> Result<(Settlement, Vec<u64>), RuleError> {
    if before.state.is_open() {
        return Err(RuleError::Open);
    }
    if let Some(index) = before.charges.iter().position(|charge| !charge.is_allocation()) {
        return Err(RuleError::NotFreeable(index));
    }
    let mut after = before.clone();
    let mut changes = Vec::new();
    let mut freed = Vec::new();
    for (index, charge) in after.charges.iter_mut().enumerate() {
        let mut change = Change::none(index);
        let left = left(index, &changes);
        let amount = (charge.committed - charge.freed).min(left.amount);
        return_use(charge, amount, &left, &mut change);
        // What is not left was given back by amount.
        charge.freed = charge.committed;
        changes.push(change);
        freed.push(amount);
    }
    Ok((Settlement { reservation: after, changes }, freed))
}

/// A repeat that came too late to be recognised is undone: what it holds and used goes back, as if it had never been.
pub fn reverse(before: &Reservation) -> Settlement {
    let mut after = before.clone();
    let mut changes = Vec::new();
    for (index, charge) in after.charges.iter_mut().enumerate() {
        let mut change = Change::none(index);
        let (held, committed) = (charge.held, charge.committed - charge.freed);
        release_hold(charge, held, &mut change);
        give_back(charge, committed, &Left::unknown(), &mut change);
        charge.unconfirmed = 0;
        changes.push(change);
    }
    after.state = State::Released;
    Settlement { reservation: after, changes }
}
