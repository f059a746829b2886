//! Documents in and out, and who asks.

use super::errors::from_apply;
use crate::domain::name::AccountName;
use crate::engine::manage::Apply;
use crate::engine::ports::Clock;
use crate::engine::publish::Publisher;
use crate::proto::v1;
use crate::services::convert::change;
use crate::services::violations::Violations;
use std::sync::Arc;
use tonic::Status;

/// Apply.
///
/// # Errors
/// INVALID_FIELD for a bad request, else as [`from_apply`] says.
pub async fn apply(
    catalogs: Arc<Publisher>,
    clock: Arc<dyn Clock>,
    actor: String,
    request: v1::ApplyRequest,
) -> Result<v1::ApplyResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    if request.yaml.is_empty() {
        bad.add("yaml", "is required");
    }
    bad.finish()?;
    let applied = catalogs.apply(Apply {
        tenant: tenant.as_ref().map(AccountName::as_str),
        yaml: &request.yaml,
        dry_run: request.dry_run,
        prune: request.prune,
        etag: Some(request.etag.as_str()).filter(|etag| !etag.is_empty()),
        actor: &actor,
        now: clock.now(),
    });
    let applied = applied.await.map_err(from_apply)?;
    if !request.dry_run {
        tracing::info!(actor, tenant = request.tenant, changes = applied.changes.len(), "catalog applied");
    }
    Ok(v1::ApplyResponse { changes: applied.changes.into_iter().map(change::change).collect(), etag: applied.etag })
}

/// Export.
///
/// # Errors
/// INVALID_FIELD for a bad tenant, else as [`from_apply`] says.
pub async fn export(catalogs: Arc<Publisher>, request: v1::ExportRequest) -> Result<v1::ExportResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    bad.finish()?;
    let exported = catalogs.export(tenant.as_ref().map(AccountName::as_str)).await.map_err(from_apply)?;
    Ok(v1::ExportResponse { yaml: exported.yaml.into_bytes(), etag: exported.etag })
}

/// A tenant, or none for the installation.
pub fn scope(text: &str, bad: &mut Violations) -> Option<AccountName> {
    if text.is_empty() { None } else { crate::services::convert::charge::tenant(text, bad) }
}
