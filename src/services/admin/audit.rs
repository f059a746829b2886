//! Who changed what.

use crate::domain::time::Timestamp;
use crate::engine::paperwork::{AuditEntry, AuditFilter};
use crate::engine::publish::Publisher;
use crate::proto::v1;
use crate::services::catalog::{from_store, scope};
use crate::services::convert::time::{from_timestamp, timestamp};
use crate::services::page;
use crate::services::violations::Violations;
use prost::Message;
use std::sync::Arc;
use tonic::Status;

/// ListAuditEntries.
///
/// # Errors
/// INVALID_FIELD with every bad field, or LEDGER_UNAVAILABLE.
pub async fn list(
    catalogs: Arc<Publisher>,
    request: v1::ListAuditEntriesRequest,
) -> Result<v1::ListAuditEntriesResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let (start, end) = (time(request.start_time, "start_time", &mut bad), time(request.end_time, "end_time", &mut bad));
    let times = format!("{start:?} {end:?}");
    let scope = page::scope(&["audit", &request.tenant, &request.subject_prefix, &times]);
    let size = page::size(request.page_size, &mut bad);
    let before = page::decode(&request.page_token, &scope, &mut bad).and_then(|cursor| cursor.parse().ok());
    if request.subject_prefix.contains('\0') {
        bad.add("subject_prefix", "must not have a zero character");
    }
    bad.finish()?;
    let tenant = tenant.map(|tenant| tenant.to_string());
    let filter = AuditFilter { prefix: request.subject_prefix, start, end, before, limit: size + 1 };
    let found = catalogs.audit(tenant.as_deref(), &filter).await.map_err(from_store)?;
    let read = found.len();
    let mut entries: Vec<v1::AuditEntry> =
        found.into_iter().take(size as usize).map(|entry| shown(entry, tenant.as_deref())).collect();
    entries.truncate(page::fitting(entries.iter().map(Message::encoded_len)));
    let last = entries.last().filter(|_| read > entries.len());
    let next_page_token = last.map_or_else(String::new, |last| page::encode(&last.id.to_string(), &scope));
    Ok(v1::ListAuditEntriesResponse { entries, next_page_token })
}

fn time(time: Option<pbjson_types::Timestamp>, field: &str, bad: &mut Violations) -> Option<Timestamp> {
    let read = from_timestamp(&time?);
    if read.is_none() {
        bad.add(field, "is no time");
    }
    read
}

fn shown(entry: AuditEntry, tenant: Option<&str>) -> v1::AuditEntry {
    v1::AuditEntry {
        id: entry.id,
        tenant: tenant.unwrap_or_default().to_owned(),
        time: timestamp(entry.time),
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        before: entry.before.unwrap_or_default(),
        after: entry.after.unwrap_or_default(),
    }
}
