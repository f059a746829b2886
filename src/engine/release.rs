//! Release: gives a hold, or a part of it, back. Always free.

use super::authority::{Authority, listed, stamp, unexpected};
use super::call::{Answer, CallError, SettleCall};
use super::fingerprint::{Rpc, fingerprint};
use super::operation::{Outcome, Verb};
use super::snapshot::Snapshot;
use super::spool::entry::Act;
use crate::domain::name::{IdKey, IdSpace};
use crate::domain::reservation::Reservation;
use std::sync::Arc;

impl Authority {
    /// Gives back all that is held, or what is listed.
    ///
    /// # Errors
    /// [`CallError`] after a commit or a deadline that charged, for charges never held, or a store that can't answer.
    pub async fn release(&self, call: SettleCall) -> Result<Answer<Arc<Reservation>>, CallError> {
        let tenant = self.open(&call.tenant);
        let key = IdKey::of(tenant.uid(), IdSpace::Reservation, &call.reservation_id);
        let print = fingerprint(Rpc::Release, &call.reservation_id, &call.charges, None, true);
        let listed = listed(&call.charges);
        let stamp = stamp(&tenant, call.request_id.as_deref(), print);
        let prepare = |_: &Snapshot, _| Ok((Verb::Release { key, listed: listed.clone() }, None));
        let done = match self.runner.run(&tenant, stamp, &prepare).await {
            Err(CallError::OutOfReach(why)) => {
                let act = Act::Release { listed: listed.clone() };
                return Box::pin(self.runner.settle_unenforced(&tenant, (key, stamp), (&call, act), why, None)).await;
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
