//! Operations and replies: what the engine sends to a counter store, one atomic step each, and what comes back.

use super::call::{AllowanceLine, Denial, Extended, Freed};
use super::ports::{Boxed, CounterKey, KnownRequest, StoreError, UsageAnswer, Watermark};
use crate::domain::adjustment::Move;
use crate::domain::counter::{Gauge, WindowPlan};
use crate::domain::entry::{Entry, Kind, Note};
use crate::domain::name::{IdKey, Uid};
use crate::domain::quota::EffectiveQuota;
use crate::domain::reservation::{Held, Reservation};
use crate::domain::time::{Period, Span, Timestamp};
use crate::domain::{decision::Cause, error::RuleError};
use std::sync::Arc;

pub use super::listed::{Charges, ListedCharge};

/// One atomic step in a tenant's partition.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The tenant.
    pub tenant: Uid,
    /// The catalog version that the plan was made under; 0 without a plan.
    pub catalog_version: u64,
    /// The caller's request id, and the fingerprint of what is asked.
    pub request: Option<IdKey>,
    /// Fingerprint of the call.
    pub fingerprint: u64,
    /// What to do.
    pub verb: Verb,
    /// The counters that it may touch and what limits them; most calls share one with others.
    pub plan: Option<Arc<Plan>>,
    /// What the ledger said about its ids, after a miss.
    pub known: Known,
}

impl Operation {
    /// Which reservation it is about, if the caller knows its id.
    pub fn reservation(&self) -> Option<IdKey> {
        match &self.verb {
            Verb::Reserve { fresh: true, .. }
            | Verb::Check { .. }
            | Verb::Usage
            | Verb::FreeAmounts { .. }
            | Verb::Adjust { .. } => None,
            Verb::Reserve { template, .. } => Some(template.key),
            Verb::Commit { key, .. }
            | Verb::Release { key, .. }
            | Verb::Extend { key, .. }
            | Verb::FreeReservation { key }
            | Verb::Get { key } => Some(*key),
        }
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Look only.
    Check {
        /// The charges, nothing held yet.
        charges: Vec<Held>,
    },
    /// Hold, or record at once.
    Reserve {
        /// The reservation to be made; times are filled in by the step.
        template: Arc<Reservation>,
        /// Time to live.
        ttl: Span,
        /// Record at once (Consume).
        consume: bool,
        /// The id was made by the server, so nobody can have used it.
        fresh: bool,
        /// Another is sent if it is denied: that is not remembered.
        tentative: bool,
        /// When it was granted, if that was without the store: recorded as of then, whether it fits or not.
        granted: Option<Timestamp>,
    },
    /// Commit.
    Commit {
        /// The reservation.
        key: IdKey,
        /// What was listed.
        listed: Charges,
        /// Whether it ends the reservation.
        is_final: bool,
        /// What to record if the ledger does not know the reservation either; the plan is then for it.
        recover: Option<Arc<Reservation>>,
        /// It was answered without the store: recorded in full, whatever the meter's overage rule says.
        forced: bool,
    },
    /// Release.
    Release {
        /// The reservation.
        key: IdKey,
        /// What was listed.
        listed: Charges,
    },
    /// Extend.
    Extend {
        /// The reservation.
        key: IdKey,
        /// New time to live.
        ttl: Span,
        /// What to raise, and by how much.
        listed: Charges,
    },
    /// Free what a reservation committed.
    FreeReservation {
        /// The reservation.
        key: IdKey,
    },
    /// Free amounts.
    FreeAmounts {
        /// The charges, nothing held; `asked` says how much.
        charges: Vec<Held>,
    },
    /// Correct what was used.
    Adjust {
        /// The charges, nothing held.
        charges: Vec<Held>,
        /// What becomes of each, and when that is effective; `None`: now.
        moves: Vec<(Move, Option<Timestamp>)>,
        /// Whether it is what an account has in use that is moved, from those above it to others: no line is about an account that
        /// is charged itself, what is taken away is taken wherever it stands, and what comes must fit (`asked` says how much).
        between: bool,
        /// Who asks for it, and why.
        note: Note,
    },
    /// Read one reservation.
    Get {
        /// The reservation.
        key: IdKey,
    },
    /// Read the planned counters.
    Usage,
}

/// The counters that an operation may touch.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The stretch of time in which the planned periods are the current ones; the store's clock must be inside.
    pub valid: Option<Period>,
    /// Each counter once.
    pub counters: Vec<CounterPlan>,
    /// By charge, by level of its path: index into `counters`.
    pub paths: Vec<Vec<u16>>,
    /// Charges that are denied whatever the counters have.
    pub barred: Vec<Barred>,
}

