//! Requests for more: kept beside the catalog; granting one changes the quota in the same transaction (S0.43).

use super::apply::{ApplyError, Catalogs};
use super::document::Place;
use super::document::quota::{DraftAmount, DraftLimit, DraftQuota, DraftRaise, DraftValue};
use super::moves::check_name;
use super::parent::{self, LiveUse, Wanted};
use super::quotas::{ATTEMPTS, Context, IfCurrent, QuotaChange, QuotaError, check_unlocked, find};
use crate::domain::limit_request::{LimitRequest, RequestState, Resolution};
use crate::domain::moved::MAX_REDIRECTS;
use crate::domain::name::AccountName;
use crate::domain::quota::{Limit, LimitValue, Quota, Subject};
use crate::engine::paperwork::Added;
use crate::engine::ports::{CatalogData, CatalogWrite, QuotaKey, ScopeWrite, StoreError, WriteContext, Written};
use thiserror::Error;

/// What is decided on a request.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'a> {
    /// The account gets these limits; `None`: those that are wanted.
    Approve(Option<&'a [DraftLimit]>),
    /// It is turned down.
    Reject,
}

/// Why nothing was done with a request.
#[derive(Clone, Debug, Error)]
pub enum RequestError {
    /// There is none of that id.
    #[error("no limit request {0}")]
    NotFound(String),
    /// One of that id asks for something else.
    #[error("the id was used before with other contents")]
    IdReused,
    /// Somebody has decided already.
    #[error("the limit request is {} already", .0.as_str())]
    Resolved(RequestState),
    /// What is asked for, or given, does not fit the catalog, or that can't be read or written.
    #[error(transparent)]
    Quota(#[from] QuotaError),
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> RequestError {
        RequestError::Quota(error.into())
    }
}

impl Catalogs {
    /// Keeps a request for the limits of `draft`, which its account could be given; one that is there already is answered as it
    /// stands.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn add_request(
        &self,
        request: LimitRequest,
        drafts: Vec<DraftLimit>,
    ) -> Result<LimitRequest, RequestError> {
        let context =
            Context { tenant: Some(&request.tenant), etag: None, actor: &request.requester, now: request.create_time };
        let keys = [key_of(&request)];
        let current = self.store.load_for(context.tenant, &keys).await?;
        let wanted = change_of(&request, &drafts, &current, context)?.1;
        match self.store.add_request(&LimitRequest { wanted, ..request.clone() }).await? {
            Added::New(made) => Ok(made),
            Added::There(there) => {
                let asks =
                    |request: &LimitRequest| (request.account.clone(), request.meter.clone(), request.reason.clone());
                let same = asks(&there) == asks(&request) && drafts_of(&there.wanted, &root()) == at_root(&drafts);
                if same { Ok(there) } else { Err(RequestError::IdReused) }
            }
        }
    }

    /// Decides on a request, once. The windows that are granted are changed in the account's own quota, which else stays what
    /// it is; where there is none, it is made.
    ///
    /// # Errors
    /// [`RequestError`]; nothing has changed then.
    pub async fn resolve_request(
        &self,
        context: Context<'_>,
        (tenant, id): (&str, &str),
        decision: Decision<'_>,
        comment: &str,
        live: &dyn LiveUse,
    ) -> Result<(LimitRequest, Option<Quota>), RequestError> {
        let _turn = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let request = self.store.request(tenant, id).await?;
            let request = request.ok_or_else(|| RequestError::NotFound(id.to_owned()))?;
            let (account, current) = self.load_today(context, &request).await?;
            let keys = [(Subject::Account(account.clone()), request.meter.clone())];
            // Once more, now that nobody can resolve it without raising the version that was read.
            let request = self.store.request(tenant, id).await?.unwrap_or(request);
            if request.state != RequestState::Pending {
                return Err(RequestError::Resolved(request.state));
            }
            // What is given is given to the account as it is called today, also where a move ended before the request was kept.
            let asked = LimitRequest { account, ..request.clone() };
            let (mut changes, granted) = match decision {
                Decision::Reject => (Vec::new(), Vec::new()),
                Decision::Approve(Some(drafts)) => change_of(&asked, drafts, &current, context)?,
                Decision::Approve(None) => change_of(&asked, &raises(&asked, &current, context), &current, context)?,
            };
            if !changes.is_empty() {
                check_unlocked(context, &keys, &current)?;
                parent::check(&wanted(&changes, &current, context), &current.meters, context.now, live).await?;
            }
            let state =
                if matches!(decision, Decision::Reject) { RequestState::Rejected } else { RequestState::Approved };
            let (resolver, comment) = (context.actor.to_owned(), comment.to_owned());
            let resolution = Some(Resolution { resolver, comment, time: context.now, granted });
            let resolved = LimitRequest { state, resolution, ..asked };
            changes.push(CatalogWrite::ResolveRequest(Box::new(resolved.clone())));
            let tenant = Some(tenant.to_owned());
            let write = ScopeWrite { tenant, expect_version: Some(current.version), changes };
            let by = WriteContext::new(context.actor, context.now);
            if let Written::Done(_) = self.store.write(&by, &[write]).await? {
                let now = self.store.load_for(context.tenant, &keys).await?;
                let [(subject, meter)] = &keys;
                let quota = find(&now, context.tenant, subject, meter).cloned();
                return Ok((resolved, quota));
            }
        }
        Err(QuotaError::from(ApplyError::Contention).into())
    }

    /// The name that a request's account has today, and what it takes to judge a change of its quota.
    async fn load_today(
        &self,
        context: Context<'_>,
        request: &LimitRequest,
    ) -> Result<(AccountName, CatalogData), StoreError> {
        let mut account = request.account.clone();
        // Each step is to a name that has its own path; a former name leads to that of today, or to one that was moved with what
        // is above it.
        for _ in 0..MAX_REDIRECTS {
            let key = (Subject::Account(account.clone()), request.meter.clone());
            let current = self.store.load_for(context.tenant, &[key]).await?;
            match check_name(&account, &current) {
                Ok(()) => return Ok((account, current)),
                Err((_, today)) => account = today,
            }
        }
        Err(StoreError::Corrupt(format!("names lead from {} round in a circle", request.account)))
    }
}

