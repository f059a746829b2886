//! Group commit: what all callers left meanwhile is written in one go, and then they may answer.
//!
//! Where answers wait for the operating system alone, each core of the server writes what its own calls left, after everything
//! else that was ready on it: the calls that came with one read of the sockets share a commit, and nobody is woken on another
//! thread. All else is written by the journal's thread: what waits for the disk, what tasks leave that run elsewhere, and what a
//! core could not.

use super::group::{Shared, Slot};
use super::journal::{Journal, JournalRow, Leaving};
use super::recover;
use super::tail::Text;
use super::waiters::Group;
use crate::engine::operation::Caps;
use crate::engine::ports::{Ledger, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
/// How often a core looks whether another one has ended its commit before it leaves its own to the thread.
const LOOKS: usize = 4;

/// Entries on their way to the file, with those who wait for each.
pub struct Batch {
    /// The entries.
    pub rows: Vec<JournalRow>,
    /// Who waits for each.
    pub groups: Vec<Arc<Group>>,
    /// Effects of all rows together.
    pub effects: usize,
}

/// What is needed to write.
pub struct Commit {
    journal: Journal,
    /// Commits since it was last looked at what may be removed.
    commits: u32,
    /// The last one failed, and the thread has not seen to it yet.
    failed: bool,
    removable: Removable,
}

/// By partition, up to which entry the journal may be trimmed: what the ledger has had for long enough.
struct Removable {
    since: Instant,
    up_to: Vec<u64>,
}

impl Commit {
    /// Writes to a journal.
    pub fn new(journal: Journal) -> Commit {
        Commit { journal, commits: 0, failed: false, removable: Removable { since: Instant::now(), up_to: Vec::new() } }
    }

    /// Writes a batch and tells those who wait.
    fn write(&mut self, shared: &Shared, batch: Batch) {
        self.commits += 1;
        match self.append(&batch.rows) {
            Ok(texts) => {
                for ((row, text), group) in batch.rows.iter().zip(texts).zip(batch.groups) {
                    let slot = &shared.partitions[row.partition as usize];
                    {
                        let mut place = slot.lock();
                        if let Some(partition) = place.any() {
                            partition.tail.wrote(row.seq, text);
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
                self.failed = true;
                let why = error.to_string();
                for (row, group) in batch.rows.iter().zip(batch.groups) {
                    {
                        let mut place = shared.partitions[row.partition as usize].lock();
                        place.break_off();
                        // What was decided meanwhile rests on what is not written.
                        if let Some(partition) = place.any() {
                            partition.tail.abandon(&why);
                        }
                    }
                    group.finish(Err(why.clone()));
                }
            }
        }
    }

    /// Appends to the journal. A panic is a failure like others: with the entries taken and nobody told, the next ones would leave
    /// a gap that no start gets over.
    fn append(&mut self, rows: &[JournalRow]) -> Result<Vec<Text>, StoreError> {
        let written = catch_unwind(AssertUnwindSafe(|| self.journal.append(rows)));
        written.unwrap_or_else(|_| Err(StoreError::Unavailable("the journal can't be used: a panic in a write".into())))
    }

    fn is_trim_due(&self) -> bool {
        self.commits >= TRIM_EVERY
    }

    /// The files of the journal that may go by now.
    fn trim(&mut self, slots: &[Slot]) -> Option<Leaving> {
        self.commits = 0;
        let up_to = self.removable.renew(Instant::now(), || slots.iter().map(Slot::flushed).collect())?;
        Some(self.journal.let_go(&up_to))
    }
}

impl Removable {
    /// What the ledger had long enough ago, if that can be said by now; what it has at this moment takes its place.
    fn renew(&mut self, now: Instant, flushed: impl FnOnce() -> Vec<u64>) -> Option<Vec<u64>> {
        (now.saturating_duration_since(self.since) >= KEEP).then(|| {
            self.since = now;
            std::mem::replace(&mut self.up_to, flushed())
        })
    }
}

/// Writes what the calls on this thread's runtime leave, for ever.
pub async fn write_here(shared: Arc<Shared>) {
    let here = shared.write_here();
    loop {
        here.notified().await;
        // What else is ready on this core comes first, and shares the commit.
        tokio::task::yield_now().await;
        let mut looks = 0;
        while !commit_now(&shared) {
            looks += 1;
            if looks > LOOKS {
                shared.wake.notify_one();
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Writes what waits, unless somebody else is at it: then the answer is false.
fn commit_now(shared: &Shared) -> bool {
    let Ok(mut commit) = shared.commit.try_lock() else { return false };
    // Closed, and nothing is left any more.
    let Some(commit) = &mut *commit else { return true };
    if let Some(batch) = shared.take() {
        commit.write(shared, batch);
        if commit.failed || commit.is_trim_due() {
            shared.wake.notify_one();
        }
    }
    true
}

/// The journal's thread.
pub struct Writer {
    /// What it shares with the callers.
    pub shared: Arc<Shared>,
    /// From which a broken partition is loaded again.
    pub ledger: Arc<dyn Ledger>,
    /// Bounds of the partitions.
    pub caps: Caps,
}

impl Writer {
    /// Writes until stopped.
    pub async fn run(self) {
        let mut whole = true;
        loop {
            if whole {
                self.shared.wake.notified().await;
            } else {
                // What could not be loaded is tried again even if nobody calls.
                let _ = tokio::time::timeout(RETRY, self.shared.wake.notified()).await;
            }
            self.write_all().await;
            if !self.shared.is_stopping() {
                whole = self.mend().await;
            } else if self.end() {
                let last = self.shared.commit.lock().await.take();
                let leaving = last.and_then(|mut commit| commit.trim(&self.shared.partitions));
                self.remove(leaving).await;
                return;
            } else {
                // A call came in between; what it left is written first.
                self.shared.wake.notify_one();
            }
        }
    }

    /// Writes until nothing waits any more, or for a while: callers that never pause must not hold up what is broken.
    async fn write_all(&self) {
        for _ in 0..TRIM_EVERY {
            let Some(crowded) = self.write_once().await else { return };
            // Callers that come one by one wait for nobody.
            if crowded {
                // This thread has nothing else to do, and a timer of the runtime is too coarse.
                std::thread::sleep(GATHER);
            }
        }
        self.shared.wake.notify_one();
    }

    /// Writes what waits, and answers whether several callers shared an entry; `None` if nothing waits.
    async fn write_once(&self) -> Option<bool> {
        let (leaving, crowded) = {
            let mut commit = self.shared.commit.lock().await;
            let commit = commit.as_mut()?;
            let leaving = if commit.is_trim_due() { commit.trim(&self.shared.partitions) } else { None };
            let crowded = self.shared.take().map(|batch| {
                let crowded = batch.effects > batch.rows.len();
                commit.write(&self.shared, batch);
                crowded
            });
            (leaving, crowded)
        };
        self.remove(leaving).await;
        crowded
    }

    /// Removes files that the journal let go, while others may write.
    async fn remove(&self, leaving: Option<Leaving>) {
        let Some(Err((left, error))) = leaving.map(Leaving::remove) else { return };
        tracing::warn!(%error, "the journal could not be trimmed; it is tried again");
        if let Some(commit) = &mut *self.shared.commit.lock().await {
            commit.journal.take_back(left);
        }
    }

    /// Loads broken partitions from disk again: what was decided and not written never happened. Whether all are usable.
    async fn mend(&self) -> bool {
        let mut commit = self.shared.commit.lock().await;
        let Some(commit) = &mut *commit else { return true };
        if std::mem::take(&mut commit.failed) {
            // Callers are refused at once meanwhile; a full disk needs a moment anyway.
            tokio::time::sleep(RETRY).await;
        }
        let mut whole = true;
        for (slot, index) in self.shared.partitions.iter().zip(0_u32..) {
            let broken = slot.lock().broken.as_ref().map(|broken| (broken.now, broken.tail.has_pending()));
            let Some((last, has_pending)) = broken else { continue };
            if has_pending {
                // It broke just now. What was left in it is written first: who waits for it would wait for ever.
                whole = false;
                continue;
            }
            let now = self.shared.clock.now().max(last);
            match recover::load(index, &commit.journal, &*self.ledger, self.caps, now).await {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_ledger_has_only_now_stays() {
        let since = Instant::now();
        let mut removable = Removable { since, up_to: Vec::new() };
        let at = |seconds| since + Duration::from_secs(seconds);
        let mut renew = |seconds, flushed| removable.renew(at(seconds), || vec![flushed]);
        assert_eq!((renew(9, 3), renew(10, 4)), (None, Some(Vec::new())));
        assert_eq!(renew(11, 5), None, "it has 4 for a second");
        assert_eq!((renew(20, 9), renew(29, 10), renew(33, 11)), (Some(vec![4]), None, Some(vec![9])));
    }
}
