//! Gets and lists. A tenant sees what is the installation's and its own; where both have the same, its own.

use super::apply::scope;
use super::definitions::{beginning, named};
use super::errors::from_store;
use super::listing::Page;
use super::records::shown;
use crate::domain::account::Account;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::quota::Subject;
use crate::domain::rate_card::{RateCard, in_force};
use crate::domain::time::Timestamp;
use crate::engine::manage::document::account::plan_name;
use crate::engine::manage::{etag_of, records};
use crate::engine::ports::{Cards, CatalogData, QuotaPage};
use crate::engine::publish::Publisher;
use crate::proto::v1;
use crate::services::convert::{self, account, meter, plan, pool, quota, rate_card};
use crate::services::status::{Reason, bad_fields, internal};
use crate::services::violations::Violations;
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
    let (etag, data) = with_etag(&catalogs, tenant.as_ref(), Cards::None).await?;
    let found = data.meters.iter().find(|meter| Some(&meter.name) == name.as_ref());
    let found = found.ok_or_else(|| missing(Reason::MeterNotFound, "meter", format!("no meter {}", request.meter)))?;
    Ok(v1::GetMeterResponse { meter: Some(meter::meter(found)), etag })
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
    let data = definitions(&catalogs, tenant.as_ref(), Cards::None).await?;
    let (meters, next_page_token) = page.cut(data.meters.iter().map(|meter| (meter.name.to_string(), meter)).collect());
    Ok(v1::ListMetersResponse { meters: meters.into_iter().map(meter::meter).collect(), next_page_token })
}

/// GetPlan.
#[allow(clippy::missing_errors_doc)]
pub async fn get_plan(catalogs: Arc<Publisher>, request: v1::GetPlanRequest) -> Result<v1::GetPlanResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let name = named("plan", plan_name(&request.plan), &mut bad);
    bad.finish()?;
    let (etag, data) = with_etag(&catalogs, tenant.as_ref(), Cards::None).await?;
    let found = data.plans.iter().find(|plan| Some(&plan.name) == name.as_ref());
    let found = found.ok_or_else(|| missing(Reason::PlanNotFound, "plan", format!("no plan {}", request.plan)))?;
    Ok(v1::GetPlanResponse { plan: Some(plan::plan(found)), etag })
}

/// ListPlans.
#[allow(clippy::missing_errors_doc)]
pub async fn list_plans(
    catalogs: Arc<Publisher>,
    request: v1::ListPlansRequest,
) -> Result<v1::ListPlansResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let page = Page::read(request.page_size, &request.page_token, &["plans", &request.tenant], &mut bad);
    bad.finish()?;
    let data = definitions(&catalogs, tenant.as_ref(), Cards::None).await?;
    let (plans, next_page_token) = page.cut(data.plans.iter().map(|plan| (plan.name.clone(), plan)).collect());
    Ok(v1::ListPlansResponse { plans: plans.into_iter().map(plan::plan).collect(), next_page_token })
}

/// GetRateCard; without a time the one in force at `now`.
#[allow(clippy::missing_errors_doc)]
pub async fn get_rate_card(
    catalogs: Arc<Publisher>,
    now: Timestamp,
    request: v1::GetRateCardRequest,
) -> Result<v1::GetRateCardResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let name = named("meter", request.meter.parse::<MeterName>(), &mut bad);
    let from = request.from_time.as_ref().and_then(|time| beginning(time, &mut bad));
    bad.finish()?;
    let meter = name.ok_or_else(|| internal("a request without a meter passed"))?;
    let cards = from.map_or(Cards::Of(&meter), |from| Cards::From(&meter, from));
    let (etag, CatalogData { rate_cards: cards, .. }) = with_etag(&catalogs, tenant.as_ref(), cards).await?;
    let found = match from {
        // A tenant's own wins, as in force.
        Some(_) => cards.iter().max_by_key(|card| card.tenant.is_some()),
        None => in_force(&cards, now).0,
    };
    let found = found.ok_or_else(|| match from {
        Some(from) => {
            let why = format!("no rate card of {} begins at {from}", request.meter);
            missing(Reason::RateCardNotFound, "from_time", why)
        }
        None => missing(Reason::RateCardNotFound, "meter", format!("no rate card of {} is in force", request.meter)),
    })?;
    Ok(v1::GetRateCardResponse { rate_card: Some(rate_card::rate_card(found)), etag })
}

