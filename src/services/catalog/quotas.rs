//! Quotas one by one: create, update, delete, and the versions that they had.

use super::apply::scope;
use super::errors::{from_quota, from_store};
use super::listing::Page;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::quota::Subject;
use crate::domain::time::Timestamp;
use crate::engine::authority::Authority;
use crate::engine::manage::document::quota::DraftRaise;
use crate::engine::manage::document::{Place, Problems};
use crate::engine::manage::{IfCurrent, QuotaChange, QuotaContext};
use crate::engine::ports::Clock;
use crate::engine::publish::Publisher;
use crate::proto::v1;
use crate::services::convert::{draft, quota};
use crate::services::status::internal;
use crate::services::violations::Violations;
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::Status;

/// Most quotas of one call.
const MAX_QUOTAS: usize = 256;

/// What every change stands on.
pub struct Desk {
    /// The catalogs.
    pub catalogs: Arc<Publisher>,
    /// Dates the change.
    pub clock: Arc<dyn Clock>,
    /// Reads what is live.
    pub authority: Arc<Authority>,
    /// Who asks.
    pub actor: String,
}

impl Desk {
    /// Who changes whose catalog; an empty etag is none.
    pub fn context<'a>(&'a self, tenant: Option<&'a AccountName>, etag: &'a str) -> QuotaContext<'a> {
        QuotaContext {
            tenant: tenant.map(AccountName::as_str),
            etag: Some(etag).filter(|etag| !etag.is_empty()),
            actor: &self.actor,
            now: self.clock.now(),
        }
    }
}

/// CreateQuotas.
///
/// # Errors
/// INVALID_FIELD with every bad field, else as [`from_quota`] says; so for every function here.
pub async fn create(desk: Desk, request: v1::CreateQuotasRequest) -> Result<v1::CreateQuotasResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let if_current = match v1::IfCurrent::try_from(request.if_current) {
        Ok(v1::IfCurrent::Unspecified | v1::IfCurrent::Fail) => IfCurrent::Fail,
        Ok(v1::IfCurrent::Supersede) => IfCurrent::Supersede,
        Ok(v1::IfCurrent::Replace) => IfCurrent::Replace,
        Err(_) => {
            bad.add("if_current", "must be FAIL, SUPERSEDE or REPLACE");
            IfCurrent::Fail
        }
    };
    if request.quotas.is_empty() || request.quotas.len() > MAX_QUOTAS {
        bad.add("quotas", format!("must have 1 to {MAX_QUOTAS} quotas"));
    }
    let mut problems = Problems::default();
    let mut drafts = Vec::new();
    for (index, quota) in request.quotas.into_iter().take(MAX_QUOTAS).enumerate() {
        drafts.extend(draft::quota(quota, &Place::field(format!("quotas[{index}]")), &mut problems));
    }
    bad.add_all(&problems);
    bad.finish()?;
    let context = desk.context(tenant.as_ref(), &request.etag);
    let change = QuotaChange::Create { drafts: &drafts, if_current };
    let changed = desk.catalogs.change_quotas(context, &change).await.map_err(from_quota)?;
    for draft in &drafts {
        told(&desk, "set", &draft.subject, &draft.meter);
    }
    let quotas = changed.quotas.iter().map(|found| quota::quota(found, context.now)).collect();
    Ok(v1::CreateQuotasResponse { quotas, etag: changed.etag })
}

/// UpdateQuota.
#[allow(clippy::missing_errors_doc)]
pub async fn update(desk: Desk, request: v1::UpdateQuotaRequest) -> Result<v1::UpdateQuotaResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let mut draft = None;
    let mut version = None;
    if let Some(quota) = request.quota {
        if request.end_raise && quota.raise.is_some() {
            bad.add("end_raise", "can't be said together with quota.raise");
        }
        version = version_of(quota.version, "quota.version", &mut bad);
        let mut problems = Problems::default();
        draft = draft::quota(quota, &Place::field("quota"), &mut problems);
        bad.add_all(&problems);
        if let Some(draft) = draft.as_mut().filter(|_| request.end_raise) {
            draft.raise = DraftRaise::Ended;
        }
    } else {
        bad.add("quota", "is required");
    }
    bad.finish()?;
    let draft = draft.ok_or_else(|| internal("a request without quota passed"))?;
    let context = desk.context(tenant.as_ref(), &request.etag);
    let change = QuotaChange::Edit { draft: &draft, version };
    let changed = desk.catalogs.change_quotas(context, &change).await.map_err(from_quota)?;
    told(&desk, "edited", &draft.subject, &draft.meter);
    let quota = changed.quotas.first().map(|found| quota::quota(found, context.now));
    Ok(v1::UpdateQuotaResponse { quota, etag: changed.etag })
}

