//! Makes the catalog be what a document says, and gives it back as a document.

use super::alike;
use super::diff::{Change, diff};
use super::document::{DraftScope, Problems, read_draft};
use super::export::{content_of, export_installation, export_tenant};
use super::in_use::{Gone, Hindrance, Unused, priced_in};
use super::validate::{Current, ScopeContent, validate};
use crate::domain::name::{AccountName, MeterName, NameError};
use crate::domain::time::Timestamp;
use crate::engine::ports::{CatalogStore, ScopeWrite, StoreError, WriteContext, Written};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Mutex;

/// How often a race with another writer is run again.
const ATTEMPTS: usize = 5;
/// Looks of an export, each but the first at what was written since the one before.
const EXPORTS: usize = 100;

/// A document to be applied.
#[derive(Clone, Copy, Debug)]
pub struct Apply<'a> {
    /// The tenant that it describes; `None`: the installation, with tenants in it.
    pub tenant: Option<&'a str>,
    /// The document, UTF-8, at most 64 MiB.
    pub yaml: &'a [u8],
    /// Only say what would change.
    pub dry_run: bool,
    /// Remove what the document does not name, in every scope that it describes: its tenant, or the installation and
    /// each tenant that has a block. A tenant without a block is left alone.
    pub prune: bool,
    /// Refuse unless the catalog still has this etag.
    pub etag: Option<&'a str>,
    /// Who asks, for the audit.
    pub actor: &'a str,
    /// When.
    pub now: Timestamp,
}

/// What became of an [`Apply`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// What changed, or would.
    pub changes: Vec<Change>,
    /// The catalog's etag afterwards.
    pub etag: String,
    /// The scopes that changed (`None`: the installation) with their new versions; none for a dry run.
    pub versions: Vec<(Option<String>, u64)>,
    /// The scopes that the document describes.
    pub described: Vec<Option<String>>,
}

/// The catalog as a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exported {
    /// The document.
    pub yaml: String,
    /// The catalog's etag.
    pub etag: String,
}

/// Why a document was not applied. Nothing has changed then.
#[derive(Clone, Debug, Error)]
pub enum ApplyError {
    /// The tenant's name is none.
    #[error("tenant: {0}")]
    Tenant(NameError),
    /// The document is faulty; every fault with its line.
    #[error("{0}")]
    Document(Problems),
    /// The etag is not the catalog's any more (ETAG_MISMATCH); this is the one it has.
    #[error("the catalog has changed: its etag is {0}")]
    EtagMismatch(String),
    /// What is to be removed is still in use, by whom.
    #[error("{0}")]
    InUse(String),
    /// Others wrote at the same time, again and again; the call may be repeated.
    #[error("others are changing the catalog at the same time")]
    Contention,
    /// The store could not answer. If it was writing, the outcome is unknown; the call may be repeated.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The catalogs of all tenants and of the installation.
#[derive(Clone)]
pub struct Catalogs {
    pub(super) store: Arc<dyn CatalogStore>,
    /// Writers of one quota after the other: a race within the process would only be run again.
    pub(super) writing: Arc<Mutex<()>>,
}

impl Catalogs {
    /// Over a store.
    pub fn new(store: Arc<dyn CatalogStore>) -> Catalogs {
        Catalogs { store, writing: Arc::default() }
    }

    /// Applies a document: all of it in one transaction, or nothing. A document applied twice changes nothing the
    /// second time.
    ///
    /// # Errors
    /// [`ApplyError`]; nothing has changed then, except that a store error while writing leaves the outcome unknown.
    pub async fn apply(&self, request: Apply<'_>) -> Result<Applied, ApplyError> {
        let tenant = request.tenant.map(AccountName::tenant_from).transpose().map_err(ApplyError::Tenant)?;
        let mut problems = Problems::default();
        let draft = read_draft(request.yaml, tenant.as_ref(), &mut problems);
        let mut unused = Unused::default();
        for _ in 0..ATTEMPTS {
            let latest = self.store.version(None).await?;
            let current = self.current(&draft).await?;
            // After the load: an etag that still holds now held for everything that was read.
            self.check_etag(request.tenant, request.etag).await?;
            let mut problems = problems.clone();
            let wanted = validate(&draft, &current, request.prune, &mut problems);
            let (changes, writes) = differences(&wanted, &current, &request);
            refused(alike::hindrances(&current, &writes), &draft, problems)?;
            let changes_below = writes.iter().filter(|scope| scope.tenant.is_none()).flat_map(|scope| &scope.changes);
            let gone = Gone::of(changes_below, &current.installation.meters);
            self.check_unused(&gone, &draft, &mut unused).await?;
            let described = draft.iter().map(|scope| scope.tenant.clone()).collect();
            if writes.is_empty() || request.dry_run {
                let etag = self.etag(request.tenant).await?;
                return Ok(Applied { changes, etag, versions: Vec::new(), described });
            }
            let mut context = WriteContext::new(request.actor, request.now);
            context.expect_latest = (!gone.is_empty()).then_some(latest);
            if let Written::Done(version) = self.store.write(&context, &writes).await? {
                let versions = writes.into_iter().map(|scope| (scope.tenant, version)).collect();
                return Ok(Applied { changes, etag: etag_of(version), versions, described });
            }
        }
        Err(ApplyError::Contention)
    }

