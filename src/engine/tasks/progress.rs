//! How far the ledger is with one partition, and who waits for it to get further.

use crate::engine::ports::{StoreError, Watermark};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// What the ledger has of a partition: everything up to the watermark but for what was lost.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Mark {
    /// The watermark.
    pub at: Watermark,
    /// Ranges of numbers, first and last, that never reached the ledger and never will.
    pub lost: Arc<[(u64, u64)]>,
}

impl Mark {
    /// The last number of a range was never anybody's: there the next incarnation begins, and its head says so until it
    /// has an entry.
    fn is_lost(&self, seq: u64) -> bool {
        self.lost.iter().any(|(first, last)| (*first..*last).contains(&seq))
    }

    fn is_settled(&self, seq: u64) -> bool {
        self.at.seq >= seq || self.is_lost(seq)
    }
}

/// The progress of one partition.
#[derive(Default)]
pub(super) struct Progress {
    mark: watch::Sender<Mark>,
    hurry: Notify,
    /// The last entry that somebody waits for.
    wanted: AtomicU64,
    /// Since when the ledger has lacked something; `None`: it has everything.
    behind_since: Mutex<Option<Instant>>,
    /// Why the last flush failed, as it was said; `None`: it did not.
    failure: Mutex<Option<String>>,
}

impl Progress {
    /// Begins at a watermark. What was lost before then nobody can ask for.
    pub(super) fn new(at: Watermark) -> Progress {
        let progress = Progress::default();
        progress.set(Mark { at, ..Mark::default() });
        progress
    }

    /// What the ledger has.
    pub(super) fn mark(&self) -> Mark {
        self.mark.borrow().clone()
    }

    /// The ledger's watermark.
    pub(super) fn at(&self) -> Watermark {
        self.mark.borrow().at
    }

    /// Lets everybody know what the ledger has.
    pub(super) fn set(&self, mark: Mark) {
        self.mark.send_replace(mark);
    }

    /// Whether the ledger has that entry.
    pub(super) fn has(&self, seq: u64) -> bool {
        let mark = self.mark.borrow();
        mark.at.seq >= seq && !mark.is_lost(seq)
    }

    /// Whether that entry will never be in the ledger.
    pub(super) fn is_lost(&self, seq: u64) -> bool {
        self.mark.borrow().is_lost(seq)
    }

    /// Waits until the ledger has that entry, and makes the flusher hurry.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the entry was lost, or the ledger does not get there in time.
    pub(super) async fn reached(&self, seq: u64, patience: Duration) -> Result<(), StoreError> {
        let mut mark = self.mark.subscribe();
        self.want(seq);
        self.hurry.notify_one();
        match tokio::time::timeout(patience, mark.wait_for(|mark| mark.is_settled(seq))).await {
            Ok(Ok(mark)) if mark.is_lost(seq) => {
                Err(StoreError::Unavailable(format!("lost: entry {seq} went with the counter store's last state")))
            }
            Ok(Ok(_)) => Ok(()),
            _ => Err(StoreError::Unavailable("the ledger does not keep up or can't be written".into())),
        }
    }

    /// Notes that somebody waits for that entry.
    pub(super) fn want(&self, seq: u64) {
        self.wanted.fetch_max(seq, Ordering::SeqCst);
    }

    /// Whether somebody waits for an entry that the ledger does not have yet, be it in the journal already or not.
    pub(super) fn is_awaited(&self) -> bool {
        !self.mark.borrow().is_settled(self.wanted.load(Ordering::SeqCst))
    }

    /// Resolves when somebody begins to wait.
    pub(super) async fn hurried(&self) {
        self.hurry.notified().await;
    }

    /// Notes whether the ledger lacks something.
    pub(super) fn note_behind(&self, behind: bool) {
        let mut since = self.behind_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if behind { since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// Says that a flush failed: once, and again when the reason is another. Answers whether it did.
    pub(super) fn note_failure(&self, partition: u32, error: &StoreError) -> bool {
        let why = error.to_string();
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = failure.as_ref() != Some(&why);
        if is_new {
            tracing::error!(partition, %error, "flush failed; decisions go on, the journal keeps everything");
            *failure = Some(why);
        }
        is_new
    }

    /// Whether the last flush failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Says that flushing goes on, if it was said that it failed. Answers whether it did.
    pub(super) fn note_success(&self, partition: u32) -> bool {
        let failed = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
        if failed {
            tracing::info!(partition, "the ledger takes entries again");
        }
        failed
    }

    /// For how long the ledger has lacked something.
    pub(super) fn behind(&self) -> Option<Duration> {
        self.behind_since.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(incarnation: u64, seq: u64) -> Watermark {
        Watermark { incarnation, seq }
    }

    #[test]
    fn a_failure_is_said_once_and_so_is_its_end() {
        let progress = Progress::new(at(1, 0));
        let (away, gap) = (StoreError::Unavailable("away".into()), StoreError::Unavailable("a gap".into()));
        assert!(!progress.note_success(0) && !progress.is_failing());
        assert_eq!([&away, &away, &gap, &gap].map(|error| progress.note_failure(0, error)), [true, false, true, false]);
        assert!(progress.is_failing() && progress.note_success(0) && !progress.note_success(0));
        assert!(progress.note_failure(0, &gap), "a new failure for the same reason is news");
    }

    #[tokio::test]
    async fn what_was_lost_is_told_at_once_and_never_taken_for_stored() {
        let progress = Arc::new(Progress::new(at(1, 98)));
        let patience = Duration::from_millis(500);
        let wait = |seq| {
            let progress = progress.clone();
            tokio::spawn(async move { progress.reached(seq, patience).await })
        };
        let (stored, lost, later) = (wait(98), wait(100), wait(1_100));
        assert!(stored.await.unwrap().is_ok());
        assert!(progress.is_awaited());
        progress.set(Mark { at: at(2, 1_000), lost: [(99, 1_000)].into() });
        let why = lost.await.unwrap().unwrap_err().to_string();
        assert!(why.starts_with("lost"), "{why}");
        assert!(!progress.has(100) && progress.is_lost(100) && progress.has(98) && !progress.has(1_001));
        assert!(progress.has(1_000));
        assert!(progress.is_awaited());
        progress.set(Mark { at: at(2, 1_100), ..progress.mark() });
        assert!(later.await.unwrap().is_ok());
        assert!(!progress.is_awaited() && progress.has(1_100) && !progress.has(999));
        let why = progress.reached(1_101, patience).await.unwrap_err().to_string();
        assert!(why.contains("does not keep up"), "{why}");
    }
}