/// ListRateCards.
#[allow(clippy::missing_errors_doc)]
pub async fn list_rate_cards(
    catalogs: Arc<Publisher>,
    request: v1::ListRateCardsRequest,
) -> Result<v1::ListRateCardsResponse, Status> {
    let v1::ListRateCardsRequest { tenant, meter, page_size, page_token } = request;
    let mut bad = Violations::default();
    let page = Page::read(page_size, &page_token, &["rate cards", &tenant, &meter], &mut bad);
    let tenant = scope(&tenant, &mut bad);
    let meter = (!meter.is_empty()).then(|| named("meter", meter.parse::<MeterName>(), &mut bad)).flatten();
    bad.finish()?;
    let cards = meter.as_ref().map_or(Cards::All, Cards::Of);
    let data = definitions(&catalogs, tenant.as_ref(), cards).await?;
    let (cards, next_page_token) = page.cut(data.rate_cards.iter().map(|card| (key_of(card), card)).collect());
    let rate_cards = cards.into_iter().map(rate_card::without_prices).collect();
    Ok(v1::ListRateCardsResponse { rate_cards, next_page_token })
}

/// By meter, time and owner, the installation's first: as text in this order.
fn key_of(card: &RateCard) -> String {
    let since_the_first = i128::from(card.from.millis()) - i128::from(Timestamp::MIN.millis());
    format!("{} {since_the_first:020} {}", card.meter, card.tenant.as_deref().unwrap_or_default())
}

/// GetQuota, as of `now`.
#[allow(clippy::missing_errors_doc)]
pub async fn get_quota(
    catalogs: Arc<Publisher>,
    now: Timestamp,
    request: v1::GetQuotaRequest,
) -> Result<v1::GetQuotaResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let subject = named("subject", Subject::parse(&request.subject), &mut bad);
    let meter = named("meter", request.meter.parse::<MeterName>(), &mut bad);
    bad.finish()?;
    let tenant = tenant.as_ref().map(AccountName::as_str);
    let page = QuotaPage { subject, meter, after: None, limit: 1 };
    let found = catalogs.store().list_quotas(tenant, &page).await.map_err(from_store)?;
    let found = found.first().ok_or_else(|| {
        let why = format!("no quota of {} on {}", request.subject, request.meter);
        missing(Reason::QuotaNotFound, "subject", why)
    })?;
    Ok(v1::GetQuotaResponse { quota: Some(quota::quota(found, now)) })
}

/// ListQuotas, as of `now`.
#[allow(clippy::missing_errors_doc)]
pub async fn list_quotas(
    catalogs: Arc<Publisher>,
    now: Timestamp,
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
    // A blank is in no name.
    let after = page.after().and_then(|after| after.split_once(' '));
    let after = after.map(|(subject, meter)| (subject.to_owned(), meter.to_owned()));
    let wanted = QuotaPage { subject, meter, after, limit: page.with_one_more() };
    let found =
        catalogs.store().list_quotas(scope.as_ref().map(AccountName::as_str), &wanted).await.map_err(from_store)?;
    let (quotas, next_page_token) = page.end(found, |quota| format!("{} {}", quota.subject, quota.meter));
    let quotas = quotas.iter().map(|found| quota::quota(found, now)).collect();
    Ok(v1::ListQuotasResponse { quotas, next_page_token })
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
    let (tenant, name) = (present(tenant)?, present(name)?);
    let (name, data) = records_of(&catalogs, &tenant, &name).await?;
    let found = records::account(&data, &name)
        .ok_or_else(|| missing(Reason::AccountNotFound, "account", format!("no record of {}", request.account)))?;
    Ok(v1::GetAccountResponse { account: Some(shown(&data, found)), etag: etag_of(data.version) })
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
    let found = catalogs.store().list_accounts(tenant.as_str(), page.after(), page.with_one_more()).await;
    let (accounts, next_page_token) = page.end(found.map_err(from_store)?, |account| account.name.to_string());
    let snapshot = catalogs.snapshot(tenant.as_str()).await.map_err(from_store)?;
    let uid = |record: &Account| snapshot.uids(&record.name).last().copied();
    let accounts = accounts.iter().map(|record| account::account(record, uid(record), None));
    Ok(v1::ListAccountsResponse { accounts: accounts.collect(), next_page_token })
}

