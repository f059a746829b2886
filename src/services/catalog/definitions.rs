//! Meters, plans and rate cards, one by one.

use super::apply::scope;
use super::errors::from_definition;
use super::quotas::Desk;
use super::records::needed;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::time::Timestamp;
use crate::engine::manage::document::account::plan_name;
use crate::engine::manage::document::{Found, Place, Problems};
use crate::engine::manage::{Definition, DefinitionChange, DefinitionName};
use crate::proto::v1;
use crate::services::convert::time::in_calendar;
use crate::services::convert::{meter, plan, rate_card};
use crate::services::status::internal;
use crate::services::violations::Violations;
use std::fmt::Display;
use tonic::Status;

/// CreateMeter.
///
/// # Errors
/// INVALID_FIELD with every bad field, else as [`from_definition`] says; so for every function here.
pub async fn create_meter(desk: Desk, request: v1::CreateMeterRequest) -> Result<v1::CreateMeterResponse, Status> {
    let v1::CreateMeterRequest { tenant, meter, etag } = request;
    let (meter, etag) = put_meter(&desk, (&tenant, meter, &etag), false).await?;
    Ok(v1::CreateMeterResponse { meter: Some(meter), etag })
}

/// UpdateMeter.
#[allow(clippy::missing_errors_doc)]
pub async fn update_meter(desk: Desk, request: v1::UpdateMeterRequest) -> Result<v1::UpdateMeterResponse, Status> {
    let v1::UpdateMeterRequest { tenant, meter, etag } = request;
    let (meter, etag) = put_meter(&desk, (&tenant, meter, &etag), true).await?;
    Ok(v1::UpdateMeterResponse { meter: Some(meter), etag })
}

async fn put_meter(
    desk: &Desk,
    (tenant, meter, etag): (&str, Option<v1::Meter>, &str),
    is_there: bool,
) -> Result<(v1::Meter, String), Status> {
    let (tenant, found) = read(tenant, "meter", meter, meter::draft)?;
    let shown = meter::meter(&found.value);
    let found = Found { at: found.at, value: Definition::Meter(found.value) };
    Ok((shown, put(desk, tenant.as_ref(), etag, ("meter", &found), is_there).await?))
}

/// DeleteMeter.
#[allow(clippy::missing_errors_doc)]
pub async fn delete_meter(desk: Desk, request: v1::DeleteMeterRequest) -> Result<v1::DeleteMeterResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let name = named("meter", request.meter.parse::<MeterName>(), &mut bad).map(DefinitionName::Meter);
    let etag = delete(&desk, tenant, name, &request.etag, ("meter", bad)).await?;
    Ok(v1::DeleteMeterResponse { etag })
}

/// CreatePlan.
#[allow(clippy::missing_errors_doc)]
pub async fn create_plan(desk: Desk, request: v1::CreatePlanRequest) -> Result<v1::CreatePlanResponse, Status> {
    let v1::CreatePlanRequest { tenant, plan, etag } = request;
    let (plan, etag) = put_plan(&desk, (&tenant, plan, &etag), false).await?;
    Ok(v1::CreatePlanResponse { plan: Some(plan), etag })
}

/// UpdatePlan.
#[allow(clippy::missing_errors_doc)]
pub async fn update_plan(desk: Desk, request: v1::UpdatePlanRequest) -> Result<v1::UpdatePlanResponse, Status> {
    let v1::UpdatePlanRequest { tenant, plan, etag } = request;
    let (plan, etag) = put_plan(&desk, (&tenant, plan, &etag), true).await?;
    Ok(v1::UpdatePlanResponse { plan: Some(plan), etag })
}

async fn put_plan(
    desk: &Desk,
    (tenant, plan, etag): (&str, Option<v1::Plan>, &str),
    is_there: bool,
) -> Result<(v1::Plan, String), Status> {
    let (tenant, found) = read(tenant, "plan", plan, plan::draft)?;
    let shown = plan::plan(&found.value);
    let found = Found { at: found.at, value: Definition::Plan(found.value) };
    Ok((shown, put(desk, tenant.as_ref(), etag, ("plan", &found), is_there).await?))
}

/// DeletePlan.
#[allow(clippy::missing_errors_doc)]
pub async fn delete_plan(desk: Desk, request: v1::DeletePlanRequest) -> Result<v1::DeletePlanResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let name = named("plan", plan_name(&request.plan), &mut bad).map(DefinitionName::Plan);
    let etag = delete(&desk, tenant, name, &request.etag, ("plan", bad)).await?;
    Ok(v1::DeletePlanResponse { etag })
}

/// CreateRateCard.
#[allow(clippy::missing_errors_doc)]
pub async fn create_rate_card(
    desk: Desk,
    request: v1::CreateRateCardRequest,
) -> Result<v1::CreateRateCardResponse, Status> {
    let v1::CreateRateCardRequest { tenant, rate_card, etag } = request;
    let (card, etag) = put_rate_card(&desk, (&tenant, rate_card, &etag), false).await?;
    Ok(v1::CreateRateCardResponse { rate_card: Some(card), etag })
}

