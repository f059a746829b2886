//! The flusher: carries every journal entry to the ledger, in order, each once, and says how far it is. Where replicas share
//! a counter store each has one; the ledger's watermark keeps them apart, and mostly one works while the others look on.

use super::gently::gently;
use super::portion::{ENOUGH, Portion};
use super::progress::{Mark, Progress};
use crate::domain::entry::{Effect, Kind};
use crate::domain::reservation::State;
use crate::engine::operation::{Counters, Numbered};
use crate::engine::ports::{Appended, Ledger, Repeated, StoreError, Watermark};
use crate::telemetry::metrics;
use crate::telemetry::traces::span;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Entries that are read from the journal at once.
const PAGE: usize = 1024;
/// The same where nobody else reads: few, because what goes beyond a transaction is read again.
const SMALL_PAGE: usize = 32;
/// Rows that are little work: with more of them in a transaction, the next one waits longer, so that it has more as well.
const LITTLE: usize = 5_000;
/// How long much work waits, unless the interval is longer or somebody asks for it.
const LONGEST_REST: Duration = Duration::from_millis(500);
/// Entries that are freed without a pause.
const AT_ONCE: usize = 64;
/// How long a call may wait for the ledger before it is told that the ledger is unavailable.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last flush may take when the server stops.
const LAST_FLUSH: Duration = Duration::from_secs(20);
/// Shortest and longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How many intervals the ledger may stand still before a replica that looked on goes to work itself.
const LOOK_ON: u32 = 3;
/// How long a replica that shares the store leaves another one's repeats to it.
const LEAVE_REPEATS: Duration = Duration::from_secs(2);

/// One flusher for each partition, and how far each is.
pub struct Flushers {
    counters: Arc<dyn Counters>,
    ledger: Arc<dyn Ledger>,
    interval: Duration,
    shared: bool,
    partitions: Vec<Progress>,
    /// Flushers that have a ledger transaction, or wait for one.
    appending: AtomicUsize,
}

/// Counts what ended by its deadline in a store that cannot count by itself.
fn count_expired<'a>(effects: impl Iterator<Item = &'a Effect>) {
    for effect in effects.filter(|effect| effect.kind == Kind::Expire) {
        let parked = effect.reservation.as_ref().is_some_and(|reservation| reservation.state == State::Parked);
        let charged = effect.lines.iter().any(|line| line.used > 0);
        metrics::engine().expired(
            if parked {
                "park"
            } else if charged {
                "charge"
            } else {
                "give_back"
            },
            1,
        );
    }
}

/// How long to wait for more work after so much.
fn rest_after(interval: Duration, rows: usize) -> Duration {
    let times = u32::try_from(rows / LITTLE).unwrap_or(u32::MAX).max(1);
    interval.saturating_mul(times).min(interval.max(LONGEST_REST))
}

/// Frees entries, which takes long: the flusher has read them for itself.
async fn let_go(mut entries: Vec<Numbered>) {
    while !entries.is_empty() {
        entries.truncate(entries.len().saturating_sub(AT_ONCE));
        tokio::task::yield_now().await;
    }
}

/// One more, for as long as the value lives, however its work ends.
struct Counted<'a>(&'a AtomicUsize);

impl Counted<'_> {
    fn new(count: &AtomicUsize) -> Counted<'_> {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one round came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Round {
    /// So many rows were made of what was read, and the ledger has it now; whether more was there.
    Took { rows: usize, more: bool },
    /// The ledger had moved without us.
    Moved,
    /// There was nothing to take where something should be: the journal is about to begin anew.
    Nothing,
}

impl Flushers {
    /// Flushers that begin at the given watermarks. `interval` is how long little work may wait; `shared` says that other
    /// replicas flush the same partitions.
    pub fn new(
        counters: Arc<dyn Counters>,
        ledger: Arc<dyn Ledger>,
        interval: Duration,
        shared: bool,
        watermarks: &[Watermark],
    ) -> Flushers {
        let partitions = watermarks.iter().map(|at| Progress::new(*at)).collect();
        Flushers { counters, ledger, interval, shared, partitions, appending: AtomicUsize::new(0) }
    }

    /// The last entry of a partition that is in the ledger.
    pub fn watermark(&self, partition: u32) -> u64 {
        self.partitions.get(partition as usize).map_or(0, |progress| progress.at().seq)
    }

    /// Whether the ledger has that entry.
    pub fn has(&self, partition: u32, seq: u64) -> bool {
        self.partitions.get(partition as usize).is_some_and(|progress| progress.has(seq))
    }

    /// Whether that entry went with a state of the counter store that was lost.
    pub fn is_lost(&self, partition: u32, seq: u64) -> bool {
        self.partitions.get(partition as usize).is_some_and(|progress| progress.is_lost(seq))
    }