/// DeleteQuota.
#[allow(clippy::missing_errors_doc)]
pub async fn delete(desk: Desk, request: v1::DeleteQuotaRequest) -> Result<v1::DeleteQuotaResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let name = name(&request.subject, &request.meter, &mut bad);
    let version = version_of(request.version, "version", &mut bad);
    let reopen = match v1::AfterDelete::try_from(request.after) {
        Ok(v1::AfterDelete::Unspecified | v1::AfterDelete::FallBack) => false,
        Ok(v1::AfterDelete::ReopenPrevious) => true,
        Err(_) => {
            bad.add("after", "must be FALL_BACK or REOPEN_PREVIOUS");
            false
        }
    };
    bad.finish()?;
    let (subject, meter) = name.ok_or_else(|| internal("a request without names passed"))?;
    let context = desk.context(tenant.as_ref(), &request.etag);
    let change = QuotaChange::Delete { subject: &subject, meter: &meter, version, reopen };
    let changed = desk.catalogs.change_quotas(context, &change).await.map_err(from_quota)?;
    told(&desk, "deleted", &subject, &meter);
    let reopened = changed.quotas.first().map(|found| quota::quota(found, context.now));
    Ok(v1::DeleteQuotaResponse { reopened, etag: changed.etag })
}

/// ListQuotaVersions, as of `now`.
#[allow(clippy::missing_errors_doc)]
pub async fn versions(
    catalogs: Arc<Publisher>,
    now: Timestamp,
    request: v1::ListQuotaVersionsRequest,
) -> Result<v1::ListQuotaVersionsResponse, Status> {
    let mut bad = Violations::default();
    let tenant = scope(&request.tenant, &mut bad);
    let name = name(&request.subject, &request.meter, &mut bad);
    let question = ["versions", &request.tenant, &request.subject, &request.meter];
    let page = Page::read(request.page_size, &request.page_token, &question, &mut bad);
    bad.finish()?;
    let (subject, meter) = name.ok_or_else(|| internal("a request without names passed"))?;
    let tenant = tenant.as_ref().map(AccountName::as_str);
    let versions = catalogs.quota_versions(tenant, &subject, &meter).await.map_err(from_store)?;
    // Pages go up by their key, and these go from the newest to the oldest.
    let key = |version: i64| format!("{:020}", i64::MAX - version);
    let versions: BTreeMap<_, _> = versions.iter().map(|version| (key(version.quota.version), version)).collect();
    let (versions, next_page_token) = page.cut(versions);
    let quotas = versions.into_iter().map(|version| quota::version(version, now)).collect();
    Ok(v1::ListQuotaVersionsResponse { quotas, next_page_token })
}

fn name(subject: &str, meter: &str, bad: &mut Violations) -> Option<(Subject, MeterName)> {
    let subject = Subject::parse(subject).map_err(|error| bad.add("subject", error.to_string()));
    let meter = meter.parse::<MeterName>().map_err(|error| bad.add("meter", error.to_string()));
    Some((subject.ok()?, meter.ok()?))
}

/// 0 stands for whichever is current.
fn version_of(version: i64, field: &str, bad: &mut Violations) -> Option<i64> {
    if version < 0 {
        bad.add(field, "must not be negative");
    }
    Some(version).filter(|version| *version > 0)
}

fn told(desk: &Desk, what: &str, subject: &Subject, meter: &MeterName) {
    tracing::info!(actor = desk.actor, %subject, %meter, "quota {what}");
}
