//! Loads what a scope sees: the installation's catalog and its own, from one snapshot.

use super::super::Database;
use super::super::connection::Connection;
use super::super::row::Row;
use super::super::values::Values;
use super::statements::{
    ACCOUNT, CHOICE, METER_LIST, METER_REMOVED, NAME, NAME_MOVING, PLAN_LIST, POOL, QUOTA_GET, QUOTA_LOCKED,
    QUOTA_VERSIONS, RATE_CARD_BETWEEN, RATE_CARD_LIST, SEQUENCE_GET, SEQUENCE_LOCK, TENANTS, VERSION_GET, VERSIONS,
};
use super::{name_rows, page, pool_rows, rate_cards, rows};
use crate::domain::account::Account;
use crate::domain::moved::NameRecord;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::quota::Subject;
use crate::domain::rate_card::card_name;
use crate::engine::ports::{Cards, CatalogData, QuotaKey, QuotaVersion, StoreError};
use std::collections::BTreeSet;

/// The scope of the installation.
pub(super) const INSTALLATION: &str = "";

/// Everything that a tenant sees, or the installation's own.
pub(super) async fn load(database: &Database, tenant: Option<&str>) -> Result<CatalogData, StoreError> {
    let mut transaction = database.snapshot().await?;
    let mut data = load_frame(&mut transaction, tenant, Cards::All).await?;
    for scope in [Some(INSTALLATION), tenant].into_iter().flatten() {
        page::all_accounts(&mut transaction, scope, &mut data.accounts).await?;
        page::all_pools(&mut transaction, scope, &mut data.pools).await?;
        page::all_choices(&mut transaction, scope, &mut data.choices).await?;
        page::all_names(&mut transaction, scope, &mut data.names).await?;
        page::all_quotas(&mut transaction, scope, &mut data.quotas).await?;
    }
    transaction.commit().await?;
    Ok(data)
}

/// Of what a scope sees meters, plans and some rate cards.
pub(super) async fn load_definitions(
    database: &Database,
    tenant: Option<&str>,
    cards: Cards<'_>,
) -> Result<CatalogData, StoreError> {
    let mut transaction = database.snapshot().await?;
    let data = load_frame(&mut transaction, tenant, cards).await?;
    transaction.commit().await?;
    Ok(data)
}

/// The version of what a scope sees.
pub(super) async fn version(connection: &mut Connection, scope: &str) -> Result<u64, StoreError> {
    number(connection.fetch_optional(VERSION_GET, of(scope)).await?)
}

/// The version drawn last, by whatever scope.
pub(super) async fn sequence(connection: &mut Connection) -> Result<u64, StoreError> {
    number(connection.fetch_optional(SEQUENCE_GET, |_| {}).await?)
}

/// As [`sequence`], and keeps everybody else from drawing one until the transaction ends.
pub(super) async fn lock_sequence(connection: &mut Connection) -> Result<u64, StoreError> {
    number(connection.fetch_optional(SEQUENCE_LOCK, |_| {}).await?)
}

/// The number that a statement answers that always has one row.
pub(super) fn number(row: Option<Row>) -> Result<u64, StoreError> {
    let missing = || StoreError::Corrupt(String::from("catalog: the version is missing"));
    Ok(row.ok_or_else(missing)?.int(0)?.unsigned_abs())
}

