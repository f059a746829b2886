//! Quotas one by one, as an administrator sets them: all that one call names, or nothing.

use super::apply::{ApplyError, Catalogs, etag_of};
use super::document::quota::{DraftQuota, DraftRaise};
use super::document::{DraftScope, Problems};
use super::members::Registry;
use super::parent::{self, LiveUse, Wanted};
use super::validate::{Current, validate};
use crate::domain::name::MeterName;
use crate::domain::quota::{Quota, Subject, locks_below};
use crate::domain::time::Timestamp;
use crate::engine::call::CallError;
use crate::engine::ports::{
    CatalogData, CatalogWrite, QuotaKey, QuotaVersion, ScopeWrite, StoreError, WriteContext, Written,
};
use thiserror::Error;

/// How often a race with another server is run again; within one server writers wait for each other.
pub(super) const ATTEMPTS: usize = 50;

/// Who changes what part of the catalog.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The tenant; `None`: the installation.
    pub tenant: Option<&'a str>,
    /// Refuse unless the catalog still has this etag.
    pub etag: Option<&'a str>,
    /// Who asks, for the audit.
    pub actor: &'a str,
    /// When.
    pub now: Timestamp,
}

/// What a creation does where there is a quota already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfCurrent {
    /// Refuses all of the call (S0.08).
    Fail,
    /// Closes it and makes a new version (S4.10).
    Supersede,
    /// Changes it in context.
    Replace,
}

/// A change of quotas.
#[derive(Clone, Debug)]
pub enum QuotaChange<'a> {
    /// Gives subjects quotas: all, or none.
    Create {
        /// The quotas, each of another subject or meter.
        drafts: &'a [DraftQuota],
        /// What to do where there is one already.
        if_current: IfCurrent,
    },
    /// Changes the current version in place.
    Edit {
        /// The quota as it is to be.
        draft: &'a DraftQuota,
        /// Only if this version is the current one.
        version: Option<i64>,
    },
    /// Deletes the current version.
    Delete {
        /// Whose.
        subject: &'a Subject,
        /// On which meter.
        meter: &'a MeterName,
        /// Only if this version is the current one.
        version: Option<i64>,
        /// The version that it closed is in force again (S4.13).
        reopen: bool,
    },
}

/// What a change came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// The quotas in force afterwards, in the order of the request; none for one that is gone.
    pub quotas: Vec<Quota>,
    /// The catalog's etag afterwards.
    pub etag: String,
}

/// Why a quota was not changed. Nothing has changed then.
#[derive(Clone, Debug, Error)]
pub enum QuotaError {
    /// Fields that are not fit, by their path in the request.
    #[error("{0}")]
    Invalid(Problems),
    /// The requested quotas with these numbers, from 0, exist.
    #[error("the subject has a quota on the meter already")]
    Exists(Vec<(usize, Subject, MeterName)>),
    /// The tenant registers its accounts and has no record of these: their numbers in the request, from 0.
    #[error("no record of {}", .0.iter().map(|(_, subject)| subject.to_string()).collect::<Vec<_>>().join(", "))]
    AccountNotFound(Vec<(usize, Subject)>),
    /// There is no such quota.
    #[error("no quota of {0} on {1}")]
    NotFound(Subject, MeterName),
    /// The version is not the current one, which is this.
    #[error("the version is not the current one: that is {0}")]
    NotCurrent(i64),
    /// The tenant's plan lacks a feature, without which its quotas on the meter rest and can't be changed.
    #[error("the plan {} lacks the feature {feature}: the quotas of {tenant} on {meter} can't be changed", plan.as_deref().unwrap_or("(none)"))]
    Locked {
        /// The tenant.
        tenant: String,
        /// The meter.
        meter: MeterName,
        /// Its plan, where it has one.
        plan: Option<String>,
        /// What that lacks.
        feature: String,
    },
    /// Limits above what the accounts above have available: the field of each, and by how much.
    #[error("a limit is above what the accounts above it have available")]
    AboveParent(Vec<(String, String)>),
    /// What is used could not be asked.
    #[error(transparent)]
    Use(#[from] CallError),
    /// As for a document: another etag, a race lost again and again, a store that can't answer.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl QuotaError {
    /// Whether the catalog is not as the call took it to be: by another's change, or by its own when it was sent before.
    pub fn finds_it_otherwise(&self) -> bool {
        match self {
            QuotaError::Exists(_) | QuotaError::NotFound(..) | QuotaError::NotCurrent(_) => true,
            QuotaError::Apply(error) => matches!(error, ApplyError::EtagMismatch(_)),
            QuotaError::Invalid(_)
            | QuotaError::AccountNotFound(_)
            | QuotaError::Locked { .. }
            | QuotaError::AboveParent(_)
            | QuotaError::Use(_) => false,
        }
    }
}

impl From<StoreError> for QuotaError {
    fn from(error: StoreError) -> QuotaError {
        QuotaError::Apply(error.into())
    }
}

impl Catalogs {
    /// Changes quotas: judges and writes against one state of the catalog, again while others change it in between.
    ///
    /// # Errors
    /// [`QuotaError`].
    pub async fn change_quotas(
        &self,
        context: Context<'_>,
        change: &QuotaChange<'_>,
        live: &dyn LiveUse,
    ) -> Result<Changed, QuotaError> {
        let keys = change.keys();
        let _turn = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let current = self.store.load_for(context.tenant, &keys).await?;
            // After the load: an etag that still holds now held for everything that was read.
            self.check_etag(context.tenant, context.etag).await?;
            check_unlocked(context, &keys, &current)?;
            let changes = change.judge(context, &current)?;
            parent::check(&change.wanted(context, &changes, &current), &current.meters, context.now, live).await?;
            let write = ScopeWrite {
                tenant: context.tenant.map(str::to_owned),
                expect_version: Some(current.version),
                changes,
            };
            let by = WriteContext::new(context.actor, context.now);
            if let Written::Done(version) = self.store.write(&by, &[write]).await? {
                let now = self.store.load_for(context.tenant, &keys).await?;
                let in_force = |(subject, meter): &QuotaKey| find(&now, context.tenant, subject, meter).cloned();
                let quotas = keys.iter().filter_map(in_force).collect();
                return Ok(Changed { quotas, etag: etag_of(version) });
            }
        }
        Err(ApplyError::Contention.into())
    }

