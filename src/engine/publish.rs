//! Changing the catalog so that it binds: written in the database, raised in the counter store, then answered (DESIGN: a
//! lowered limit binds everywhere from the moment its call returned).

use super::manage::document::quota::DraftQuota;
use super::manage::{
    Applied, Apply, ApplyError, Catalogs, Changed, Exported, IfCurrent, QuotaContext, QuotaError, Which,
};
use super::operation::Counters;
use super::ports::{CatalogData, CatalogStore, QuotaVersion, StoreError};
use super::snapshots::Snapshots;
use crate::domain::name::{MeterName, Uid};
use crate::domain::quota::Subject;
use std::sync::Arc;

/// The catalog as administrators change and read it.
pub struct Publisher {
    catalogs: Catalogs,
    store: Arc<dyn CatalogStore>,
    counters: Arc<dyn Counters>,
    snapshots: Arc<Snapshots>,
}

impl Publisher {
    /// Over a catalog's store, for a counter store and the snapshots that decisions are planned with.
    pub fn new(store: Arc<dyn CatalogStore>, counters: Arc<dyn Counters>, snapshots: Arc<Snapshots>) -> Publisher {
        Publisher { catalogs: Catalogs::new(store.clone()), store, counters, snapshots }
    }

    /// Applies a document; once this returns, no decision is made under what was before.
    ///
    /// # Errors
    /// [`ApplyError`]; see [`Catalogs::apply`]. A store error after the write leaves the catalog changed; decisions
    /// follow as soon as the call is repeated or the counter store is back.
    pub async fn apply(&self, request: Apply<'_>) -> Result<Applied, ApplyError> {
        let applied = self.catalogs.apply(request).await?;
        for (scope, version) in &applied.versions {
            self.bind(scope.as_deref(), *version).await?;
        }
        Ok(applied)
    }

    /// Gives subjects quotas, all or none; binds as [`Publisher::apply`] does.
    ///
    /// # Errors
    /// [`QuotaError`]; see [`Catalogs::create_quotas`].
    pub async fn create_quotas(
        &self,
        context: QuotaContext<'_>,
        drafts: &[DraftQuota],
        if_current: IfCurrent,
    ) -> Result<Changed, QuotaError> {
        let changed = self.catalogs.create_quotas(context, drafts, if_current).await?;
        self.bind(context.tenant, changed.version).await?;
        Ok(changed)
    }

    /// Changes the current version of a quota in place; binds likewise.
    ///
    /// # Errors
    /// [`QuotaError`]; see [`Catalogs::edit_quota`].
    pub async fn edit_quota(
        &self,
        context: QuotaContext<'_>,
        draft: &DraftQuota,
        version: Option<i64>,
    ) -> Result<Changed, QuotaError> {
        let changed = self.catalogs.edit_quota(context, draft, version).await?;
        self.bind(context.tenant, changed.version).await?;
        Ok(changed)
    }

    /// Deletes the current version of a quota; binds likewise.
    ///
    /// # Errors
    /// [`QuotaError`]; see [`Catalogs::delete_quota`].
    pub async fn delete_quota(
        &self,
        context: QuotaContext<'_>,
        which: Which<'_>,
        reopen: bool,
    ) -> Result<Changed, QuotaError> {
        let changed = self.catalogs.delete_quota(context, which, reopen).await?;
        self.bind(context.tenant, changed.version).await?;
        Ok(changed)
    }

    /// Every version that a quota had, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the catalog can't be read.
    pub async fn quota_versions(
        &self,
        tenant: Option<&str>,
        subject: &Subject,
        meter: &MeterName,
    ) -> Result<Vec<QuotaVersion>, StoreError> {
        self.catalogs.quota_versions(tenant, subject, meter).await
    }

    /// From here on no decision is made under an older version of that scope.
    async fn bind(&self, scope: Option<&str>, version: u64) -> Result<(), StoreError> {
        self.counters.raise(scope.map(Uid::of), version).await?;
        self.snapshots.refresh(scope).await
    }

    /// The catalog as a document.
    ///
    /// # Errors
    /// [`ApplyError`]; see [`Catalogs::export`].
    pub async fn export(&self, tenant: Option<&str>) -> Result<Exported, ApplyError> {
        self.catalogs.export(tenant).await
    }

    /// Everything that a tenant sees; `None`: the installation's own.
    ///
    /// # Errors
    /// [`StoreError`] if the catalog can't be read.
    pub async fn read(&self, tenant: Option<&str>) -> Result<CatalogData, StoreError> {
        self.store.load(tenant).await
    }

    /// Applies a file's document unless it is the one that was applied last under that name; answers whether it did.
    ///
    /// # Errors
    /// [`ApplyError`] if the document can't be applied.
    pub async fn apply_file(&self, note: &str, request: Apply<'_>) -> Result<Option<Applied>, ApplyError> {
        let digest = super::fingerprint::digest(request.yaml);
        if self.store.note(note).await?.as_deref() == Some(digest.as_str()) {
            return Ok(None);
        }
        let applied = self.apply(request).await?;
        self.store.set_note(note, &digest).await?;
        Ok(Some(applied))
    }
}
