//! Free: gives back committed use of allocation meters, by reservation or by amount (rule 10).

use super::authority::{Authority, stamp, unexpected};
use super::call::{Answer, CallError, FreeCall, FreeWhat, Freed};
use super::fingerprint::{Rpc, fingerprint};
use super::operation::{Outcome, Verb};
use super::plan::{Amounts, plan_charges};
use crate::domain::name::{IdKey, IdSpace};

impl Authority {
    /// Frees all that a reservation committed, or amounts clamped at what the named accounts were charged.
    ///
    /// # Errors
    /// [`CallError`] while the reservation holds, on consumption meters, for a reused id, or a store that can't answer.
    pub async fn free(&self, call: FreeCall) -> Result<Answer<Freed>, CallError> {
        let tenant = self.open(&call.tenant);
        let (id, charges) = match &call.what {
            FreeWhat::Reservation(id) => (id.as_str(), &[][..]),
            FreeWhat::Charges(charges) => ("", charges.as_slice()),
        };
        let key = IdKey::of(tenant.uid(), IdSpace::Reservation, id);
        let print = fingerprint(Rpc::Free, id, charges, None, true);
        let done = self
            .runner
            .run(&tenant, stamp(&tenant, call.request_id.as_deref(), print), &|snapshot, now| {
                if charges.is_empty() {
                    return Ok((Verb::FreeReservation { key }, None));
                }
                let (charges, plan) = plan_charges(snapshot, charges, Amounts::Freed, now)?;
                Ok((Verb::FreeAmounts { charges }, Some(plan)))
            })
            .await?;
        let durability = self.runner.durability(&done, call.wait_for_durable).await?;
        match done.outcome {
            Outcome::Freed(freed) => Ok(Answer { value: freed, replayed: done.replayed, durability }),
            Outcome::Refused(error) => Err(error.into()),
            _ => Err(unexpected()),
        }
    }
}
