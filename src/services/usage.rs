//! `quotad.v1.UsageService`: reports.

use super::convert::reservation::signed;
use super::convert::time::timestamp;
use super::status::from_call;
use super::violations::Violations;
use super::{convert, pool};
use crate::domain::name::MeterName;
use crate::domain::quota::Origin;
use crate::engine::authority::Authority;
use crate::engine::call::{MeterUsage, UsageState, WindowUsage};
use crate::proto::v1::{self, usage_service_server};
use std::sync::Arc;
use tokio::runtime::Handle;
use tonic::{Request, Response, Status};

/// The service on an authority. Cheap to clone.
#[derive(Clone)]
pub struct UsageApi {
    authority: Arc<Authority>,
    pool: Handle,
}

impl UsageApi {
    /// Puts the service on an authority; `pool` is the background runtime that does the work.
    pub fn new(authority: Arc<Authority>, pool: Handle) -> UsageApi {
        UsageApi { authority, pool }
    }
}

#[tonic::async_trait]
impl usage_service_server::UsageService for UsageApi {
    async fn get_usage(&self, request: Request<v1::GetUsageRequest>) -> Result<Response<v1::GetUsageResponse>, Status> {
        let work = get_usage(self.authority.clone(), request.into_inner());
        pool::read(&self.pool, work).await.map(Response::new)
    }
}

async fn get_usage(authority: Arc<Authority>, request: v1::GetUsageRequest) -> Result<v1::GetUsageResponse, Status> {
    let mut bad = Violations::default();
    let tenant = convert::charge::tenant(&request.tenant, &mut bad);
    let account = convert::charge::account(&request.account, "account", tenant.as_ref(), &mut bad);
    let meter = (!request.meter.is_empty()).then(|| request.meter.parse::<MeterName>());
    if let Some(Err(error)) = &meter {
        bad.add("meter", error.to_string());
    }
    bad.finish()?;
    let (Some(tenant), Some(account)) = (tenant, account) else {
        return Err(super::status::internal("a report without account passed"));
    };
    let meter = meter.and_then(Result::ok);
    let report = authority.usage(&tenant, &account, meter.as_ref()).await;
    let (as_of, meters) = report.map_err(|error| from_call(error, true))?;
    Ok(v1::GetUsageResponse {
        account: account.to_string(),
        meters: meters.iter().map(meter_usage).collect(),
        as_of: timestamp(as_of),
    })
}

fn meter_usage(usage: &MeterUsage) -> v1::MeterUsage {
    v1::MeterUsage {
        meter: usage.meter.to_string(),
        unit: usage.unit.clone(),
        decimals: usage.decimals.into(),
        windows: usage.windows.iter().map(|window| window_usage(window, usage.top_up_remaining.unwrap_or(0))).collect(),
        top_up_remaining: usage.top_up_remaining.map(signed),
    }
}

fn window_usage(usage: &WindowUsage, top_up: u64) -> v1::WindowUsage {
    let limit = usage.limit.map(signed);
    let remaining = limit.map(|limit| limit.saturating_sub(signed(usage.used)));
    // What the period has no room for goes to the top-up, as in a decision.
    let available = remaining.map(|remaining| remaining.saturating_sub(signed(usage.held)).max(0));
    let available = available.map(|period| period.saturating_add(signed(top_up)));
    let state = match usage.state {
        UsageState::Normal => v1::UsageState::Normal,
        UsageState::Low => v1::UsageState::Low,
        UsageState::Exhausted => v1::UsageState::Exhausted,
    };
    let origin = match usage.origin.as_ref().map(|(origin, _)| origin) {
        None => v1::LimitOrigin::Unspecified,
        Some(Origin::Own) => v1::LimitOrigin::Own,
        Some(Origin::Plan) => v1::LimitOrigin::Plan,
        Some(Origin::Tenant) => v1::LimitOrigin::Tenant,
        Some(Origin::Installation) => v1::LimitOrigin::Installation,
    };
    v1::WindowUsage {
        window: usage.kind.as_str().to_owned(),
        limit,
        raised_until: usage.raised_until.and_then(timestamp),
        origin: origin.into(),
        origin_subject: usage.origin.as_ref().map_or_else(String::new, |(_, subject)| subject.to_string()),
        used: signed(usage.used),
        held: signed(usage.held),
        remaining,
        available,
        percent: percent(usage),
        state: state.into(),
        start_time: timestamp(usage.period.start),
        reset_time: usage.reset.and_then(timestamp),
        time_zone: usage.time_zone.clone(),
        enforcement: convert::quota::enforcement(usage.enforcement).into(),
    }
}

/// 100 x used / limit for a person's eye (S1.07); nothing is decided on it.
fn percent(usage: &WindowUsage) -> Option<f64> {
    let limit = usage.limit.filter(|limit| *limit > 0)?;
    Some(100.0 * usage.used as f64 / limit as f64)
}
