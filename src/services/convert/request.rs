//! Requests of the quota service: from the protocol to calls, every bad field in one answer.

use super::charge::{Purpose, charges, tenant};
use super::time::ttl;
use crate::domain::name::{AccountName, is_caller_id};
use crate::domain::time::Span;
use crate::engine::call::{CheckCall, FreeCall, FreeWhat, ReserveCall, SettleCall};
use crate::proto::v1;
use crate::services::violations::Violations;
use std::collections::HashMap;
use tonic::Status;

/// Longest reason, in characters.
pub const MAX_REASON: usize = 1024;
/// Most labels of a reservation, and their lengths in bytes.
const MAX_LABELS: usize = 32;
const MAX_LABEL_KEY: usize = 128;
const MAX_LABEL_VALUE: usize = 1024;

/// Check.
///
/// # Errors
/// One status that names every bad field; so for every function here.
pub fn check(request: &v1::CheckRequest) -> Result<CheckCall, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let charges = charges(&request.charges, tenant.as_ref(), Purpose::Ask, &mut bad);
    built(bad, tenant, |tenant| CheckCall { tenant, charges })
}

/// Reserve.
#[allow(clippy::missing_errors_doc)]
pub fn reserve(request: v1::ReserveRequest) -> Result<ReserveCall, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let reservation_id = optional_id(request.reservation_id, "reservation_id", &mut bad);
    let request_id = optional_id(request.request_id, "request_id", &mut bad);
    let charges = charges(&request.charges, tenant.as_ref(), Purpose::Ask, &mut bad);
    let ttl = ttl(request.ttl.as_ref(), &mut bad);
    let labels = labels(request.labels, &mut bad);
    let wait_for_durable = request.wait_for_durable;
    built(bad, tenant, |tenant| ReserveCall {
        tenant,
        reservation_id,
        request_id,
        charges,
        ttl,
        labels,
        wait_for_durable,
    })
}

/// Consume.
#[allow(clippy::missing_errors_doc)]
pub fn consume(request: v1::ConsumeRequest) -> Result<ReserveCall, Status> {
    reserve(v1::ReserveRequest {
        tenant: request.tenant,
        reservation_id: request.reservation_id,
        request_id: request.request_id,
        charges: request.charges,
        ttl: None,
        labels: request.labels,
        wait_for_durable: request.wait_for_durable,
    })
}

/// Commit, and whether it is final.
#[allow(clippy::missing_errors_doc)]
pub fn commit(request: v1::CommitRequest) -> Result<(SettleCall, bool), Status> {
    let is_final = request.r#final.unwrap_or(true);
    let mut bad = Violations::default();
    if !is_final && request.request_id.is_empty() {
        bad.add("request_id", "is required when a part is committed");
    }
    let ids = (request.tenant, request.reservation_id, request.request_id);
    settle(ids, &request.charges, Purpose::Commit, request.wait_for_durable, bad).map(|call| (call, is_final))
}

/// Release.
#[allow(clippy::missing_errors_doc)]
pub fn release(request: v1::ReleaseRequest) -> Result<SettleCall, Status> {
    let ids = (request.tenant, request.reservation_id, request.request_id);
    settle(ids, &request.charges, Purpose::Release, request.wait_for_durable, Violations::default())
}

/// Extend, and its time to live.
#[allow(clippy::missing_errors_doc)]
pub fn extend(request: v1::ExtendRequest) -> Result<(SettleCall, Option<Span>), Status> {
    let mut bad = Violations::default();
    let ttl = ttl(request.ttl.as_ref(), &mut bad);
    if !request.charges.is_empty() && request.request_id.is_empty() {
        bad.add("request_id", "is required when the hold is raised");
    }
    let ids = (request.tenant, request.reservation_id, request.request_id);
    settle(ids, &request.charges, Purpose::Raise, request.wait_for_durable, bad).map(|call| (call, ttl))
}

/// Free.
#[allow(clippy::missing_errors_doc)]
pub fn free(request: v1::FreeRequest) -> Result<FreeCall, Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let request_id = optional_id(request.request_id, "request_id", &mut bad);
    let what = match (request.reservation_id.is_empty(), request.charges.is_empty()) {
        (false, true) => {
            FreeWhat::Reservation(optional_id(request.reservation_id, "reservation_id", &mut bad).unwrap_or_default())
        }
        (true, false) => FreeWhat::Charges(charges(&request.charges, tenant.as_ref(), Purpose::Raise, &mut bad)),
        _ => {
            bad.add("reservation_id", "exactly one of reservation_id and charges is required");
            FreeWhat::Charges(Vec::new())
        }
    };
    let wait_for_durable = request.wait_for_durable;
    built(bad, tenant, |tenant| FreeCall { tenant, request_id, what, wait_for_durable })
}

/// A tenant and a reservation's id.
#[allow(clippy::missing_errors_doc)]
pub fn get(request: v1::GetReservationRequest) -> Result<(AccountName, String), Status> {
    let mut bad = Violations::default();
    let tenant = tenant(&request.tenant, &mut bad);
    let id = required_id(request.reservation_id, "reservation_id", &mut bad);
    built(bad, tenant, |tenant| (tenant, id))
}

fn settle(
    (tenant_name, reservation_id, request_id): (String, String, String),
    listed: &[v1::Charge],
    purpose: Purpose,
    wait_for_durable: bool,
    mut bad: Violations,
) -> Result<SettleCall, Status> {
    let tenant = tenant(&tenant_name, &mut bad);
    let reservation_id = required_id(reservation_id, "reservation_id", &mut bad);
    let request_id = optional_id(request_id, "request_id", &mut bad);
    let charges = charges(listed, tenant.as_ref(), purpose, &mut bad);
    built(bad, tenant, |tenant| SettleCall { tenant, reservation_id, request_id, charges, wait_for_durable })
}

fn built<T>(bad: Violations, tenant: Option<AccountName>, make: impl FnOnce(AccountName) -> T) -> Result<T, Status> {
    bad.finish()?;
    // A missing tenant has been a violation.
    let tenant = tenant.ok_or_else(|| crate::services::status::internal("a request without tenant passed"))?;
    Ok(make(tenant))
}

/// An id of the caller's, or none.
pub fn optional_id(text: String, field: &str, bad: &mut Violations) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    if !is_caller_id(&text) {
        bad.add(field, "must be 1 to 128 visible ASCII characters");
    }
    Some(text)
}

/// Why something is asked for; perhaps empty.
pub fn reason(text: String, field: &str, bad: &mut Violations) -> String {
    let text = text.trim().to_owned();
    if text.chars().count() > MAX_REASON || text.contains('\0') {
        bad.add(field, format!("must be at most {MAX_REASON} characters, without a zero character"));
    }
    text
}

/// An id of the caller's that must be there.
pub fn required_id(text: String, field: &str, bad: &mut Violations) -> String {
    if text.is_empty() {
        bad.add(field, "is required");
    }
    optional_id(text, field, bad).unwrap_or_default()
}

fn labels(labels: HashMap<String, String>, bad: &mut Violations) -> Vec<(String, String)> {
    if labels.len() > MAX_LABELS {
        bad.add("labels", "must be at most 32");
    }
    let mut sorted: Vec<(String, String)> = labels.into_iter().collect();
    sorted.sort();
    for (key, value) in &sorted {
        if key.is_empty() || key.len() > MAX_LABEL_KEY || value.len() > MAX_LABEL_VALUE {
            bad.add("labels", "a key has 1 to 128 bytes, a value at most 1024");
        }
    }
    sorted
}
