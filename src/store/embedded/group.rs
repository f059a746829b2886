//! Group commit: one thread writes what all callers left meanwhile, in one go, and then lets them answer.

use super::journal::{Journal, JournalRow};
use super::partition::{Caps, Partition};
use super::recover;
use super::tail::Group;
use crate::engine::ports::{Clock, Ledger};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Group commits between two looks at what may be removed.
const TRIM_EVERY: u32 = 64;
/// How long the thread waits before it tries a failed partition again.
const RETRY: Duration = Duration::from_millis(200);

/// What callers and the journal's thread share.
pub struct Shared {
    /// The partitions; `None` while one can't be used.
    pub partitions: Vec<Slot>,
    /// Something waits to be written.
    pub wake: Notify,
    /// The store's clock.
    pub clock: Arc<dyn Clock>,
    /// Whether answers wait for the disk.
    pub waits: bool,
    stop: AtomicBool,
}

/// One partition and its place in the journal.
pub struct Slot {
    partition: Mutex<Option<Partition>>,
    /// The last entry on disk.
    pub written: watch::Sender<u64>,
    flushed: AtomicU64,
}

impl Slot {
    /// The partition, to be held for one step.
    pub fn lock(&self) -> MutexGuard<'_, Option<Partition>> {
        // A panic in a step leaves a value that may be half changed, but the mutex is poisoned only then; the journal
        // thread loads such a partition anew from disk.
        self.partition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger has everything up to `seq`.
    pub fn trimmed(&self, seq: u64) {
        self.flushed.fetch_max(seq, Ordering::Relaxed);
    }
}

impl Shared {
    /// Partitions as they were loaded.
    pub fn new(partitions: Vec<Partition>, clock: Arc<dyn Clock>, waits: bool) -> Shared {
        let slot = |partition: Partition| Slot {
            written: watch::Sender::new(partition.tail.written),
            flushed: AtomicU64::new(partition.tail.flushed),
            partition: Mutex::new(Some(partition)),
        };
        Shared {
            partitions: partitions.into_iter().map(slot).collect(),
            wake: Notify::new(),
            clock,
            waits,
            stop: AtomicBool::new(false),
        }
    }

    /// Ends the journal's thread after what is pending.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }
}

/// The journal's thread.
pub struct Writer {
    /// What it shares with the callers.
    pub shared: Arc<Shared>,
    /// The file.
    pub journal: Journal,
    /// From which a failed partition is loaded again.
    pub ledger: Arc<dyn Ledger>,
    /// Bounds of the partitions.
    pub caps: Caps,
}

/// Entries on their way to the file, with those who wait for each.
struct Batch {
    rows: Vec<JournalRow>,
    groups: Vec<Arc<Group>>,
}

impl Writer {
    /// Writes until stopped.
    pub async fn run(mut self) {
        let mut commits: u32 = 0;
        loop {
            self.shared.wake.notified().await;
            while let Some(batch) = self.take() {
                self.write(batch).await;
                commits = commits.wrapping_add(1);
                if commits.is_multiple_of(TRIM_EVERY) {
                    self.trim().await;
                }
            }
            if self.shared.stop.load(Ordering::SeqCst) {
                self.trim().await;
                self.journal.close().await;
                return;
            }
        }
    }

    /// Takes what every partition left since the last time.
    fn take(&self) -> Option<Batch> {
        let mut batch = Batch { rows: Vec::new(), groups: Vec::new() };
        for (index, slot) in self.shared.partitions.iter().enumerate() {
            let taken = {
                let mut guard = slot.lock();
                let Some(partition) = guard.as_mut() else { continue };
                let now = partition.now;
                let taken = partition.tail.take(now);
                if let Some((seq, _, group)) = &taken {
                    partition.in_flight.push((*seq, group.clone()));
                }
                taken
            };
            if let Some((seq, entry, group)) = taken {
                let partition = u32::try_from(index).unwrap_or(u32::MAX);
                batch.rows.push(JournalRow { partition, seq, bytes: entry.encode() });
                batch.groups.push(group);
            }
        }
        (!batch.rows.is_empty()).then_some(batch)
    }

    async fn write(&mut self, batch: Batch) {
        match self.journal.append(&batch.rows).await {
            Ok(()) => {
                for (row, group) in batch.rows.iter().zip(batch.groups) {
                    let slot = &self.shared.partitions[row.partition as usize];
                    if let Some(partition) = slot.lock().as_mut() {
                        partition.tail.written = row.seq;
                        partition.in_flight.retain(|(seq, _)| *seq > row.seq);
                    }
                    group.finish(Ok(()));
                    slot.written.send_replace(row.seq);
                }
            }
            Err(error) => {
                tracing::error!(%error, "group commit failed; its callers are refused and the partition is loaded again");
                let why = error.to_string();
                for (row, group) in batch.rows.iter().zip(batch.groups) {
                    let broken = self.shared.partitions[row.partition as usize].lock().take();
                    group.finish(Err(why.clone()));
                    self.reload(row.partition, broken, &why).await;
                }
            }
        }
    }

    /// Loads a partition from disk again: what was decided and not written never happened.
    async fn reload(&mut self, index: u32, broken: Option<Partition>, why: &str) {
        let Some(mut broken) = broken else { return };
        broken.tail.abandon(why);
        while !self.shared.stop.load(Ordering::SeqCst) {
            let now = self.shared.clock.now().max(broken.now);
            match recover::load(index, &mut self.journal, &*self.ledger, self.caps, now).await {
                Ok(mut partition) => {
                    partition.adopt_versions(&broken);
                    let slot = &self.shared.partitions[index as usize];
                    slot.written.send_replace(partition.tail.written);
                    *slot.lock() = Some(partition);
                    tracing::info!(partition = index, "the partition is loaded again");
                    return;
                }
                Err(error) => {
                    tracing::error!(partition = index, %error, "the partition can't be loaded; it is tried again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn trim(&mut self) {
        for (index, slot) in self.shared.partitions.iter().enumerate() {
            let flushed = slot.flushed.load(Ordering::Relaxed);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            if let Err(error) = self.journal.trim(index, flushed).await {
                tracing::warn!(%error, "the journal could not be trimmed; it is tried again");
            }
        }
    }
}
