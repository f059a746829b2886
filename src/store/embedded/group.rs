//! What callers and those who write the journal share: the partitions, who is told that something waits, and who may write.

use super::journal::JournalRow;
use super::partition::Partition;
use super::writer::{Batch, Commit};
use crate::domain::name::Uid;
use crate::engine::ports::{Clock, StoreError};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use tokio::sync::{Mutex, Notify, watch};

thread_local! {
    /// Who writes what this thread's calls leave, and of which store, if that is done here.
    static HERE: RefCell<Option<(usize, Arc<Notify>)>> = const { RefCell::new(None) };
}

/// What callers and those who write share.
pub struct Shared {
    /// The partitions.
    pub partitions: Vec<Slot>,
    /// Wakes the journal's thread: something waits to be written and nobody else does it, or is to be loaded again.
    pub wake: Notify,
    /// Held by who writes; nothing in it once the store is closed.
    pub commit: Mutex<Option<Commit>>,
    /// The store's clock.
    pub clock: Arc<dyn Clock>,
    /// Whether answers wait for the disk.
    pub waits: bool,
    /// Whether cores write what their own calls leave.
    pub writes_here: bool,
    stop: AtomicBool,
}

/// That this thread's calls have what they leave written here, until it is dropped.
pub struct Here(Arc<Notify>);

impl Here {
    /// Resolves when something waits to be written.
    pub async fn notified(&self) {
        self.0.notified().await;
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        // At the end of a thread it may be gone already.
        let _ = HERE.try_with(|here| here.replace(None));
    }
}

/// One partition and its place in the journal.
pub struct Slot {
    place: std::sync::Mutex<Place>,
    /// The last entry on disk.
    pub written: watch::Sender<u64>,
    flushed: AtomicU64,
}

/// A partition, as long as it can be used.
pub struct Place {
    pub usable: Option<Partition>,
    /// The value that can't be trusted any more, until the partition is loaded again from disk.
    pub broken: Option<Partition>,
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
    pub fn any(&mut self) -> Option<&mut Partition> {
        self.usable.as_mut().or(self.broken.as_mut())
    }

    /// Ends the partition if it has nothing left to write; whether it has ended.
    pub fn end(&mut self) -> bool {
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

    /// The last entry that the ledger has.
    pub fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Relaxed)
    }

    /// The ledger has everything up to `seq`.
    pub fn trimmed(&self, seq: u64) {
        self.flushed.fetch_max(seq, Ordering::Relaxed);
    }
}

impl Shared {
    /// Partitions as they were loaded.
    pub fn new(
        partitions: Vec<Partition>,
        commit: Commit,
        clock: Arc<dyn Clock>,
        (waits, writes_here): (bool, bool),
    ) -> Shared {
        let slot = |partition: Partition| Slot {
            written: watch::Sender::new(partition.tail.written),
            flushed: AtomicU64::new(partition.tail.flushed),
            place: std::sync::Mutex::new(Place { usable: Some(partition), broken: None }),
        };
        Shared {
            partitions: partitions.into_iter().map(slot).collect(),
            wake: Notify::new(),
            commit: Mutex::new(Some(commit)),
            clock,
            waits,
            writes_here,
            stop: AtomicBool::new(false),
        }
    }

    /// Says that something waits to be written.
    pub fn left(&self) {
        let told_here = HERE.with_borrow(|here| {
            let own = here.as_ref().filter(|(of, _)| *of == self.id());
            own.map(|(_, notify)| notify.notify_one()).is_some()
        });
        if !told_here {
            self.wake.notify_one();
        }
    }

    /// From now on it is told here what this thread's calls leave.
    pub fn write_here(&self) -> Here {
        let notify = Arc::<Notify>::default();
        HERE.with(|here| here.replace(Some((self.id(), notify.clone()))));
        Here(notify)
    }

    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Takes what every partition left since the last time.
    pub fn take(&self) -> Option<Batch> {
        let mut batch = Batch { rows: Vec::new(), groups: Vec::new(), effects: 0 };
        for (slot, partition) in self.partitions.iter().zip(0_u32..) {
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
                batch.effects += entry.effects.len();
                batch.rows.push(JournalRow { partition, seq, entry });
                batch.groups.push(group);
            }
        }
        (!batch.rows.is_empty()).then_some(batch)
    }

    /// Whether the store is about to close.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Ends the journal's thread after what is pending.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }
}
