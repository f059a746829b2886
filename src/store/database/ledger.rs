//! [`Ledger`] on a database: which part of this folder answers what.

use super::connection::sql;
use super::fold::Known;
use super::{Database, append, incarnation, prune, reservations, retention, usage};
use crate::domain::entry::Entry;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::Reservation;
use crate::domain::time::{Span, Timestamp};
use crate::engine::ports::{
    Appended, Boxed, KnownRequest, Ledger, Repeated, ReservationFilter, StoreError, UsageAnswer, UsageQuery,
    UsedByMeter, Watermark,
};
use std::sync::{Arc, Mutex};

/// The ledger in a [`Database`].
pub struct DatabaseLedger {
    database: Database,
    known: Mutex<Known>,
    retention: Option<Span>,
}

impl DatabaseLedger {
    /// The ledger of an open database.
    pub fn new(database: Database) -> DatabaseLedger {
        DatabaseLedger { database, known: Mutex::default(), retention: None }
    }

    /// Prunes what is older than this, at least [`LEAST_RETENTION`](super::LEAST_RETENTION): entries go, postings become one a
    /// minute for each counter. `None`: all is kept for ever.
    #[must_use]
    pub fn with_retention(self, retention: Option<Span>) -> DatabaseLedger {
        DatabaseLedger { retention, ..self }
    }
}

impl Ledger for DatabaseLedger {
    fn append<'a>(
        &'a self,
        partition: u32,
        incarnation: u64,
        entries: &'a [(u64, Arc<Entry>)],
    ) -> Boxed<'a, Result<Appended, StoreError>> {
        Box::pin(append::append(&self.database, &self.known, (partition, incarnation), entries))
    }

    fn repeated(&self, partition: u32) -> Boxed<'_, Result<Vec<Repeated>, StoreError>> {
        Box::pin(reservations::repeated(&self.database, partition))
    }

    fn watermark(&self, partition: u32) -> Boxed<'_, Result<Watermark, StoreError>> {
        Box::pin(async move {
            let mut connection = self.database.read().await?;
            append::watermark(&mut connection, partition).await
        })
    }

    fn open_incarnation(
        &self,
        partition: u32,
        expect: Watermark,
        next: Watermark,
    ) -> Boxed<'_, Result<bool, StoreError>> {
        Box::pin(incarnation::open(&self.database, partition, expect, next))
    }

    fn lost(&self, partition: u32) -> Boxed<'_, Result<Vec<(u64, u64)>, StoreError>> {
        Box::pin(incarnation::lost(&self.database, partition))
    }

    fn last_time(&self, partition: u32) -> Boxed<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(async move {
            let mut connection = self.database.read().await?;
            let row = connection.fetch_optional(sql!("entry_last_time"), |values| {
                values.int(i64::from(partition));
            });
            row.await?.map(|row| row.int(0).map(Timestamp::from_millis)).transpose()
        })
    }

    fn usage<'a>(
        &'a self,
        partition: u32,
        queries: &'a [UsageQuery],
    ) -> Boxed<'a, Result<(Watermark, Vec<UsageAnswer>), StoreError>> {
        Box::pin(usage::usage(&self.database, partition, queries))
    }

    fn charged(&self, account: Uid) -> Boxed<'_, Result<Option<UsedByMeter>, StoreError>> {
        Box::pin(usage::charged(&self.database, account))
    }

    fn reservations<'a>(
        &'a self,
        tenant: Uid,
        keys: &'a [IdKey],
    ) -> Boxed<'a, Result<Vec<Option<Reservation>>, StoreError>> {
        Box::pin(reservations::by_keys(&self.database, tenant, keys))
    }

    fn requests<'a>(
        &'a self,
        tenant: Uid,
        keys: &'a [IdKey],
    ) -> Boxed<'a, Result<Vec<Option<KnownRequest>>, StoreError>> {
        Box::pin(reservations::requests(&self.database, tenant, keys))
    }

    fn open_reservations(&self, partition: u32) -> Boxed<'_, Result<Vec<Reservation>, StoreError>> {
        Box::pin(reservations::open(&self.database, partition))
    }

    fn list_reservations<'a>(
        &'a self,
        tenant: Uid,
        filter: &'a ReservationFilter,
    ) -> Boxed<'a, Result<Vec<Reservation>, StoreError>> {
        Box::pin(reservations::list(&self.database, tenant, filter))
    }

    fn prune(&self, now: Timestamp) -> Boxed<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let gone = prune::prune(&self.database, now).await?;
            match self.retention {
                Some(retention) => Ok(gone + retention::step(&self.database, retention, now).await?),
                None => Ok(gone),
            }
        })
    }
}
