//! Loads what a scope sees: the installation's catalog and its own, from one snapshot.

use super::super::Database;
use super::super::errors::store_error;
use super::rows::{self, QuotaRow};
use super::statements::{ACCOUNT, METER, Noun, PLAN, QUOTA_LIST, SEQUENCE_GET, TENANTS, VERSION_GET, VERSIONS};
use crate::engine::ports::{CatalogData, StoreError};
use sqlx::SqliteConnection;

/// The scope of the installation.
pub(super) const INSTALLATION: &str = "";

/// A row of a meter, plan or account: name, definition, create time.
type NounRow = (String, String, i64);

/// Everything that a tenant sees, or the installation's own.
pub(super) async fn load(database: &Database, tenant: Option<&str>) -> Result<CatalogData, StoreError> {
    let mut transaction = database.reader().begin().await.map_err(store_error)?;
    let mut data = CatalogData {
        version: version(&mut transaction, tenant.unwrap_or(INSTALLATION)).await?,
        ..CatalogData::default()
    };
    add(&mut transaction, INSTALLATION, &mut data).await?;
    if let Some(tenant) = tenant {
        add(&mut transaction, tenant, &mut data).await?;
    }
    transaction.commit().await.map_err(store_error)?;
    Ok(data)
}

/// The version of what a scope sees.
pub(super) async fn version(connection: &mut SqliteConnection, scope: &str) -> Result<u64, StoreError> {
    let query = sqlx::query_as(VERSION_GET).bind(scope);
    let (version,): (i64,) = query.fetch_one(connection).await.map_err(store_error)?;
    Ok(version.unsigned_abs())
}

/// The version drawn last, by whatever scope.
pub(super) async fn sequence(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let (value,): (i64,) = sqlx::query_as(SEQUENCE_GET).fetch_one(connection).await.map_err(store_error)?;
    Ok(value.unsigned_abs())
}

/// Tenants that have anything configured.
pub(super) async fn tenants(database: &Database) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = sqlx::query_as(TENANTS).fetch_all(database.reader()).await.map_err(store_error)?;
    Ok(rows.into_iter().map(|(scope,)| scope).collect())
}

/// The version of each scope that was ever written; the installation's has no tenant.
pub(super) async fn versions(database: &Database) -> Result<Vec<(Option<String>, u64)>, StoreError> {
    let query = sqlx::query_as(VERSIONS);
    let rows: Vec<(String, i64)> = query.fetch_all(database.reader()).await.map_err(store_error)?;
    let owner = |scope: String| if scope == INSTALLATION { None } else { Some(scope) };
    Ok(rows.into_iter().map(|(scope, version)| (owner(scope), version.unsigned_abs())).collect())
}

/// Adds what one scope has of its own; its meters and plans take the place of those of the same name.
async fn add(connection: &mut SqliteConnection, scope: &str, data: &mut CatalogData) -> Result<(), StoreError> {
    let meters = list(connection, &METER, scope).await?;
    let meters = meters.iter().map(|(name, definition, _)| rows::meter_from_json(scope, name, definition));
    let meters: Vec<_> = meters.collect::<Result<_, _>>()?;
    data.meters = merge(std::mem::take(&mut data.meters), meters, |meter| meter.name.clone());

    let plans = list(connection, &PLAN, scope).await?;
    let plans = plans.iter().map(|(name, definition, _)| rows::plan_from_json(scope, name, definition));
    let plans: Vec<_> = plans.collect::<Result<_, _>>()?;
    data.plans = merge(std::mem::take(&mut data.plans), plans, |plan| plan.name.clone());

    for (name, definition, create_time) in list(connection, &ACCOUNT, scope).await? {
        data.accounts.push(rows::account_from_json(&name, &definition, create_time)?);
    }
    let query = sqlx::query_as(QUOTA_LIST).bind(scope);
    let quotas: Vec<QuotaRow> = query.fetch_all(connection).await.map_err(store_error)?;
    for row in quotas {
        data.quotas.push(rows::quota_from_row(scope, row)?);
    }
    Ok(())
}

async fn list(connection: &mut SqliteConnection, noun: &Noun, scope: &str) -> Result<Vec<NounRow>, StoreError> {
    sqlx::query_as(noun.list).bind(scope).fetch_all(connection).await.map_err(store_error)
}

fn merge<T, K: Ord>(weak: Vec<T>, strong: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let all = weak.into_iter().chain(strong);
    let merged: std::collections::BTreeMap<K, T> = all.map(|item| (key(&item), item)).collect();
    merged.into_values().collect()
}
