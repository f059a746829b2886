//! The authority: every verb behind one value. Handlers call it; each verb stands in a file of its own.

use super::authorize::{Caller, TenantCtx, authorize};
use super::call::{CallError, ChargeRequest, Durability};
use super::operation::{Charges, Counters, ListedCharge};
use super::ports::{Clock, Ledger};
use super::run::{Runner, Stamp};
use super::snapshots::Snapshots;
use super::spool::shelf::Shelf;
use super::tasks::flush::Flushers;
use crate::domain::name::{AccountName, IdKey, IdSpace};
use crate::domain::settlement::Pricing;
use crate::domain::time::Span;
use crate::telemetry::pace::Pace;
use std::sync::Arc;

/// Time to live of a hold for which the caller names none (rule 17).
pub const DEFAULT_TTL: Span = Span::from_secs(60);
/// Longest time to live (rule 17).
pub const MAX_TTL: Span = Span::from_secs(24 * 3600);

/// Every verb of the service.
pub struct Authority {
    pub(super) runner: Runner,
}

impl Authority {
    /// Puts the verbs on their ports. `promised` is what the counter store has done by the time it answers; what fails open
    /// is put on the `shelf` while that store can't be reached.
    pub fn new(
        counters: Arc<dyn Counters>,
        ledger: Arc<dyn Ledger>,
        snapshots: Arc<Snapshots>,
        flushers: Arc<Flushers>,
        clock: Arc<dyn Clock>,
        promised: Durability,
        shelf: Option<Arc<Shelf>>,
    ) -> Authority {
        let pace = Arc::default();
        Authority { runner: Runner { counters, ledger, snapshots, flushers, clock, promised, shelf, pace } }
    }

    /// How long the counter store takes at the moment.
    pub fn pace(&self) -> &Arc<Pace> {
        &self.runner.pace
    }

    pub(super) fn open(&self, tenant: &AccountName) -> TenantCtx {
        authorize(&Caller::Anonymous { actor: None }, tenant)
    }
}

/// The stamp of a call with an optional request id.
pub(super) fn stamp(tenant: &TenantCtx, request_id: Option<&str>, fingerprint: u64) -> Stamp {
    let request = request_id.map(|id| IdKey::of(tenant.uid(), IdSpace::Request, id));
    Stamp { request, fingerprint }
}

/// The charges that a settlement lists.
pub(super) fn listed(charges: &[ChargeRequest]) -> Charges {
    let listed = |charge: &ChargeRequest| ListedCharge {
        account: charge.account.as_str().into(),
        meter: charge.meter.as_str().into(),
        item: charge.item.as_str().into(),
        amount: charge.amount,
        quantities: charge.quantities.clone(),
        service: charge.service.as_str().into(),
        pricing: if charge.quantities.is_empty() { Pricing::Said } else { Pricing::Open },
    };
    Charges(charges.iter().map(listed).collect())
}

/// The answer can only be of another kind if the store breaks its contract.
pub(super) fn unexpected() -> CallError {
    CallError::Store(super::ports::StoreError::Corrupt("the counter store gave an answer of another kind".into()))
}