    /// Every version that a quota had, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn quota_versions(
        &self,
        tenant: Option<&str>,
        subject: &Subject,
        meter: &MeterName,
    ) -> Result<Vec<QuotaVersion>, StoreError> {
        self.store.quota_versions(tenant, subject, meter).await
    }
}

impl QuotaChange<'_> {
    /// What it writes, if it fits the catalog.
    pub(super) fn judge(&self, context: Context<'_>, current: &CatalogData) -> Result<Vec<CatalogWrite>, QuotaError> {
        match self {
            QuotaChange::Create { drafts, if_current } => created(context, drafts, *if_current, current),
            QuotaChange::Edit { draft, version } => {
                let wanted = judged(context, &keeping(context, std::slice::from_ref(*draft), current), current)?;
                the_current(current, context.tenant, (&draft.subject, &draft.meter), *version)?;
                Ok(wanted.into_iter().map(CatalogWrite::EditQuota).collect())
            }
            QuotaChange::Delete { subject, meter, version, reopen } => {
                let quota = the_current(current, context.tenant, (subject, meter), *version)?.clone();
                Ok(vec![if *reopen { CatalogWrite::ReopenQuota(quota) } else { CatalogWrite::DeleteQuota(quota) }])
            }
        }
    }

    /// What it sets, with the field that each came in.
    fn wanted<'a>(
        &self,
        context: Context<'_>,
        changes: &'a [CatalogWrite],
        current: &'a CatalogData,
    ) -> Vec<Wanted<'a>> {
        let one = matches!(self, QuotaChange::Edit { .. });
        let wanted = changes.iter().enumerate().filter_map(|(at, change)| match change {
            CatalogWrite::SupersedeQuota(quota) | CatalogWrite::EditQuota(quota) => Some(Wanted {
                field: if one { String::from("quota") } else { format!("quotas[{at}]") },
                quota,
                before: find(current, context.tenant, &quota.subject, &quota.meter),
            }),
            _ => None,
        });
        wanted.collect()
    }

    /// The quotas that it is about, in its order.
    fn keys(&self) -> Vec<QuotaKey> {
        let of = |draft: &DraftQuota| (draft.subject.clone(), draft.meter.clone());
        match self {
            QuotaChange::Create { drafts, .. } => drafts.iter().map(of).collect(),
            QuotaChange::Edit { draft, .. } => vec![of(draft)],
            QuotaChange::Delete { subject, meter, .. } => vec![((*subject).clone(), (*meter).clone())],
        }
    }
}

/// Refuses a tenant what its plan does not let it change (S4.05).
pub(super) fn check_unlocked(context: Context<'_>, keys: &[QuotaKey], current: &CatalogData) -> Result<(), QuotaError> {
    let Some(tenant) = context.tenant else { return Ok(()) };
    let record = current.accounts.iter().find(|account| account.name.as_str() == tenant);
    let plan = record.and_then(|record| record.plan.as_ref());
    let features =
        plan.and_then(|name| current.plans.iter().find(|plan| plan.name == *name)).map(|plan| &plan.features);
    let lacks = |feature: &str| !features.is_some_and(|features| features.contains(feature));
    for (_, meter) in keys {
        let locks = current.quotas.iter().filter(|quota| quota.meter == *meter && locks_below(quota, tenant));
        if let Some(feature) = locks.filter_map(|quota| quota.locked_without.clone()).find(|feature| lacks(feature)) {
            return Err(QuotaError::Locked {
                tenant: tenant.to_owned(),
                meter: meter.clone(),
                plan: plan.cloned(),
                feature,
            });
        }
    }
    Ok(())
}