    /// The catalog of a tenant, or of the installation with all its tenants, as a document that [`Catalogs::apply`]
    /// takes back without a change.
    ///
    /// # Errors
    /// [`ApplyError::Tenant`], [`ApplyError::Contention`] while it is changing, [`ApplyError::Store`].
    pub async fn export(&self, tenant: Option<&str>) -> Result<Exported, ApplyError> {
        if let Some(name) = tenant {
            AccountName::tenant_from(name).map_err(ApplyError::Tenant)?;
            let data = self.store.load(tenant).await?;
            return Ok(Exported { yaml: export_tenant(name, &data), etag: etag_of(data.version) });
        }
        let mut current = Current { installation: self.store.load(None).await?, ..Current::default() };
        let mut loaded: BTreeMap<String, u64> = BTreeMap::new();
        for _ in 0..EXPORTS {
            let version = self.store.version(None).await?;
            let names: BTreeSet<String> = self.store.tenants().await?.into_iter().collect();
            current.tenants.retain(|name, _| names.contains(name));
            // What was read before holds, but for what was written since.
            for (scope, its) in self.store.versions().await? {
                match scope {
                    None if its > current.installation.version => {
                        current.installation = self.store.load(None).await?;
                        loaded.clear();
                    }
                    Some(name) if names.contains(&name) && loaded.get(&name) != Some(&its) => {
                        current.tenants.insert(name.clone(), self.store.load(Some(&name)).await?);
                        loaded.insert(name, its);
                    }
                    _ => {}
                }
            }
            // Several reads make one picture only if nothing was written between them.
            if self.store.version(None).await? == version {
                return Ok(Exported { yaml: export_installation(&current), etag: etag_of(version) });
            }
        }
        Err(ApplyError::Contention)
    }

    /// The etag of a tenant's catalog, or of the whole installation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn etag(&self, tenant: Option<&str>) -> Result<String, StoreError> {
        Ok(etag_of(self.store.version(tenant).await?))
    }

    pub(super) async fn check_etag(&self, tenant: Option<&str>, expected: Option<&str>) -> Result<(), ApplyError> {
        let Some(expected) = expected else { return Ok(()) };
        let etag = self.etag(tenant).await?;
        if etag == expected { Ok(()) } else { Err(ApplyError::EtagMismatch(etag)) }
    }

    async fn current(&self, draft: &[DraftScope]) -> Result<Current, StoreError> {
        let mut current = Current::default();
        for tenant in draft.iter().filter_map(|scope| scope.tenant.as_ref()) {
            current.tenants.insert(tenant.clone(), self.store.load(Some(tenant)).await?);
        }
        // After the tenants: who wrote to it meanwhile has raised the version that theirs are expected to have.
        current.installation = self.store.load(None).await?;
        Ok(current)
    }

    /// What goes from the installation must not be used by a tenant that the document does not describe; within the
    /// document that has been judged already.
    async fn check_unused(&self, gone: &Gone, draft: &[DraftScope], unused: &mut Unused) -> Result<(), ApplyError> {
        let described = draft.iter().filter_map(|scope| scope.tenant.as_deref()).collect();
        let used = self.used_by_tenants(gone, &described, unused).await?;
        refused(used.map(|used| (None, used)).into_iter().collect(), draft, Problems::default())
    }
}

fn differences(wanted: &[ScopeContent], current: &Current, request: &Apply<'_>) -> (Vec<Change>, Vec<ScopeWrite>) {
    let (mut changes, mut writes) = (Vec::new(), Vec::new());
    for content in wanted {
        let Some(data) = current.of(content.tenant.as_deref()) else { continue };
        let before = content_of(content.tenant.as_deref(), data);
        let diff = diff(content, &before, request.prune, request.now);
        if !diff.writes.is_empty() {
            let expect_version = Some(data.version);
            writes.push(ScopeWrite { tenant: content.tenant.clone(), expect_version, changes: diff.writes });
        }
        changes.extend(diff.changes);
    }
    (changes, writes)
}

/// Refuses a document that has problems, or that something hinders, in the eyes of a scope. The unit of a meter is told where it stands.
fn refused(
    found: Vec<(Option<String>, Hindrance)>,
    draft: &[DraftScope],
    mut problems: Problems,
) -> Result<(), ApplyError> {
    let place = |name: &MeterName, tenant: Option<&String>| {
        let scopes = draft.iter().filter(|scope| scope.tenant.is_none() || scope.tenant.as_ref() == tenant);
        // Its own meter is the one that a tenant sees.
        let mut said = scopes.flat_map(|scope| &scope.meters).filter(|meter| meter.value.name == *name);
        said.next_back().map(|meter| meter.at.key("unit", meter.at.line))
    };
    let mut in_use = None;
    for (tenant, hindrance) in found {
        if let Hindrance::Priced { meter, whose } = &hindrance
            && let Some(at) = place(meter, tenant.as_ref())
        {
            problems.add(&at, priced_in(whose));
        } else {
            in_use = in_use.or(Some(hindrance));
        }
    }
    problems.into_result().map_err(ApplyError::Document)?;
    in_use.map_or(Ok(()), |hindrance| Err(ApplyError::InUse(hindrance.to_string())))
}

/// The etag of a version.
pub fn etag_of(version: u64) -> String {
    format!("{version:x}")
}
