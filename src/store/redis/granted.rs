//! What a Reserve or Consume makes if it is granted whole in the periods, without a top-up: known before it is asked, but for the
//! time. So the script need not make it, nor send it back.

use crate::domain::amount;
use crate::domain::reservation::{Reservation, State};
use crate::domain::settlement::{self, Change};
use crate::domain::time::Timestamp;
use crate::engine::operation::{Operation, Plan, Verb};

/// A reservation as it is when it was granted, and what that changes. Its times are those of the template.
pub struct Granted {
    /// The record.
    pub reservation: Reservation,
    /// What each of its charges changes.
    pub changes: Vec<Change>,
}

/// What a reservation adds to one counter.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Sum {
    /// To what is used in every period.
    pub used: u64,
    /// To what is held in every period.
    pub held: u64,
    /// To what the account's own charges used.
    pub own: u64,
}

impl Granted {
    /// Of an operation; `None` if it is no Reserve, or its amounts are beyond the range, or a part would be priced at once.
    pub fn of(operation: &Operation) -> Option<Granted> {
        let Verb::Reserve { template, consume, .. } = &operation.verb else { return None };
        let mut reservation = Reservation::clone(template);
        let mut changes = Vec::with_capacity(reservation.charges.len());
        for (index, charge) in reservation.charges.iter_mut().enumerate() {
            let amount = charge.asked.unwrap_or(0);
            if amount > amount::MAX || (*consume && charge.estimate.is_some()) {
                return None;
            }
            changes.push(if *consume {
                settlement::record_new(index, charge, amount, &[])
            } else {
                settlement::take_new(index, charge, amount, &[])
            });
        }
        reservation.state = if *consume { State::Committed } else { State::Held };
        reservation.requests.extend(operation.request);
        Some(Granted { reservation, changes })
    }

    /// The reservation as of the time at which the script granted it.
    pub fn at(operation: &Operation, now: Timestamp) -> Option<Reservation> {
        let Verb::Reserve { ttl, .. } = &operation.verb else { return None };
        let granted = Granted::of(operation)?;
        Some(Reservation { create_time: now, expire_time: now + *ttl, ..granted.reservation })
    }

    /// What it adds to each planned counter; `None` where that leaves the range.
    pub fn sums(&self, plan: &Plan) -> Option<Vec<Sum>> {
        let mut sums = vec![Sum::default(); plan.counters.len()];
        for change in &self.changes {
            let (used, held) = (u64::try_from(change.used).ok()?, u64::try_from(change.held).ok()?);
            let own = self.reservation.charges[change.charge].chain_len();
            for (level, counter) in plan.paths[change.charge].iter().enumerate() {
                let sum = &mut sums[usize::from(*counter)];
                sum.used += used;
                sum.held += held;
                sum.own += if level + 1 == own { used } else { 0 };
            }
        }
        let in_range = |sum: &Sum| sum.used.max(sum.held).max(sum.own) <= amount::MAX;
        sums.iter().all(in_range).then_some(sums)
    }
}
