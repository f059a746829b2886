//! The counters port on Redis: each operation joins its partition's next script call; the journal is a stream that every
//! replica may read. What a reply's header says of the partition is kept, so that heads and figures cost no call.

use super::batch::{Batcher, SubmitError};
use super::command::Command;
use super::entry;
use super::keys::Keys;
use super::link::Link;
use super::reply::{Finished, Header, RawReply, decode, finished};
use super::scripts::Scripts;
use super::seen::Seen;
use crate::domain::name::{IdKey, Uid};
use crate::domain::reservation::Reservation;
use crate::domain::time::{Span, Timestamp};
use crate::engine::operation::{Caps, Counters, Figures, Known, Numbered, Operation, Refill, Reply, Verb};
use crate::engine::ports::{Boxed, Clock, StoreError, Watermark};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// How often one command may find its partition in need of being verified.
const MAX_ROUNDS: usize = 8;
/// How often the journal is looked at for what other replicas wrote.
const LOOK: Duration = Duration::from_millis(100);
/// Entries that stay in the journal after the ledger has them: for a ledger that is put back from a copy a little older, and
/// for the last state of a repeat that came late.
const SLACK: u64 = 1024;
/// Entries read by one command, so that none takes long.
const CHUNK: usize = 128;
/// Bytes of entries read at once.
const READ_BYTES: usize = 16 << 20;
/// Chunks searched for the last state of a reservation.
const SEARCHED: usize = 64;
/// Calls of one round of forgetting.
const TIDY_CALLS: usize = 4096;
/// After so many of them that dropped nothing, nothing is left: one that finds only what holds moves that on.
const TIDY_WITHOUT: usize = 4;

/// Brings a partition into an incarnation in which it may decide.
pub trait Recovery: Send + Sync {
    /// Makes a partition fit to decide again whose script call asked to be verified; at once, if nothing is wrong with it by
    /// now. Answers its incarnation and the entry that it goes on from. `seen` is the last entry that this replica knows of.
    ///
    /// # Errors
    /// [`StoreError`] if store or ledger can't be used, or do not belong together.
    fn recover(&self, partition: u32, seen: u64) -> Boxed<'_, Result<Watermark, StoreError>>;
}

/// Counters in Redis.
pub struct RedisCounters {
    link: Link,
    recovery: Arc<dyn Recovery>,
    partitions: Vec<Partition>,
}

struct Partition {
    keys: Keys,
    batcher: Batcher,
    seen: watch::Sender<Seen>,
    /// Held by the one who verifies.
    verifying: Mutex<()>,
}

impl Partition {
    /// Takes over what a reply said, unless a later one said more.
    fn saw(&self, seen: Seen) {
        self.seen.send_if_modified(|known| {
            let order = |seen: &Seen| (seen.head.incarnation, seen.head.seq, seen.flushed);
            let newer = order(&seen) > order(known)
                || (order(&seen) == order(known) && (seen.open, seen.counters) != (known.open, known.counters));
            if newer {
                *known = seen;
            }
            newer
        });
    }

    fn head(&self) -> Watermark {
        self.seen.borrow().head
    }

    fn journal(&self) -> String {
        self.keys.journal(self.batcher.incarnation())
    }
}

impl RedisCounters {
    /// Counters behind a link, a partition for each of the keys. `clock`: `None` for the server's own.
    pub fn new(
        link: Link,
        keys: Vec<Keys>,
        scripts: Scripts,
        caps: Caps,
        clock: Option<&Arc<dyn Clock>>,
        recovery: Arc<dyn Recovery>,
    ) -> RedisCounters {
        let partition = |keys: Keys| Partition {
            batcher: Batcher::new(link.clone(), keys.clone(), scripts, caps, clock.cloned()),
            keys,
            seen: watch::Sender::new(Seen::default()),
            verifying: Mutex::new(()),
        };
        let partitions = keys.into_iter().map(partition).collect();
        RedisCounters { link, recovery, partitions }
    }

    /// Verifies every partition, and recovers those that must be: before the first operation.
    ///
    /// # Errors
    /// [`StoreError`] of the first partition that can't be used.
    pub async fn open(&self) -> Result<(), StoreError> {
        for partition in 0..self.partitions() {
            self.finish(partition, Command::Expire { limit: 0 }).await?;
        }
        Ok(())
    }

    fn partition(&self, partition: u32) -> Result<&Partition, StoreError> {
        let found = self.partitions.get(partition as usize);
        found.ok_or_else(|| StoreError::Unavailable(format!("there is no partition {partition}")))
    }

