//! How a partition changes hands: the steps of a recovery, each a compare-and-set, in this order: claim the partition in Redis
//! (from here on nobody decides on it), read the ledger, move the ledger to the next incarnation, fill and open the partition.
//! Whoever dies on the way is followed by another replica, which begins at the claim; whoever loses a race looks again.

use super::adopt::{self, Cargo, Look};
use super::entry;
use super::keys::Keys;
use super::load::{self, Contents};
use super::meta::{Claim, Meta, Server};
use super::recover::RecovererOptions;
use crate::domain::entry::Entry;
use crate::domain::time::{Span, Timestamp};
use crate::engine::ports::{INCARNATION_GAP, StoreError, Watermark};
use crate::telemetry::metrics;
use std::sync::Arc;
use std::time::Duration;

/// How often another's claim is looked at without a sign of life until it is taken over: for three seconds.
const LOOKS: u32 = 60;
/// How often a claim shows one, and how often it is looked for.
const BEAT: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Entries of the surviving journal in one ledger transaction.
const ENTRIES: usize = 512;

/// The one who does it, for all partitions.
pub(super) struct Handover {
    /// What it stands on.
    pub options: RecovererOptions,
    /// By which it knows its own claims.
    pub who: u64,
}

/// A claimed partition.
struct Claimed {
    look: Look,
    meta: Meta,
}

/// What another took over meanwhile: look again.
struct TakenOver;

/// A step's outcome.
type Step<T> = Result<Result<T, TakenOver>, StoreError>;

/// Goes on with what a step gave, or looks again.
macro_rules! held {
    ($step:expr) => {
        match $step {
            Ok(value) => value,
            Err(TakenOver) => return Ok(Err(TakenOver)),
        }
    };
}

