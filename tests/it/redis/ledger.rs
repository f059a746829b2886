//! A ledger in which something happens between a read of the watermark and its answer.

use quotad::domain::entry::Entry;
use quotad::domain::name::{IdKey, Uid};
use quotad::domain::reservation::Reservation;
use quotad::domain::time::Timestamp;
use quotad::engine::ports::{
    Appended, Boxed, KnownRequest, Ledger, Repeated, ReservationFilter, StoreError, UsageAnswer, UsageQuery,
    UsedByMeter, Watermark,
};
use std::sync::{Arc, Mutex};

/// What happens meanwhile.
pub(super) type Happening = Box<dyn FnOnce() -> Boxed<'static, ()> + Send>;

/// The ledger beneath, but that the next watermark is answered late.
pub(super) struct LateLedger {
    inner: Arc<dyn Ledger>,
    meanwhile: Mutex<Option<Happening>>,
}

impl LateLedger {
    /// The first watermark is read, then `meanwhile` happens, then it is answered.
    pub(super) fn new(inner: Arc<dyn Ledger>, meanwhile: Happening) -> LateLedger {
        LateLedger { inner, meanwhile: Mutex::new(Some(meanwhile)) }
    }
}

impl Ledger for LateLedger {
    fn watermark(&self, partition: u32) -> Boxed<'_, Result<Watermark, StoreError>> {
        Box::pin(async move {
            let mark = self.inner.watermark(partition).await;
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some(happen) = meanwhile {
                happen().await;
            }
            mark
        })
    }

    fn append<'a>(
        &'a self,
        partition: u32,
        incarnation: u64,
        entries: &'a [(u64, Arc<Entry>)],
    ) -> Boxed<'a, Result<Appended, StoreError>> {
        self.inner.append(partition, incarnation, entries)
    }

    fn repeated(&self, partition: u32) -> Boxed<'_, Result<Vec<Repeated>, StoreError>> {
        self.inner.repeated(partition)
    }

    fn open_incarnation(
        &self,
        partition: u32,
        expect: Watermark,
        next: Watermark,
    ) -> Boxed<'_, Result<bool, StoreError>> {
        self.inner.open_incarnation(partition, expect, next)
    }

    fn lost(&self, partition: u32) -> Boxed<'_, Result<Vec<(u64, u64)>, StoreError>> {
        self.inner.lost(partition)
    }

    fn last_time(&self, partition: u32) -> Boxed<'_, Result<Option<Timestamp>, StoreError>> {
        self.inner.last_time(partition)
    }

    fn usage<'a>(
        &'a self,
        partition: u32,
        queries: &'a [UsageQuery],
    ) -> Boxed<'a, Result<(Watermark, Vec<UsageAnswer>), StoreError>> {
        self.inner.usage(partition, queries)
    }

    fn charged(&self, account: Uid) -> Boxed<'_, Result<Option<UsedByMeter>, StoreError>> {
        self.inner.charged(account)
    }

    fn reservations<'a>(
        &'a self,
        tenant: Uid,
        keys: &'a [IdKey],
    ) -> Boxed<'a, Result<Vec<Option<Reservation>>, StoreError>> {
        self.inner.reservations(tenant, keys)
    }

    fn requests<'a>(
        &'a self,
        tenant: Uid,
        keys: &'a [IdKey],
    ) -> Boxed<'a, Result<Vec<Option<KnownRequest>>, StoreError>> {
        self.inner.requests(tenant, keys)
    }

    fn open_reservations(&self, partition: u32) -> Boxed<'_, Result<Vec<Reservation>, StoreError>> {
        self.inner.open_reservations(partition)
    }

    fn list_reservations<'a>(
        &'a self,
        tenant: Uid,
        filter: &'a ReservationFilter,
    ) -> Boxed<'a, Result<Vec<Reservation>, StoreError>> {
        self.inner.list_reservations(tenant, filter)
    }

    fn prune(&self, now: Timestamp) -> Boxed<'_, Result<u64, StoreError>> {
        self.inner.prune(now)
    }
}
