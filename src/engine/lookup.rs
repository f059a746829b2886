//! Reading reservations: one as it stands now, or a page of a tenant's.

use super::authority::{Authority, stamp, unexpected};
use super::call::CallError;
use super::operation::{Outcome, Verb};
use super::ports::ReservationFilter;
use crate::domain::name::{AccountName, IdKey, IdSpace};
use crate::domain::reservation::Reservation;
use std::sync::Arc;

impl Authority {
    /// One reservation as it stands now, from the counter store or, once it has ended, from the ledger; from the spool while
    /// the store can't be reached and does not know it.
    ///
    /// # Errors
    /// [`CallError`] if nobody knows it, or a store can't answer.
    pub async fn get_reservation(&self, tenant: &AccountName, id: &str) -> Result<Reservation, CallError> {
        let tenant = self.open(tenant);
        let key = IdKey::of(tenant.uid(), IdSpace::Reservation, id);
        let done = match self.runner.run(&tenant, stamp(&tenant, None, 0), &|_, _| Ok((Verb::Get { key }, None))).await
        {
            Err(CallError::OutOfReach(why)) => return Ok(Arc::unwrap_or_clone(self.runner.spooled(key, why)?)),
            done => done?,
        };
        match done.outcome {
            Outcome::Reservation(reservation) => Ok(Arc::unwrap_or_clone(reservation)),
            Outcome::Refused(error) => Err(error.into()),
            _ => Err(unexpected()),
        }
    }

    /// A page of the tenant's reservations, newest first, as of this call: the ledger is brought up to date first.
    ///
    /// # Errors
    /// [`CallError`] if the ledger can't answer.
    pub async fn list_reservations(
        &self,
        tenant: &AccountName,
        filter: &ReservationFilter,
    ) -> Result<Vec<Reservation>, CallError> {
        let tenant = self.open(tenant);
        let partition = self.runner.counters.partition_of(tenant.uid());
        let head = self.runner.counters.head(partition);
        self.runner.flushers.flushed(partition, head.seq).await?;
        let mut filter = filter.clone();
        if let Some(account) = filter.account.as_deref().and_then(|name| name.parse::<AccountName>().ok()) {
            let snapshot = self.runner.snapshots.get(tenant.name().as_str(), 0).await?;
            filter.account = Some(snapshot.today(&account).to_string());
        }
        Ok(self.runner.ledger.list_reservations(tenant.uid(), &filter).await?)
    }
}
