//! The snapshots of all tenants in use: loaded on first use, and from then on brought up to what changed.

use super::ports::{CatalogStore, StoreError};
use super::snapshot::Snapshot;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Tenants kept; beyond that all are loaded anew as they come.
const MAX_TENANTS: usize = 10_000;
/// Tenants that are loaded at once: each takes a lock of its own, as far as there are so many.
const LOCKS: usize = 64;

type Table = HashMap<Arc<str>, Kept, foldhash::fast::RandomState>;

/// A tenant's snapshot, and the version below which it is out of date.
#[derive(Clone)]
struct Kept {
    snapshot: Arc<Snapshot>,
    floor: u64,
}

/// One immutable snapshot for each tenant in use.
pub struct Snapshots {
    store: Arc<dyn CatalogStore>,
    table: ArcSwap<Table>,
    loading: Vec<Mutex<()>>,
    hasher: foldhash::fast::RandomState,
}

impl Snapshots {
    /// None loaded yet.
    pub fn new(store: Arc<dyn CatalogStore>) -> Snapshots {
        let loading = (0..LOCKS).map(|_| Mutex::default()).collect();
        Snapshots { store, table: ArcSwap::default(), loading, hasher: foldhash::fast::RandomState::default() }
    }

    /// The tenant's snapshot, at least of version `at_least`; no I/O when it is there.
    ///
    /// # Errors
    /// [`StoreError`] if the catalog can't be read.
    pub async fn get(&self, tenant: &str, at_least: u64) -> Result<Arc<Snapshot>, StoreError> {
        match self.kept(tenant, at_least) {
            Some(snapshot) => Ok(snapshot),
            None => Box::pin(self.get_anew(tenant, at_least)).await,
        }
    }

    async fn get_anew(&self, tenant: &str, at_least: u64) -> Result<Arc<Snapshot>, StoreError> {
        let _one = self.lock(tenant).lock().await;
        match self.kept(tenant, at_least) {
            Some(snapshot) => Ok(snapshot),
            None => self.load(tenant).await,
        }
    }

    /// The snapshot that the database has now, if it is newer than version `seen` and can be read: before a call is refused for
    /// what another server may have put there, a meter for example. Who asks waits for those before, so that a flood of bad
    /// calls has one question under way.
    pub async fn newer(&self, tenant: &str, seen: u64) -> Option<Arc<Snapshot>> {
        let _one = self.lock(tenant).lock().await;
        let version = self.store.version(Some(tenant)).await.ok()?;
        if version <= seen {
            return None;
        }
        match self.kept(tenant, version) {
            Some(snapshot) => Some(snapshot),
            None => self.load(tenant).await.ok(),
        }
    }

    /// From here on the snapshots of a tenant, or of all, are at least of a version.
    ///
    /// # Errors
    /// [`StoreError`] if the catalog can't be read; the next use tries again.
    pub async fn refresh(&self, tenant: Option<&str>, version: u64) -> Result<(), StoreError> {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            let outdated = table.iter_mut().filter(|(name, _)| tenant.is_none_or(|tenant| ***name == *tenant));
            outdated.for_each(|(_, kept)| kept.floor = kept.floor.max(version));
            table
        });
        if let Some(tenant) = tenant
            && self.table.load().contains_key(tenant)
        {
            self.get(tenant, version).await?;
        }
        Ok(())
    }

    fn kept(&self, tenant: &str, at_least: u64) -> Option<Arc<Snapshot>> {
        let table = self.table.load();
        let kept = table.get(tenant)?;
        (kept.snapshot.version() >= kept.floor.max(at_least)).then(|| kept.snapshot.clone())
    }

    /// Loads what changed since the snapshot that is there, or all.
    async fn load(&self, tenant: &str) -> Result<Arc<Snapshot>, StoreError> {
        let before = self.table.load().get(tenant).map(|kept| kept.snapshot.clone());
        let changes = match &before {
            Some(before) => self.store.changes(tenant, before.version()).await?,
            None => None,
        };
        let next = match before.zip(changes) {
            Some((before, changes)) => before.changed(changes),
            None => Snapshot::new(self.store.load(Some(tenant)).await?),
        };
        let snapshot = Arc::new(next);
        self.table.rcu(|table| {
            let mut table = if table.len() < MAX_TENANTS { Table::clone(table) } else { Table::default() };
            let floor = table.get(tenant).map_or(0, |kept| kept.floor);
            table.insert(tenant.into(), Kept { snapshot: snapshot.clone(), floor });
            table
        });
        Ok(snapshot)
    }

    fn lock(&self, tenant: &str) -> &Mutex<()> {
        &self.loading[self.hasher.hash_one(tenant) as usize % LOCKS]
    }
}
