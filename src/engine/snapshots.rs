//! The snapshots of all tenants in use: loaded on first use, replaced when the catalog changes.

use super::ports::{CatalogStore, StoreError};
use super::snapshot::Snapshot;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Tenants kept; beyond that all are loaded anew as they come.
const MAX_TENANTS: usize = 10_000;

type Table = HashMap<Arc<str>, Arc<Snapshot>, foldhash::fast::RandomState>;

/// One immutable snapshot for each tenant in use.
pub struct Snapshots {
    store: Arc<dyn CatalogStore>,
    table: ArcSwap<Table>,
    loading: Mutex<()>,
}

impl Snapshots {
    /// None loaded yet.
    pub fn new(store: Arc<dyn CatalogStore>) -> Snapshots {
        Snapshots { store, table: ArcSwap::default(), loading: Mutex::new(()) }
    }

    /// The tenant's snapshot, at least of version `at_least`; no I/O when it is there.
    ///
    /// # Errors
    /// [`StoreError`] if the catalog can't be read.
    pub async fn get(&self, tenant: &str, at_least: u64) -> Result<Arc<Snapshot>, StoreError> {
        if let Some(snapshot) = self.kept(tenant, at_least) {
            return Ok(snapshot);
        }
        let _one = self.loading.lock().await;
        if let Some(snapshot) = self.kept(tenant, at_least) {
            return Ok(snapshot);
        }
        self.load(tenant).await
    }

    /// Loads the changed snapshots again: those of one tenant, or of all.
    ///
    /// # Errors
    /// [`StoreError`] if the catalog can't be read; the next use tries again.
    pub async fn refresh(&self, tenant: Option<&str>) -> Result<(), StoreError> {
        let _one = self.loading.lock().await;
        let Some(tenant) = tenant else {
            self.table.store(Arc::default());
            return Ok(());
        };
        if self.table.load().contains_key(tenant) {
            self.load(tenant).await?;
        }
        Ok(())
    }

    fn kept(&self, tenant: &str, at_least: u64) -> Option<Arc<Snapshot>> {
        self.table.load().get(tenant).filter(|snapshot| snapshot.version() >= at_least).cloned()
    }

    async fn load(&self, tenant: &str) -> Result<Arc<Snapshot>, StoreError> {
        let snapshot = Arc::new(Snapshot::new(self.store.load(Some(tenant)).await?));
        let mut table = Table::clone(&self.table.load());
        if table.len() >= MAX_TENANTS {
            table.clear();
        }
        table.insert(tenant.into(), snapshot.clone());
        self.table.store(Arc::new(table));
        Ok(snapshot)
    }
}
