//! [`Ledger`] on SQLite: which part of this folder answers what.

use super::fold::Known;
use super::{Database, append, errors, incarnation, prune, reservations, usage};
use crate::domain::entry::Entry;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::Reservation;
use crate::domain::time::Timestamp;
use crate::engine::ports::{
    Appended, Boxed, KnownRequest, Ledger, Repeated, ReservationFilter, StoreError, UsageAnswer, UsageQuery, Watermark,
};
use std::sync::{Arc, Mutex};

/// The ledger in a [`Database`].
pub struct DatabaseLedger {
    database: Database,
    known: Mutex<Known>,
}

impl DatabaseLedger {
    /// The ledger of an open database.
    pub fn new(database: Database) -> DatabaseLedger {
        DatabaseLedger { database, known: Mutex::default() }
    }
}

impl Ledger for DatabaseLedger {
    fn append<'a>(
        &'a self,
        partition: u32,
        incarnation: u64,
        entries: &'a [(u64, Arc<Entry>)],
    ) -> Boxed<'a, Result<Appended, StoreError>> {
        Box::pin(append::append(self.database.writer(), &self.known, (partition, incarnation), entries))
    }

    fn repeated(&self, partition: u32) -> Boxed<'_, Result<Vec<Repeated>, StoreError>> {
        Box::pin(reservations::repeated(self.database.reader(), partition))
    }

    fn watermark(&self, partition: u32) -> Boxed<'_, Result<Watermark, StoreError>> {
        Box::pin(async move {
            let mut connection = self.database.reader().acquire().await.map_err(errors::store_error)?;
            append::watermark(&mut connection, partition).await
        })
    }

    fn open_incarnation(
        &self,
        partition: u32,
        expect: Watermark,
        next: Watermark,
    ) -> Boxed<'_, Result<bool, StoreError>> {
        Box::pin(incarnation::open(self.database.writer(), partition, expect, next))
    }

    fn lost(&self, partition: u32) -> Boxed<'_, Result<Vec<(u64, u64)>, StoreError>> {
        Box::pin(incarnation::lost(self.database.reader(), partition))
    }

    fn last_time(&self, partition: u32) -> Boxed<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(async move {
            let query =
                sqlx::query_as(include_str!("../../sql/queries/entry_last_time.sql")).bind(i64::from(partition));
            let row: Option<(i64,)> =
                query.fetch_optional(self.database.reader()).await.map_err(errors::store_error)?;
            Ok(row.map(|(time,)| Timestamp::from_millis(time)))
        })
    }

    fn usage<'a>(
        &'a self,
        partition: u32,
        queries: &'a [UsageQuery],
    ) -> Boxed<'a, Result<(Watermark, Vec<UsageAnswer>), StoreError>> {
        Box::pin(usage::usage(self.database.reader(), partition, queries))
    }

    fn reservations<'a>(
        &'a self,
        tenant: Uid,
        keys: &'a [IdKey],
    ) -> Boxed<'a, Result<Vec<Option<Reservation>>, StoreError>> {
        Box::pin(reservations::by_keys(self.database.reader(), tenant, keys))
    }

    fn requests<'a>(
        &'a self,
        tenant: Uid,
        keys: &'a [IdKey],
    ) -> Boxed<'a, Result<Vec<Option<KnownRequest>>, StoreError>> {
        Box::pin(reservations::requests(self.database.reader(), tenant, keys))
    }

    fn open_reservations(&self, partition: u32) -> Boxed<'_, Result<Vec<Reservation>, StoreError>> {
        Box::pin(reservations::open(self.database.reader(), partition))
    }

    fn list_reservations<'a>(
        &'a self,
        tenant: Uid,
        filter: &'a ReservationFilter,
    ) -> Boxed<'a, Result<Vec<Reservation>, StoreError>> {
        Box::pin(reservations::list(self.database.reader(), tenant, filter))
    }

    fn prune(&self, now: Timestamp) -> Boxed<'_, Result<u64, StoreError>> {
        Box::pin(prune::prune(self.database.writer(), now))
    }
}
