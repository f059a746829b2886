//! Answers without the counter store (rule 14): what fails open is granted, kept in the spool and marked unenforced; all
//! else stays without an answer.

use super::entry::{Act, Spooled};
use super::shelf::{NotPut, Wanted};
use crate::domain::amount;
use crate::domain::meter::FailurePolicy;
use crate::domain::name::{IdKey, IdSpace};
use crate::domain::reservation::{Reservation, State};
use crate::domain::settlement;
use crate::domain::time::Timestamp;
use crate::engine::authority::unexpected;
use crate::engine::authorize::TenantCtx;
use crate::engine::call::{Answer, CallError, ChargeRequest, Denial, Durability, SettleCall, Verdict};
use crate::engine::operation::{Plan, Verb};
use crate::engine::ports::StoreError;
use crate::engine::pricing::reprice;
use crate::engine::run::{Prepare, Runner, Stamp};
use crate::engine::snapshot::Snapshot;
use crate::engine::verdict;
use crate::telemetry::metrics;
use std::sync::Arc;

/// What a Reserve, Consume or Check asked for in vain.
pub(in crate::engine) struct Asked<'a> {
    /// The charges.
    pub charges: &'a [ChargeRequest],
    /// The call waits for the ledger.
    pub wait_for_durable: bool,
    /// Why the counter store did not answer.
    pub why: StoreError,
}

impl Runner {
    /// Whether these charges may be granted while the counter store can't be reached: every meter of them fails open.
    pub(in crate::engine) fn fails_open(&self, snapshot: &Snapshot, charges: &[ChargeRequest]) -> bool {
        let open = |charge: &ChargeRequest| {
            let meter = snapshot.meter(&charge.meter);
            // Beyond the range of amounts nothing is granted in any case.
            meter.is_some_and(|meter| meter.failure_policy == FailurePolicy::FailOpen)
                && charge.amount.unwrap_or(0) <= amount::MAX
        };
        self.shelf.is_some() && !charges.is_empty() && charges.iter().all(open)
    }

    /// Answers a Check: without the counters nothing is in the way but what the catalog alone denies.
    ///
    /// # Errors
    /// [`CallError::OutOfReach`] if a meter fails closed.
    pub(in crate::engine) async fn check_unenforced(
        &self,
        tenant: &TenantCtx,
        asked: Asked<'_>,
        prepare: &Prepare<'_>,
    ) -> Result<Option<Denial>, CallError> {
        match self.open_plan(tenant, asked, prepare).await? {
            (Verb::Check { charges }, plan, _) => {
                metrics::engine().unenforced.increment(1);
                Ok(denied_by_catalog(&plan, &charges))
            }
            _ => Err(unexpected()),
        }
    }

    /// Answers a Reserve or Consume.
    ///
    /// # Errors
    /// [`CallError::OutOfReach`] if a meter fails closed or the spool does not take it; a reused id.
    pub(in crate::engine) async fn take_unenforced(
        &self,
        tenant: &TenantCtx,
        stamp: Stamp,
        asked: Asked<'_>,
        prepare: &Prepare<'_>,
    ) -> Result<Answer<Verdict<Arc<Reservation>>>, CallError> {
        let why = asked.why.clone();
        let (Verb::Reserve { template, ttl, consume, .. }, plan, at) = self.open_plan(tenant, asked, prepare).await?
        else {
            return Err(unexpected());
        };
        if let Some(denial) = denied_by_catalog(&plan, &template.charges) {
            return Ok(Answer { value: Verdict::Denied(denial), replayed: false, durability: self.promised });
        }
        let mut reservation = granted(Arc::unwrap_or_clone(template), at, consume);
        reservation.expire_time = at + ttl;
        let act = if consume { Act::Consume } else { Act::Reserve { ttl } };
        let (request, fingerprint) = (stamp.request, stamp.fingerprint);
        let spooled = Spooled { at, request, fingerprint, act, reservation };
        let answer = self.put(Wanted { spooled, makes: true }, why).await?;
        Ok(Answer { value: Verdict::Granted(answer.value), replayed: answer.replayed, durability: answer.durability })
    }

