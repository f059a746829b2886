//! Changing the catalog so that it binds: written in the database, raised in the counter store, then answered (DESIGN: a
//! lowered limit binds everywhere from the moment its call returned).

use super::manage::document::Problems;
use super::manage::document::quota::DraftLimit;
use super::manage::{
    Applied, Apply, ApplyError, Begun, Catalogs, Changed, Decision, DefinitionChange, DefinitionError, Exported,
    LiveUse, MoveError, MoveRequest, QuotaChange, QuotaContext, QuotaError, RecordChange, RecordError, RequestError,
};
use super::operation::Counters;
use super::paperwork::{AuditEntry, AuditFilter, RequestFilter};
use super::ports::{CatalogData, CatalogNews, CatalogStore, QuotaVersion, ScopeVersion, StoreError};
use super::snapshot::Snapshot;
use super::snapshots::Snapshots;
use crate::domain::limit_request::LimitRequest;
use crate::domain::moved::NameRecord;
use crate::domain::name::{MeterName, Uid};
use crate::domain::quota::{Quota, Subject};
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The catalog as administrators change and read it.
pub struct Publisher {
    catalogs: Catalogs,
    store: Arc<dyn CatalogStore>,
    counters: Arc<dyn Counters>,
    snapshots: Arc<Snapshots>,
    live: Arc<dyn LiveUse>,
}

impl Publisher {
    /// Over a catalog's store, for a counter store and the snapshots that decisions are planned with; `live` says what is used.
    pub fn new(
        store: Arc<dyn CatalogStore>,
        counters: Arc<dyn Counters>,
        snapshots: Arc<Snapshots>,
        live: Arc<dyn LiveUse>,
    ) -> Publisher {
        Publisher { catalogs: Catalogs::new(store.clone()), store, counters, snapshots, live }
    }

    /// Applies a document; once this returns, no decision is made under what was before.
    ///
    /// # Errors
    /// [`ApplyError`]; see [`Catalogs::apply`]. A store error after the write leaves the catalog changed; it binds everywhere as
    /// soon as the call is repeated, whatever the repeat finds, or a server looks for what it missed ([`Publisher::follow`]).
    pub async fn apply(&self, request: Apply<'_>) -> Result<Applied, ApplyError> {
        let applied = self.catalogs.apply(request).await?;
        for (scope, version) in &applied.versions {
            self.bind(scope.as_deref(), *version).await?;
        }
        if applied.versions.is_empty() && !request.dry_run {
            for scope in &applied.described {
                self.bind_what_stands(scope.as_deref()).await?;
            }
        }
        Ok(applied)
    }

    /// Changes quotas; binds as [`Publisher::apply`] does.
    ///
    /// # Errors
    /// [`QuotaError`]; see [`Catalogs::change_quotas`].
    pub async fn change_quotas(
        &self,
        context: QuotaContext<'_>,
        change: &QuotaChange<'_>,
    ) -> Result<Changed, QuotaError> {
        let changed = self.catalogs.change_quotas(context, change, &*self.live).await;
        // Also where it finds the quota otherwise: it may be the repeat of a call that wrote, and came no further.
        if changed.as_ref().map_or_else(QuotaError::finds_it_otherwise, |_| true) {
            self.bind_what_stands(context.tenant).await?;
        }
        changed
    }

    /// Changes the record of an account, a pool, or who chose it; binds as [`Publisher::apply`] does.
    ///
    /// # Errors
    /// [`RecordError`]; see [`Catalogs::change_record`].
    pub async fn change_record(
        &self,
        context: QuotaContext<'_>,
        change: RecordChange<'_>,
    ) -> Result<(CatalogData, String), RecordError> {
        let changed = self.catalogs.change_record(context, change).await;
        if changed.as_ref().map_or_else(RecordError::finds_it_otherwise, |_| true) {
            self.bind_what_stands(context.tenant).await?;
        }
        changed
    }

