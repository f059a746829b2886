//! Changing the catalog so that it binds: written in the database, raised in the counter store, then answered (DESIGN: a
//! lowered limit binds everywhere from the moment its call returned).

use super::manage::{Applied, Apply, ApplyError, Catalogs, Exported};
use super::operation::Counters;
use super::ports::{CatalogData, CatalogStore, StoreError};
use super::snapshots::Snapshots;
use crate::domain::name::Uid;
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
            self.counters.raise(scope.as_deref().map(Uid::of), *version).await?;
            self.snapshots.refresh(scope.as_deref()).await?;
        }
        Ok(applied)
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
