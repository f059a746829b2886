//! Quotas one by one, as an administrator sets them: all that one call names, or nothing.

use super::apply::{ApplyError, Catalogs, etag_of};
use super::document::quota::DraftQuota;
use super::document::{DraftScope, Problems};
use super::validate::{Current, validate};
use crate::domain::name::MeterName;
use crate::domain::quota::{Quota, Subject};
use crate::domain::time::Timestamp;
use crate::engine::ports::{CatalogData, CatalogWrite, QuotaVersion, ScopeWrite, StoreError, WriteContext, Written};
use thiserror::Error;

/// How often a race with another server is run again; within one server writers wait for each other.
const ATTEMPTS: usize = 50;

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

/// Which quota is meant.
#[derive(Clone, Copy, Debug)]
pub struct Which<'a> {
    /// Whose.
    pub subject: &'a Subject,
    /// On which meter.
    pub meter: &'a MeterName,
    /// Only if this version is the current one.
    pub version: Option<i64>,
}

/// What a change came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// The quotas in force afterwards, in the order of the request; none for one that is gone.
    pub quotas: Vec<Quota>,
    /// The catalog's etag afterwards.
    pub etag: String,
    /// Its version.
    pub version: u64,
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
    /// There is no such quota.
    #[error("no quota of {0} on {1}")]
    NotFound(Subject, MeterName),
    /// The version is not the current one, which is this.
    #[error("the version is not the current one: that is {0}")]
    NotCurrent(i64),
    /// As for a document: another etag, a race lost again and again, a store that can't answer.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<StoreError> for QuotaError {
    fn from(error: StoreError) -> QuotaError {
        QuotaError::Apply(error.into())
    }
}

impl Catalogs {
    /// Gives subjects quotas: all, or none.
    ///
    /// # Errors
    /// [`QuotaError`].
    pub async fn create_quotas(
        &self,
        context: Context<'_>,
        drafts: &[DraftQuota],
        if_current: IfCurrent,
    ) -> Result<Changed, QuotaError> {
        let put = |current: &CatalogData| {
            let wanted = judged(context, drafts, current)?;
            let stands = |quota: &Quota| find(current, context.tenant, &quota.subject, &quota.meter).is_some();
            let numbered = wanted.iter().enumerate().filter(|(_, quota)| stands(quota));
            let exist: Vec<_> = numbered.map(|(at, quota)| (at, quota.subject.clone(), quota.meter.clone())).collect();
            if if_current == IfCurrent::Fail && !exist.is_empty() {
                return Err(QuotaError::Exists(exist));
            }
            let write = |quota: Quota| match if_current {
                IfCurrent::Replace if stands(&quota) => CatalogWrite::EditQuota(quota),
                _ => CatalogWrite::SupersedeQuota(quota),
            };
            Ok(wanted.into_iter().map(write).collect())
        };
        let subjects = drafts.iter().map(|draft| (&draft.subject, &draft.meter)).collect();
        self.change_quotas(context, &put, subjects).await
    }

    /// Changes the current version of a quota in context.
    ///
    /// # Errors
    /// [`QuotaError`].
    pub async fn edit_quota(
        &self,
        context: Context<'_>,
        draft: &DraftQuota,
        version: Option<i64>,
    ) -> Result<Changed, QuotaError> {
        let which = Which { subject: &draft.subject, meter: &draft.meter, version };
        let edit = |current: &CatalogData| {
            let wanted = judged(context, std::slice::from_ref(draft), current)?;
            the_current(current, context.tenant, which)?;
            Ok(wanted.into_iter().map(CatalogWrite::EditQuota).collect())
        };
        self.change_quotas(context, &edit, vec![(which.subject, which.meter)]).await
    }

    /// Deletes the current version of a quota; with `reopen` the version that it closed is in force again.
    ///
    /// # Errors
    /// [`QuotaError`].
    pub async fn delete_quota(
        &self,
        context: Context<'_>,
        which: Which<'_>,
        reopen: bool,
    ) -> Result<Changed, QuotaError> {
        let delete = |current: &CatalogData| {
            let quota = the_current(current, context.tenant, which)?.clone();
            Ok(vec![if reopen { CatalogWrite::ReopenQuota(quota) } else { CatalogWrite::DeleteQuota(quota) }])
        };
        self.change_quotas(context, &delete, vec![(which.subject, which.meter)]).await
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

    /// Judges and writes against one state of the catalog, again while others change it in between.
    async fn change_quotas(
        &self,
        context: Context<'_>,
        judge: &(dyn Fn(&CatalogData) -> Result<Vec<CatalogWrite>, QuotaError> + Sync),
        subjects: Vec<(&Subject, &MeterName)>,
    ) -> Result<Changed, QuotaError> {
        let _turn = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let current = self.store.load(context.tenant).await?;
            // After the load: an etag that still holds now held for everything that was read.
            self.check_etag(context.tenant, context.etag).await?;
            let write = ScopeWrite {
                tenant: context.tenant.map(str::to_owned),
                expect_version: Some(current.version),
                changes: judge(&current)?,
            };
            let by = WriteContext { actor: context.actor.to_owned(), now: context.now };
            if let Written::Done(version) = self.store.write(&by, &[write]).await? {
                let now = self.store.load(context.tenant).await?;
                let in_force = |(subject, meter)| find(&now, context.tenant, subject, meter).cloned();
                let quotas = subjects.into_iter().filter_map(in_force).collect();
                return Ok(Changed { quotas, etag: etag_of(version), version });
            }
        }
        Err(ApplyError::Contention.into())
    }
}

/// The quotas that drafts ask for, judged against the catalog.
fn judged(context: Context<'_>, drafts: &[DraftQuota], data: &CatalogData) -> Result<Vec<Quota>, QuotaError> {
    let mut current = Current::default();
    match context.tenant {
        None => current.installation = data.clone(),
        Some(tenant) => {
            current.installation = of_installation(data);
            current.tenants.insert(tenant.to_owned(), data.clone());
        }
    }
    let scope =
        DraftScope { tenant: context.tenant.map(str::to_owned), quotas: drafts.to_vec(), ..DraftScope::default() };
    let mut problems = Problems::default();
    let contents = validate(&[scope], &current, false, &mut problems);
    problems.into_result().map_err(QuotaError::Invalid)?;
    Ok(contents.into_iter().flat_map(|content| content.quotas).collect())
}

/// What a tenant sees of the installation: that by which its own quotas are judged.
fn of_installation(data: &CatalogData) -> CatalogData {
    CatalogData {
        meters: data.meters.iter().filter(|meter| meter.tenant.is_none()).cloned().collect(),
        plans: data.plans.iter().filter(|plan| plan.tenant.is_none()).cloned().collect(),
        ..CatalogData::default()
    }
}

fn the_current<'a>(data: &'a CatalogData, tenant: Option<&str>, which: Which<'_>) -> Result<&'a Quota, QuotaError> {
    let found = find(data, tenant, which.subject, which.meter)
        .ok_or_else(|| QuotaError::NotFound(which.subject.clone(), which.meter.clone()))?;
    match which.version {
        Some(version) if version != found.version => Err(QuotaError::NotCurrent(found.version)),
        _ => Ok(found),
    }
}

/// The scope's own quota, not the installation's that a tenant sees too.
fn find<'a>(data: &'a CatalogData, tenant: Option<&str>, subject: &Subject, meter: &MeterName) -> Option<&'a Quota> {
    data.quotas
        .iter()
        .find(|quota| quota.tenant.as_deref() == tenant && quota.subject == *subject && quota.meter == *meter)
}