    /// Changes a meter, a plan or a rate card and answers the catalog's etag; binds as [`Publisher::apply`] does.
    ///
    /// # Errors
    /// [`DefinitionError`]; see [`Catalogs::change_definition`].
    pub async fn change_definition(
        &self,
        context: QuotaContext<'_>,
        change: DefinitionChange<'_>,
    ) -> Result<String, DefinitionError> {
        let changed = self.catalogs.change_definition(context, change).await;
        if changed.as_ref().map_or_else(DefinitionError::finds_it_otherwise, |_| true) {
            self.bind_what_stands(context.tenant).await?;
        }
        changed
    }

    /// What else is wrong with one that could not be read whole; see [`Catalogs::faults_of_definition`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn faults_of_definition(
        &self,
        context: QuotaContext<'_>,
        change: DefinitionChange<'_>,
    ) -> Result<Problems, StoreError> {
        self.catalogs.faults_of_definition(context, change).await
    }

    /// Writes a move as under way; from then on nobody is charged below either name.
    ///
    /// # Errors
    /// [`MoveError`]; see [`Catalogs::begin_move`].
    pub async fn begin_move(&self, context: QuotaContext<'_>, asked: MoveRequest<'_>) -> Result<Begun, MoveError> {
        let begun = self.catalogs.begin_move(context, asked).await?;
        self.bind_what_stands(context.tenant).await?;
        Ok(begun)
    }

    /// Writes down that a move was refused; from then on nobody takes its step.
    ///
    /// # Errors
    /// [`MoveError`]; see [`Catalogs::refuse_move`].
    pub async fn refuse_move(&self, tenant: &str, record: &NameRecord, now: Timestamp) -> Result<(), MoveError> {
        self.catalogs.refuse_move(tenant, record, now).await?;
        Ok(self.bind_what_stands(Some(tenant)).await?)
    }

    /// Ends a move, with the new name or the old one; answers the catalog's etag.
    ///
    /// # Errors
    /// [`MoveError`]; see [`Catalogs::end_move`].
    pub async fn end_move(
        &self,
        tenant: &str,
        record: &NameRecord,
        is_done: bool,
        now: Timestamp,
    ) -> Result<String, MoveError> {
        self.catalogs.end_move(tenant, record, is_done, now).await?;
        self.bind_what_stands(Some(tenant)).await?;
        Ok(self.catalogs.etag(Some(tenant)).await?)
    }

    /// The etag of a tenant's catalog, or of the whole installation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn etag(&self, tenant: Option<&str>) -> Result<String, StoreError> {
        self.catalogs.etag(tenant).await
    }

    /// The moves that are under way, each with its tenant. They bind once this returns.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn moving(&self) -> Result<Vec<(String, NameRecord)>, StoreError> {
        let moving = self.store.moving().await?;
        for (tenant, _) in &moving {
            self.bind_what_stands(Some(tenant)).await?;
        }
        Ok(moving)
    }

    /// The snapshot of a tenant as the database has it now.
    ///
    /// # Errors
    /// [`StoreError`] if the catalog can't be read.
    pub async fn snapshot(&self, tenant: &str) -> Result<Arc<Snapshot>, StoreError> {
        let version = self.store.version(Some(tenant)).await?;
        self.snapshots.get(tenant, version).await
    }

    /// Makes bind what other servers wrote since the catalog had version `seen`; answers the version now. They do so themselves,
    /// unless they ended, or lost the counter store, between the two.
    ///
    /// # Errors
    /// [`StoreError`]; then to be asked again with the same `seen`.
    pub async fn follow(&self, seen: u64) -> Result<u64, StoreError> {
        let now = self.store.version(None).await?;
        if now != seen {
            for (scope, version) in self.store.versions().await?.iter().filter(|(_, version)| *version > seen) {
                self.bind(scope.as_deref(), *version).await?;
            }
        }
        Ok(now)
    }

    /// Resolves once there is news of what other servers wrote; see [`CatalogStore::changed`].
    pub async fn changed(&self) -> CatalogNews {
        self.store.changed().await
    }

    /// Makes bind what news tells of, since the catalog had version `seen`; answers the version followed now. Versions are drawn
    /// one by one: news of each since then is all that there was, and only with a gap it is looked what else was written.
    ///
    /// # Errors
    /// As [`Publisher::follow`].
    pub async fn follow_news(&self, seen: u64, news: &CatalogNews) -> Result<u64, StoreError> {
        let CatalogNews::Written(writes) = news else { return self.follow(seen).await };
        let new: Vec<&ScopeVersion> = writes.iter().filter(|(_, version)| *version > seen).collect();
        if new.iter().zip(seen + 1..).any(|((_, version), next)| *version != next) {
            return self.follow(seen).await;
        }
        let scopes: BTreeSet<Option<&str>> = new.iter().map(|(scope, _)| scope.as_deref()).collect();
        for scope in scopes {
            self.bind_what_stands(scope).await?;
        }
        Ok(seen + new.len() as u64)
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

    /// What the database has of a tenant, or of the installation, binds; whoever wrote it.
    async fn bind_what_stands(&self, scope: Option<&str>) -> Result<(), StoreError> {
        let version = match scope {
            Some(tenant) => self.store.version(Some(tenant)).await?,
            // Its own alone: no tenant's snapshot needs to be of the version that another tenant's change drew.
            None => {
                let versions = self.store.versions().await?;
                versions.into_iter().find(|(scope, _)| scope.is_none()).map_or(0, |(_, version)| version)
            }
        };
        self.bind(scope, version).await
    }

    /// From here on no decision is made under an older version of that scope.
    async fn bind(&self, scope: Option<&str>, version: u64) -> Result<(), StoreError> {
        self.counters.raise(scope.map(Uid::of), version).await?;
        self.snapshots.refresh(scope, version).await
    }

    /// The catalog as a document.
    ///
    /// # Errors
    /// [`ApplyError`]; see [`Catalogs::export`].
    pub async fn export(&self, tenant: Option<&str>) -> Result<Exported, ApplyError> {
        self.catalogs.export(tenant).await
    }

    /// The catalog's store, to read from.
    pub fn store(&self) -> &dyn CatalogStore {
        &*self.store
    }

    /// Keeps a request for more.
    ///
    /// # Errors
    /// [`RequestError`]; see [`Catalogs::add_request`].
    pub async fn add_request(
        &self,
        request: LimitRequest,
        wanted: Vec<DraftLimit>,
    ) -> Result<LimitRequest, RequestError> {
        self.catalogs.add_request(request, wanted).await
    }

    /// Decides on a request for more; what is granted binds as [`Publisher::apply`] has it.
    ///
    /// # Errors
    /// [`RequestError`]; see [`Catalogs::resolve_request`].
    pub async fn resolve_request(
        &self,
        context: QuotaContext<'_>,
        (tenant, id): (&str, &str),
        decision: Decision<'_>,
        comment: &str,
    ) -> Result<(LimitRequest, Option<Quota>), RequestError> {
        let resolved = self.catalogs.resolve_request(context, (tenant, id), decision, comment, &*self.live).await;
        // Also where it is resolved already: it may be the repeat of a call that wrote, and came no further.
        if matches!(resolved, Ok(_) | Err(RequestError::Resolved(_))) {
            self.bind_what_stands(Some(tenant)).await?;
        }
        resolved
    }

    /// One request for more.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn request(&self, tenant: &str, id: &str) -> Result<Option<LimitRequest>, StoreError> {
        self.store.request(tenant, id).await
    }

    /// A tenant's requests for more, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if they can't be read.
    pub async fn requests(&self, tenant: &str, filter: &RequestFilter) -> Result<Vec<LimitRequest>, StoreError> {
        self.store.requests(tenant, filter).await
    }

    /// Who changed what, newest first.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn audit(&self, tenant: Option<&str>, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.audit(tenant, filter).await
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