/// Tenants that have anything configured.
pub(super) async fn tenants(database: &Database) -> Result<Vec<String>, StoreError> {
    let rows = database.read().await?.fetch(TENANTS, |_| {}).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// The names of a tenant behind which something else stands than they were derived from.
pub(super) async fn names(database: &Database, tenant: &str) -> Result<Vec<NameRecord>, StoreError> {
    let mut transaction = database.snapshot().await?;
    let mut names = Vec::new();
    page::all_names(&mut transaction, tenant, &mut names).await?;
    transaction.commit().await?;
    Ok(names)
}

/// The accounts that are being moved, with their tenants.
pub(super) async fn moving(database: &Database) -> Result<Vec<(String, NameRecord)>, StoreError> {
    let rows = database.read().await?.fetch(NAME_MOVING, |_| {}).await?;
    rows.iter().map(|row| Ok((row.text(0)?, name_rows::from_json(&row.text(1)?, &row.text(2)?)?))).collect()
}

/// The one value of a statement about a scope, or a meter.
fn of(scope: &str) -> impl FnOnce(&mut Values) {
    move |values| {
        values.text(scope);
    }
}

/// The values of a statement about one name of a scope.
fn pair(scope: &str, name: &str) -> impl FnOnce(&mut Values) {
    move |values| {
        values.text(scope).text(name);
    }
}

/// Every version of a scope's quota, newest first.
pub(super) async fn quota_versions(
    database: &Database,
    tenant: Option<&str>,
    subject: &Subject,
    meter: &MeterName,
) -> Result<Vec<QuotaVersion>, StoreError> {
    let scope = tenant.unwrap_or(INSTALLATION);
    let mut connection = database.read().await?;
    let rows = connection.fetch(QUOTA_VERSIONS, |values| {
        values.text(scope).text(&subject.to_string()).text(meter.as_str());
    });
    rows.await?.iter().map(|row| rows::version_from_row(scope, row)).collect()
}

/// The version of each scope that was ever written; the installation's has no tenant.
pub(super) async fn versions(database: &Database) -> Result<Vec<(Option<String>, u64)>, StoreError> {
    let rows = database.read().await?.fetch(VERSIONS, |_| {}).await?;
    let owner = |scope: String| if scope == INSTALLATION { None } else { Some(scope) };
    rows.iter().map(|row| Ok((owner(row.text(0)?), row.int(1)?.unsigned_abs()))).collect()
}

/// What a scope sees with no other quotas than these and those that lock them, and of the records the tenant's own and those on
/// their subjects' paths.
pub(super) async fn load_for(
    database: &Database,
    tenant: Option<&str>,
    quotas: &[QuotaKey],
) -> Result<CatalogData, StoreError> {
    let mut transaction = database.snapshot().await?;
    let mut data = load_frame(&mut transaction, tenant, Cards::None).await?;
    let scopes = [Some(INSTALLATION), tenant].into_iter().flatten();
    for scope in scopes {
        for (subject, meter) in quotas {
            let row = transaction.fetch_optional(QUOTA_GET, |values| {
                values.text(scope).text(&subject.to_string()).text(meter.as_str());
            });
            data.quotas.extend(row.await?.map(|row| rows::quota_from_row(scope, &row)).transpose()?);
        }
    }
    let meters: BTreeSet<&MeterName> = quotas.iter().map(|(_, meter)| meter).collect();
    for meter in meters {
        for row in transaction.fetch(QUOTA_LOCKED, of(meter.as_str())).await? {
            let locked = rows::quota_from_row(INSTALLATION, &row)?;
            if !data.quotas.contains(&locked) {
                data.quotas.push(locked);
            }
        }
    }
    let paths = quotas.iter().filter_map(|(subject, _)| match subject {
        Subject::Account(name) => Some(name),
        Subject::Pattern(_) | Subject::Plan(_) => None,
    });
    add_records(&mut transaction, tenant, paths, &mut data).await?;
    transaction.commit().await?;
    Ok(data)
}

/// What a scope sees without quotas, and of the records the tenant's own and those on the paths of these.
pub(super) async fn load_records(
    database: &Database,
    tenant: Option<&str>,
    names: &[AccountName],
) -> Result<CatalogData, StoreError> {
    let mut transaction = database.snapshot().await?;
    let mut data = load_frame(&mut transaction, tenant, Cards::None).await?;
    add_records(&mut transaction, tenant, names.iter(), &mut data).await?;
    transaction.commit().await?;
    Ok(data)
}

/// Adds the records, pools, choices and moves of a tenant and of what is on these paths.
async fn add_records<'a>(
    connection: &mut Connection,
    tenant: Option<&'a str>,
    paths: impl Iterator<Item = &'a AccountName>,
    data: &mut CatalogData,
) -> Result<(), StoreError> {
    let names: BTreeSet<&str> = paths.flat_map(AccountName::chain).chain(tenant).collect();
    for name in names {
        data.accounts.extend(account(connection, name).await?);
        let scope = tenant.unwrap_or(INSTALLATION);
        let found = connection.fetch_optional(POOL.get, pair(scope, name)).await?;
        data.pools.extend(found.map(|row| pool_rows::pool_from_json(name, &row.text(0)?)).transpose()?);
        let found = connection.fetch_optional(CHOICE.get, pair(scope, name)).await?;
        data.choices.extend(found.map(|row| pool_rows::choice_from_json(name, &row.text(0)?)).transpose()?);
        let found = connection.fetch_optional(NAME.get, pair(scope, name)).await?;
        data.names.extend(found.map(|row| name_rows::from_json(name, &row.text(0)?)).transpose()?);
    }
    Ok(())
}

