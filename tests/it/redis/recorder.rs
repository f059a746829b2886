//! A counter store that passes everything on to another and remembers which operations it was asked to do, and when; where
//! it is told to, something happens before an answer of the ledger is installed.

use super::ledger::Happening;
use quotad::domain::name::Uid;
use quotad::domain::reservation::Reservation;
use quotad::domain::time::{Span, Timestamp};
use quotad::engine::operation::{Counters, Figures, Numbered, Operation, Refill, Reply};
use quotad::engine::ports::{Boxed, Clock, StoreError, Watermark};
use std::sync::{Arc, Mutex};

/// What was asked for: the store's time, and the operation as it came.
pub(super) type Recording = Arc<Mutex<Vec<(Timestamp, Operation)>>>;

/// The store in between.
pub(super) struct Recorder {
    pub(super) inner: Arc<dyn Counters>,
    pub(super) clock: Arc<Mutex<Option<Arc<dyn Clock>>>>,
    pub(super) recording: Recording,
    /// What happens before the next install.
    pub(super) meanwhile: Arc<Mutex<Option<Happening>>>,
}

impl Recorder {
    /// In front of that store.
    pub(super) fn new(inner: Arc<dyn Counters>) -> Recorder {
        Recorder { inner, clock: Arc::default(), recording: Arc::default(), meanwhile: Arc::default() }
    }
}

impl Counters for Recorder {
    fn partitions(&self) -> u32 {
        self.inner.partitions()
    }

    fn partition_of(&self, tenant: Uid) -> u32 {
        self.inner.partition_of(tenant)
    }

    fn apply<'a>(&'a self, operation: &'a mut Operation) -> Boxed<'a, Result<Reply, StoreError>> {
        if let Some(clock) = &*self.clock.lock().unwrap() {
            self.recording.lock().unwrap().push((clock.now(), operation.clone()));
        }
        self.inner.apply(operation)
    }

    fn install<'a>(
        &'a self,
        partition: u32,
        as_of: Watermark,
        refills: &'a [Refill],
    ) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some(happen) = meanwhile {
                happen().await;
            }
            self.inner.install(partition, as_of, refills).await
        })
    }

    fn raise(&self, tenant: Option<Uid>, version: u64) -> Boxed<'_, Result<(), StoreError>> {
        self.inner.raise(tenant, version)
    }

    fn expire(&self, partition: u32, limit: usize) -> Boxed<'_, Result<usize, StoreError>> {
        self.inner.expire(partition, limit)
    }

    fn reverse(&self, partition: u32, reservation: Box<Reservation>) -> Boxed<'_, Result<(), StoreError>> {
        self.inner.reverse(partition, reservation)
    }

    fn head(&self, partition: u32) -> Watermark {
        self.inner.head(partition)
    }

    fn read(&self, partition: u32, seq: u64, limit: usize) -> Boxed<'_, Result<Vec<Numbered>, StoreError>> {
        self.inner.read(partition, seq, limit)
    }

    fn trim(&self, partition: u32, seq: u64) -> Boxed<'_, Result<(), StoreError>> {
        self.inner.trim(partition, seq)
    }

    fn written(&self, partition: u32, seq: u64) -> Boxed<'_, ()> {
        self.inner.written(partition, seq)
    }

    fn drop_idle(&self, partition: u32, idle: Span) -> Boxed<'_, Result<usize, StoreError>> {
        self.inner.drop_idle(partition, idle)
    }

    fn figures(&self, partition: u32) -> Figures {
        self.inner.figures(partition)
    }
}
