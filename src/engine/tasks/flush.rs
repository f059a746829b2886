//! The flusher: carries every journal entry to the ledger, in order, each once, and says how far it is.

use crate::engine::operation::Counters;
use crate::engine::ports::{Appended, Ledger, Repeated, StoreError};
use crate::telemetry::metrics;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Entries in one ledger transaction at most.
const MAX_ENTRIES: usize = 1024;
/// How long a call may wait for the ledger before it is told that the ledger is unavailable.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last flush may take when the server stops.
const LAST_FLUSH: Duration = Duration::from_secs(20);

/// One flusher for each partition, and how far each is.
pub struct Flushers {
    counters: Arc<dyn Counters>,
    ledger: Arc<dyn Ledger>,
    interval: Duration,
    partitions: Vec<Progress>,
}

struct Progress {
    watermark: watch::Sender<u64>,
    hurry: Notify,
    /// The last entry that somebody waits for.
    wanted: AtomicU64,
    /// Since when the ledger has lacked something; `None`: it has everything.
    behind_since: Mutex<Option<Instant>>,
}

impl Flushers {
    /// Flushers that begin at the given watermarks. `interval` is how long little work may wait.
    pub fn new(
        counters: Arc<dyn Counters>,
        ledger: Arc<dyn Ledger>,
        interval: Duration,
        watermarks: &[u64],
    ) -> Flushers {
        let partitions = watermarks
            .iter()
            .map(|seq| Progress {
                watermark: watch::Sender::new(*seq),
                hurry: Notify::new(),
                wanted: AtomicU64::new(0),
                behind_since: Mutex::default(),
            })
            .collect();
        Flushers { counters, ledger, interval, partitions }
    }

    /// The last entry of a partition that is in the ledger.
    pub fn watermark(&self, partition: u32) -> u64 {
        self.partitions.get(partition as usize).map_or(0, |progress| *progress.watermark.borrow())
    }

    /// For how long the slowest partition has had something that the ledger lacks.
    pub fn behind(&self) -> Duration {
        let since = |progress: &Progress| *progress.behind_since.lock().unwrap_or_else(PoisonError::into_inner);
        self.partitions.iter().filter_map(since).map(|since| since.elapsed()).max().unwrap_or_default()
    }

    fn note_behind(&self, partition: u32, behind: bool) {
        let mut since = self.partitions[partition as usize].behind_since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = if behind { since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// Resolves once everything up to `seq` is in the ledger, and makes the flusher hurry.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the ledger does not get there in time.
    pub async fn flushed(&self, partition: u32, seq: u64) -> Result<(), StoreError> {
        let Some(progress) = self.partitions.get(partition as usize) else { return Ok(()) };
        let mut watermark = progress.watermark.subscribe();
        progress.wanted.fetch_max(seq, Ordering::SeqCst);
        progress.hurry.notify_one();
        let reached = watermark.wait_for(|mark| *mark >= seq);
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StoreError::Unavailable("the ledger does not keep up or can't be written".into())),
        }
    }

    /// Flushes one partition until told to stop, then what is left.
    pub async fn run(self: Arc<Self>, partition: u32, stop: CancellationToken) {
        let mut pause = self.interval;
        tokio::select! {
            result = self.undo_left(partition) => if let Err(error) = result {
                tracing::error!(partition, %error, "late repeats are not undone yet; the next start tries again");
            },
            () = stop.cancelled() => {}
        }
        loop {
            let mark = self.watermark(partition);
            tokio::select! {
                () = self.counters.written(partition, mark) => {}
                () = stop.cancelled() => break,
            }
            self.note_behind(partition, true);
            match self.flush(partition).await {
                Ok(count) => {
                    self.note_behind(partition, count == MAX_ENTRIES);
                    pause = self.interval;
                    if count < MAX_ENTRIES && !self.is_awaited(partition) {
                        self.rest(partition, pause, &stop).await;
                    }
                }
                Err(error) => {
                    tracing::error!(partition, %error, "flush failed; decisions go on, the journal keeps everything");
                    pause = (pause * 2).clamp(Duration::from_millis(100), Duration::from_secs(5));
                    self.rest(partition, pause, &stop).await;
                }
            }
        }
        if tokio::time::timeout(LAST_FLUSH, self.drain(partition)).await.is_err() {
            tracing::warn!(partition, "stopped before everything was in the ledger; the journal keeps it");
        }
    }

    /// Whether somebody waits for an entry that the ledger does not have yet, be it in the journal already or not.
    fn is_awaited(&self, partition: u32) -> bool {
        self.partitions[partition as usize].wanted.load(Ordering::SeqCst) > self.watermark(partition)
    }

    /// Undoes the repeats that the last process found, if it ended before it had undone them.
    async fn undo_left(&self, partition: u32) -> Result<(), StoreError> {
        let found = self.ledger.repeated(partition).await?;
        if found.is_empty() {
            return Ok(());
        }
        // The end of the journal may undo them already; what it finds anew it undoes by itself.
        while self.flush(partition).await? > 0 {}
        for repeat in self.ledger.repeated(partition).await? {
            if found.contains(&repeat) {
                self.undo(partition, repeat).await?;
            }
        }
        Ok(())
    }

    async fn undo(&self, partition: u32, repeat: Repeated) -> Result<(), StoreError> {
        tracing::warn!(reservation = %repeat.reservation.id, "a repeat came too late to be recognised; it is undone");
        self.counters.reverse(partition, repeat.reservation).await
    }

    async fn rest(&self, partition: u32, pause: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.partitions[partition as usize].hurry.notified() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn drain(&self, partition: u32) {
        while self.watermark(partition) < self.counters.head(partition).seq {
            if let Err(error) = self.flush(partition).await {
                tracing::error!(partition, %error, "the last flush failed; the journal keeps everything");
                return;
            }
        }
    }

    /// One ledger transaction; answers how many entries it took.
    async fn flush(&self, partition: u32) -> Result<usize, StoreError> {
        let started = Instant::now();
        let mark = self.watermark(partition);
        let entries = self.counters.read(partition, mark, MAX_ENTRIES).await?;
        if entries.is_empty() {
            return Ok(0);
        }
        let incarnation = self.counters.head(partition).incarnation;
        let Appended { watermark, repeated } = self.ledger.append(partition, incarnation, &entries).await?;
        self.partitions[partition as usize].watermark.send_replace(watermark.seq);
        for repeat in repeated {
            self.undo(partition, repeat).await?;
        }
        self.counters.trim(partition, watermark.seq).await?;
        metrics::engine().flush_seconds.record(started.elapsed());
        metrics::engine().flushed_entries.increment(entries.len() as u64);
        Ok(entries.len())
    }
}
