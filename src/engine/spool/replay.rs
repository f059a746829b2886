//! Brings to the counter store what was answered without it. Each call goes as what has happened: no limit is asked, and by its
//! ids the store knows what it has already, so that sending it twice does no harm.

use super::entry::{Act, Spooled};
use super::shelf::{End, Shelf};
use crate::domain::name::{AccountName, IdKey};
use crate::domain::price::Quantities;
use crate::domain::reservation::{Held, Reservation};
use crate::domain::time::{Span, Timestamp};
use crate::engine::authorize::{Caller, TenantCtx, authorize};
use crate::engine::call::{CallError, ChargeRequest};
use crate::engine::operation::{Done, Known, Operation, Outcome, Plan, Verb};
use crate::engine::plan::{Amounts, plan_charges};
use crate::engine::ports::StoreError;
use crate::engine::run::{Runner, Stamp};
use crate::engine::snapshot::Snapshot;
use std::sync::Arc;

/// How long a hold lasts at least that is settled by a call behind it in the spool: so that its deadline, if it is over by
/// now, does not come between the two.
const GRACE: Span = Span::from_secs(60);

impl Runner {
    /// Sends what stands in the spool about an operation's ids before the operation itself: nothing overtakes.
    ///
    /// # Errors
    /// [`CallError::OutOfReach`] while the counter store can't be reached; other [`CallError`]s of the sending.
    pub(in crate::engine) async fn catch_up(&self, operation: &Operation) -> Result<(), CallError> {
        let Some(shelf) = self.shelf.as_ref().filter(|shelf| !shelf.is_empty()) else { return Ok(()) };
        let Some(standing) = shelf.standing(operation.reservation(), operation.request) else { return Ok(()) };
        // Who sends the spool tries again and again; one more would only wait in line behind it.
        if shelf.is_away() {
            return Err(CallError::OutOfReach(StoreError::Unavailable("the counter store can't be reached".into())));
        }
        // Apart, so that the future of every call has no room for what hardly one does.
        while Box::pin(self.replay(shelf, Some(standing.key))).await? {}
        Ok(())
    }

    /// Sends the entry that was put first, of one reservation if a key is given. Answers whether there was one.
    ///
    /// # Errors
    /// [`CallError`] if a store can't answer; the entry stays.
    pub(in crate::engine) async fn replay(&self, shelf: &Arc<Shelf>, key: Option<IdKey>) -> Result<bool, CallError> {
        let _turn = shelf.turn.lock().await;
        let Some((number, spooled)) = shelf.first(key) else { return Ok(false) };
        let key = spooled.reservation.key;
        let sent = self.send(&spooled, shelf.is_followed(number, key)).await;
        shelf.note_away(matches!(sent, Err(CallError::OutOfReach(_))));
        let end = end(sent, &spooled)?;
        shelf.remove(number, end);
        if end == End::Refused && matches!(spooled.act, Act::Reserve { .. } | Act::Consume) {
            // What follows is not about the reservation that the store has by this id.
            while let Some((number, _)) = shelf.first(Some(key)) {
                shelf.remove(number, End::Refused);
            }
        }
        Ok(true)
    }

    async fn send(&self, spooled: &Spooled, is_followed: bool) -> Result<Done, CallError> {
        let Spooled { request, fingerprint, reservation, .. } = spooled;
        let key = reservation.key;
        let name: AccountName = reservation.tenant_name.parse().map_err(|_| damaged())?;
        let tenant = authorize(&Caller::Anonymous { actor: None }, &name);
        let stamp = Stamp { request: *request, fingerprint: *fingerprint };
        match &spooled.act {
            Act::Reserve { .. } | Act::Consume => self.send_taken(&tenant, stamp, spooled, is_followed).await,
            Act::Commit { listed, is_final } => {
                let commit = |recover| {
                    let (listed, is_final) = (listed.clone(), *is_final);
                    Verb::Commit { key, listed, is_final, recover, forced: true }
                };
                let prepare = |_: &Snapshot, _| Ok((commit(None), None));
                let done = self.run_late(&tenant, stamp, Known::default(), &prepare).await?;
                if !matches!(done.outcome, Outcome::Refused(crate::domain::error::RuleError::NotFound)) {
                    return Ok(done);
                }
                // Neither store nor ledger knows it, but what it recorded is known here (rule 7).
                let recover = |snapshot: &Snapshot, now| {
                    let amount = |held: &Held| Some(held.final_amount.unwrap_or(held.committed));
                    let (template, plan) = template(snapshot, spooled, amount, now)?;
                    Ok((commit(Some(Arc::new(template))), Some(plan)))
                };
                self.run_late(&tenant, stamp, Known::default(), &recover).await
            }
            Act::Release { listed } => {
                let prepare = |_: &Snapshot, _| Ok((Verb::Release { key, listed: listed.clone() }, None));
                self.run_late(&tenant, stamp, Known::default(), &prepare).await
            }
        }
    }