/// One account's record.
pub(super) async fn account(connection: &mut Connection, name: &str) -> Result<Option<Account>, StoreError> {
    let tenant = name.parse::<AccountName>().map(|name| name.tenant().to_owned()).unwrap_or_default();
    let row = connection.fetch_optional(ACCOUNT.get, |values| {
        values.text(&tenant).text(name);
    });
    row.await?.map(|row| rows::account_from_json(name, &row.text(0)?, row.int(1)?)).transpose()
}

/// What a scope sees without accounts and quotas, and of the rate cards some.
pub(super) async fn load_frame(
    connection: &mut Connection,
    tenant: Option<&str>,
    cards: Cards<'_>,
) -> Result<CatalogData, StoreError> {
    let mut data =
        CatalogData { version: version(connection, tenant.unwrap_or(INSTALLATION)).await?, ..CatalogData::default() };
    for scope in [Some(INSTALLATION), tenant].into_iter().flatten() {
        add_frame(connection, scope, &mut data).await?;
        add_cards(connection, scope, cards, &mut data).await?;
    }
    Ok(data)
}

/// Adds what one scope has of its own; its meters and plans take the place of those of the same name.
async fn add_frame(connection: &mut Connection, scope: &str, data: &mut CatalogData) -> Result<(), StoreError> {
    let meters = connection.fetch(METER_LIST, of(scope)).await?;
    let meters = meters.iter().map(|row| rows::meter_from_json(scope, &row.text(0)?, &row.text(1)?));
    let meters: Vec<_> = meters.collect::<Result<_, _>>()?;
    data.meters = merge(std::mem::take(&mut data.meters), meters, |meter| meter.name.clone());

    for row in connection.fetch(METER_REMOVED, of(scope)).await? {
        data.removed.push(rows::meter_from_json(scope, &row.text(0)?, &row.text(1)?)?);
    }

    let plans = connection.fetch(PLAN_LIST, of(scope)).await?;
    let plans = plans.iter().map(|row| rows::plan_from_json(scope, &row.text(0)?, &row.text(1)?));
    let plans: Vec<_> = plans.collect::<Result<_, _>>()?;
    data.plans = merge(std::mem::take(&mut data.plans), plans, |plan| plan.name.clone());
    Ok(())
}

/// Adds some of one scope's rate cards.
async fn add_cards(
    connection: &mut Connection,
    scope: &str,
    cards: Cards<'_>,
    data: &mut CatalogData,
) -> Result<(), StoreError> {
    let rows = match cards {
        Cards::None => return Ok(()),
        Cards::All => connection.fetch(RATE_CARD_LIST, of(scope)).await?,
        // A card's name is its meter's, a blank and a time; ! is the character after the blank.
        Cards::Of(meter) => between(connection, scope, &format!("{meter} "), &format!("{meter}!")).await?,
        // No other name begins with a card's.
        Cards::From(meter, from) => {
            let name = card_name(meter, from);
            between(connection, scope, &name, &format!("{name}!")).await?
        }
    };
    for row in rows {
        data.rate_cards.push(rate_cards::from_definition(scope, &row.text(1)?)?);
    }
    Ok(())
}

/// A scope's rate cards from one name to before another.
async fn between(connection: &mut Connection, scope: &str, first: &str, end: &str) -> Result<Vec<Row>, StoreError> {
    let found = connection.fetch(RATE_CARD_BETWEEN, |values| {
        values.text(scope).text(first).text(end);
    });
    found.await
}

fn merge<T, K: Ord>(weak: Vec<T>, strong: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let all = weak.into_iter().chain(strong);
    let merged: std::collections::BTreeMap<K, T> = all.map(|item| (key(&item), item)).collect();
    merged.into_values().collect()
}