/// What a request wants more of than the account's own quota gives by now: an old one takes nothing away.
fn raises(request: &LimitRequest, current: &CatalogData, context: Context<'_>) -> Vec<DraftLimit> {
    let own = find(current, context.tenant, &Subject::Account(request.account.clone()), &request.meter);
    let stands = |wanted: &Limit| {
        let given = own.into_iter().flat_map(|quota| &quota.limits).find(|limit| limit.window == wanted.window);
        match (given.map(|limit| limit.value), wanted.value) {
            (Some(LimitValue::Unlimited), _) => true,
            (Some(LimitValue::Finite(given)), LimitValue::Finite(wanted)) => given >= wanted,
            _ => false,
        }
    };
    let more: Vec<Limit> = request.wanted.iter().filter(|wanted| !stands(wanted)).cloned().collect();
    drafts_of(&more, &root())
}

/// The quota that a request is about.
fn key_of(request: &LimitRequest) -> QuotaKey {
    (Subject::Account(request.account.clone()), request.meter.clone())
}

/// What is set, for the accounts above.
fn wanted<'a>(changes: &'a [CatalogWrite], current: &'a CatalogData, context: Context<'_>) -> Vec<Wanted<'a>> {
    let wanted = changes.iter().filter_map(|change| match change {
        CatalogWrite::SupersedeQuota(quota) | CatalogWrite::EditQuota(quota) => Some(Wanted {
            field: String::from("quota"),
            quota,
            before: find(current, context.tenant, &quota.subject, &quota.meter),
        }),
        _ => None,
    });
    wanted.collect()
}

/// The change of the account's own quota that gives it some limits, and these as they will stand.
fn change_of(
    request: &LimitRequest,
    drafts: &[DraftLimit],
    current: &CatalogData,
    context: Context<'_>,
) -> Result<(Vec<CatalogWrite>, Vec<Limit>), QuotaError> {
    let subject = Subject::Account(request.account.clone());
    let own = find(current, context.tenant, &subject, &request.meter);
    let is_given = |limit: &DraftLimit| drafts.iter().any(|given| given.window.kind == limit.window.kind);
    let at = Place::field("limits");
    let kept = own.map_or_else(Vec::new, |quota| drafts_of(&quota.limits, &at));
    let limits = kept.into_iter().filter(|limit| !is_given(limit)).chain(drafts.iter().cloned()).collect();
    let top_up = own.and_then(|quota| quota.top_up);
    let draft = DraftQuota {
        at: root(),
        subject,
        subject_at: Place::field("account"),
        meter: request.meter.clone(),
        meter_at: Place::field("meter"),
        limits,
        raise: DraftRaise::Unsaid,
        top_up: top_up.map(|units| DraftAmount { at: root(), value: DraftValue::Units(units.cast_signed()) }),
        hold_share_percent: own.and_then(|quota| quota.hold_share_percent),
        enforcement: own.map(|quota| quota.enforcement).unwrap_or_default(),
        locked_without: own.and_then(|quota| quota.locked_without.clone()),
        note: own.map_or_else(String::new, |quota| quota.note.clone()),
    };
    let change = QuotaChange::Create { drafts: std::slice::from_ref(&draft), if_current: IfCurrent::Replace };
    let writes = change.judge(context, current)?;
    let granted = writes.iter().filter_map(|write| match write {
        CatalogWrite::EditQuota(quota) | CatalogWrite::SupersedeQuota(quota) => Some(&quota.limits),
        _ => None,
    });
    let given = |limit: &&Limit| drafts.iter().any(|given| given.window.kind == limit.window.kind);
    let granted = granted.flatten().filter(given).cloned().collect();
    Ok((writes, granted))
}

fn root() -> Place {
    Place::field("limits")
}

/// Limits as drafts that stand at `at`.
fn drafts_of(limits: &[Limit], at: &Place) -> Vec<DraftLimit> {
    let draft = |limit: &Limit| DraftLimit {
        at: at.clone(),
        window: limit.window.clone(),
        amount: match limit.value {
            LimitValue::Unlimited => None,
            LimitValue::Finite(units) => {
                Some(DraftAmount { at: at.clone(), value: DraftValue::Units(units.cast_signed()) })
            }
        },
    };
    limits.iter().map(draft).collect()
}

/// The same drafts wherever they stood.
fn at_root(drafts: &[DraftLimit]) -> Vec<DraftLimit> {
    let amount = |amount: &DraftAmount| DraftAmount { at: root(), ..amount.clone() };
    let draft = |draft: &DraftLimit| DraftLimit {
        at: root(),
        window: draft.window.clone(),
        amount: draft.amount.as_ref().map(amount),
    };
    drafts.iter().map(draft).collect()
}
