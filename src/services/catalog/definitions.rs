//! Meters, plans and rate cards, one by one.

use super::apply::scope;
use super::errors::from_definition;
use super::quotas::Desk;
use super::records::needed;
use crate::domain::account::Plan;
use crate::domain::meter::Meter;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::rate_card::RateCard;
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
    let (meter, etag) = put(&desk, (&tenant, meter, &etag), METER, false).await?;
    Ok(v1::CreateMeterResponse { meter: Some(meter), etag })
}

/// UpdateMeter.
#[allow(clippy::missing_errors_doc)]
pub async fn update_meter(desk: Desk, request: v1::UpdateMeterRequest) -> Result<v1::UpdateMeterResponse, Status> {
    let v1::UpdateMeterRequest { tenant, meter, etag } = request;
    let (meter, etag) = put(&desk, (&tenant, meter, &etag), METER, true).await?;
    Ok(v1::UpdateMeterResponse { meter: Some(meter), etag })
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
    let (plan, etag) = put(&desk, (&tenant, plan, &etag), PLAN, false).await?;
    Ok(v1::CreatePlanResponse { plan: Some(plan), etag })
}

/// UpdatePlan.
#[allow(clippy::missing_errors_doc)]
pub async fn update_plan(desk: Desk, request: v1::UpdatePlanRequest) -> Result<v1::UpdatePlanResponse, Status> {
    let v1::UpdatePlanRequest { tenant, plan, etag } = request;
    let (plan, etag) = put(&desk, (&tenant, plan, &etag), PLAN, true).await?;
    Ok(v1::UpdatePlanResponse { plan: Some(plan), etag })
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
    let (card, etag) = put(&desk, (&tenant, rate_card, &etag), RATE_CARD, false).await?;
    Ok(v1::CreateRateCardResponse { rate_card: Some(card), etag })
}

/// UpdateRateCard.
#[allow(clippy::missing_errors_doc)]
pub async fn update_rate_card(
    desk: Desk,
    request: v1::UpdateRateCardRequest,
) -> Result<v1::UpdateRateCardResponse, Status> {
    let v1::UpdateRateCardRequest { tenant, rate_card, etag } = request;
    let (card, etag) = put(&desk, (&tenant, rate_card, &etag), RATE_CARD, true).await?;
    Ok(v1::UpdateRateCardResponse { rate_card: Some(card), etag })
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

/// A kind of them: the field that it comes in, how it is read for its owner, how it is shown, and as what it is kept.
struct Kind<P, T> {
    field: &'static str,
    draft: Draft<P, T>,
    show: fn(&T) -> P,
    keep: fn(T) -> Definition,
}

const METER: Kind<v1::Meter, Meter> =
    Kind { field: "meter", draft: meter::draft, show: meter::meter, keep: Definition::Meter };
const PLAN: Kind<v1::Plan, Plan> = Kind { field: "plan", draft: plan::draft, show: plan::plan, keep: Definition::Plan };
const RATE_CARD: Kind<v1::RateCard, RateCard> =
    Kind { field: "rate_card", draft: rate_card::draft, show: rate_card::rate_card, keep: Definition::RateCard };

/// Makes one, or makes one that is there be so; answers it as it is shown, with the etag. One status says all that is wrong.
async fn put<P, T>(
    desk: &Desk,
    (tenant, value, etag): (&str, Option<P>, &str),
    kind: Kind<P, T>,
    is_there: bool,
) -> Result<(P, String), Status> {
    let mut bad = Violations::default();
    let tenant = scope(tenant, &mut bad);
    let (at, mut problems) = (Place::field(kind.field), Problems::default());
    let owner = tenant.as_ref().map(AccountName::as_str);
    let found = needed(value, &at, &mut problems).and_then(|value| (kind.draft)(value, owner, &at, &mut problems));
    let found = found.map(|Found { at, value }| ((kind.show)(&value), Found { at, value: (kind.keep)(value) }));
    if let Some((_, found)) = &found
        && bad.is_empty()
        && !problems.is_empty()
    {
        let more =
            desk.catalogs.faults_of_definition(desk.context(tenant.as_ref(), etag), change_to(found, is_there)).await;
        // Where the catalog can't be asked, what is known is enough of an answer.
        problems.append_elsewhere(more.unwrap_or_default());
    }
    bad.add_all(&problems);
    bad.finish()?;
    let (shown, found) = found.ok_or_else(|| internal("a request without what it needs passed"))?;
    let etag = changed(desk, tenant.as_ref(), etag, kind.field, change_to(&found, is_there)).await?;
    told(desk, tenant.as_ref(), "set", &found.value.name());
    Ok((shown, etag))
}

fn change_to(found: &Found<Definition>, is_there: bool) -> DefinitionChange<'_> {
    if is_there { DefinitionChange::Update(found) } else { DefinitionChange::Create(found) }
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
