//! Runs one operation to its end: what the store sends back is mended and sent again, within the caller's patience.

use super::authorize::TenantCtx;
use super::call::{CallError, Durability};
use super::moved::{self, OtherNames};
use super::operation::{Counters, Done, Known, Miss, Operation, Plan, Reply, Verb};
use super::plan::plan_reservation;
use super::ports::{Clock, Ledger, StoreError};
use super::pricing::{keep_amounts, reprice};
use super::snapshot::Snapshot;
use super::snapshots::Snapshots;
use super::spool::shelf::Shelf;
use super::tasks::flush::Flushers;
use super::tasks::refill;
use crate::domain::name::IdKey;
use crate::domain::reservation::Reservation;
use crate::domain::time::Timestamp;
use crate::telemetry::metrics;
use crate::telemetry::pace::Pace;
use crate::telemetry::traces::span;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;

/// How often an operation may be sent back before the call gives up.
const MAX_ROUNDS: usize = 64;
/// How long a call waits for the ledger when it asked to.
const DURABLE_WAIT: Duration = Duration::from_secs(9);

/// What the verbs share: the ports, the snapshots and the flusher.
pub struct Runner {
    pub(super) counters: Arc<dyn Counters>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) flushers: Arc<Flushers>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) promised: Durability,
    /// Where calls stand that are granted without the store; `None`: none are.
    pub(super) shelf: Option<Arc<Shelf>>,
    /// How long the counter store takes for a step.
    pub(super) pace: Arc<Pace>,
}

/// What a verb prepares for its operation: the charges' plan and the verb itself, under one snapshot and time.
pub type Prepare<'a> = dyn Fn(&Snapshot, Timestamp) -> Result<(Verb, Option<Arc<Plan>>), CallError> + Send + Sync + 'a;

/// The fixed part of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The request id's key.
    pub request: Option<IdKey>,
    /// The fingerprint.
    pub fingerprint: u64,
}

impl Runner {
    /// Prepares and runs an operation.
    ///
    /// # Errors
    /// [`CallError`] from the preparation, or where a store can't answer.
    pub async fn run(&self, tenant: &TenantCtx, stamp: Stamp, prepare: &Prepare<'_>) -> Result<Done, CallError> {
        let (snapshot, operation) = self.begin(tenant, stamp, prepare).await?;
        self.catch_up(&operation).await?;
        self.drive(tenant, snapshot, operation, prepare).await
    }

