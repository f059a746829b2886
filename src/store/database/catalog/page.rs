//! The catalog page by page, for lists: what is on a page is read, and nothing else.

use super::super::Database;
use super::read::INSTALLATION;
use super::rows;
use super::statements::{ACCOUNT_PAGE, QUOTA_PAGE};
use crate::domain::account::Account;
use crate::domain::quota::Quota;
use crate::engine::ports::{QuotaPage, StoreError};
use std::collections::BTreeMap;

/// Sorts after every name.
const LAST: &str = "\u{10FFFF}";

/// A page of the quotas that a tenant sees, or of the installation's own.
pub(super) async fn quotas(
    database: &Database,
    tenant: Option<&str>,
    page: &QuotaPage,
) -> Result<Vec<Quota>, StoreError> {
    let wanted = page.subject.as_ref().map(ToString::to_string);
    let first = wanted.clone().map(|subject| (subject, String::new()));
    let (after_subject, after_meter) = page.after.clone().or(first).unwrap_or_default();
    let last = wanted.as_deref().unwrap_or(LAST);
    let meter = page.meter.as_ref().map_or("", |meter| meter.as_str());
    let mut transaction = database.snapshot().await?;
    let mut found: BTreeMap<(String, String), Quota> = BTreeMap::new();
    // The tenant's come second, and take the place of the installation's of the same name.
    for scope in [Some(INSTALLATION), tenant].into_iter().flatten() {
        let rows = transaction.fetch(QUOTA_PAGE, |values| {
            values.text(scope).text(&after_subject).text(&after_meter).text(last).text(meter).int(page.limit as i64);
        });
        for row in rows.await? {
            let quota = rows::quota_from_row(scope, &row)?;
            found.insert((quota.subject.to_string(), quota.meter.to_string()), quota);
        }
    }
    transaction.commit().await?;
    Ok(found.into_values().take(page.limit).collect())
}

/// A page of a tenant's accounts.
pub(super) async fn accounts(
    database: &Database,
    tenant: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Account>, StoreError> {
    let mut connection = database.read().await?;
    let rows = connection.fetch(ACCOUNT_PAGE, |values| {
        values.text(tenant).text(after.unwrap_or_default()).int(limit as i64);
    });
    rows.await?.iter().map(|row| rows::account_from_json(&row.text(0)?, &row.text(1)?, row.int(2)?)).collect()
}
