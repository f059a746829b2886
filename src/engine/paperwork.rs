//! What the catalog's store keeps beside the catalog: who changed what, and who asks for more.

use super::ports::{Boxed, StoreError};
use crate::domain::limit_request::{LimitRequest, RequestState};
use crate::domain::time::Timestamp;

/// One change, as it was written down in the transaction that made it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Counts up.
    pub id: i64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// `create`, `update`, `delete` or `adjust`.
    pub action: String,
    /// A noun and its names.
    pub subject: String,
    /// As JSON; `None` where nothing was.
    pub before: Option<String>,
    /// As JSON; `None` where nothing is left.
    pub after: Option<String>,
}

/// Which entries to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditFilter {
    /// Only subjects that begin so.
    pub prefix: String,
    /// Only from this time on.
    pub start: Option<Timestamp>,
    /// Only before this time.
    pub end: Option<Timestamp>,
    /// Only those that were written down before this one.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: u32,
}

/// What became of a request that was to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Added {
    /// It is kept.
    New(LimitRequest),
    /// There is one of that id; this one.
    There(LimitRequest),
}

/// Which requests to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RequestFilter {
    /// Only those of this account and of accounts below it.
    pub account: Option<String>,
    /// Only those in this state.
    pub state: Option<RequestState>,
    /// Only those after this one in the list's order (create time, id, both falling).
    pub after: Option<(Timestamp, String)>,
    /// At most this many.
    pub limit: u32,
}

/// The records beside the catalog.
pub trait Paperwork: Send + Sync {
    /// What was changed in a tenant, or in the installation's own catalog, newest first.
    fn audit<'a>(
        &'a self,
        tenant: Option<&'a str>,
        filter: &'a AuditFilter,
    ) -> Boxed<'a, Result<Vec<AuditEntry>, StoreError>>;

    /// Keeps a request for more, unless there is one of that id.
    fn add_request<'a>(&'a self, request: &'a LimitRequest) -> Boxed<'a, Result<Added, StoreError>>;

    /// One request of a tenant.
    fn request<'a>(&'a self, tenant: &'a str, id: &'a str) -> Boxed<'a, Result<Option<LimitRequest>, StoreError>>;

    /// A tenant's requests, newest first.
    fn requests<'a>(
        &'a self,
        tenant: &'a str,
        filter: &'a RequestFilter,
    ) -> Boxed<'a, Result<Vec<LimitRequest>, StoreError>>;
}