    /// For how long the slowest partition has had something that the ledger lacks.
    pub fn behind(&self) -> Duration {
        self.partitions.iter().filter_map(Progress::behind).max().unwrap_or_default()
    }

    /// Resolves once everything up to `seq` is in the ledger, and makes the flusher hurry.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the ledger does not get there in time, or never will because the entry was lost.
    pub async fn flushed(&self, partition: u32, seq: u64) -> Result<(), StoreError> {
        match self.partitions.get(partition as usize) {
            Some(progress) => progress.reached(seq, PATIENCE).await,
            None => Ok(()),
        }
    }

    /// Flushes one partition until told to stop, then what is left.
    pub async fn run(self: Arc<Self>, partition: u32, stop: CancellationToken) {
        let Some(progress) = self.partitions.get(partition as usize) else { return };
        let mut pause = self.interval;
        // When the ledger was last seen to move by another's work.
        let mut others: Option<Instant> = None;
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
            progress.note_behind(true);
            let round = self.round(partition, &mut others).await;
            metrics::engine().database_up.set(if round.is_ok() { 1.0 } else { 0.0 });
            match round {
                Ok(Round::Took { rows, more }) => {
                    progress.note_success(partition);
                    progress.note_behind(more && self.counters.head(partition).seq > self.watermark(partition));
                    pause = self.interval;
                    if !more && !progress.is_awaited() {
                        // Where several servers flush, the others look at how this one moves.
                        let rest = if self.shared { pause } else { rest_after(pause, rows) };
                        self.rest(partition, rest, &stop).await;
                    }
                }
                Ok(Round::Moved) => {
                    progress.note_success(partition);
                    progress.note_behind(self.counters.head(partition).seq > self.watermark(partition));
                    pause = self.interval;
                    if !progress.is_awaited() {
                        self.rest(partition, pause, &stop).await;
                    }
                }
                Ok(Round::Nothing) => self.rest(partition, pause.max(PAUSES.0), &stop).await,
                Err(error) => {
                    progress.note_failure(partition, &error);
                    pause = (pause * 2).clamp(PAUSES.0, PAUSES.1);
                    self.rest(partition, pause, &stop).await;
                }
            }
        }
        if tokio::time::timeout(LAST_FLUSH, self.drain(partition)).await.is_err() {
            tracing::warn!(partition, "stopped before everything was in the ledger; the journal keeps it");
        }
    }

    /// One round: looks on while another replica does the work, flushes otherwise.
    async fn round(&self, partition: u32, others: &mut Option<Instant>) -> Result<Round, StoreError> {
        if !self.shared {
            return self.flush(partition).await;
        }
        if self.look(partition).await? == Round::Moved {
            *others = Some(Instant::now());
        }
        if self.watermark(partition) >= self.counters.head(partition).seq {
            return Ok(Round::Moved);
        }
        let progress = &self.partitions[partition as usize];
        match *others {
            Some(since) if since.elapsed() < self.interval * LOOK_ON && !progress.is_awaited() => Ok(Round::Moved),
            Some(_) if !progress.is_awaited() => {
                // Whoever was at work may have stopped between an append and its undoing.
                *others = None;
                self.undo_left(partition).await?;
                self.flush(partition).await
            }
            _ => self.flush(partition).await,
        }
    }

    /// Undoes the repeats that a process found which ended before it had undone them.
    async fn undo_left(&self, partition: u32) -> Result<(), StoreError> {
        let found = self.ledger.repeated(partition).await?;
        if found.is_empty() {
            return Ok(());
        }
        if self.shared {
            tokio::time::sleep(LEAVE_REPEATS).await;
        }
        // The end of the journal may undo them already; what it finds anew it undoes by itself. It may also have ended one: how that
        // stands is known as long as the journal is not trimmed.
        while self.watermark(partition) < self.counters.head(partition).seq {
            if self.carry(partition).await? == Round::Nothing {
                break;
            }
        }
        for repeat in self.ledger.repeated(partition).await? {
            if found.contains(&repeat) {
                self.undo(partition, repeat).await?;
            }
        }
        self.counters.trim(partition, self.watermark(partition)).await
    }

    async fn undo(&self, partition: u32, repeat: Repeated) -> Result<(), StoreError> {
        tracing::warn!(reservation = %repeat.reservation.id, "a repeat came too late to be recognised; it is undone");
        self.counters.reverse(partition, repeat.reservation).await
    }

    async fn rest(&self, partition: u32, pause: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.partitions[partition as usize].hurried() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn drain(&self, partition: u32) {
        self.partitions[partition as usize].want(self.counters.head(partition).seq);
        while self.watermark(partition) < self.counters.head(partition).seq {
            match self.flush(partition).await {
                Ok(Round::Took { .. } | Round::Moved) => {}
                Ok(Round::Nothing) => return,
                Err(error) => {
                    tracing::error!(partition, %error, "the last flush failed; the journal keeps everything");
                    return;
                }
            }
        }
    }

    /// One ledger transaction with what the journal has beyond the watermark, and then need not keep.
    async fn flush(&self, partition: u32) -> Result<Round, StoreError> {
        let round = self.carry(partition).await?;
        if matches!(round, Round::Took { .. }) {
            self.counters.trim(partition, self.watermark(partition)).await?;
        }
        Ok(round)
    }

    /// The same, and the journal keeps it.
    async fn carry(&self, partition: u32) -> Result<Round, StoreError> {
        let started = Instant::now();
        let mark = self.watermark(partition);
        let incarnation = self.counters.head(partition).incarnation;
        let Portion { entries, rows, more } = self.read(partition, mark).await?;
        // The entries are of the incarnation before or of the one after, if it changed just now.
        if entries.is_empty() || self.counters.head(partition).incarnation != incarnation {
            return self.look(partition).await;
        }
        // Partitions may share the one connection that writes: a pause of this one would hold up the others as well.
        let is_urgent = || {
            more || self.shared
                || self.appending.load(Ordering::Relaxed) > 1
                || self.partitions.iter().any(Progress::is_awaited)
        };
        let span = span!("flush", partition, first = entries[0].0, entries = entries.len());
        let append = self.ledger.append(partition, incarnation, &entries).instrument(span);
        let counted = Counted::new(&self.appending);
        let appended = gently(append, is_urgent).await;
        drop(counted);
        let Appended { watermark, repeated } = match appended {
            Ok(appended) => appended,
            // Whether it was written, and whether another incarnation has begun, the watermark tells.
            Err(error) if self.shared => match self.look(partition).await {
                Ok(Round::Moved) => return Ok(Round::Moved),
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        };
        self.set(partition, watermark).await?;
        for repeat in repeated {
            self.undo(partition, repeat).await?;
        }
        metrics::engine().flush_seconds.record(started.elapsed());
        metrics::engine().flushed_entries.increment(entries.len() as u64);
        if self.shared {
            count_expired(entries.iter().flat_map(|(_, entry)| &entry.effects));
        }
        gently(let_go(entries), is_urgent).await;
        Ok(Round::Took { rows, more })
    }

    /// What the journal has beyond the watermark, as much as one transaction takes. It is one page where other servers' flushers
    /// wait for that transaction and read the same, and after a failure: a disk that is nearly full may have room for few.
    async fn read(&self, partition: u32, mark: u64) -> Result<Portion, StoreError> {
        let mut portion = Portion { entries: Vec::new(), rows: 0, more: true };
        while portion.more && portion.rows < ENOUGH {
            let after = portion.entries.last().map_or(mark, |(seq, _)| *seq);
            let limit = if self.shared { PAGE } else { SMALL_PAGE };
            let page = self.counters.read(partition, after, limit).await?;
            portion.more = page.len() == limit;
            portion.take(page, if self.shared { usize::MAX } else { ENOUGH });
            if self.shared || self.partitions[partition as usize].is_failing() {
                break;
            }
        }
        Ok(portion)
    }

    /// Reads the watermark, which others may have moved, even back: a ledger restored from a copy gets the entries again
    /// that the journal still has.
    async fn look(&self, partition: u32) -> Result<Round, StoreError> {
        let now = self.ledger.watermark(partition).await?;
        let head = self.counters.head(partition).seq;
        let moved = now != self.partitions[partition as usize].at();
        if moved {
            self.set(partition, now).await?;
        }
        // Whoever moved it may have stopped before it said so.
        if now.seq >= head && self.counters.figures(partition).unflushed > 0 {
            self.counters.trim(partition, now.seq).await?;
        }
        Ok(if moved { Round::Moved } else { Round::Nothing })
    }

    /// Lets everybody know what the ledger has; with another incarnation also what was lost, so that nobody takes it for
    /// stored.
    async fn set(&self, partition: u32, at: Watermark) -> Result<(), StoreError> {
        let progress = &self.partitions[partition as usize];
        let before = progress.mark();
        let lost = match at.incarnation == before.at.incarnation {
            true => before.lost,
            false => self.ledger.lost(partition).await?.into(),
        };
        progress.set(Mark { at, lost });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_work_waits_longer_but_never_long() {
        let millis = |interval, rows| rest_after(Duration::from_millis(interval), rows).as_millis();
        assert_eq!([0, 1, 2 * LITTLE - 1].map(|rows| millis(200, rows)), [200; 3], "little work");
        assert_eq!([2 * LITTLE, 3 * LITTLE, usize::MAX].map(|rows| millis(200, rows)), [400, 500, 500]);
        assert_eq!([0, ENOUGH].map(|rows| millis(2_000, rows)), [2_000; 2], "as long as was asked for");
        assert_eq!(millis(1, 100 * LITTLE), 100);
    }
}
