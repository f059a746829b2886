//! Records of accounts and pools, one by one, and the choice of a pool.

use super::errors::from_record;
use super::quotas::Desk;
use crate::domain::account::Account;
use crate::domain::name::AccountName;
use crate::domain::quota::Enforcement;
use crate::engine::authority::Authority;
use crate::engine::call::{UsageState, WindowUsage};
use crate::engine::manage::document::{Place, Problems};
use crate::engine::manage::{RecordChange, records};
use crate::engine::names::uid_of;
use crate::engine::ports::CatalogData;
use crate::proto::v1;
use crate::services::convert::{self, account, pool};
use crate::services::status::internal;
use crate::services::violations::Violations;
use std::sync::Arc;
use tonic::Status;

/// CreateAccount.
///
/// # Errors
/// INVALID_FIELD with every bad field, else as [`from_record`] says; so for every function here.
pub async fn create_account(
    desk: Desk,
    request: v1::CreateAccountRequest,
) -> Result<v1::CreateAccountResponse, Status> {
    let v1::CreateAccountRequest { tenant, account, etag } = request;
    let (account, etag) = put_account(&desk, (&tenant, account, &etag), false).await?;
    Ok(v1::CreateAccountResponse { account: Some(account), etag })
}

/// UpdateAccount.
#[allow(clippy::missing_errors_doc)]
pub async fn update_account(
    desk: Desk,
    request: v1::UpdateAccountRequest,
) -> Result<v1::UpdateAccountResponse, Status> {
    let v1::UpdateAccountRequest { tenant, account, etag } = request;
    let (account, etag) = put_account(&desk, (&tenant, account, &etag), true).await?;
    Ok(v1::UpdateAccountResponse { account: Some(account), etag })
}

async fn put_account(
    desk: &Desk,
    (tenant, account, etag): (&str, Option<v1::Account>, &str),
    is_there: bool,
) -> Result<(v1::Account, String), Status> {
    let mut bad = Violations::default();
    let tenant = convert::charge::tenant(tenant, &mut bad);
    let mut problems = Problems::default();
    let owner = tenant.as_ref().map(AccountName::as_str).unwrap_or_default();
    let at = Place::field("account");
    let draft =
        needed(account, &at, &mut problems).and_then(|account| account::draft(account, owner, &at, &mut problems));
    let (tenant, draft) = all(tenant, draft, bad, &problems)?;
    let change = if is_there { RecordChange::UpdateAccount(&draft) } else { RecordChange::CreateAccount(&draft) };
    let (data, etag) = changed(desk, &tenant, etag, change).await?;
    told(desk, "account set", &draft.value.name);
    let account =
        records::account(&data, &draft.value.name).ok_or_else(|| internal("a record that was set is gone"))?;
    Ok((shown(&data, account), etag))
}

/// DeleteAccount.
#[allow(clippy::missing_errors_doc)]
pub async fn delete_account(
    desk: Desk,
    request: v1::DeleteAccountRequest,
) -> Result<v1::DeleteAccountResponse, Status> {
    let (tenant, name) = names(&request.tenant, &request.account)?;
    let (_, etag) = changed(&desk, &tenant, &request.etag, RecordChange::DeleteAccount(&name)).await?;
    told(&desk, "account deleted", &name);
    Ok(v1::DeleteAccountResponse { etag })
}

/// CreatePool.
#[allow(clippy::missing_errors_doc)]
pub async fn create_pool(desk: Desk, request: v1::CreatePoolRequest) -> Result<v1::CreatePoolResponse, Status> {
    let v1::CreatePoolRequest { tenant, pool, etag } = request;
    let (pool, etag) = put_pool(&desk, (&tenant, pool, &etag), false).await?;
    Ok(v1::CreatePoolResponse { pool: Some(pool), etag })
}

/// UpdatePool.
#[allow(clippy::missing_errors_doc)]
pub async fn update_pool(desk: Desk, request: v1::UpdatePoolRequest) -> Result<v1::UpdatePoolResponse, Status> {
    let v1::UpdatePoolRequest { tenant, pool, etag } = request;
    let (pool, etag) = put_pool(&desk, (&tenant, pool, &etag), true).await?;
    Ok(v1::UpdatePoolResponse { pool: Some(pool), etag })
}

async fn put_pool(
    desk: &Desk,
    (tenant, pool, etag): (&str, Option<v1::Pool>, &str),
    is_there: bool,
) -> Result<(v1::Pool, String), Status> {
    let mut bad = Violations::default();
    let tenant = convert::charge::tenant(tenant, &mut bad);
    let mut problems = Problems::default();
    let owner = tenant.as_ref().map(AccountName::as_str).unwrap_or_default();
    let at = Place::field("pool");
    let draft = needed(pool, &at, &mut problems).and_then(|pool| pool::draft(pool, owner, &at, &mut problems));
    let (tenant, draft) = all(tenant, draft, bad, &problems)?;
    let change = if is_there { RecordChange::UpdatePool(&draft) } else { RecordChange::CreatePool(&draft) };
    let (_, etag) = changed(desk, &tenant, etag, change).await?;
    told(desk, "pool set", &draft.pool.account);
    Ok((pool::pool(&draft.pool), etag))
}