    /// Sends a command until it has a reply; a partition that must be verified first is.
    async fn submit(&self, index: u32, mut command: Command) -> Result<(Command, Header, RawReply), StoreError> {
        let partition = self.partition(index)?;
        for _ in 0..MAX_ROUNDS {
            let sent_for = partition.batcher.incarnation();
            match partition.batcher.submit(command).await {
                Ok((command, header, raw)) => {
                    partition.saw(Seen::of(&header));
                    return Ok((command, header, raw));
                }
                Err(SubmitError::Store(error)) => return Err(error),
                Err(SubmitError::Overloaded) => {
                    return Err(StoreError::Busy("too much work is waiting for the counter store".into()));
                }
                Err(SubmitError::Verify { command: back, .. }) => {
                    command = *back;
                    self.verify(index, partition, sent_for).await?;
                }
            }
        }
        Err(StoreError::Unavailable("the counter store changes hands too often; try again".into()))
    }

    /// One flight for a partition: whoever comes meanwhile finds it done.
    async fn verify(&self, index: u32, partition: &Partition, sent_for: u64) -> Result<(), StoreError> {
        let _one = partition.verifying.lock().await;
        if partition.batcher.incarnation() != sent_for {
            return Ok(());
        }
        let head = self.recovery.recover(index, partition.head().seq).await?;
        partition.batcher.set_incarnation(head.incarnation);
        // Taken out first: the value is locked for as long as it is borrowed.
        let known = *partition.seen.borrow();
        partition.saw(Seen { head, ..known });
        Ok(())
    }

    /// Sends a command of the store's own.
    async fn finish(&self, partition: u32, command: Command) -> Result<Finished, StoreError> {
        let (_, _, raw) = self.submit(partition, command).await?;
        finished(&raw)
    }

    /// The same, where only a number can come back.
    async fn count(&self, partition: u32, command: Command) -> Result<usize, StoreError> {
        match self.finish(partition, command).await? {
            Finished::Done(count) => Ok(count),
            Finished::Again | Finished::Changed(_) => Ok(0),
        }
    }

    /// The last state of a reservation that the journal has, told from another of the same id by its time; and the entry up
    /// to which was looked.
    async fn last_state(
        &self,
        partition: &Partition,
        key: IdKey,
        at: Timestamp,
    ) -> Result<(Option<Box<Reservation>>, u64), StoreError> {
        let journal = partition.journal();
        let newest = self.link.journal_last(&journal).await.map_err(|error| error.of_a_read())?;
        let head = newest.map_or(partition.head().seq, |(seq, _)| seq);
        let mut upto = head;
        for _ in 0..SEARCHED {
            let after = upto.saturating_sub(CHUNK as u64);
            let chunk = self.link.journal_after(&journal, after, CHUNK).await.map_err(|error| error.of_a_read())?;
            let mut chunk: Vec<_> = chunk.into_iter().filter(|(seq, _)| *seq <= upto).collect();
            let exhausted = chunk.is_empty() || after == 0;
            while let Some((_, bytes)) = chunk.pop() {
                let states = entry::read(&bytes)?.effects.into_iter().filter_map(|effect| effect.reservation);
                if let Some(found) = states.rev().find(|state| state.key == key && state.create_time == at) {
                    return Ok((Some(Box::new(Arc::unwrap_or_clone(found))), head));
                }
            }
            if exhausted {
                break;
            }
            upto = after;
        }
        Ok((None, head))
    }

    /// Asks `meta` how far the journal is: others write it too.
    async fn look(&self, partition: &Partition) {
        // What can't be read now is asked again in a moment.
        if let Ok(Some(bytes)) = self.link.get(partition.keys.meta()).await
            && let Ok(Some(seen)) = Seen::of_meta(&bytes)
            && seen.head.incarnation == partition.batcher.incarnation()
        {
            partition.saw(seen);
        }
    }
}