    /// Prepares and runs what was answered without the store, with what the ledger knows of its ids.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub(super) async fn run_late(
        &self,
        tenant: &TenantCtx,
        stamp: Stamp,
        known: Known,
        prepare: &Prepare<'_>,
    ) -> Result<Done, CallError> {
        let (snapshot, operation) = self.begin(tenant, stamp, prepare).await?;
        self.drive(tenant, snapshot, Operation { known, ..operation }, prepare).await
    }

    /// The operation under the snapshot that is there; what it refuses is refused only if the database has none newer.
    async fn begin(
        &self,
        tenant: &TenantCtx,
        stamp: Stamp,
        prepare: &Prepare<'_>,
    ) -> Result<(Arc<Snapshot>, Operation), CallError> {
        let name = tenant.name().as_str();
        let snapshot = self.snapshots.get(name, 0).await?;
        let refused = match build(tenant, stamp, &snapshot, self.clock.now(), prepare) {
            Ok(operation) => return Ok((snapshot, operation)),
            Err(refused) => refused,
        };
        let Some(snapshot) = Box::pin(self.snapshots.newer(name, snapshot.version())).await else {
            return Err(refused);
        };
        let operation = build(tenant, stamp, &snapshot, self.clock.now(), prepare)?;
        Ok((snapshot, operation))
    }

    /// One atomic step.
    async fn apply(&self, operation: &mut Operation) -> Result<Reply, StoreError> {
        let span = span!("apply", partition = tracing::field::Empty, seq = tracing::field::Empty);
        let begin = self.pace.now();
        let reply = self.counters.apply(operation).instrument(span.clone()).await?;
        let end = self.pace.now();
        self.pace.note(end.saturating_sub(begin), end);
        if let Reply::Done(done) = &reply {
            span.record("partition", done.partition).record("seq", done.seq);
        }
        Ok(reply)
    }

    /// Sends an operation until it is decided. What hardly any call does has a future apart, so that those of all the others are
    /// small: they are moved and allocated as a whole.
    async fn drive(
        &self,
        tenant: &TenantCtx,
        mut snapshot: Arc<Snapshot>,
        mut operation: Operation,
        prepare: &Prepare<'_>,
    ) -> Result<Done, CallError> {
        let stamp = Stamp { request: operation.request, fingerprint: operation.fingerprint };
        let mut names = OtherNames::default();
        let mut rounds = 0;
        // The store's clock, once it said that it is not the one that was planned with.
        let mut told = None;
        while rounds < MAX_ROUNDS {
            rounds += 1;
            moved::follow(&snapshot, &mut operation, &*self.clock)?;
            match self.apply(&mut operation).await.map_err(out_of_reach)? {
                Reply::Done(done) if names.has_another(&snapshot, &mut operation, &done) => {}
                Reply::Done(done) => return Ok(*done),
                Reply::Again => {
                    // Each round ends some deadlines, so this ends too; the caller's own deadline bounds it.
                    rounds -= 1;
                    tokio::task::yield_now().await;
                }
                Reply::Replan(now) => {
                    metrics::engine().replans.increment(1);
                    told = Some(now);
                    rebuild(&mut operation, tenant, stamp, &snapshot, now, prepare)?;
                }
                Reply::Stale(version) => {
                    snapshot = self.snapshots.get(tenant.name().as_str(), version).await?;
                    rebuild(&mut operation, tenant, stamp, &snapshot, self.clock.now(), prepare)?;
                }
                Reply::NeedPlan(reservation) => {
                    operation.catalog_version = snapshot.version();
                    let now = told.unwrap_or_else(|| self.clock.now());
                    let plan = plan_reservation(&snapshot, &reservation, now);
                    let forced = matches!(operation.verb, Verb::Commit { forced: true, .. });
                    operation.plan = Some(Arc::new(if forced { plan.lifted() } else { plan }));
                }
                Reply::Reprice(reservation) => {
                    snapshot = Box::pin(self.price(tenant, snapshot, &mut operation, &reservation)).await?;
                }
                Reply::Miss(miss) => {
                    Box::pin(self.refill(tenant, &mut operation, miss)).instrument(span!("refill")).await?;
                }
            }
        }
        Err(CallError::Overloaded)
    }

    /// Prices what a commit lists by what its reservation froze; where that is nothing, by the cards of the snapshot, or of a newer
    /// one. What was answered without the store stands as it was answered, whatever the prices are.
    async fn price(
        &self,
        tenant: &TenantCtx,
        snapshot: Arc<Snapshot>,
        operation: &mut Operation,
        reservation: &Reservation,
    ) -> Result<Arc<Snapshot>, CallError> {
        let Verb::Commit { listed, forced, .. } = &mut operation.verb else { return Ok(snapshot) };
        let now = self.clock.now();
        let Err(refused) = reprice(&snapshot, reservation, listed, now) else { return Ok(snapshot) };
        if *forced {
            keep_amounts(listed);
            return Ok(snapshot);
        }
        let newer = self.snapshots.newer(tenant.name().as_str(), snapshot.version()).await.ok_or(refused)?;
        reprice(&newer, reservation, listed, now)?;
        Ok(newer)
    }

    /// Asks the ledger for what is missing: identities for the operation, counters for the store.
    async fn refill(&self, tenant: &TenantCtx, operation: &mut Operation, mut miss: Miss) -> Result<(), CallError> {
        miss.tenant = Some(tenant.uid());
        metrics::engine().misses.increment(1);
        if miss.flushed_to > 0 {
            self.flushers.flushed(miss.partition, miss.flushed_to).await?;
        }
        if let Some(key) = miss.reservation {
            let found = self.ledger.reservations(tenant.uid(), &[key]).await?.pop().flatten();
            operation.known.reservation = Some(found.map(Arc::new));
            operation.known.as_of = miss.flushed_to;
        }
        if let Some(key) = miss.request {
            operation.known.request = Some(self.ledger.requests(tenant.uid(), &[key]).await?.pop().flatten());
        }
        if !miss.counters.is_empty() {
            refill::counters(&*self.ledger, &*self.counters, &miss).await?;
        }
        Ok(())
    }

    /// How safe the effect of a decided operation is, after waiting for the ledger where the caller asked to.
    ///
    /// # Errors
    /// [`CallError::NotDurable`] if the ledger did not confirm in time; the effect stands. [`CallError::Store`] if the
    /// effect was lost with the counter store's state.
    pub async fn durability(&self, done: &Done, wait: bool) -> Result<Durability, CallError> {
        let durable = self.flushers.has(done.partition, done.seq);
        if wait && !durable {
            let confirmed = self.flushers.flushed(done.partition, done.seq);
            return match tokio::time::timeout(DURABLE_WAIT, confirmed).await {
                Ok(Ok(())) => Ok(Durability::Durable),
                // Not applied either: what was lost is lost as a whole, and a repeat by its ids has its effect again.
                Ok(Err(error)) if self.flushers.is_lost(done.partition, done.seq) => Err(CallError::Store(error)),
                Ok(Err(_)) | Err(_) => Err(CallError::NotDurable),
            };
        }
        Ok(if durable { Durability::Durable } else { self.promised })
    }
}

/// Whether the counter store could not be reached, or reached and had more to say.
fn out_of_reach(error: StoreError) -> CallError {
    match error {
        StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) => CallError::OutOfReach(error),
        StoreError::Busy(_) | StoreError::Corrupt(_) => CallError::Store(error),
    }
}

fn build(
    tenant: &TenantCtx,
    stamp: Stamp,
    snapshot: &Snapshot,
    now: Timestamp,
    prepare: &Prepare<'_>,
) -> Result<Operation, CallError> {
    let (verb, plan) = span!("plan").in_scope(|| prepare(snapshot, now))?;
    Ok(Operation {
        tenant: tenant.uid(),
        catalog_version: if plan.is_some() { snapshot.version() } else { 0 },
        request: stamp.request,
        fingerprint: stamp.fingerprint,
        verb,
        plan,
        known: Known::default(),
    })
}

/// Plans again; what the ledger said about the ids stays true.
fn rebuild(
    operation: &mut Operation,
    tenant: &TenantCtx,
    stamp: Stamp,
    snapshot: &Snapshot,
    now: Timestamp,
    prepare: &Prepare<'_>,
) -> Result<(), CallError> {
    let known = std::mem::take(&mut operation.known);
    *operation = build(tenant, stamp, snapshot, now, prepare)?;
    operation.known = known;
    Ok(())
}