/// DeletePool.
#[allow(clippy::missing_errors_doc)]
pub async fn delete_pool(desk: Desk, request: v1::DeletePoolRequest) -> Result<v1::DeletePoolResponse, Status> {
    let (tenant, name) = names(&request.tenant, &request.account)?;
    let (_, etag) = changed(&desk, &tenant, &request.etag, RecordChange::DeletePool(&name)).await?;
    told(&desk, "pool deleted", &name);
    Ok(v1::DeletePoolResponse { etag })
}

/// SetActivePool.
#[allow(clippy::missing_errors_doc)]
pub async fn set_active_pool(
    desk: Desk,
    request: v1::SetActivePoolRequest,
) -> Result<v1::SetActivePoolResponse, Status> {
    let mut bad = Violations::default();
    let tenant = convert::charge::tenant(&request.tenant, &mut bad);
    let name = convert::charge::account(&request.account, "account", tenant.as_ref(), &mut bad);
    let chosen = (!request.pool.is_empty())
        .then(|| convert::charge::account(&request.pool, "pool", tenant.as_ref(), &mut bad))
        .flatten();
    let (tenant, name) = all(tenant, name, bad, &Problems::default())?;
    let change = RecordChange::Choose(&name, chosen.as_ref());
    let (data, etag) = changed(&desk, &tenant, "", change).await?;
    told(&desk, "pool chosen", &name);
    let warning = match &chosen {
        Some(chosen) => empty(&desk.authority, &tenant, chosen, &data).await,
        None => String::new(),
    };
    Ok(v1::SetActivePoolResponse { active_pool: request.pool, warning, etag })
}

/// What to say of a pool whose balance is used up, or can't be read.
async fn empty(authority: &Arc<Authority>, tenant: &AccountName, name: &AccountName, data: &CatalogData) -> String {
    let mut said = Vec::new();
    for meter in records::pool(data, name).iter().flat_map(|pool| &pool.meters) {
        let Ok((_, meters)) = authority.usage(tenant, name, Some(meter)).await else {
            said.push(format!("the balance of {name} on {meter} can't be read now"));
            continue;
        };
        let spent =
            |window: &&WindowUsage| window.state == UsageState::Exhausted && window.enforcement == Enforcement::Enforce;
        let without_top_up = meters.iter().filter(|usage| usage.top_up_remaining.unwrap_or(0) == 0);
        said.extend(without_top_up.filter_map(|usage| usage.windows.iter().find(spent)).map(|window| {
            let until = window.reset.map(|reset| format!(" until {reset}")).unwrap_or_default();
            format!("{name} has nothing left on {meter}{until}")
        }));
    }
    said.join("; ")
}

/// A record with the pool that the account chose.
pub fn shown(data: &CatalogData, account: &Account) -> v1::Account {
    let chosen = data.choices.iter().find(|(name, _)| *name == account.name).map(|(_, pool)| pool);
    account::account(account, uid_of(&data.names, &account.name), chosen)
}

async fn changed(
    desk: &Desk,
    tenant: &AccountName,
    etag: &str,
    change: RecordChange<'_>,
) -> Result<(CatalogData, String), Status> {
    desk.catalogs.change_record(desk.context(Some(tenant), etag), change).await.map_err(from_record)
}

/// What must be there.
pub fn needed<T>(value: Option<T>, at: &Place, problems: &mut Problems) -> Option<T> {
    if value.is_none() {
        problems.add(at, "is required");
    }
    value
}

fn names(tenant: &str, account: &str) -> Result<(AccountName, AccountName), Status> {
    let mut bad = Violations::default();
    let tenant = convert::charge::tenant(tenant, &mut bad);
    let name = convert::charge::account(account, "account", tenant.as_ref(), &mut bad);
    all(tenant, name, bad, &Problems::default())
}

/// Both, or one status with all that is wrong.
fn all<T>(
    tenant: Option<AccountName>,
    value: Option<T>,
    mut bad: Violations,
    problems: &Problems,
) -> Result<(AccountName, T), Status> {
    bad.add_all(problems);
    bad.finish()?;
    tenant.zip(value).ok_or_else(|| internal("a request without what it needs passed"))
}

fn told(desk: &Desk, what: &str, name: &AccountName) {
    tracing::info!(actor = desk.actor, account = %name, "{what}");
}
