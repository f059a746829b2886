//! The catalog port over a database.

use super::super::Database;
use super::super::listen::{CatalogListener, Patience};
use super::news::News;
use super::{changes, page, read, write};
use crate::domain::account::Account;
use crate::domain::moved::NameRecord;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::quota::{Quota, Subject};
use crate::engine::ports::{
    Boxed, Cards, CatalogChanges, CatalogData, CatalogNews, CatalogStore, QuotaKey, QuotaPage, QuotaVersion,
    ScopeWrite, StoreError, WriteContext, Written,
};
use std::sync::Arc;

/// The catalog in a database.
#[derive(Clone, Debug)]
pub struct DatabaseCatalog {
    database: Database,
    news: Arc<News>,
}

impl DatabaseCatalog {
    /// In an open database.
    pub fn new(database: Database) -> DatabaseCatalog {
        DatabaseCatalog { database, news: Arc::default() }
    }

    /// Hears for this catalog, and its clones, what others write. Until it runs, and without a server that others write to, nothing is
    /// heard.
    pub fn listener(&self) -> CatalogListener {
        self.listener_with(Patience::default())
    }

    pub(in super::super) fn listener_with(&self, patience: Patience) -> CatalogListener {
        CatalogListener::new(self.database.clone(), self.news.clone(), patience)
    }

    pub(in super::super) fn database(&self) -> &Database {
        &self.database
    }

    async fn version_of(&self, tenant: Option<&str>) -> Result<u64, StoreError> {
        let mut connection = self.database.read().await?;
        match tenant {
            Some(tenant) => read::version(&mut connection, tenant).await,
            None => read::sequence(&mut connection).await,
        }
    }
}

impl CatalogStore for DatabaseCatalog {
    fn load<'a>(&'a self, tenant: Option<&'a str>) -> Boxed<'a, Result<CatalogData, StoreError>> {
        Box::pin(read::load(&self.database, tenant))
    }

    fn load_definitions<'a>(
        &'a self,
        tenant: Option<&'a str>,
        cards: Cards<'a>,
    ) -> Boxed<'a, Result<CatalogData, StoreError>> {
        Box::pin(read::load_definitions(&self.database, tenant, cards))
    }

    fn load_for<'a>(
        &'a self,
        tenant: Option<&'a str>,
        quotas: &'a [QuotaKey],
    ) -> Boxed<'a, Result<CatalogData, StoreError>> {
        Box::pin(read::load_for(&self.database, tenant, quotas))
    }

    fn load_records<'a>(
        &'a self,
        tenant: Option<&'a str>,
        names: &'a [AccountName],
    ) -> Boxed<'a, Result<CatalogData, StoreError>> {
        Box::pin(read::load_records(&self.database, tenant, names))
    }

    fn names<'a>(&'a self, tenant: &'a str) -> Boxed<'a, Result<Vec<NameRecord>, StoreError>> {
        Box::pin(read::names(&self.database, tenant))
    }

    fn moving(&self) -> Boxed<'_, Result<Vec<(String, NameRecord)>, StoreError>> {
        Box::pin(read::moving(&self.database))
    }

    fn changes<'a>(&'a self, tenant: &'a str, since: u64) -> Boxed<'a, Result<Option<CatalogChanges>, StoreError>> {
        Box::pin(changes::changes(&self.database, tenant, since))
    }

    fn list_quotas<'a>(
        &'a self,
        tenant: Option<&'a str>,
        page: &'a QuotaPage,
    ) -> Boxed<'a, Result<Vec<Quota>, StoreError>> {
        Box::pin(page::quotas(&self.database, tenant, page))
    }

    fn list_accounts<'a>(
        &'a self,
        tenant: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Boxed<'a, Result<Vec<Account>, StoreError>> {
        Box::pin(async move { page::accounts(&mut self.database.read().await?, tenant, after, limit).await })
    }

    fn account<'a>(&'a self, name: &'a AccountName) -> Boxed<'a, Result<Option<Account>, StoreError>> {
        Box::pin(async move { read::account(&mut self.database.read().await?, name.as_str()).await })
    }

    fn version<'a>(&'a self, tenant: Option<&'a str>) -> Boxed<'a, Result<u64, StoreError>> {
        Box::pin(self.version_of(tenant))
    }

    fn changed(&self) -> Boxed<'_, CatalogNews> {
        Box::pin(self.news.next())
    }

    fn quota_versions<'a>(
        &'a self,
        tenant: Option<&'a str>,
        subject: &'a Subject,
        meter: &'a MeterName,
    ) -> Boxed<'a, Result<Vec<QuotaVersion>, StoreError>> {
        Box::pin(read::quota_versions(&self.database, tenant, subject, meter))
    }

    fn tenants(&self) -> Boxed<'_, Result<Vec<String>, StoreError>> {
        Box::pin(read::tenants(&self.database))
    }

    fn versions(&self) -> Boxed<'_, Result<Vec<(Option<String>, u64)>, StoreError>> {
        Box::pin(read::versions(&self.database))
    }

    fn write<'a>(
        &'a self,
        context: &'a WriteContext,
        scopes: &'a [ScopeWrite],
    ) -> Boxed<'a, Result<Written, StoreError>> {
        Box::pin(write::write(&self.database, context, scopes))
    }

    fn note<'a>(&'a self, name: &'a str) -> Boxed<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move { self.database.setting(&note_name(name)).await })
    }

    fn set_note<'a>(&'a self, name: &'a str, text: &'a str) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(async move { self.database.set_setting(&note_name(name), text).await })
    }
}

fn note_name(name: &str) -> String {
    format!("catalog.{name}")
}
