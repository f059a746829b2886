//! Group commit: one thread writes what all callers left meanwhile, in one go, and then lets them answer.

use super::journal::{Journal, JournalRow};
use super::partition::Partition;
use super::recover;
use super::tail::Group;
use crate::domain::name::Uid;
use crate::engine::operation::Caps;
use crate::engine::ports::{Clock, Ledger, StoreError};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Group commits between two looks at what may be removed.
const TRIM_EVERY: u32 = 64;
/// How long the journal keeps what the ledger has: a power cut may take the ledger's last seconds, which reach the disk
/// only with its checkpoints, and then the journal must still have them.
const KEEP: Duration = Duration::from_secs(10);
/// How long the thread lets callers gather after a commit that several shared: a commit costs the same for few as for
/// many, and this is no longer than one takes on a busy machine.
const GATHER: Duration = Duration::from_micros(300);
/// How long the thread waits before it tries a failed partition again.
const RETRY: Duration = Duration::from_millis(200);

/// What callers and the journal's thread share.
pub struct Shared {
    /// The partitions.
    pub partitions: Vec<Slot>,
    /// Something waits to be written, or to be loaded again.
    pub wake: Notify,
    /// The store's clock.
    pub clock: Arc<dyn Clock>,
    /// Whether answers wait for the disk.
    pub waits: bool,
    stop: AtomicBool,
}

/// One partition and its place in the journal.
pub struct Slot {
    place: Mutex<Place>,
    /// The last entry on disk.
    pub written: watch::Sender<u64>,
    flushed: AtomicU64,
}

/// A partition, as long as it can be used.
pub struct Place {
    usable: Option<Partition>,
    /// The value that can't be trusted any more, until the partition is loaded again from disk.
    broken: Option<Partition>,
}

impl Place {
    /// The partition.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while it is loaded again, and once the store is closed.
    pub fn usable(&mut self) -> Result<&mut Partition, StoreError> {
        let why = "the journal can't be written or was closed; it is tried again";
        self.usable.as_mut().ok_or_else(|| StoreError::Unavailable(why.into()))
    }

    /// Nobody decides on this value any more: it may be half changed, or rest on entries that were not written.
    pub fn break_off(&mut self) {
        self.broken = self.usable.take().or(self.broken.take());
    }

    /// Raises a catalog version, which must bind even while the partition can't be used.
    pub fn raise(&mut self, tenant: Option<Uid>, version: u64) {
        if let Some(partition) = self.any() {
            partition.raise(tenant, version);
        }
    }

    /// The value, usable or not: what waits in either is to be written.
    fn any(&mut self) -> Option<&mut Partition> {
        self.usable.as_mut().or(self.broken.as_mut())
    }

    /// Ends the partition if it has nothing left to write; whether it has ended.
    fn end(&mut self) -> bool {
        if self.any().is_some_and(|partition| partition.tail.has_pending()) {
            return false;
        }
        (self.usable, self.broken) = (None, None);
        true
    }
}

impl Slot {
    /// The partition, to be held for one step.
    pub fn lock(&self) -> MutexGuard<'_, Place> {
        // Steps catch their panics (`EmbeddedCounters::with`); what else is done under this lock does not panic.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
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
            place: Mutex::new(Place { usable: Some(partition), broken: None }),
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
    /// The files.
    pub journal: Journal,
    /// From which a broken partition is loaded again.
    pub ledger: Arc<dyn Ledger>,
    /// Bounds of the partitions.
    pub caps: Caps,
    /// What may be removed.
    pub removable: Removable,
}

/// By partition, up to which entry the journal may be trimmed: what the ledger has had for long enough.
pub struct Removable {
    since: Instant,
    up_to: Vec<u64>,
}

impl Removable {
    /// Nothing yet.
    pub fn new() -> Removable {
        Removable { since: Instant::now(), up_to: Vec::new() }
    }
}

/// Entries on their way to the file, with those who wait for each.
struct Batch {
    rows: Vec<JournalRow>,
    groups: Vec<Arc<Group>>,
    /// Effects of all rows together.
    effects: usize,
}