    async fn send_taken(
        &self,
        tenant: &TenantCtx,
        stamp: Stamp,
        spooled: &Spooled,
        is_followed: bool,
    ) -> Result<Done, CallError> {
        let prepare = |snapshot: &Snapshot, now: Timestamp| {
            let (template, plan) = template(snapshot, spooled, |held| Some(held.asked.unwrap_or(0)), now)?;
            let (consume, ttl) = match spooled.act {
                Act::Reserve { ttl } if is_followed => (false, ttl.max((now + GRACE).since(spooled.at))),
                Act::Reserve { ttl } => (false, ttl),
                _ => (true, Span::from_millis(0)),
            };
            let (template, granted) = (Arc::new(template), Some(spooled.at));
            Ok((Verb::Reserve { template, ttl, consume, fresh: false, tentative: false, granted }, Some(plan)))
        };
        let known = self.known(tenant, stamp, spooled.reservation.key).await?;
        let done = self.run_late(tenant, stamp, known.clone(), &prepare).await?;
        if !matches!(done.outcome, Outcome::Denied(_)) {
            return Ok(done);
        }
        // The store had denied this request before it went away. What was granted then has happened all the same.
        self.run_late(tenant, Stamp { request: None, ..stamp }, known, &prepare).await
    }

    /// What the ledger knows of the ids: another replica may have ended the reservation long ago.
    async fn known(&self, tenant: &TenantCtx, stamp: Stamp, key: IdKey) -> Result<Known, CallError> {
        let as_of = self.flushers.watermark(self.counters.partition_of(tenant.uid()));
        let reservation = self.ledger.reservations(tenant.uid(), &[key]).await?.pop().flatten();
        let request = match stamp.request {
            Some(request) => Some(self.ledger.requests(tenant.uid(), &[request]).await?.pop().flatten()),
            None => None,
        };
        Ok(Known { reservation: Some(reservation.map(Arc::new)), request, as_of })
    }
}

/// The reservation of an entry as one that the store shall make, planned by the catalog of now.
fn template(
    snapshot: &Snapshot,
    spooled: &Spooled,
    amount: impl Fn(&Held) -> Option<u64>,
    now: Timestamp,
) -> Result<(Reservation, Arc<Plan>), CallError> {
    let before = &spooled.reservation;
    let charges = before.charges.iter().map(|held| charge(held, amount(held)));
    let charges = charges.collect::<Option<Vec<ChargeRequest>>>().ok_or_else(damaged)?;
    let (mut charges, plan) = plan_charges(snapshot, &charges, Amounts::Granted, now)?;
    for (charge, was) in charges.iter_mut().zip(&before.charges) {
        keep_price(charge, was, matches!(spooled.act, Act::Reserve { .. }));
    }
    let requests = Vec::new();
    Ok((Reservation { charges, requests, fingerprint: spooled.fingerprint, ..before.clone() }, plan))
}

/// The prices at which it was answered, whatever they are now; what was recorded at once is priced when it is recorded.
fn keep_price(charge: &mut Held, was: &Held, is_held: bool) {
    charge.rules.admission = was.rules.admission;
    charge.estimate =
        if is_held { was.estimate.clone() } else { Some(was.priced()).filter(|all| !all.is_empty()).map(Box::new) };
    charge.price = was.price.as_ref().map(|price| Box::new(price.holding(Quantities::default())));
}

fn charge(held: &Held, amount: Option<u64>) -> Option<ChargeRequest> {
    Some(ChargeRequest {
        account: held.account.parse().ok()?,
        meter: held.meter.parse().ok()?,
        amount,
        quantities: Quantities::default(),
        item: held.item.to_string(),
        service: String::new(),
        also: held.also.iter().map(|name| name.parse().ok()).collect::<Option<_>>()?,
    })
}

/// What became of an entry.
///
/// # Errors
/// What may be otherwise when it is sent again.
fn end(sent: Result<Done, CallError>, spooled: &Spooled) -> Result<End, CallError> {
    let why = match sent {
        Ok(Done { outcome: Outcome::Refused(error), .. }) => error.to_string(),
        Ok(done) if done.replayed => return Ok(End::Known),
        Ok(_) => return Ok(End::Recorded),
        Err(
            error @ (CallError::Rule(_)
            | CallError::MeterNotFound(_)
            | CallError::BadCharges(_)
            | CallError::NoRateCard(_)
            | CallError::TooManyLimits(_)),
        ) => error.to_string(),
        Err(error) => return Err(error),
    };
    let (tenant, id) = (&*spooled.reservation.tenant_name, &*spooled.reservation.id);
    tracing::warn!(tenant, reservation = id, why, "a call that was answered without the counter store is not recorded");
    Ok(End::Refused)
}

fn damaged() -> CallError {
    CallError::Store(StoreError::Corrupt("an entry of the spool has names that can't be".into()))
}
