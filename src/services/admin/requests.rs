//! Requests for more: made by users, decided by administrators (S0.43).

use crate::domain::limit_request::{LimitRequest, RequestState, Seen};
use crate::domain::name::{AccountName, MeterName};
use crate::domain::time::Timestamp;
use crate::engine::authority::Authority;
use crate::engine::call::MeterUsage;
use crate::engine::manage::document::{Place, Problems};
use crate::engine::manage::{Decision, QuotaContext, RequestError};
use crate::engine::paperwork::RequestFilter;
use crate::engine::publish::Publisher;
use crate::proto::v1;
use crate::services::catalog::{from_quota, from_store};
use crate::services::convert::charge::{account, tenant};
use crate::services::convert::draft;
use crate::services::convert::quota::{limit, quota};
use crate::services::convert::request::{MAX_REASON, optional_id, reason, required_id};
use crate::services::convert::reservation::signed;
use crate::services::convert::time::timestamp;
use crate::services::page;
use crate::services::status::{Reason, bad_fields, from_call, internal, status};
use crate::services::violations::Violations;
use prost::Message;
use std::collections::HashMap;
use std::sync::Arc;
use tonic::Status;

/// What a call stands on.
pub struct Desk {
    /// Says what is in use.
    pub authority: Arc<Authority>,
    /// The catalogs.
    pub catalogs: Arc<Publisher>,
    /// Who asks.
    pub actor: String,
    /// When.
    pub now: Timestamp,
}

/// CreateLimitRequest.
///
/// # Errors
/// INVALID_FIELD with every bad field, else as [`refused`] says; so for every function here.
pub async fn create(
    desk: Desk,
    request: v1::CreateLimitRequestRequest,
) -> Result<v1::CreateLimitRequestResponse, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let id = optional_id(request.limit_request_id, "limit_request_id", &mut bad);
    let account = account(&request.account, "account", tenant.as_ref(), &mut bad);
    let meter = request.meter.parse::<MeterName>().map_err(|error| bad.add("meter", error.to_string())).ok();
    let reason = reason(request.reason, "reason", &mut bad);
    if reason.is_empty() {
        bad.add("reason", format!("is required: 1 to {MAX_REASON} characters"));
    }
    if request.wanted.is_empty() {
        bad.add("wanted", "must have at least one limit");
    }
    let mut problems = Problems::default();
    let wanted = draft::limits(request.wanted, &Place::field("wanted"), &mut problems);
    bad.add_all(&problems);
    bad.finish()?;
    let (Some(tenant), Some(account), Some(meter)) = (tenant, account, meter) else {
        return Err(internal("a request for more without names passed"));
    };
    let usage = desk.authority.usage(&tenant, &account, Some(&meter)).await;
    let usage = usage.map_err(|error| match error {
        crate::engine::call::CallError::MeterNotFound(_) => {
            bad_fields(Reason::MeterNotFound, vec![("meter".to_owned(), format!("no meter {meter}"))])
        }
        error => from_call(error, true),
    })?;
    let request = LimitRequest {
        tenant: tenant.to_string(),
        id: id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        account,
        meter,
        wanted: Vec::new(),
        reason,
        requester: desk.actor,
        create_time: desk.now,
        seen: usage.1.iter().flat_map(seen).collect(),
        state: RequestState::Pending,
        resolution: None,
    };
    let made = desk.catalogs.add_request(request, wanted).await.map_err(refused)?;
    tracing::info!(actor = made.requester, account = %made.account, meter = %made.meter, "more was asked for");
    Ok(v1::CreateLimitRequestResponse { limit_request: Some(shown(&made)) })
}

/// GetLimitRequest.
#[allow(clippy::missing_errors_doc)]
pub async fn get(
    catalogs: Arc<Publisher>,
    request: v1::GetLimitRequestRequest,
) -> Result<v1::GetLimitRequestResponse, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let id = required_id(request.limit_request_id, "limit_request_id", &mut bad);
    bad.finish()?;
    let tenant = tenant.ok_or_else(|| internal("a request without tenant passed"))?;
    let found = catalogs.request(tenant.as_str(), &id).await.map_err(from_store)?;
    let found = found.ok_or_else(|| refused(RequestError::NotFound(id)))?;
    Ok(v1::GetLimitRequestResponse { limit_request: Some(shown(&found)) })
}

/// ListLimitRequests.
#[allow(clippy::missing_errors_doc)]
pub async fn list(
    catalogs: Arc<Publisher>,
    request: v1::ListLimitRequestsRequest,
) -> Result<v1::ListLimitRequestsResponse, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let below = (!request.account.is_empty()).then(|| account(&request.account, "account", tenant.as_ref(), &mut bad));
    let state = match v1::LimitRequestState::try_from(request.state) {
        Ok(state) => from_state(state),
        Err(_) => {
            bad.add("state", "must be PENDING, APPROVED or REJECTED");
            None
        }
    };
    let scope = page::scope(&["limit requests", &request.tenant, &request.account, &request.state.to_string()]);
    let size = page::size(request.page_size, &mut bad);
    let after = page::decode(&request.page_token, &scope, &mut bad).and_then(|text| cursor(&text));
    bad.finish()?;
    let tenant = tenant.ok_or_else(|| internal("a list without tenant passed"))?;
    let account = match below.flatten() {
        Some(account) => Some(today(&catalogs, &tenant, &account).await?),
        None => None,
    };
    let filter = RequestFilter { account, state, after, limit: size + 1 };
    let found = catalogs.requests(tenant.as_str(), &filter).await.map_err(from_store)?;
    let mut limit_requests: Vec<v1::LimitRequest> = found.iter().take(size as usize).map(shown).collect();
    limit_requests.truncate(page::fitting(limit_requests.iter().map(Message::encoded_len)));
    let more = found.len() > limit_requests.len();
    let last = limit_requests.len().checked_sub(1).and_then(|last| found.get(last)).filter(|_| more);
    let next_page_token = last
        .map_or_else(String::new, |last| page::encode(&format!("{} {}", last.create_time.millis(), last.id), &scope));
    Ok(v1::ListLimitRequestsResponse { limit_requests, next_page_token })
}

