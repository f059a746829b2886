//! The counters port on partitions in this process: a value under a mutex for each, and one thread for their journal.

use super::group::Shared;
use super::partition::Partition;
use super::writer::write_here;
use crate::domain::entry::Entry;
use crate::domain::name::Uid;
use crate::domain::reservation::Reservation;
use crate::domain::time::Span;
use crate::engine::operation::{Caps, Counters, Figures, Operation, Refill, Reply, Verb};
use crate::engine::ports::{Boxed, StoreError, Watermark};
use crate::telemetry::traces::span;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use tracing::Instrument;

/// The embedded engine's incarnation: its journal lives on from start to start.
pub const INCARNATION: u64 = 1;

/// Ids of each kind that a sweep forgets at most: no longer than a millisecond or two.
const FORGET: usize = 2048;

/// Counters in this process.
pub struct EmbeddedCounters {
    shared: Arc<Shared>,
}

impl EmbeddedCounters {
    pub(super) fn new(shared: Arc<Shared>) -> EmbeddedCounters {
        EmbeddedCounters { shared }
    }

    /// Writes what the calls on this thread's runtime leave, until it is dropped; elsewhere the journal's thread does so. Does
    /// nothing where answers do not wait for the operating system alone.
    pub fn write_here(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared.clone();
        async move {
            if shared.writes_here {
                write_here(shared).await;
            }
        }
    }

    /// Runs something on a partition, unless it can't be used; then wakes the journal if there is something to write.
    ///
    /// A panic goes on to the caller, and the partition is loaded again from disk: its value may be half changed. What
    /// its callers left before is written all the same, because an effect is whole once it is in the journal.
    pub(super) fn with<T>(&self, partition: u32, work: impl FnOnce(&mut Partition) -> T) -> Result<T, StoreError> {
        let slot = &self.shared.partitions[partition as usize];
        let (result, pending) = {
            let mut place = slot.lock();
            let partition = place.usable()?;
            match catch_unwind(AssertUnwindSafe(|| work(partition))) {
                Ok(result) => (Ok(result), partition.tail.has_pending()),
                Err(panic) => {
                    place.break_off();
                    // No core loads it again, and nobody leaves anything in it until that is done.
                    self.shared.wake.notify_one();
                    (Err(panic), true)
                }
            }
        };
        if pending {
            self.shared.left();
        }
        result.map_or_else(|panic| resume_unwind(panic), Ok)
    }
}

impl Counters for EmbeddedCounters {
    fn partitions(&self) -> u32 {
        u32::try_from(self.shared.partitions.len()).unwrap_or(u32::MAX)
    }

    fn partition_of(&self, tenant: Uid) -> u32 {
        tenant.partition(self.partitions())
    }

    fn apply<'a>(&'a self, operation: &'a mut Operation) -> Boxed<'a, Result<Reply, StoreError>> {
        Box::pin(async move {
            let clock = self.shared.clock.now();
            let index = self.partition_of(operation.tenant);
            let (reply, group) = self.with(index, |partition| {
                let full = partition.tail.unflushed() >= partition.caps.unflushed;
                if full && matches!(operation.verb, Verb::Reserve { .. }) {
                    return (Err(StoreError::Busy(Caps::UNFLUSHED.into())), None);
                }
                let reply = partition.step(operation, clock);
                let group = match &reply {
                    Reply::Done(done) => partition.tail.group_of(done.seq, &partition.in_flight),
                    _ => None,
                };
                (Ok(reply), group)
            })?;
            let reply = reply?;
            if let Some(group) = group.filter(|_| self.shared.waits) {
                group.finished().instrument(span!("journal")).await.map_err(StoreError::Unavailable)?;
            }
            Ok(reply)
        })
    }

    fn install<'a>(
        &'a self,
        partition: u32,
        as_of: Watermark,
        refills: &'a [Refill],
    ) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.with(partition, |partition| refills.iter().for_each(|refill| partition.install(refill, as_of.seq)))
        })
    }

    fn raise(&self, tenant: Option<Uid>, version: u64) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let raise = |partition: u32| self.shared.partitions[partition as usize].lock().raise(tenant, version);
            match tenant {
                Some(uid) => raise(self.partition_of(uid)),
                None => (0..self.partitions()).for_each(raise),
            }
            Ok(())
        })
    }

    fn expire(&self, partition: u32, limit: usize) -> Boxed<'_, Result<usize, StoreError>> {
        Box::pin(async move {
            let clock = self.shared.clock.now();
            let (ended, group) = self.with(partition, |partition| {
                partition.tick(clock);
                let ended = partition.reap(limit);
                // What many calls left is forgotten even if none comes any more.
                partition.ids.forget(partition.now, partition.tail.flushed, FORGET);
                let last = partition.tail.head + u64::from(partition.tail.has_pending());
                (ended, partition.tail.group_of(last, &partition.in_flight))
            })?;
            if let Some(group) = group {
                group.finished().await.map_err(StoreError::Unavailable)?;
            }
            Ok(ended)
        })
    }

    fn reverse(&self, partition: u32, reservation: Box<Reservation>) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(async move { self.with(partition, |partition| partition.reverse(&reservation)) })
    }

    fn head(&self, partition: u32) -> Watermark {
        let seq = *self.shared.partitions[partition as usize].written.borrow();
        Watermark { incarnation: INCARNATION, seq }
    }

    fn read(&self, partition: u32, seq: u64, limit: usize) -> Boxed<'_, Result<Vec<(u64, Arc<Entry>)>, StoreError>> {
        Box::pin(async move {
            let texts = self.with(partition, |partition| partition.tail.read(seq, limit))?;
            let mut entries = Vec::with_capacity(texts.len());
            for (seq, text) in texts {
                let damaged = |error| StoreError::Corrupt(format!("partition {partition}, entry {seq}: {error}"));
                entries.push((seq, Arc::new(Entry::decode(&text).map_err(damaged)?)));
                // One may have hundreds of effects, and what else this thread does gets its turn.
                tokio::task::yield_now().await;
            }
            Ok(entries)
        })
    }

    fn trim(&self, partition: u32, seq: u64) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(async move {
            drop(self.with(partition, |partition| partition.tail.trim(seq))?);
            self.shared.partitions[partition as usize].trimmed(seq);
            Ok(())
        })
    }

    fn written(&self, partition: u32, seq: u64) -> Boxed<'_, ()> {
        let mut written = self.shared.partitions[partition as usize].written.subscribe();
        Box::pin(async move {
            // The sender lives as long as the partition; if it is gone, nobody will write any more.
            if written.wait_for(|head| *head > seq).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn figures(&self, partition: u32) -> Figures {
        self.with(partition, |partition| partition.figures()).unwrap_or_default()
    }

    fn drop_idle(&self, partition: u32, idle: Span) -> Boxed<'_, Result<usize, StoreError>> {
        Box::pin(async move {
            let mut dropped = 0;
            // Block by block, so that calls get their turn in between.
            for block in 0..self.with(partition, |partition| partition.table.blocks())? {
                dropped += self.with(partition, |partition| partition.drop_idle(block, idle))?;
                tokio::task::yield_now().await;
            }
            Ok(dropped)
        })
    }
}
