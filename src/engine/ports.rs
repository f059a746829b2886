//! The ports: what the engine needs of the world. `store` makes them real; nothing above knows a product.

use crate::domain::entry::Entry;
use crate::domain::name::{IdKey, MeterId, MeterName, Uid};
use crate::domain::reservation::{Reservation, State};
use crate::domain::time::{Period, Timestamp};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use super::catalog_port::{
    Cards, CatalogChanges, CatalogData, CatalogNews, CatalogStore, CatalogWrite, ChangedQuota, QuotaKey, QuotaPage,
    QuotaVersion, ScopeVersion, ScopeWrite, WriteContext, Written,
};

/// A future behind a port.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a store could not answer. Driver errors stop at the adapter; this says what the caller may know.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Can't be reached or written now; nothing of this call is known to have happened.
    #[error("{0}")]
    Unavailable(String),
    /// Sent, but no answer came: whether it had its effect is not known. Sending it again is safe for what has ids.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// There, but it takes no more work now; nothing was done.
    #[error("{0}")]
    Busy(String),
    /// What is stored can't be what was written: a gap, damage, another schema.
    #[error("{0}")]
    Corrupt(String),
}

/// Where a partition's journal stands in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Watermark {
    /// The counter store's lifetime.
    pub incarnation: u64,
    /// The last entry of it that is in the ledger; 0: none.
    pub seq: u64,
}

/// Numbers that are left out between two incarnations beyond those that are known to have been used: more than anybody can
/// have seen of an entry that went with a counter store.
pub const INCARNATION_GAP: u64 = 1 << 20;

/// How many entries went with a counter store, of the numbers that were skipped when the next incarnation began: those that
/// the server which opened it knew of.
pub fn known_lost(skipped: u64) -> u64 {
    skipped.saturating_sub(INCARNATION_GAP)
}

/// A counter, as the ledger knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CounterKey {
    /// Whose.
    pub account: Uid,
    /// On which meter.
    pub meter: MeterId,
}

/// What an account has used over its lifetime, by meter.
pub type UsedByMeter = Vec<(MeterName, u64)>;

/// A question for the use that the ledger has on one counter over some time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageQuery {
    /// The counter.
    pub counter: CounterKey,
    /// Over which effective times; [`Period::ALWAYS`] for the lifetime.
    pub period: Period,
    /// If set, the answer is split into steps of this many milliseconds, aligned to 1970.
    pub step: Option<i64>,
    /// Whether the answer lists what open reservations hold on the counter.
    pub holds: bool,
}

/// What was used: the whole, and the part of it that the top-up took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// All of it, in the meter's smallest unit.
    pub total: i64,
    /// The part that stands in the top-up.
    pub top_up: i64,
}

/// What one charge of an open reservation holds on a counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LedgerHold {
    /// The time of its Reserve, which decides in which periods it counts (rule 8).
    pub at: Timestamp,
    /// The whole amount, in the meter's smallest unit.
    pub held: u64,
    /// The part of it that stands in the top-up.
    pub top_up: u64,
}

/// The answer to a [`UsageQuery`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UsageAnswer {
    /// Over the whole period.
    pub used: Used,
    /// What was charged to that very account and not to one below it, over its lifetime.
    pub own: i64,
    /// By step: number of the step since 1970 and its use, in order, empty ones left out.
    pub steps: Vec<(i64, Used)>,
    /// What open reservations hold on the counter, whatever the period, if that was asked.
    pub holds: Vec<LedgerHold>,
}

/// An outcome of a request id that the ledger remembers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownRequest {
    /// The fingerprint.
    pub fingerprint: u64,
    /// What it was.
    pub kind: u8,
    /// The reservation it made or changed.
    pub reservation: Option<IdKey>,
    /// What a Free by amount gave back, by charge.
    pub amounts: Vec<u64>,
}

/// Which reservations to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReservationFilter {
    /// Only those that charge this account or one below it.
    pub account: Option<String>,
    /// Only these states; empty: all.
    pub states: Vec<State>,
    /// Only those after this one in the list's order (create time, key, both falling).
    pub after: Option<(Timestamp, IdKey)>,
    /// At most this many.
    pub limit: u32,
}

/// A reservation that a repeat made a second time, too late to be recognised (rule 5); to be undone in the counter store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repeated {
    /// The tenant.
    pub tenant: Uid,
    /// The second one, whole.
    pub reservation: Box<Reservation>,
}

/// What [`Ledger::append`] answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Appended {
    /// The watermark afterwards.
    pub watermark: Watermark,
    /// Reservations that were there already, made by an earlier entry. They stay in [`Ledger::repeated`] until a Reverse of
    /// them is appended.
    pub repeated: Vec<Repeated>,
}

