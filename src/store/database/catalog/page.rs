//! The catalog page by page: for lists, what is on a page is read and nothing else; for a snapshot, one page after the other, so that
//! no statement and no answer grows with the tenant.

use super::super::Database;
use super::super::connection::{Connection, Sql};
use super::super::row::Row;
use super::read::INSTALLATION;
use super::statements::{ACCOUNT_PAGE, CHOICE_PAGE, NAME_PAGE, POOL_PAGE, QUOTA_PAGE};
use super::{name_rows, pool_rows, rows};
use crate::domain::account::Account;
use crate::domain::moved::NameRecord;
use crate::domain::name::AccountName;
use crate::domain::pool::Pool;
use crate::domain::quota::Quota;
use crate::engine::ports::{QuotaPage, StoreError};
use std::collections::BTreeMap;

/// Sorts after every name.
const LAST: &str = "\u{10FFFF}";
/// Rows that are read at once where all are wanted.
const AT_ONCE: usize = 10_000;
/// Pools that are read at once: each has its members with it.
const POOLS_AT_ONCE: usize = 500;

/// A page of the quotas that a tenant sees, or of the installation's own.
pub(super) async fn quotas(
    database: &Database,
    tenant: Option<&str>,
    page: &QuotaPage,
) -> Result<Vec<Quota>, StoreError> {
    let mut transaction = database.snapshot().await?;
    let mut found: BTreeMap<(String, String), Quota> = BTreeMap::new();
    // The tenant's come second, and take the place of the installation's of the same name.
    for scope in [Some(INSTALLATION), tenant].into_iter().flatten() {
        for quota in quotas_of(&mut transaction, scope, page).await? {
            found.insert(key(&quota), quota);
        }
    }
    transaction.commit().await?;
    Ok(found.into_values().take(page.limit).collect())
}

/// All current quotas of a scope.
pub(super) async fn all_quotas(
    connection: &mut Connection,
    scope: &str,
    all: &mut Vec<Quota>,
) -> Result<(), StoreError> {
    let mut page = QuotaPage { limit: AT_ONCE, ..QuotaPage::default() };
    loop {
        let found = quotas_of(connection, scope, &page).await?;
        let full = found.len() == AT_ONCE;
        page.after = found.last().map(key);
        all.extend(found);
        if !full {
            return Ok(());
        }
    }
}

async fn quotas_of(connection: &mut Connection, scope: &str, page: &QuotaPage) -> Result<Vec<Quota>, StoreError> {
    let wanted = page.subject.as_ref().map(ToString::to_string);
    let first = wanted.clone().map(|subject| (subject, String::new()));
    let (after_subject, after_meter) = page.after.clone().or(first).unwrap_or_default();
    let last = wanted.as_deref().unwrap_or(LAST);
    let meter = page.meter.as_ref().map_or("", |meter| meter.as_str());
    let rows = connection.fetch(QUOTA_PAGE, |values| {
        values.text(scope).text(&after_subject).text(&after_meter).text(last).text(meter).int(page.limit as i64);
    });
    rows.await?.iter().map(|row| rows::quota_from_row(scope, row)).collect()
}

fn key(quota: &Quota) -> (String, String) {
    (quota.subject.to_string(), quota.meter.to_string())
}

/// A page of a tenant's accounts.
pub(super) async fn accounts(
    connection: &mut Connection,
    tenant: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Account>, StoreError> {
    let rows = connection.fetch(ACCOUNT_PAGE, |values| {
        values.text(tenant).text(after.unwrap_or_default()).int(limit as i64);
    });
    rows.await?.iter().map(|row| rows::account_from_json(&row.text(0)?, &row.text(1)?, row.int(2)?)).collect()
}

/// All accounts of a scope.
pub(super) async fn all_accounts(
    connection: &mut Connection,
    scope: &str,
    all: &mut Vec<Account>,
) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let found = accounts(connection, scope, after.as_deref(), AT_ONCE).await?;
        let full = found.len() == AT_ONCE;
        after = found.last().map(|account| account.name.to_string());
        all.extend(found);
        if !full {
            return Ok(());
        }
    }
}

/// All pools of a scope.
pub(super) async fn all_pools(connection: &mut Connection, scope: &str, all: &mut Vec<Pool>) -> Result<(), StoreError> {
    let mut after = Some(String::new());
    while let Some(name) = after {
        let rows = named(connection, POOL_PAGE, (scope, &name), POOLS_AT_ONCE).await?;
        for row in &rows {
            all.push(pool_rows::pool_from_json(&row.text(0)?, &row.text(1)?)?);
        }
        after = next(&rows, POOLS_AT_ONCE)?;
    }
    Ok(())
}

/// All choices of pools of a scope.
pub(super) async fn all_choices(
    connection: &mut Connection,
    scope: &str,
    all: &mut Vec<(AccountName, AccountName)>,
) -> Result<(), StoreError> {
    let mut after = Some(String::new());
    while let Some(name) = after {
        let rows = named(connection, CHOICE_PAGE, (scope, &name), AT_ONCE).await?;
        for row in &rows {
            all.push(pool_rows::choice_from_json(&row.text(0)?, &row.text(1)?)?);
        }
        after = next(&rows, AT_ONCE)?;
    }
    Ok(())
}

/// All names of a scope behind which something else stands.
pub(super) async fn all_names(
    connection: &mut Connection,
    scope: &str,
    all: &mut Vec<NameRecord>,
) -> Result<(), StoreError> {
    let mut after = Some(String::new());
    while let Some(name) = after {
        let rows = named(connection, NAME_PAGE, (scope, &name), AT_ONCE).await?;
        for row in &rows {
            all.push(name_rows::from_json(&row.text(0)?, &row.text(1)?)?);
        }
        after = next(&rows, AT_ONCE)?;
    }
    Ok(())
}

async fn named(
    connection: &mut Connection,
    statement: Sql,
    (scope, after): (&str, &str),
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let rows = connection.fetch(statement, |values| {
        values.text(scope).text(after).int(limit as i64);
    });
    rows.await
}

/// The name after which the next page begins, if there is one.
fn next(rows: &[Row], limit: usize) -> Result<Option<String>, StoreError> {
    let last = rows.last().filter(|_| rows.len() == limit);
    last.map(|row| row.text(0)).transpose()
}