impl Writer {
    /// Writes until stopped.
    pub async fn run(mut self) {
        let mut commits: u32 = 0;
        let mut whole = true;
        loop {
            if whole {
                self.shared.wake.notified().await;
            } else {
                // What could not be loaded is tried again even if nobody calls.
                let _ = tokio::time::timeout(RETRY, self.shared.wake.notified()).await;
            }
            while let Some(batch) = self.take() {
                // Callers that come one by one wait for nobody.
                let crowded = batch.effects > batch.rows.len();
                self.write(batch).await;
                if crowded {
                    // This thread has nothing else to do, and a timer of the runtime is too coarse.
                    std::thread::sleep(GATHER);
                }
                commits = commits.wrapping_add(1);
                if commits.is_multiple_of(TRIM_EVERY) {
                    self.trim();
                }
            }
            let stopping = self.shared.stop.load(Ordering::SeqCst);
            if !stopping {
                whole = self.mend().await;
            } else if self.end() {
                self.trim();
                return;
            } else {
                // A call came in between; what it left is written first.
                self.shared.wake.notify_one();
            }
        }
    }

    /// Takes what every partition left since the last time.
    fn take(&self) -> Option<Batch> {
        let mut batch = Batch { rows: Vec::new(), groups: Vec::new(), effects: 0 };
        for (index, slot) in self.shared.partitions.iter().enumerate() {
            let taken = {
                let mut place = slot.lock();
                let Some(partition) = place.any() else { continue };
                let now = partition.now;
                let taken = partition.tail.take(now);
                if let Some((seq, _, group)) = &taken {
                    partition.in_flight.push((*seq, group.clone()));
                }
                taken
            };
            if let Some((seq, entry, group)) = taken {
                let partition = u32::try_from(index).unwrap_or(u32::MAX);
                batch.effects += entry.effects.len();
                batch.rows.push(JournalRow { partition, seq, bytes: entry.encode() });
                batch.groups.push(group);
            }
        }
        (!batch.rows.is_empty()).then_some(batch)
    }

    async fn write(&mut self, batch: Batch) {
        match self.journal.append(&batch.rows) {
            Ok(()) => {
                for (row, group) in batch.rows.iter().zip(batch.groups) {
                    let slot = &self.shared.partitions[row.partition as usize];
                    {
                        let mut place = slot.lock();
                        if let Some(partition) = place.any() {
                            partition.tail.written = row.seq;
                            partition.in_flight.retain(|(seq, _)| *seq > row.seq);
                        }
                        // Within the lock: whoever finds an entry written, or its group finished, finds it at the head as well.
                        slot.written.send_replace(row.seq);
                    }
                    group.finish(Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, "group commit failed; its callers are refused and the partitions are loaded again");
                let why = error.to_string();
                for (row, group) in batch.rows.iter().zip(batch.groups) {
                    {
                        let mut place = self.shared.partitions[row.partition as usize].lock();
                        place.break_off();
                        // What was decided meanwhile rests on what is not written.
                        if let Some(partition) = place.any() {
                            partition.tail.abandon(&why);
                        }
                    }
                    group.finish(Err(why.clone()));
                }
                // Callers are refused at once meanwhile; a full disk needs a moment anyway.
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Loads broken partitions from disk again: what was decided and not written never happened. Whether all are usable.
    async fn mend(&mut self) -> bool {
        let shared = self.shared.clone();
        let mut whole = true;
        for (slot, index) in shared.partitions.iter().zip(0_u32..) {
            let Some(last) = slot.lock().broken.as_ref().map(|broken| broken.now) else { continue };
            let now = shared.clock.now().max(last);
            match recover::load(index, &self.journal, &*self.ledger, self.caps, now).await {
                Ok(mut partition) => {
                    let mut place = slot.lock();
                    if let Some(broken) = place.broken.take() {
                        partition.adopt_versions(&broken);
                    }
                    slot.written.send_replace(partition.tail.written);
                    place.usable = Some(partition);
                    tracing::info!(partition = index, "the partition is loaded again");
                }
                Err(error) => {
                    whole = false;
                    tracing::error!(partition = index, %error, "the partition can't be loaded; it is tried again");
                }
            }
        }
        whole
    }

    /// Ends the partitions that have nothing left to write; whether all have ended.
    fn end(&self) -> bool {
        // Each is asked, also after one that has not ended.
        let mut all = true;
        for slot in &self.shared.partitions {
            all &= slot.lock().end();
        }
        all
    }

    fn trim(&mut self) {
        if let Err(error) = self.journal.trim(&self.removable.up_to) {
            tracing::warn!(%error, "the journal could not be trimmed; it is tried again");
        }
        if self.removable.since.elapsed() >= KEEP {
            let flushed = |slot: &Slot| slot.flushed.load(Ordering::Relaxed);
            let up_to = self.shared.partitions.iter().map(flushed).collect();
            self.removable = Removable { since: Instant::now(), up_to };
        }
    }
}