/// A charge that is denied whatever the counters have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Barred {
    /// Index of the charge.
    pub charge: usize,
    /// Why.
    pub cause: Cause,
    /// The account on its path that it is about.
    pub account: Arc<str>,
}

/// One counter and what limits it now.
#[derive(Clone, Debug)]
pub struct CounterPlan {
    /// The account on the meter and its quota.
    pub bound: Arc<Bound>,
    /// Its windows in their present periods.
    pub windows: Arc<[WindowPlan]>,
}

/// One account on one meter with what binds it, under one version of the catalog.
#[derive(Debug)]
pub struct Bound {
    /// The counter.
    pub key: CounterKey,
    /// The account's name.
    pub account: Arc<str>,
    /// The meter's name.
    pub meter: Arc<str>,
    /// What binds it.
    pub quota: Arc<EffectiveQuota>,
}

/// What the ledger said about an operation's ids.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The reservation: not asked, not there, or there.
    pub reservation: Option<Option<Arc<Reservation>>>,
    /// The request id: not asked, not there, or there.
    pub request: Option<Option<KnownRequest>>,
    /// Everything up to this journal entry was in the ledger when it answered.
    pub as_of: u64,
}

/// What a counter store answers.
#[derive(Debug)]
pub enum Reply {
    /// Decided.
    Done(Box<Done>),
    /// More deadlines are due than one call may end: send it again.
    Again,
    /// The store's time is outside the plan's periods: plan again as of this time.
    Replan(Timestamp),
    /// The tenant's catalog is at this version: load it, plan again.
    Stale(u64),
    /// Something is not loaded: ask the ledger, then send it again.
    Miss(Miss),
    /// The reservation's limits are needed: plan its counters as of its create time, then send it again.
    NeedPlan(Arc<Reservation>),
    /// The reservation froze other prices, or more was priced on it by now: price again, then send it again.
    Reprice(Arc<Reservation>),
}

/// A decided operation.
#[derive(Clone, Debug)]
pub struct Done {
    /// The answer.
    pub outcome: Outcome,
    /// It answers a repeat.
    pub replayed: bool,
    /// The partition that decided.
    pub partition: u32,
    /// The journal entry that the answer rests on; 0: none.
    pub seq: u64,
    /// The store's time.
    pub now: Timestamp,
    /// How many limits in SHADOW would have denied.
    pub shadowed: usize,
}

/// The answer of a decided operation.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A check that passes.
    Allowed(Vec<AllowanceLine>),
    /// It does not fit.
    Denied(Denial),
    /// The reservation as it stands.
    Reservation(Arc<Reservation>),
    /// The reservation after an extend.
    Extended(Box<Extended>),
    /// What went back; of an Adjust, by line, what was charged to its account before and after.
    Freed(Freed),
    /// By planned counter, by window: its gauge; and what the top-up has used and holds.
    Usage(Vec<(Vec<Gauge>, crate::domain::counter::Usage)>),
    /// A rule refuses it.
    Refused(RuleError),
}

/// What is not loaded.
#[derive(Clone, Debug, Default)]
pub struct Miss {
    /// The partition.
    pub partition: u32,
    /// The tenant.
    pub tenant: Option<Uid>,
    /// Counters with the windows that are missing.
    pub counters: Vec<(CounterKey, Arc<[WindowPlan]>, Vec<usize>)>,
    /// A reservation.
    pub reservation: Option<IdKey>,
    /// A request id.
    pub request: Option<IdKey>,
    /// The journal entry up to which the ledger must have everything before it is asked.
    pub flushed_to: u64,
    /// The store's time.
    pub now: Timestamp,
    /// Whether the store also wants what the ledger's open reservations hold on the counters.
    pub holds: bool,
}

/// A counter's missing windows as the ledger knows them.
#[derive(Clone, Debug)]
pub struct Refill {
    /// The tenant that it counts for.
    pub tenant: Option<Uid>,
    /// The counter.
    pub key: CounterKey,
    /// All planned windows.
    pub windows: Arc<[WindowPlan]>,
    /// Index of each missing one, and the ledger's answer for it.
    pub answers: Vec<(usize, UsageAnswer)>,
    /// The lifetime: top-up and own use, and the holds where the miss asked for them.
    pub lifetime: UsageAnswer,
}

