//! Reserve and Consume: hold, or record at once, on every limit of every path, all or nothing.

use super::authority::{Authority, DEFAULT_TTL, stamp, unexpected};
use super::call::{Answer, CallError, Denial, ReserveCall, Verdict};
use super::fingerprint::{Rpc, fingerprint};
use super::operation::{Outcome, Verb};
use super::overflow::Turns;
use super::plan::Amounts;
use super::snapshot::Snapshot;
use super::spool::unenforced::Asked;
use crate::domain::name::{IdKey, IdSpace};
use crate::domain::reservation::{Flags, Held, Reservation, State};
use crate::domain::time::{Span, Timestamp};
use std::sync::Arc;

impl Authority {
    /// Holds the charges until they are committed or released, or their time is over.
    ///
    /// # Errors
    /// [`CallError`] for bad charges, a reused id, or a store that can't answer.
    pub async fn reserve(&self, call: ReserveCall) -> Result<Answer<Verdict<Arc<Reservation>>>, CallError> {
        self.take(call, Rpc::Reserve).await
    }

    /// Records the charges at once.
    ///
    /// # Errors
    /// As [`Authority::reserve`].
    pub async fn consume(&self, call: ReserveCall) -> Result<Answer<Verdict<Arc<Reservation>>>, CallError> {
        self.take(call, Rpc::Consume).await
    }

    async fn take(&self, call: ReserveCall, rpc: Rpc) -> Result<Answer<Verdict<Arc<Reservation>>>, CallError> {
        let tenant = self.open(&call.tenant);
        let consume = rpc == Rpc::Consume;
        let ttl = if consume { Span::from_millis(0) } else { call.ttl.unwrap_or(DEFAULT_TTL) };
        let named = call.reservation_id.as_deref().unwrap_or("");
        let print = fingerprint(rpc, named, &call.charges, Some(ttl), true);
        let mut own_id = uuid::Uuid::encode_buffer();
        let id: &str = match &call.reservation_id {
            Some(id) => id,
            None => uuid::Uuid::now_v7().as_hyphenated().encode_lower(&mut own_id),
        };
        let key = IdKey::of(tenant.uid(), IdSpace::Reservation, id);

        let stamp = stamp(&tenant, call.request_id.as_deref(), print);
        let amounts = if consume { Amounts::Consumed } else { Amounts::Asked };
        let mut turns = Turns::default();
        let done = loop {
            let prepare = |snapshot: &Snapshot, now: Timestamp| {
                let (turn, tentative) = turns.plan(snapshot, &call.charges, amounts, now)?;
                let mut template = template(&call, turn.held);
                (template.tenant, template.key, template.id) = (tenant.uid(), key, id.into());
                template.fingerprint = print;
                // What fails open is perhaps sent again from the spool, while this one is still on its way.
                let fresh = call.reservation_id.is_none() && !self.runner.fails_open(snapshot, &call.charges);
                let template = Arc::new(template);
                Ok((Verb::Reserve { template, ttl, consume, fresh, tentative, granted: None }, Some(turn.plan)))
            };
            let done = match self.runner.run(&tenant, stamp, &prepare).await {
                Err(CallError::OutOfReach(why)) => {
                    let asked = Asked { charges: &call.charges, wait_for_durable: call.wait_for_durable, why };
                    return Box::pin(self.runner.take_unenforced(&tenant, stamp, asked, &prepare)).await;
                }
                done => done?,
            };
            if turns.is_over(&done) {
                break done;
            }
        };
        let durability = self.runner.durability(&done, call.wait_for_durable).await?;
        let value = match done.outcome {
            Outcome::Reservation(reservation) => Verdict::Granted(reservation),
            Outcome::Denied(denial) => Verdict::Denied(Denial { tried: turns.tried(), ..denial }),
            Outcome::Refused(error) => return Err(error.into()),
            _ => return Err(unexpected()),
        };
        Ok(Answer { value, replayed: done.replayed, durability })
    }
}

/// A reservation that holds nothing yet; the atomic step fills in its times.
pub(super) fn template(call: &ReserveCall, charges: Vec<Held>) -> Reservation {
    Reservation {
        tenant: crate::domain::name::Uid::ROOT,
        tenant_name: call.tenant.shared(),
        id: Box::default(),
        key: IdKey(0),
        fingerprint: 0,
        state: State::Held,
        flags: Flags::default(),
        create_time: Timestamp::default(),
        expire_time: Timestamp::default(),
        charges,
        labels: call.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        requests: Vec::new(),
    }
}