impl Handover {
    /// Looks until the partition is in order, by another's work or by our own.
    ///
    /// # Errors
    /// [`StoreError`] if Redis or the database can't be used, or do not belong together.
    pub(super) async fn run(&self, partition: u32, keys: &Keys, seen: u64) -> Result<Watermark, StoreError> {
        let mut watched = (Vec::new(), 0);
        loop {
            // The ledger first: what is healthy is then at or beyond it.
            let mut mark = self.options.ledger.watermark(partition).await?;
            let look = adopt::look(&self.options.link, keys).await?;
            self.is_ours(&look)?;
            if look.meta.as_ref().is_some_and(|meta| meta.incarnation > mark.incarnation) {
                // Opened by another between the two reads; the ledger moves first, so it says so now.
                mark = self.options.ledger.watermark(partition).await?;
            }
            if let Some(meta) = &look.meta
                && is_healthy(meta, &look.server, mark)
            {
                let at = Watermark { incarnation: meta.incarnation, seq: meta.seq };
                return Ok(at);
            }
            if let Some(claim) = look.meta.as_ref().filter(|meta| !meta.open).and_then(|meta| meta.claim)
                && claim.who != self.who
            {
                if watched.0 != look.raw {
                    watched = (look.raw.clone(), 0);
                }
                watched.1 += 1;
                if watched.1 < LOOKS {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
            }
            let Ok(claimed) = self.claim(keys, look).await? else { continue };
            if let Ok(at) = self.mend(partition, keys, claimed, seen).await? {
                return Ok(at);
            }
        }
    }

    /// Refuses a partition that belongs to another installation: another database knows what it is worth.
    fn is_ours(&self, look: &Look) -> Result<(), StoreError> {
        let ours = self.options.installation.as_bytes();
        if look.installation.is_empty() || look.installation == ours {
            return Ok(());
        }
        Err(StoreError::Corrupt(format!(
            "this Redis holds the counters of installation {}, and the database is that of {}: use another --redis-prefix, or \
             the database that belongs to it",
            String::from_utf8_lossy(&look.installation),
            self.options.installation
        )))
    }

    /// Closes the partition in our name.
    async fn claim(&self, keys: &Keys, look: Look) -> Step<Claimed> {
        let fresh = Meta::empty(&look.server, self.now(&look));
        let mut next = look.meta.clone().unwrap_or(fresh);
        let beat = next.claim.map_or(0, |claim| claim.beat + 1);
        (next.open, next.server) = (false, look.server.clone());
        next.claim = Some(Claim { who: self.who, beat });
        self.swap(keys, look, next, Cargo::default()).await
    }

    async fn swap(&self, keys: &Keys, look: Look, next: Meta, mut cargo: Cargo) -> Step<Claimed> {
        if cargo.journal == 0 {
            cargo.journal = next.incarnation;
        }
        let swapped = adopt::swap(&self.options.link, keys, &look, &self.options.installation, &next, &cargo).await?;
        Ok(swapped.map(|look| Claimed { look, meta: next }).ok_or(TakenOver))
    }

    /// Does something that takes its time, and shows meanwhile that the claim is alive.
    async fn beating<T>(
        &self,
        keys: &Keys,
        mut claimed: Claimed,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Step<(Claimed, T)> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(Ok((claimed, done?))),
                () = tokio::time::sleep(BEAT) => {}
            }
            let mut next = claimed.meta;
            next.claim = next.claim.map(|claim| Claim { beat: claim.beat + 1, ..claim });
            claimed = held!(self.swap(keys, claimed.look, next, Cargo::default()).await?);
        }
    }

    /// Brings a claimed partition under the next incarnation.
    async fn mend(&self, partition: u32, keys: &Keys, claimed: Claimed, seen: u64) -> Step<Watermark> {
        let ledger = &*self.options.ledger;
        let mut mark = ledger.watermark(partition).await?;
        let found = Watermark { incarnation: claimed.meta.incarnation, seq: claimed.meta.seq };
        if found.incarnation > mark.incarnation {
            return Err(StoreError::Corrupt(format!(
                "partition {partition}: the database is older than Redis ({mark:?}, {found:?}): was it restored from a copy? \
                 To go on from the database alone, delete the keys {}*",
                keys.meta().trim_end_matches("meta")
            )));
        }
        let (claimed, keep) = if found.incarnation > 0 && found.incarnation == mark.incarnation && found.seq >= mark.seq
        {
            let tail = self.flush_tail(partition, keys, found, mark);
            let (claimed, flushed) = held!(self.beating(keys, claimed, tail).await?);
            mark = flushed;
            (claimed, true)
        } else {
            // Another replica may have come this far before it died: then the ledger has nothing that is not here.
            let lost = ledger.lost(partition).await?;
            let moved_on = found.incarnation > 0 && found.incarnation + 1 == mark.incarnation;
            (claimed, moved_on && lost.contains(&(found.seq + 1, mark.seq)))
        };
        // One more in any case: whoever opened the ledger's may live, and decide on another server.
        let next = next_mark(mark, found, seen);
        let opened = ledger.open_incarnation(partition, mark, next).await;
        if matches!(opened, Ok(false)) {
            return Ok(Err(TakenOver));
        }
        // Also where no answer came: by the next look it would be history.
        report_loss(partition, mark.seq, seen);
        opened?;
        if keep {
            self.keep(partition, keys, claimed, next).await
        } else {
            self.load(partition, keys, claimed, next).await
        }
    }

    /// Carries what survived of the journal beyond the ledger's watermark to the ledger; answers the watermark then.
    async fn flush_tail(
        &self,
        partition: u32,
        keys: &Keys,
        found: Watermark,
        mut mark: Watermark,
    ) -> Result<Watermark, StoreError> {
        let journal = keys.journal(found.incarnation);
        while mark.seq < found.seq {
            let raw = self.options.link.journal_after(&journal, mark.seq, ENTRIES).await;
            let raw = raw.map_err(|error| error.of_a_read())?;
            let entries: Vec<(u64, Arc<Entry>)> = raw
                .iter()
                .map(|(seq, bytes)| Ok((*seq, Arc::new(entry::read(bytes)?))))
                .collect::<Result<_, StoreError>>()?;
            if entries.is_empty() {
                let now = self.options.ledger.watermark(partition).await?;
                if now.incarnation == mark.incarnation && now.seq > mark.seq {
                    // A flusher was quicker, and has trimmed.
                    mark = now;
                    continue;
                }
                return Err(StoreError::Corrupt(format!(
                    "partition {partition}: the journal in Redis lacks the entries after {} that its state speaks of: delete \
                     the keys {}* to go on from the database alone",
                    mark.seq,
                    keys.meta().trim_end_matches("meta")
                )));
            }
            // What it repeats stands in the ledger, and a flusher undoes it.
            mark = self.options.ledger.append(partition, found.incarnation, &entries).await?.watermark;
        }
        Ok(mark)
    }

    /// Nothing is missing: the partition goes on with all that it has. Only a catalog that changed just before is in no entry, and
    /// comes from the database.
    async fn keep(&self, partition: u32, keys: &Keys, claimed: Claimed, next: Watermark) -> Step<Watermark> {
        let reading = load::versions(&*self.options.catalog, (partition, self.options.partitions));
        let (claimed, (floor, versions)) = held!(self.beating(keys, claimed, reading).await?);
        let now = claimed.meta.now.max(self.now(&claimed.look));
        let Claimed { look, meta } = claimed;
        let cargo = Cargo { left: Some(meta.incarnation), journal: next.incarnation, versions, ..Cargo::default() };
        let meta = Meta {
            incarnation: next.incarnation,
            server: look.server.clone(),
            open: true,
            now,
            seq: next.seq,
            flushed: next.seq,
            floor: meta.floor.max(floor),
            claim: None,
            ..meta
        };
        held!(self.swap(keys, look, meta, cargo).await?);
        tracing::info!(partition, incarnation = next.incarnation, "the partition goes on with what it had");
        Ok(Ok(next))
    }

    /// The partition begins anew with what the database has; counters come by the miss path.
    async fn load(&self, partition: u32, keys: &Keys, claimed: Claimed, next: Watermark) -> Step<Watermark> {
        let (ledger, catalog) = (&*self.options.ledger, &*self.options.catalog);
        let place = (partition, self.options.partitions);
        let reading = load::contents(ledger, catalog, place, next.seq);
        let (mut claimed, contents) = held!(self.beating(keys, claimed, reading).await?);

        let left = Some(claimed.meta.incarnation).filter(|left| *left > 0);
        let opened = self.begin(&claimed, &contents, next);
        let Contents { portions, reservations, .. } = contents;
        let last = portions.len().saturating_sub(1);
        for (index, mut portion) in portions.into_iter().enumerate() {
            (portion.drop, portion.journal) = (index == 0, next.incarnation);
            portion.left = left.filter(|_| index == 0);
            let mut meta = opened.clone();
            if index < last {
                let claim = claimed.meta.claim.map(|claim| Claim { beat: claim.beat + 1, ..claim });
                (meta.incarnation, meta.open, meta.claim) = (0, false, claim);
            }
            claimed = held!(self.swap(keys, claimed.look, meta, portion).await?);
        }
        tracing::info!(
            partition,
            incarnation = next.incarnation,
            reservations,
            "the partition begins with what the database has"
        );
        Ok(Ok(next))
    }

    /// The state of a partition that begins anew. It knows nothing of what was before now, this millisecond included; only
    /// where nothing ever was it knows that.
    fn begin(&self, claimed: &Claimed, contents: &Contents, next: Watermark) -> Meta {
        let last = contents.last_time.unwrap_or(Timestamp::MIN);
        let now = self.now(&claimed.look).max(claimed.meta.now).max(last);
        let first = contents.last_time.is_none();
        let since = if first { Timestamp::MIN } else { now + Span::from_millis(1) };
        let mut meta = Meta::empty(&claimed.look.server, now);
        meta.cursor = contents.first_deadline.map_or(meta.cursor, |second| second.min(meta.cursor));
        Meta {
            incarnation: next.incarnation,
            open: true,
            seq: next.seq,
            flushed: next.seq,
            complete_since: since,
            ids_complete_since: since,
            floor: contents.floor,
            reservations: contents.reservations,
            ..meta
        }
    }

    /// The store's time.
    fn now(&self, look: &Look) -> Timestamp {
        self.options.clock.as_ref().map_or(look.time, |clock| clock.now())
    }
}

/// Says how much was lost: what this replica has answers of, up to `seen`, and neither the ledger nor the journal has, which
/// end at `after`.
pub(super) fn report_loss(partition: u32, after: u64, seen: u64) {
    let lost = seen.saturating_sub(after);
    metrics::engine().lost_entries.increment(lost);
    if lost > 0 {
        tracing::warn!(partition, lost, after, "journal entries were lost with the counter store's state");
    }
}

/// Whether operations can be decided on it: open, on the server that it was opened on, and not behind the ledger.
fn is_healthy(meta: &Meta, server: &Server, mark: Watermark) -> bool {
    meta.open && meta.server == *server && meta.incarnation == mark.incarnation && meta.seq >= mark.seq
}

/// Where the next incarnation begins: beyond every number that anybody may have seen. The very first begins at 0.
fn next_mark(mark: Watermark, found: Watermark, seen: u64) -> Watermark {
    let incarnation = mark.incarnation + 1;
    if mark == Watermark::default() && found.seq == 0 && seen == 0 {
        return Watermark { incarnation, seq: 0 };
    }
    Watermark { incarnation, seq: mark.seq.max(found.seq).max(seen) + INCARNATION_GAP }
}
