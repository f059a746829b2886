//! Commit: turns a hold into recorded use, with the amounts that were really used. Nothing that happened is refused.

use super::authority::{Authority, listed, stamp, unexpected};
use super::call::{Answer, CallError, ChargeRequest, ReserveCall, SettleCall};
use super::fingerprint::{Rpc, fingerprint};
use super::operation::{Outcome, Verb};
use super::plan::{Amounts, plan_charges};
use super::pricing::guess;
use super::reserve::template;
use super::run::Prepare;
use super::snapshot::Snapshot;
use super::spool::entry::Act;
use crate::domain::amount;
use crate::domain::error::RuleError;
use crate::domain::name::{IdKey, IdSpace};
use crate::domain::reservation::Reservation;
use std::sync::Arc;

impl Authority {
    /// Commits all that is held, or what is listed; a part with `is_final` false.
    ///
    /// # Errors
    /// [`CallError`] for a state that allows no commit, charges never held, refused overage, a reused id, or a store that
    /// can't answer.
    pub async fn commit(&self, mut call: SettleCall, is_final: bool) -> Result<Answer<Arc<Reservation>>, CallError> {
        // Beyond 2^53-1 is beyond: every store records it as the first amount that leaves its range.
        for charge in &mut call.charges {
            charge.amount = charge.amount.map(|amount| amount.min(amount::MAX + 1));
        }
        let tenant = self.open(&call.tenant);
        let key = IdKey::of(tenant.uid(), IdSpace::Reservation, &call.reservation_id);
        let print = fingerprint(Rpc::Commit, &call.reservation_id, &call.charges, None, is_final);
        let stamp = stamp(&tenant, call.request_id.as_deref(), print);
        let listed = listed(&call.charges);
        let complete = !call.charges.is_empty() && call.charges.iter().all(ChargeRequest::says_how_much);
        let verb = |listed, recover| Verb::Commit { key, listed, is_final, recover, forced: false };
        let held = |snapshot: &Snapshot, now| {
            let mut listed = listed.clone();
            guess(snapshot, &mut listed, now);
            Ok((verb(listed, None), None))
        };
        // Neither store nor ledger knows it, but the caller says all there is to know (rule 7).
        let unknown = |snapshot: &Snapshot, now| {
            let (charges, plan) = plan_charges(snapshot, &call.charges, Amounts::Recorded, now)?;
            let mut reservation = template(&recovered(&call), charges);
            (reservation.tenant, reservation.key) = (tenant.uid(), key);
            reservation.id = call.reservation_id.as_str().into();
            reservation.fingerprint = print;
            Ok((verb(listed.clone(), Some(Arc::new(reservation))), Some(plan)))
        };
        let answered = match self.runner.run(&tenant, stamp, &held).await {
            Ok(done) if matches!(done.outcome, Outcome::Refused(RuleError::NotFound)) && complete => {
                self.runner.run(&tenant, stamp, &unknown).await
            }
            answered => answered,
        };
        let done = match answered {
            Err(CallError::OutOfReach(why)) => {
                let act = Act::Commit { listed: listed.clone(), is_final };
                let recover: Option<&Prepare<'_>> = if complete && is_final { Some(&unknown) } else { None };
                return Box::pin(self.runner.settle_unenforced(&tenant, (key, stamp), (&call, act), why, recover))
                    .await;
            }
            done => done?,
        };
        let durability = self.runner.durability(&done, call.wait_for_durable).await?;
        match done.outcome {
            Outcome::Reservation(reservation) => Ok(Answer { value: reservation, replayed: done.replayed, durability }),
            Outcome::Refused(error) => Err(error.into()),
            _ => Err(unexpected()),
        }
    }
}

fn recovered(call: &SettleCall) -> ReserveCall {
    ReserveCall {
        tenant: call.tenant.clone(),
        reservation_id: Some(call.reservation_id.clone()),
        request_id: None,
        charges: Vec::new(),
        ttl: None,
        labels: Vec::new(),
        wait_for_durable: false,
    }
}