/// The ledger: what happened, append-only, with the counters that follow from it.
pub trait Ledger: Send + Sync {
    /// Writes journal entries `(seq, entry)` of one partition and moves its watermark, in one transaction. What is at or
    /// below the watermark of that incarnation is skipped; a gap is [`StoreError::Corrupt`], and so is an incarnation older
    /// than the watermark's. After an error it is unknown whether it was written: the watermark tells, and writing the
    /// same again does no harm.
    fn append<'a>(
        &'a self,
        partition: u32,
        incarnation: u64,
        entries: &'a [(u64, Arc<Entry>)],
    ) -> Boxed<'a, Result<Appended, StoreError>>;

    /// The repeats of a partition that are not undone yet: for a start after a stop between an append and its Reverse.
    fn repeated(&self, partition: u32) -> Boxed<'_, Result<Vec<Repeated>, StoreError>>;

    /// The watermark of a partition.
    fn watermark(&self, partition: u32) -> Boxed<'_, Result<Watermark, StoreError>>;

    /// Begins another incarnation of a partition's counter store: moves the watermark from `expect` to `next`, if it still
    /// is `expect`, and answers whether it did. `next.seq` is the last number that the new incarnation does not use; the
    /// numbers between the two never reached the ledger and are kept as lost.
    fn open_incarnation(
        &self,
        partition: u32,
        expect: Watermark,
        next: Watermark,
    ) -> Boxed<'_, Result<bool, StoreError>>;

    /// Numbers of entries that never reached the ledger, as ranges of first and last, in order. Numbers go on from
    /// incarnation to incarnation, so that they compare.
    fn lost(&self, partition: u32) -> Boxed<'_, Result<Vec<(u64, u64)>, StoreError>>;

    /// The store's time of the last entry of a partition; `None`: it has none. A partition goes on from there at the
    /// start, because the store's time never goes back, whatever the machine's clock says by then.
    fn last_time(&self, partition: u32) -> Boxed<'_, Result<Option<Timestamp>, StoreError>>;

    /// Answers many usage questions from one snapshot, in order, with the partition's watermark of that snapshot.
    fn usage<'a>(
        &'a self,
        partition: u32,
        queries: &'a [UsageQuery],
    ) -> Boxed<'a, Result<(Watermark, Vec<UsageAnswer>), StoreError>>;

    /// What an account has used over its lifetime, by meter; `None`: nothing was ever counted on it.
    fn charged(&self, account: Uid) -> Boxed<'_, Result<Option<UsedByMeter>, StoreError>>;

    /// Reads reservations by key.
    fn reservations<'a>(
        &'a self,
        tenant: Uid,
        keys: &'a [IdKey],
    ) -> Boxed<'a, Result<Vec<Option<Reservation>>, StoreError>>;

    /// Reads what is known of request ids.
    fn requests<'a>(
        &'a self,
        tenant: Uid,
        keys: &'a [IdKey],
    ) -> Boxed<'a, Result<Vec<Option<KnownRequest>>, StoreError>>;

    /// All open reservations of a partition.
    fn open_reservations(&self, partition: u32) -> Boxed<'_, Result<Vec<Reservation>, StoreError>>;

    /// A page of a tenant's reservations, newest first.
    fn list_reservations<'a>(
        &'a self,
        tenant: Uid,
        filter: &'a ReservationFilter,
    ) -> Boxed<'a, Result<Vec<Reservation>, StoreError>>;

    /// Forgets what may be forgotten at `now`: ended reservations and request ids older than 35 days, but none with
    /// allocation still in use; where a retention is set, also the entries before it, and all of what was used then but
    /// the sums. Each call does a bounded part; answers how many rows went or were looked at, 0 when nothing is left to do.
    fn prune(&self, now: Timestamp) -> Boxed<'_, Result<u64, StoreError>>;
}

/// Why nothing can be put into a spool.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpoolError {
    /// As much stands in it as may.
    #[error("the spool is full")]
    Full,
    /// The disk does not take it.
    #[error("the spool can't be written: {0}")]
    Unwritable(String),
}

/// A spool on this process's own disk: what was granted while the counter store could not be reached, until the store has
/// it. In order, bounded, and still there after `kill -9`.
pub trait Spool: Send + Sync {
    /// Puts an entry at the end and answers its number; numbers grow. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`SpoolError`]; then nothing was put.
    fn put(&self, entry: &[u8]) -> Result<u64, SpoolError>;

    /// Takes an entry out. If the disk does not take that, it is there again at the next start, which does no harm.
    fn remove(&self, number: u64);

    /// Bytes that it takes on the disk.
    fn size(&self) -> u64;
}

/// The store's clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