impl Counters for RedisCounters {
    fn partitions(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    fn partition_of(&self, tenant: Uid) -> u32 {
        // The uid is a hash already; its low half serves as one.
        let hash = tenant.0 as u64;
        u32::try_from(hash % (self.partitions.len().max(1) as u64)).unwrap_or(0)
    }

    fn apply<'a>(&'a self, operation: &'a mut Operation) -> Boxed<'a, Result<Reply, StoreError>> {
        Box::pin(async move {
            let partition = self.partition_of(operation.tenant);
            let sent = std::mem::replace(operation, nothing());
            let (command, header, raw) = self.submit(partition, Command::Run(Box::new(sent))).await?;
            if let Command::Run(back) = command {
                *operation = *back;
            }
            decode(operation, &raw, &header, partition)
        })
    }

    fn install<'a>(
        &'a self,
        partition: u32,
        as_of: Watermark,
        refills: &'a [Refill],
    ) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let command = Command::Install { as_of: as_of.seq, refills: refills.to_vec() };
            self.finish(partition, command).await.map(|_| ())
        })
    }

    fn raise(&self, tenant: Option<Uid>, version: u64) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let partitions = match tenant {
                Some(uid) => self.partition_of(uid)..self.partition_of(uid) + 1,
                None => 0..self.partitions(),
            };
            for partition in partitions {
                self.finish(partition, Command::Raise { tenant, version }).await?;
            }
            Ok(())
        })
    }

    fn expire(&self, partition: u32, limit: usize) -> Boxed<'_, Result<usize, StoreError>> {
        Box::pin(self.count(partition, Command::Expire { limit }))
    }

    fn reverse(&self, partition: u32, reservation: Box<Reservation>) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let place = self.partition(partition)?;
            let (key, at) = (reservation.key, reservation.create_time);
            for _ in 0..MAX_ROUNDS {
                let (last, as_of) = self.last_state(place, key, at).await?;
                let reservation = last.unwrap_or_else(|| reservation.clone());
                match self.finish(partition, Command::Reverse { reservation, as_of }).await? {
                    Finished::Done(_) => return Ok(()),
                    // It changed meanwhile: its state is at the journal's end by now.
                    Finished::Changed(_) | Finished::Again => {}
                }
            }
            Err(StoreError::Unavailable("a late repeat changes faster than it can be undone".into()))
        })
    }

    fn head(&self, partition: u32) -> Watermark {
        self.partition(partition).map(Partition::head).unwrap_or_default()
    }

    fn read(&self, partition: u32, seq: u64, limit: usize) -> Boxed<'_, Result<Vec<Numbered>, StoreError>> {
        Box::pin(async move {
            let journal = self.partition(partition)?.journal();
            let (mut found, mut bytes, mut after) = (Vec::new(), 0, seq);
            while found.len() < limit && bytes < READ_BYTES {
                let wanted = CHUNK.min(limit - found.len());
                let chunk = self.link.journal_after(&journal, after, wanted).await;
                let chunk = chunk.map_err(|error| error.of_a_read())?;
                let complete = chunk.len() < wanted;
                for (seq, entry) in chunk {
                    bytes += entry.len();
                    after = seq;
                    found.push((seq, Arc::new(entry::read(&entry)?)));
                }
                if complete {
                    break;
                }
            }
            Ok(found)
        })
    }

    fn trim(&self, partition: u32, seq: u64) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let command = Command::Trim { flushed: seq, keep: (seq + 1).saturating_sub(SLACK) };
            self.finish(partition, command).await.map(|_| ())
        })
    }

    fn written(&self, partition: u32, seq: u64) -> Boxed<'_, ()> {
        Box::pin(async move {
            let Ok(partition) = self.partition(partition) else { return std::future::pending().await };
            let mut seen = partition.seen.subscribe();
            loop {
                let written = seen.wait_for(|seen| seen.head.seq > seq);
                if tokio::time::timeout(LOOK, written).await.is_ok() {
                    return;
                }
                self.look(partition).await;
            }
        })
    }

    fn drop_idle(&self, partition: u32, idle: Span) -> Boxed<'_, Result<usize, StoreError>> {
        Box::pin(async move {
            let (mut dropped, mut without) = (0, 0);
            for _ in 0..TIDY_CALLS {
                let count = self.count(partition, Command::Tidy { idle }).await?;
                dropped += count;
                without = if count == 0 { without + 1 } else { 0 };
                if without == TIDY_WITHOUT {
                    break;
                }
            }
            Ok(dropped)
        })
    }

    fn figures(&self, partition: u32) -> Figures {
        let Ok(partition) = self.partition(partition) else { return Figures::default() };
        let Seen { head, flushed, open, counters } = *partition.seen.borrow();
        let unflushed = usize::try_from(head.seq.saturating_sub(flushed)).unwrap_or(usize::MAX);
        // Outcomes go by whole slices of time; nobody counts them one by one.
        Figures { counters, open_reservations: open, outcomes: 0, unflushed }
    }
}

/// What stands in an operation while it is on its way.
fn nothing() -> Operation {
    Operation {
        tenant: Uid::ROOT,
        catalog_version: 0,
        request: None,
        fingerprint: 0,
        verb: Verb::Usage,
        plan: None,
        known: Known::default(),
    }
}