/// The counters: one port, an adapter for each store.
pub trait Counters: Send + Sync {
    /// Number of partitions.
    fn partitions(&self) -> u32;

    /// The partition of a tenant.
    fn partition_of(&self, tenant: Uid) -> u32;

    /// Runs one operation. A granted operation may take its verb and plan along; one that is sent back keeps them. Resolves
    /// once the effect is as safe as the store's setting promises.
    fn apply<'a>(&'a self, operation: &'a mut Operation) -> Boxed<'a, Result<Reply, StoreError>>;

    /// Installs what the ledger answered: set, never added, and only where still absent. `as_of` is the ledger's
    /// watermark of that answer; the store adds what its journal has beyond.
    fn install<'a>(
        &'a self,
        partition: u32,
        as_of: Watermark,
        refills: &'a [Refill],
    ) -> Boxed<'a, Result<(), StoreError>>;

    /// Raises the catalog version under which a tenant (`None`: every tenant) may be decided.
    fn raise(&self, tenant: Option<Uid>, version: u64) -> Boxed<'_, Result<(), StoreError>>;

    /// Ends at most `limit` reservations whose deadline has passed; answers how many of which kind it ended, once that, and all that was
    /// decided before, is in the journal: [`Counters::head`] tells of it from then on.
    fn expire(&self, partition: u32, limit: usize) -> Boxed<'_, Result<usize, StoreError>>;

    /// Undoes a repeat that came too late to be recognised.
    fn reverse(&self, partition: u32, reservation: Box<Reservation>) -> Boxed<'_, Result<(), StoreError>>;

    /// Where the journal of a partition ends: incarnation and last written entry.
    fn head(&self, partition: u32) -> Watermark;

    /// Reads on in the journal: at most `limit` entries after `seq`.
    fn read(&self, partition: u32, seq: u64, limit: usize) -> Boxed<'_, Result<Vec<Numbered>, StoreError>>;

    /// The ledger has everything up to `seq`: it may go, by exact number.
    fn trim(&self, partition: u32, seq: u64) -> Boxed<'_, Result<(), StoreError>>;

    /// Resolves when the journal of a partition has an entry beyond `seq`.
    fn written(&self, partition: u32, seq: u64) -> Boxed<'_, ()>;

    /// Drops counters that nobody touched for `idle` and that hold nothing; answers how many.
    fn drop_idle(&self, partition: u32, idle: Span) -> Boxed<'_, Result<usize, StoreError>>;

    /// Figures for the metrics.
    fn figures(&self, partition: u32) -> Figures;
}

/// Bounds that protect tenants from each other. Reached, new reservations are refused; commits never.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    /// Open reservations of one tenant.
    pub open_reservations: usize,
    /// Counters of one tenant in memory.
    pub counters: usize,
    /// Journal entries that the ledger does not have.
    pub unflushed: usize,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps { open_reservations: 1_000_000, counters: 10_000_000, unflushed: 1_000_000 }
    }
}

impl Caps {
    /// What is said where a tenant has too many open reservations.
    pub const OPEN_RESERVATIONS: &str = "the tenant has as many open reservations as --max-open-reservations allows";
    /// What is said where a tenant has too many counters.
    pub const COUNTERS: &str = "the tenant has as many counters as --max-counters allows";
    /// What is said where the ledger lacks too much.
    pub const UNFLUSHED: &str = "the ledger is too far behind for new reservations";
}

/// A journal entry with its number.
pub type Numbered = (u64, Arc<Entry>);

/// Figures of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Counters in the store.
    pub counters: usize,
    /// Open reservations.
    pub open_reservations: usize,
    /// Outcomes remembered.
    pub outcomes: usize,
    /// Entries that the ledger does not have yet.
    pub unflushed: usize,
}

/// The kind of effect that a verb leaves.
pub fn kind_of(verb: &Verb) -> Kind {
    match verb {
        Verb::Reserve { consume: true, .. } => Kind::Consume,
        Verb::Reserve { .. } | Verb::Check { .. } | Verb::Get { .. } | Verb::Usage => Kind::Reserve,
        Verb::Commit { .. } => Kind::Commit,
        Verb::Release { .. } => Kind::Release,
        Verb::Extend { .. } => Kind::Extend,
        Verb::FreeReservation { .. } | Verb::FreeAmounts { .. } => Kind::Free,
        Verb::Adjust { .. } => Kind::Adjust,
    }
}