/// UpdateRateCard.
#[allow(clippy::missing_errors_doc)]
pub async fn update_rate_card(
    desk: Desk,
    request: v1::UpdateRateCardRequest,
) -> Result<v1::UpdateRateCardResponse, Status> {
    let v1::UpdateRateCardRequest { tenant, rate_card, etag } = request;
    let (card, etag) = put_rate_card(&desk, (&tenant, rate_card, &etag), true).await?;
    Ok(v1::UpdateRateCardResponse { rate_card: Some(card), etag })
}

async fn put_rate_card(
    desk: &Desk,
    (tenant, card, etag): (&str, Option<v1::RateCard>, &str),
    is_there: bool,
) -> Result<(v1::RateCard, String), Status> {
    let (tenant, found) = read(tenant, "rate_card", card, rate_card::draft)?;
    let shown = rate_card::rate_card(&found.value);
    let found = Found { at: found.at, value: Definition::RateCard(found.value) };
    Ok((shown, put(desk, tenant.as_ref(), etag, ("rate_card", &found), is_there).await?))
}

/// DeleteRateCard.
#[allow(clippy::missing_errors_doc)]
pub async fn delete_rate_card(
    desk: Desk,
    request: v1::DeleteRateCardRequest,
) -> Result<v1::DeleteRateCardResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let meter = named("meter", request.meter.parse::<MeterName>(), &mut bad);
    let from = request.from_time.as_ref().and_then(|time| beginning(time, &mut bad));
    if request.from_time.is_none() {
        bad.add("from_time", "is required");
    }
    let name = meter.zip(from).map(|(meter, from)| DefinitionName::RateCard(meter, from));
    let etag = delete(&desk, tenant, name, &request.etag, ("from_time", bad)).await?;
    Ok(v1::DeleteRateCardResponse { etag })
}

/// When a rate card begins.
pub fn beginning(time: &pbjson_types::Timestamp, bad: &mut Violations) -> Option<Timestamp> {
    let from = in_calendar(time);
    if from.is_none() {
        bad.add("from_time", "is no time of the calendar");
    }
    from
}

/// A name that a request says in `field`.
pub fn named<T, E: Display>(field: &str, name: Result<T, E>, bad: &mut Violations) -> Option<T> {
    name.map_err(|error| bad.add(field, error.to_string())).ok()
}

/// How one resource is read, for its owner.
type Draft<P, T> = fn(P, Option<&str>, &Place, &mut Problems) -> Option<Found<T>>;

/// The tenant and what stands in `field`, or one status with all that is wrong.
fn read<P, T>(
    tenant: &str,
    field: &str,
    value: Option<P>,
    draft: Draft<P, T>,
) -> Result<(Option<AccountName>, Found<T>), Status> {
    let mut bad = Violations::default();
    let tenant = scope(tenant, &mut bad);
    let (at, mut problems) = (Place::field(field), Problems::default());
    let owner = tenant.as_ref().map(AccountName::as_str);
    let found = needed(value, &at, &mut problems).and_then(|value| draft(value, owner, &at, &mut problems));
    bad.add_all(&problems);
    bad.finish()?;
    Ok((tenant, found.ok_or_else(|| internal("a request without what it needs passed"))?))
}

async fn put(
    desk: &Desk,
    tenant: Option<&AccountName>,
    etag: &str,
    (field, found): (&str, &Found<Definition>),
    is_there: bool,
) -> Result<String, Status> {
    let change = if is_there { DefinitionChange::Update(found) } else { DefinitionChange::Create(found) };
    changed(desk, tenant, etag, field, change).await.inspect(|_| told(desk, tenant, "set", &found.value.name()))
}

async fn delete(
    desk: &Desk,
    tenant: Option<AccountName>,
    name: Option<DefinitionName>,
    etag: &str,
    (field, bad): (&str, Violations),
) -> Result<String, Status> {
    bad.finish()?;
    let name = name.ok_or_else(|| internal("a request without a name passed"))?;
    let etag = changed(desk, tenant.as_ref(), etag, field, DefinitionChange::Delete(&name)).await?;
    told(desk, tenant.as_ref(), "deleted", &name);
    Ok(etag)
}

async fn changed(
    desk: &Desk,
    tenant: Option<&AccountName>,
    etag: &str,
    field: &str,
    change: DefinitionChange<'_>,
) -> Result<String, Status> {
    let changed = desk.catalogs.change_definition(desk.context(tenant, etag), change).await;
    changed.map_err(|error| from_definition(error, field))
}

fn told(desk: &Desk, tenant: Option<&AccountName>, what: &str, name: &DefinitionName) {
    let tenant = tenant.map(AccountName::as_str).unwrap_or_default();
    tracing::info!(actor = desk.actor, tenant, "{name} {what}");
}