    /// Answers a Commit or Release of a reservation that stands in the spool; by `recover` also a final Commit that says all
    /// there is to know of one that does not.
    ///
    /// # Errors
    /// [`CallError::OutOfReach`] for any other, or if the spool does not take it; what the state of the reservation forbids.
    pub(in crate::engine) async fn settle_unenforced(
        &self,
        tenant: &TenantCtx,
        (key, stamp): (IdKey, Stamp),
        (call, mut act): (&SettleCall, Act),
        why: StoreError,
        recover: Option<&Prepare<'_>>,
    ) -> Result<Answer<Arc<Reservation>>, CallError> {
        let standing = self.shelf.as_ref().and_then(|shelf| shelf.standing(Some(key), stamp.request));
        let (reservation, at, makes) = match (standing, recover) {
            (Some(standing), _) if !call.wait_for_durable => (Reservation::clone(&standing), self.clock.now(), false),
            (None, Some(recover)) => {
                let asked = Asked { charges: &call.charges, wait_for_durable: call.wait_for_durable, why: why.clone() };
                match self.open_plan(tenant, asked, recover).await? {
                    (Verb::Commit { recover: Some(template), .. }, _, at) => {
                        (granted(Arc::unwrap_or_clone(template), at, true), at, true)
                    }
                    _ => return Err(unexpected()),
                }
            }
            _ => return Err(CallError::OutOfReach(why)),
        };
        let reservation = Reservation { key, ..reservation };
        if let Act::Commit { listed, .. } = &mut act {
            let snapshot = self.snapshots.get(tenant.name().as_str(), 0).await?;
            reprice(&snapshot, &reservation, listed, at)?;
        }
        let request = stamp.request.or_else(|| is_part(&act).then(|| made(tenant)));
        let spooled = Spooled { at, request, fingerprint: stamp.fingerprint, act, reservation };
        self.put(Wanted { spooled, makes }, why).await
    }

    /// The reservation as it stands in the spool.
    ///
    /// # Errors
    /// [`CallError::OutOfReach`] if it does not.
    pub(in crate::engine) fn spooled(&self, key: IdKey, why: StoreError) -> Result<Arc<Reservation>, CallError> {
        let standing = self.shelf.as_ref().and_then(|shelf| shelf.standing(Some(key), None));
        standing.ok_or(CallError::OutOfReach(why))
    }

    /// What a call asks for and the time, if all of it fails open.
    async fn open_plan(
        &self,
        tenant: &TenantCtx,
        asked: Asked<'_>,
        prepare: &Prepare<'_>,
    ) -> Result<(Verb, Arc<Plan>, Timestamp), CallError> {
        let snapshot = self.snapshots.get(tenant.name().as_str(), 0).await?;
        // The ledger can't be waited for: what it shall have goes by way of the store.
        if asked.wait_for_durable || !self.fails_open(&snapshot, asked.charges) {
            return Err(CallError::OutOfReach(asked.why));
        }
        let now = self.clock.now();
        let (verb, plan) = prepare(&snapshot, now)?;
        Ok((verb, plan.unwrap_or_default(), now))
    }

    async fn put(&self, wanted: Wanted, why: StoreError) -> Result<Answer<Arc<Reservation>>, CallError> {
        let Some(shelf) = self.shelf.clone() else { return Err(CallError::OutOfReach(why)) };
        // The disk may take its time; the core has others to serve.
        match tokio::task::spawn_blocking(move || shelf.put(wanted)).await {
            Ok(Ok((value, replayed))) => {
                metrics::engine().unenforced.increment(1);
                Ok(Answer { value, replayed, durability: Durability::Journaled })
            }
            Ok(Err(NotPut::Rule(error))) => Err(error.into()),
            Ok(Err(NotPut::Spool(error))) => {
                Err(CallError::OutOfReach(StoreError::Unavailable(format!("{why}; {error}"))))
            }
            Ok(Err(NotPut::Unknown)) | Err(_) => Err(CallError::OutOfReach(why)),
        }
    }
}

/// A reservation that is granted without being asked for: held, or recorded at once.
fn granted(mut reservation: Reservation, at: Timestamp, at_once: bool) -> Reservation {
    for (index, charge) in reservation.charges.iter_mut().enumerate() {
        // Nobody knows what the top-ups have; the store splits it when it is told.
        let amount = charge.asked.unwrap_or(0);
        if at_once {
            settlement::record_new(index, charge, amount, &[]);
        } else {
            settlement::take_new(index, charge, amount, &[]);
        }
    }
    reservation.flags.unenforced = true;
    reservation.state = if at_once { State::Committed } else { State::Held };
    (reservation.create_time, reservation.expire_time) = (at, at);
    reservation
}

/// What the catalog alone denies: no quota where one must be, no right to a pool.
fn denied_by_catalog(plan: &Plan, charges: &[crate::domain::reservation::Held]) -> Option<Denial> {
    let violations = verdict::barred(&plan.barred, charges);
    (!violations.is_empty()).then(|| verdict::denial(violations))
}

/// Whether sending it twice would have its effect twice, but for a request id.
fn is_part(act: &Act) -> bool {
    match act {
        Act::Reserve { .. } | Act::Consume => false,
        Act::Commit { is_final, .. } => !is_final,
        Act::Release { listed } => !listed.0.is_empty(),
    }
}

fn made(tenant: &TenantCtx) -> IdKey {
    IdKey::of(tenant.uid(), IdSpace::Request, &uuid::Uuid::now_v7().to_string())
}