fn created(
    context: Context<'_>,
    drafts: &[DraftQuota],
    if_current: IfCurrent,
    current: &CatalogData,
) -> Result<Vec<CatalogWrite>, QuotaError> {
    let wanted = match if_current {
        IfCurrent::Replace => judged(context, &keeping(context, drafts, current), current)?,
        IfCurrent::Fail | IfCurrent::Supersede => judged(context, drafts, current)?,
    };
    let stands = |quota: &Quota| find(current, context.tenant, &quota.subject, &quota.meter).is_some();
    let exist = wanted.iter().enumerate().filter(|(_, quota)| stands(quota));
    let exist: Vec<_> = exist.map(|(at, quota)| (at, quota.subject.clone(), quota.meter.clone())).collect();
    if if_current == IfCurrent::Fail && !exist.is_empty() {
        return Err(QuotaError::Exists(exist));
    }
    let write = |quota: Quota| match if_current {
        IfCurrent::Replace if stands(&quota) => CatalogWrite::EditQuota(quota),
        _ => CatalogWrite::SupersedeQuota(quota),
    };
    Ok(wanted.into_iter().map(write).collect())
}

/// The quotas that drafts ask for, judged against the catalog.
fn judged(context: Context<'_>, drafts: &[DraftQuota], data: &CatalogData) -> Result<Vec<Quota>, QuotaError> {
    let current = current_of(context, data);
    let registry = Registry::of(&scope_of(context, &[]), Some(data), false);
    let unknown = drafts.iter().enumerate().filter(|(_, draft)| !registry.knows(&draft.subject));
    let unknown: Vec<_> = unknown.map(|(at, draft)| (at, draft.subject.clone())).collect();
    if !unknown.is_empty() {
        return Err(QuotaError::AccountNotFound(unknown));
    }
    let scope = scope_of(context, drafts);
    let mut problems = Problems::default();
    for draft in drafts {
        check_until(context, draft, data, &mut problems);
    }
    let contents = validate(&[scope], &current, false, &mut problems);
    problems.into_result().map_err(QuotaError::Invalid)?;
    Ok(contents.into_iter().flat_map(|content| content.quotas).collect())
}

/// What edits a quota keeps its raise, unless it says otherwise or that has ended.
fn keeping(context: Context<'_>, drafts: &[DraftQuota], current: &CatalogData) -> Vec<DraftQuota> {
    let raise = |draft: &DraftQuota| {
        let stands = find(current, context.tenant, &draft.subject, &draft.meter).and_then(|quota| quota.raise.as_ref());
        match (&draft.raise, stands) {
            (DraftRaise::Unsaid, Some(raise)) if !raise.is_over(context.now) => DraftRaise::Kept(raise.clone()),
            (said, _) => said.clone(),
        }
    };
    drafts.iter().map(|draft| DraftQuota { raise: raise(draft), ..draft.clone() }).collect()
}

/// A raise that would be over at once is a slip; the one that the quota has already is none.
fn check_until(context: Context<'_>, draft: &DraftQuota, current: &CatalogData, problems: &mut Problems) {
    let DraftRaise::Given(raise) = &draft.raise else { return };
    let stands = find(current, context.tenant, &draft.subject, &draft.meter).and_then(|quota| quota.raise.as_ref());
    if raise.until <= context.now && stands.is_none_or(|stands| stands.until != raise.until) {
        problems.add(&raise.at.key("until", 0), format!("must be after {}, the time of the call", context.now));
    }
}

fn scope_of(context: Context<'_>, drafts: &[DraftQuota]) -> DraftScope {
    DraftScope { tenant: context.tenant.map(str::to_owned), quotas: drafts.to_vec(), ..DraftScope::default() }
}

/// What was loaded of a scope, as that by which a draft of it is judged.
pub(super) fn current_of(context: Context<'_>, data: &CatalogData) -> Current {
    match context.tenant {
        None => Current { installation: data.clone(), ..Current::default() },
        Some(tenant) => {
            Current { installation: of_installation(data), tenants: [(tenant.to_owned(), data.clone())].into() }
        }
    }
}

/// What a tenant sees of the installation: that by which its own quotas are judged.
fn of_installation(data: &CatalogData) -> CatalogData {
    CatalogData {
        meters: data.meters.iter().filter(|meter| meter.tenant.is_none()).cloned().collect(),
        plans: data.plans.iter().filter(|plan| plan.tenant.is_none()).cloned().collect(),
        ..CatalogData::default()
    }
}

fn the_current<'a>(
    data: &'a CatalogData,
    tenant: Option<&str>,
    (subject, meter): (&Subject, &MeterName),
    version: Option<i64>,
) -> Result<&'a Quota, QuotaError> {
    let found =
        find(data, tenant, subject, meter).ok_or_else(|| QuotaError::NotFound(subject.clone(), meter.clone()))?;
    match version {
        Some(version) if version != found.version => Err(QuotaError::NotCurrent(found.version)),
        _ => Ok(found),
    }
}

/// The scope's own quota, not the installation's that a tenant sees too.
pub(super) fn find<'a>(
    data: &'a CatalogData,
    tenant: Option<&str>,
    subject: &Subject,
    meter: &MeterName,
) -> Option<&'a Quota> {
    data.quotas
        .iter()
        .find(|quota| quota.tenant.as_deref() == tenant && quota.subject == *subject && quota.meter == *meter)
}
