//! One operation on one partition: due deadlines first, then ids, then the verb. Nothing here waits.

use super::partition::Partition;
use crate::domain::error::RuleError;
use crate::domain::name::IdKey;
use crate::domain::reservation::Reservation;
use crate::domain::time::Timestamp;
use crate::engine::call::{Extended, Freed};
use crate::engine::operation::{Done, Miss, Operation, Outcome, Reply, Verb};
use std::sync::Arc;

/// Deadlines that one call may end before its own work.
const REAP: usize = 32;

impl Partition {
    /// Runs one operation.
    pub fn step(&mut self, operation: &mut Operation, clock: Timestamp) -> Reply {
        self.tick(clock);
        if self.reap(REAP) >= REAP && self.is_due() {
            return Reply::Again;
        }
        if operation.catalog_version > 0
            && let Some(version) = self.stale(operation.tenant, operation.catalog_version)
        {
            return Reply::Stale(version);
        }
        if let Some(valid) = operation.plan.as_ref().and_then(|plan| plan.valid)
            && !valid.contains(self.now)
        {
            return Reply::Replan(self.now);
        }
        if let Some(reply) = self.replay_request(operation) {
            return reply;
        }
        match &operation.verb {
            Verb::Check { .. } => self.check(operation),
            Verb::Usage => self.usage(operation),
            Verb::Reserve { .. } => self.reserve(operation),
            Verb::Commit { .. } => self.commit(operation),
            Verb::Release { .. } => self.release(operation),
            Verb::Extend { .. } => self.extend(operation),
            Verb::FreeReservation { .. } => self.free_reservation(operation),
            Verb::FreeAmounts { .. } => self.free_amounts(operation),
            Verb::Adjust { .. } => self.adjust(operation),
            Verb::Get { key } => {
                let key = *key;
                match self.find(key, operation) {
                    Ok(found) => self.done(Outcome::Reservation(found.reservation), false, found.seq),
                    Err(reply) => *reply,
                }
            }
        }
    }

    /// A decided answer.
    pub fn done(&self, outcome: Outcome, replayed: bool, seq: u64) -> Reply {
        Reply::Done(Box::new(Done { outcome, replayed, partition: self.index, seq, now: self.now, shadowed: 0 }))
    }

    /// A refusal by a rule.
    pub fn refused(&self, error: RuleError) -> Reply {
        self.done(Outcome::Refused(error), false, 0)
    }

    /// A miss of identities.
    pub fn miss(&self, reservation: Option<IdKey>, request: Option<IdKey>, flushed_to: u64) -> Reply {
        Reply::Miss(Miss {
            partition: self.index,
            tenant: None,
            counters: Vec::new(),
            reservation,
            request,
            flushed_to,
            now: self.now,
            holds: false,
        })
    }

    /// The answer to a repeated request id (rule 5); `None` if the id is new.
    fn replay_request(&mut self, operation: &Operation) -> Option<Reply> {
        let key = operation.request?;
        if let Some((fingerprint, denial)) = self.ids.denial(&key, self.now) {
            let denial = denial.clone();
            return Some(match &operation.verb {
                _ if fingerprint != operation.fingerprint => self.refused(RuleError::IdReused),
                Verb::Extend { key, .. } => self.replay_denied_extend(*key, operation, denial),
                _ => self.done(Outcome::Denied(denial), true, 0),
            });
        }
        let (fingerprint, reservation, amounts, seq) = match (self.ids.request(&key), &operation.known.request) {
            (Some(outcome), _) => {
                let amounts = outcome.amounts.as_ref().map(|amounts| amounts.to_vec());
                (outcome.fingerprint, outcome.reservation, amounts, outcome.seq)
            }
            (None, Some(Some(known))) => {
                let amounts = (!known.amounts.is_empty()).then(|| known.amounts.clone());
                (known.fingerprint, known.reservation, amounts, 0)
            }
            (None, Some(None)) => return None,
            // A Free by amount, or an Adjust, has no reservation that would tell a repeat: the ledger does, also long after.
            (None, None)
                if self.ids.may_be_unknown_request(&key, self.now)
                    || matches!(operation.verb, Verb::FreeAmounts { .. } | Verb::Adjust { .. }) =>
            {
                return Some(self.miss(None, Some(key), 0));
            }
            (None, None) => return None,
        };
        if fingerprint != operation.fingerprint {
            return Some(self.refused(RuleError::IdReused));
        }
        let Some(reservation) = reservation else {
            let amounts = amounts.unwrap_or_default();
            return Some(self.done(Outcome::Freed(Freed { reservation: None, amounts }), true, seq));
        };
        Some(match self.find(reservation, operation) {
            Ok(found) => {
                let seq = found.seq.max(seq);
                self.replayed(operation, found.reservation, seq)
            }
            Err(reply) => *reply,
        })
    }

    fn replay_denied_extend(
        &mut self,
        key: IdKey,
        operation: &Operation,
        denial: crate::engine::call::Denial,
    ) -> Reply {
        match self.find(key, operation) {
            Ok(found) => {
                let extended = Extended { reservation: Arc::unwrap_or_clone(found.reservation), denied: Some(denial) };
                self.done(Outcome::Extended(Box::new(extended)), true, found.seq)
            }
            Err(reply) => *reply,
        }
    }

    /// The first verdict with the reservation's present state.
    pub fn replayed(&self, operation: &Operation, reservation: Arc<Reservation>, seq: u64) -> Reply {
        let outcome = match &operation.verb {
            Verb::Extend { .. } => {
                let reservation = Arc::unwrap_or_clone(reservation);
                Outcome::Extended(Box::new(Extended { reservation, denied: None }))
            }
            Verb::FreeReservation { .. } => {
                let amounts = reservation.charges.iter().map(|charge| charge.freed).collect();
                Outcome::Freed(Freed { reservation: Some(Arc::unwrap_or_clone(reservation)), amounts })
            }
            _ => Outcome::Reservation(reservation),
        };
        self.done(outcome, true, seq)
    }

    /// The reservation of that key: open here, or as the ledger has it.
    ///
    /// # Errors
    /// The reply to give instead: a miss, or that nobody knows it.
    pub fn find(&self, key: IdKey, operation: &Operation) -> Result<Found, Box<Reply>> {
        if let Some(reservation) = self.ids.open.get(&key) {
            // An open reservation may rest on the group that is not on disk yet.
            let seq = if self.tail.has_pending() { self.tail.head + 1 } else { self.tail.head };
            return Ok(Found { reservation: reservation.clone(), seq });
        }
        let seq = self.ids.ended(&key).map_or(0, |ended| ended.seq);
        match &operation.known.reservation {
            Some(known) if seq <= operation.known.as_of => match known {
                Some(reservation) => Ok(Found { reservation: reservation.clone(), seq }),
                None => Err(Box::new(self.refused(RuleError::NotFound))),
            },
            _ => Err(Box::new(self.miss(Some(key), None, seq))),
        }
    }
}

/// A reservation, and the journal entry that its state rests on.
pub struct Found {
    /// As it stands.
    pub reservation: Arc<Reservation>,
    /// The entry.
    pub seq: u64,
}