/// ResolveLimitRequest.
#[allow(clippy::missing_errors_doc)]
pub async fn resolve(
    desk: Desk,
    request: v1::ResolveLimitRequestRequest,
) -> Result<v1::ResolveLimitRequestResponse, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let id = required_id(request.limit_request_id, "limit_request_id", &mut bad);
    let comment = reason(request.comment, "comment", &mut bad);
    let mut problems = Problems::default();
    let limits = draft::limits(request.limits, &Place::field("limits"), &mut problems);
    bad.add_all(&problems);
    let approve = match v1::LimitRequestState::try_from(request.decision) {
        Ok(v1::LimitRequestState::Approved) => true,
        Ok(v1::LimitRequestState::Rejected) => false,
        _ => {
            bad.add("decision", "must be APPROVED or REJECTED");
            false
        }
    };
    if !approve && !limits.is_empty() {
        bad.add("limits", "go with APPROVED");
    }
    bad.finish()?;
    let tenant = tenant.ok_or_else(|| internal("a decision without tenant passed"))?;
    let decision = match approve {
        true => Decision::Approve(Some(limits.as_slice()).filter(|limits| !limits.is_empty())),
        false => Decision::Reject,
    };
    let context = QuotaContext { tenant: Some(tenant.as_str()), etag: None, actor: &desk.actor, now: desk.now };
    let resolved = desk.catalogs.resolve_request(context, (tenant.as_str(), &id), decision, &comment).await;
    let (resolved, own) = resolved.map_err(refused)?;
    let state = resolved.state.as_str();
    tracing::info!(actor = desk.actor, account = %resolved.account, meter = %resolved.meter, state, "more was decided on");
    let quota = own.as_ref().map(|own| quota(own, desk.now));
    Ok(v1::ResolveLimitRequestResponse { limit_request: Some(shown(&resolved)), quota })
}

/// The name that an account has today.
async fn today(catalogs: &Publisher, tenant: &AccountName, account: &AccountName) -> Result<String, Status> {
    let snapshot = catalogs.snapshot(tenant.as_str()).await.map_err(from_store)?;
    Ok(snapshot.today(account).to_string())
}

fn cursor(text: &str) -> Option<(Timestamp, String)> {
    let (time, id) = text.split_once(' ')?;
    Some((Timestamp::from_millis(time.parse().ok()?), id.to_owned()))
}

fn from_state(state: v1::LimitRequestState) -> Option<RequestState> {
    match state {
        v1::LimitRequestState::Unspecified => None,
        v1::LimitRequestState::Pending => Some(RequestState::Pending),
        v1::LimitRequestState::Approved => Some(RequestState::Approved),
        v1::LimitRequestState::Rejected => Some(RequestState::Rejected),
    }
}

fn seen(usage: &MeterUsage) -> Vec<Seen> {
    let windows = usage.windows.iter();
    windows
        .map(|window| Seen { kind: window.kind, limit: window.limit, used: window.used, held: window.held })
        .collect()
}

fn shown(request: &LimitRequest) -> v1::LimitRequest {
    let state = match request.state {
        RequestState::Pending => v1::LimitRequestState::Pending,
        RequestState::Approved => v1::LimitRequestState::Approved,
        RequestState::Rejected => v1::LimitRequestState::Rejected,
    };
    let seen = |seen: &Seen| v1::UsageSeen {
        window: seen.kind.as_str().to_owned(),
        limit: seen.limit.map(signed),
        used: signed(seen.used),
        held: signed(seen.held),
    };
    let resolution = request.resolution.as_ref();
    v1::LimitRequest {
        tenant: request.tenant.clone(),
        limit_request_id: request.id.clone(),
        account: request.account.to_string(),
        meter: request.meter.to_string(),
        wanted: request.wanted.iter().map(limit).collect(),
        reason: request.reason.clone(),
        requester: request.requester.clone(),
        state: state.into(),
        create_time: timestamp(request.create_time),
        usage: request.seen.iter().map(seen).collect(),
        resolver: resolution.map(|made| made.resolver.clone()).unwrap_or_default(),
        comment: resolution.map(|made| made.comment.clone()).unwrap_or_default(),
        granted: resolution.map_or_else(Vec::new, |made| made.granted.iter().map(limit).collect()),
        resolve_time: resolution.and_then(|made| timestamp(made.time)),
    }
}

/// The status of a request with which nothing was done.
fn refused(error: RequestError) -> Status {
    let message = error.to_string();
    match error {
        RequestError::NotFound(_) => status(Reason::LimitRequestNotFound, message, HashMap::new()),
        RequestError::IdReused => status(Reason::RequestIdReused, message, HashMap::new()),
        RequestError::Resolved(state) => {
            let state = ("state".to_owned(), state.as_str().to_owned());
            status(Reason::LimitRequestResolved, message, [state].into())
        }
        RequestError::Quota(error) => from_quota(error),
    }
}
