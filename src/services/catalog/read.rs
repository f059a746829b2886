//! Gets and lists. A tenant sees what is the installation's and its own; where both have the same, its own.

use super::apply::scope;
use super::errors::from_store;
use super::listing::Page;
use crate::domain::name::{AccountName, MeterName, NameError};
use crate::domain::quota::{Quota, Subject};
use crate::engine::ports::CatalogData;
use crate::engine::publish::Publisher;
use crate::proto::v1;
use crate::services::convert::{self, account, meter, quota};
use crate::services::status::{Reason, bad_fields, internal};
use crate::services::violations::Violations;
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::Status;

/// GetMeter.
///
/// # Errors
/// INVALID_FIELD, METER_NOT_FOUND, or a catalog that can't be read; so, with its own NOT_FOUND, for every function here.
pub async fn get_meter(catalogs: Arc<Publisher>, request: v1::GetMeterRequest) -> Result<v1::GetMeterResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let name = named("meter", request.meter.parse::<MeterName>(), &mut bad);
    bad.finish()?;
    let data = load(&catalogs, tenant.as_ref()).await?;
    let found = data.meters.iter().find(|meter| Some(&meter.name) == name.as_ref());
    let found = found.ok_or_else(|| missing(Reason::MeterNotFound, "meter", format!("no meter {}", request.meter)))?;
    Ok(v1::GetMeterResponse { meter: Some(meter::meter(found)) })
}

/// ListMeters.
#[allow(clippy::missing_errors_doc)]
pub async fn list_meters(
    catalogs: Arc<Publisher>,
    request: v1::ListMetersRequest,
) -> Result<v1::ListMetersResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let page = Page::read(request.page_size, &request.page_token, &["meters", &request.tenant], &mut bad);
    bad.finish()?;
    let data = load(&catalogs, tenant.as_ref()).await?;
    let (meters, next_page_token) = page.cut(data.meters.iter().map(|meter| (meter.name.to_string(), meter)).collect());
    Ok(v1::ListMetersResponse { meters: meters.into_iter().map(meter::meter).collect(), next_page_token })
}

/// GetQuota.
#[allow(clippy::missing_errors_doc)]
pub async fn get_quota(catalogs: Arc<Publisher>, request: v1::GetQuotaRequest) -> Result<v1::GetQuotaResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let subject = named("subject", Subject::parse(&request.subject), &mut bad);
    let meter = named("meter", request.meter.parse::<MeterName>(), &mut bad);
    bad.finish()?;
    let data = load(&catalogs, tenant.as_ref()).await?;
    let mut found = quotas(&data, subject.as_ref(), meter.as_ref());
    let (_, found) = found.pop_first().ok_or_else(|| {
        let why = format!("no quota of {} on {}", request.subject, request.meter);
        missing(Reason::QuotaNotFound, "subject", why)
    })?;
    Ok(v1::GetQuotaResponse { quota: Some(quota::quota(found)) })
}

/// ListQuotas.
#[allow(clippy::missing_errors_doc)]
pub async fn list_quotas(
    catalogs: Arc<Publisher>,
    request: v1::ListQuotasRequest,
) -> Result<v1::ListQuotasResponse, Status> {
    let v1::ListQuotasRequest { tenant, subject, meter, page_size, page_token } = request;
    let mut bad = Violations::default();
    let question = ["quotas", &tenant, &subject, &meter];
    let page = Page::read(page_size, &page_token, &question, &mut bad);
    let scope = scope(&tenant, &mut bad);
    let subject = (!subject.is_empty()).then(|| named("subject", Subject::parse(&subject), &mut bad)).flatten();
    let meter = (!meter.is_empty()).then(|| named("meter", meter.parse::<MeterName>(), &mut bad)).flatten();
    bad.finish()?;
    let data = load(&catalogs, scope.as_ref()).await?;
    let (quotas, next_page_token) = page.cut(quotas(&data, subject.as_ref(), meter.as_ref()));
    Ok(v1::ListQuotasResponse { quotas: quotas.into_iter().map(quota::quota).collect(), next_page_token })
}

/// GetAccount.
#[allow(clippy::missing_errors_doc)]
pub async fn get_account(
    catalogs: Arc<Publisher>,
    request: v1::GetAccountRequest,
) -> Result<v1::GetAccountResponse, Status> {
    let mut bad = Violations::default();
    let tenant = convert::charge::tenant(&request.tenant, &mut bad);
    let name = convert::charge::account(&request.account, "account", tenant.as_ref(), &mut bad);
    bad.finish()?;
    let data = load(&catalogs, Some(&present(tenant)?)).await?;
    let found = data.accounts.iter().find(|account| Some(&account.name) == name.as_ref());
    let found = found
        .ok_or_else(|| missing(Reason::AccountNotFound, "account", format!("no record of {}", request.account)))?;
    Ok(v1::GetAccountResponse { account: Some(account::account(found)) })
}

/// ListAccounts.
#[allow(clippy::missing_errors_doc)]
pub async fn list_accounts(
    catalogs: Arc<Publisher>,
    request: v1::ListAccountsRequest,
) -> Result<v1::ListAccountsResponse, Status> {
    let mut bad = Violations::default();
    let tenant = convert::charge::tenant(&request.tenant, &mut bad);
    let page = Page::read(request.page_size, &request.page_token, &["accounts", &request.tenant], &mut bad);
    bad.finish()?;
    let tenant = present(tenant)?;
    let data = load(&catalogs, Some(&tenant)).await?;
    let own = data.accounts.iter().filter(|account| account.name.tenant() == tenant.as_str());
    let (accounts, next_page_token) = page.cut(own.map(|account| (account.name.to_string(), account)).collect());
    Ok(v1::ListAccountsResponse { accounts: accounts.into_iter().map(account::account).collect(), next_page_token })
}

async fn load(catalogs: &Publisher, tenant: Option<&AccountName>) -> Result<CatalogData, Status> {
    catalogs.read(tenant.map(AccountName::as_str)).await.map_err(from_store)
}

/// The quotas that are seen, by subject and meter. A tenant's plan wins over the installation's of the same name.
fn quotas<'a>(
    data: &'a CatalogData,
    subject: Option<&Subject>,
    meter: Option<&MeterName>,
) -> BTreeMap<String, &'a Quota> {
    let wanted = |quota: &&Quota| {
        subject.is_none_or(|subject| quota.subject == *subject) && meter.is_none_or(|meter| quota.meter == *meter)
    };
    let mut seen: BTreeMap<String, &Quota> = BTreeMap::new();
    for quota in data.quotas.iter().filter(wanted) {
        // A blank is in no name and sorts before all that are, so that this is the order by subject, then by meter.
        let key = format!("{} {}", quota.subject, quota.meter);
        if quota.tenant.is_some() || !seen.contains_key(&key) {
            seen.insert(key, quota);
        }
    }
    seen
}

fn named<T>(field: &str, name: Result<T, NameError>, bad: &mut Violations) -> Option<T> {
    name.map_err(|error| bad.add(field, error.to_string())).ok()
}

/// A tenant whose absence has been a violation.
fn present(tenant: Option<AccountName>) -> Result<AccountName, Status> {
    tenant.ok_or_else(|| internal("a request without tenant passed"))
}

fn missing(reason: Reason, field: &str, why: String) -> Status {
    bad_fields(reason, vec![(field.to_owned(), why)])
}