/// GetPool.
#[allow(clippy::missing_errors_doc)]
pub async fn get_pool(catalogs: Arc<Publisher>, request: v1::GetPoolRequest) -> Result<v1::GetPoolResponse, Status> {
    let mut bad = Violations::default();
    let tenant = convert::charge::tenant(&request.tenant, &mut bad);
    let name = convert::charge::account(&request.account, "account", tenant.as_ref(), &mut bad);
    bad.finish()?;
    let (tenant, name) = (present(tenant)?, present(name)?);
    let (name, data) = records_of(&catalogs, &tenant, &name).await?;
    let found = records::pool(&data, &name)
        .ok_or_else(|| missing(Reason::PoolNotFound, "account", format!("no pool {}", request.account)))?;
    Ok(v1::GetPoolResponse { pool: Some(pool::pool(found)), etag: etag_of(data.version) })
}

/// ListPools; membership as of `now`.
#[allow(clippy::missing_errors_doc)]
pub async fn list_pools(
    catalogs: Arc<Publisher>,
    now: Timestamp,
    request: v1::ListPoolsRequest,
) -> Result<v1::ListPoolsResponse, Status> {
    let v1::ListPoolsRequest { tenant, member, page_size, page_token } = request;
    let mut bad = Violations::default();
    let page = Page::read(page_size, &page_token, &["pools", &tenant, &member], &mut bad);
    let tenant = convert::charge::tenant(&tenant, &mut bad);
    let member =
        (!member.is_empty()).then(|| convert::charge::account(&member, "member", tenant.as_ref(), &mut bad)).flatten();
    bad.finish()?;
    let snapshot = catalogs.snapshot(present(tenant)?.as_str()).await.map_err(from_store)?;
    let pools = snapshot.pools(member.as_ref(), now);
    let (pools, next_page_token) = page.cut(pools.into_iter().map(|pool| (pool.account.to_string(), pool)).collect());
    let chosen = member.as_ref().and_then(|member| snapshot.choice(member));
    Ok(v1::ListPoolsResponse {
        pools: pools.iter().map(|pool| pool::without_members(pool)).collect(),
        next_page_token,
        active_pool: chosen.map(ToString::to_string).unwrap_or_default(),
    })
}

/// One account's record, pool and choice, by the name that it has or one that it had.
async fn records_of(
    catalogs: &Publisher,
    tenant: &AccountName,
    name: &AccountName,
) -> Result<(AccountName, CatalogData), Status> {
    let load = async |name| catalogs.store().load_records(Some(tenant.as_str()), std::slice::from_ref(name)).await;
    let data = load(name).await.map_err(from_store)?;
    if data.names.is_empty() {
        return Ok((name.clone(), data));
    }
    let snapshot = catalogs.snapshot(tenant.as_str()).await.map_err(from_store)?;
    let today = snapshot.today(name).into_owned();
    let data = load(&today).await.map_err(from_store)?;
    Ok((today, data))
}

/// What a tenant sees of meters, plans and some rate cards.
async fn definitions(
    catalogs: &Publisher,
    tenant: Option<&AccountName>,
    cards: Cards<'_>,
) -> Result<CatalogData, Status> {
    catalogs.store().load_definitions(tenant.map(AccountName::as_str), cards).await.map_err(from_store)
}

/// The same, with an etag that is no newer.
async fn with_etag(
    catalogs: &Publisher,
    tenant: Option<&AccountName>,
    cards: Cards<'_>,
) -> Result<(String, CatalogData), Status> {
    let etag = catalogs.etag(tenant.map(AccountName::as_str)).await.map_err(from_store)?;
    Ok((etag, definitions(catalogs, tenant, cards).await?))
}

/// A name whose absence has been a violation.
fn present(name: Option<AccountName>) -> Result<AccountName, Status> {
    name.ok_or_else(|| internal("a request without a name passed"))
}

fn missing(reason: Reason, field: &str, why: String) -> Status {
    bad_fields(reason, vec![(field.to_owned(), why)])
}
