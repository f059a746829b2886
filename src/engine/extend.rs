//! Extend: moves a deadline, and may raise the hold in the periods in which it was taken.

use super::authority::{Authority, DEFAULT_TTL, listed, stamp, unexpected};
use super::call::{Answer, CallError, Extended, SettleCall};
use super::fingerprint::{Rpc, fingerprint};
use super::operation::{Outcome, Verb};
use crate::domain::name::{IdKey, IdSpace};
use crate::domain::time::Span;

impl Authority {
    /// Moves the deadline to `ttl` from now, never earlier, and raises what is listed; denied, neither changes.
    ///
    /// # Errors
    /// [`CallError`] once the reservation has ended, for charges never held, a reused id, or a store that can't answer.
    pub async fn extend(&self, call: SettleCall, ttl: Option<Span>) -> Result<Answer<Extended>, CallError> {
        let tenant = self.open(&call.tenant);
        let key = IdKey::of(tenant.uid(), IdSpace::Reservation, &call.reservation_id);
        let ttl = ttl.unwrap_or(DEFAULT_TTL);
        let print = fingerprint(Rpc::Extend, &call.reservation_id, &call.charges, Some(ttl), true);
        let listed = listed(&call.charges);
        let done = self
            .runner
            .run(&tenant, stamp(&tenant, call.request_id.as_deref(), print), &|_, _| {
                Ok((Verb::Extend { key, ttl, listed: listed.clone() }, None))
            })
            .await?;
        let durability = self.runner.durability(&done, call.wait_for_durable).await?;
        match done.outcome {
            Outcome::Extended(extended) => Ok(Answer { value: *extended, replayed: done.replayed, durability }),
            Outcome::Refused(error) => Err(error.into()),
            _ => Err(unexpected()),
        }
    }
}
