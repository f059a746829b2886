//! What changed in the catalog that a tenant sees, since the version that a replica has.

use super::super::Database;
use super::super::connection::Connection;
use super::super::values::Values;
use super::read::{INSTALLATION, load_frame, number, version};
use super::statements::{ACCOUNT_CHANGED, CHOICE_CHANGED, FRAME_CHANGED, NAME_CHANGED, POOL_CHANGED, QUOTA_CHANGED};
use super::{name_rows, pool_rows, rows};
use crate::domain::quota::Subject;
use crate::engine::ports::{Cards, CatalogChanges, ChangedQuota, StoreError};

/// Of so many changes of one kind the whole is as quickly loaded.
const MOST: usize = 10_000;

/// What the tenant sees otherwise since a version, from one snapshot; `None`: too much, or not to be told.
pub(super) async fn changes(
    database: &Database,
    tenant: &str,
    since: u64,
) -> Result<Option<CatalogChanges>, StoreError> {
    let mut transaction = database.snapshot().await?;
    let connection = &mut transaction;
    let mut changes = CatalogChanges { version: version(connection, tenant).await?, ..CatalogChanges::default() };
    if changes.version < since {
        // The database was put back to a time before: nothing that is known of it holds.
        return Ok(None);
    }
    let since = since.cast_signed();
    let frame = connection.fetch_optional(FRAME_CHANGED, |values| {
        values.text(tenant).int(since);
    });
    if number(frame.await?)? > 0 {
        changes.frame = Some(load_frame(connection, Some(tenant), Cards::All).await?);
    }
    add_accounts(connection, tenant, since, &mut changes).await?;
    add_pools(connection, tenant, since, &mut changes).await?;
    for scope in [INSTALLATION, tenant] {
        add_quotas(connection, scope, since, &mut changes).await?;
    }
    transaction.commit().await?;
    let CatalogChanges { accounts, pools, choices, names, quotas, .. } = &changes;
    let most = [accounts.len(), pools.len(), choices.len(), names.len(), quotas.len()].into_iter().max();
    Ok((most < Some(MOST)).then_some(changes))
}

async fn add_accounts(
    connection: &mut Connection,
    tenant: &str,
    since: i64,
    changes: &mut CatalogChanges,
) -> Result<(), StoreError> {
    let rows = connection.fetch(ACCOUNT_CHANGED, |values| {
        values.text(tenant).int(since).int(MOST as i64);
    });
    for row in rows.await? {
        let record = rows::account_from_json(&row.text(0)?, &row.text(1)?, row.int(2)?)?;
        let deleted = row.int(3)? != 0;
        changes.accounts.push((record.name.clone(), (!deleted).then_some(record)));
    }
    Ok(())
}

async fn add_pools(
    connection: &mut Connection,
    tenant: &str,
    since: i64,
    changes: &mut CatalogChanges,
) -> Result<(), StoreError> {
    let changed = |values: &mut Values| {
        values.text(tenant).int(since).int(MOST as i64);
    };
    for row in connection.fetch(POOL_CHANGED, changed).await? {
        let pool = pool_rows::pool_from_json(&row.text(0)?, &row.text(1)?)?;
        let deleted = row.int(2)? != 0;
        changes.pools.push((pool.account.clone(), (!deleted).then_some(pool)));
    }
    for row in connection.fetch(CHOICE_CHANGED, changed).await? {
        let (account, pool) = pool_rows::choice_from_json(&row.text(0)?, &row.text(1)?)?;
        let deleted = row.int(2)? != 0;
        changes.choices.push((account, (!deleted).then_some(pool)));
    }
    for row in connection.fetch(NAME_CHANGED, changed).await? {
        let record = name_rows::from_json(&row.text(0)?, &row.text(1)?)?;
        let deleted = row.int(2)? != 0;
        changes.names.push((record.name.clone(), (!deleted).then_some(record)));
    }
    Ok(())
}

async fn add_quotas(
    connection: &mut Connection,
    scope: &str,
    since: i64,
    changes: &mut CatalogChanges,
) -> Result<(), StoreError> {
    let rows = connection.fetch(QUOTA_CHANGED, |values| {
        values.text(scope).int(since).int(MOST as i64);
    });
    for row in rows.await? {
        let (subject, meter) = (row.text(0)?, row.text(1)?);
        changes.quotas.push(ChangedQuota {
            of_installation: scope == INSTALLATION,
            quota: row.maybe_int(2)?.map(|_| rows::quota_from_row(scope, &row)).transpose()?,
            subject: Subject::parse(&subject).map_err(|error| rows::damaged("subject", &subject, &error))?,
            meter: meter.parse().map_err(|error| rows::damaged("meter", &meter, &error))?,
        });
    }
    Ok(())
}
