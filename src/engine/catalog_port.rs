//! The catalog's port: what is configured, version by version, and how it is changed.

use super::paperwork::Paperwork;
use super::ports::{Boxed, StoreError};
use crate::domain::account::{Account, Plan};
use crate::domain::limit_request::LimitRequest;
use crate::domain::meter::Meter;
use crate::domain::moved::NameRecord;
use crate::domain::name::{AccountName, MeterName};
use crate::domain::pool::Pool;
use crate::domain::quota::{Quota, QuotaState, Subject};
use crate::domain::rate_card::RateCard;
use crate::domain::time::Timestamp;

/// Everything configured for one tenant, with its version: what a snapshot is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CatalogData {
    /// Version of the tenant's view: the greater of the tenant's and the installation's, both drawn from one sequence.
    pub version: u64,
    /// The installation's meters and the tenant's own; the tenant's wins where both have the name.
    pub meters: Vec<Meter>,
    /// Meters that the installation and the tenant had once: what was counted on them is still there, so that a meter of the
    /// same name must count alike. For judging documents only.
    pub removed: Vec<Meter>,
    /// The tenant's accounts.
    pub accounts: Vec<Account>,
    /// The tenant's pools.
    pub pools: Vec<Pool>,
    /// Which pool accounts of the tenant chose: account and pool. It may be no more.
    pub choices: Vec<(AccountName, AccountName)>,
    /// Names behind which another account stands than the one that they were derived from, since accounts were moved.
    pub names: Vec<NameRecord>,
    /// The installation's plans and the tenant's own.
    pub plans: Vec<Plan>,
    /// The installation's quotas and the tenant's own, the current versions.
    pub quotas: Vec<Quota>,
    /// The installation's rate cards and the tenant's own.
    pub rate_cards: Vec<RateCard>,
}

/// What a tenant sees otherwise since some version.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CatalogChanges {
    /// The version now.
    pub version: u64,
    /// If any of it changed, all that [`CatalogData`] has beside accounts, pools, choices, names and quotas, which it leaves empty.
    pub frame: Option<CatalogData>,
    /// The records that changed, each as it is now; `None`: gone.
    pub accounts: Vec<(AccountName, Option<Account>)>,
    /// The pools that changed, by account.
    pub pools: Vec<(AccountName, Option<Pool>)>,
    /// The accounts that chose another pool, or none.
    pub choices: Vec<(AccountName, Option<AccountName>)>,
    /// The names behind which something else stands.
    pub names: Vec<(AccountName, Option<NameRecord>)>,
    /// The quotas that changed.
    pub quotas: Vec<ChangedQuota>,
}

/// A quota that changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedQuota {
    /// Whether it is the installation's, not the tenant's.
    pub of_installation: bool,
    /// Whose limits it sets.
    pub subject: Subject,
    /// On what.
    pub meter: MeterName,
    /// As it is now; `None`: gone.
    pub quota: Option<Quota>,
}

/// Which rate cards to load beside meters and plans: they are tables of prices, and may be long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cards<'a> {
    /// None.
    None,
    /// Those of a meter.
    Of(&'a MeterName),
    /// Those of a meter that begin then: the installation's and the tenant's own.
    From(&'a MeterName, Timestamp),
    /// Every one.
    All,
}

/// What names a quota within its scope.
pub type QuotaKey = (Subject, MeterName);

/// Which quotas to list, in the order of subject and meter as texts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QuotaPage {
    /// Only those of this subject.
    pub subject: Option<Subject>,
    /// Only those on this meter.
    pub meter: Option<MeterName>,
    /// Only those after this subject and meter.
    pub after: Option<(String, String)>,
    /// At most this many.
    pub limit: usize,
}

/// A change of the catalog, in the order of the document that asked for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CatalogWrite {
    /// Make the meter be so.
    PutMeter(Meter),
    /// Remove the meter.
    DeleteMeter(Meter),
    /// Make the account's record be so.
    PutAccount(Account),
    /// Remove the record.
    DeleteAccount(Account),
    /// Make the pool be so.
    PutPool(Pool),
    /// Remove the pool.
    DeletePool(Pool),
    /// The account chooses the pool; none: it chooses none.
    Choose(AccountName, Option<AccountName>),
    /// Keep what stands behind a name.
    PutName(NameRecord),
    /// The name stands for the account that it was derived from.
    DeleteName(AccountName),
    /// The ledger, and requests for more, call an account, and what is below it, by its new name.
    Rename {
        /// The name until now.
        old: AccountName,
        /// The name from now on.
        new: AccountName,
    },
    /// Make the plan be so.
    PutPlan(Plan),
    /// Remove the plan.
    DeletePlan(Plan),
    /// Make the rate card of its meter and time be so.
    PutRateCard(RateCard),
    /// Remove the rate card.
    DeleteRateCard(RateCard),
    /// Make the quota be so: a new version, the current one closed.
    PutQuota(Quota),
    /// A new version of the quota, the current one closed, even if it says the same.
    SupersedeQuota(Quota),
    /// Make the current version of the quota say this, in place.
    EditQuota(Quota),
    /// Delete the quota: the current version becomes deleted.
    DeleteQuota(Quota),
    /// Delete the current version of the quota and put the one that it closed in force again, if there is one.
    ReopenQuota(Quota),
    /// Write down what was decided on a pending request for more.
    ResolveRequest(Box<LimitRequest>),
}

/// A version of a quota, in force or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaVersion {
    /// What it says.
    pub quota: Quota,
    /// What became of it.
    pub state: QuotaState,
    /// When it was closed or deleted.
    pub close_time: Option<Timestamp>,
}

/// The changes of one scope: of one tenant's catalog, or of the installation's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeWrite {
    /// Whose catalog; `None`: the installation's.
    pub tenant: Option<String>,
    /// Write only if the version that [`CatalogStore::load`] gives for this scope is still this one.
    pub expect_version: Option<u64>,
    /// The changes, in order.
    pub changes: Vec<CatalogWrite>,
}

/// Who writes to the catalog, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteContext {
    /// Who asks, for the audit.
    pub actor: String,
    /// When.
    pub now: Timestamp,
    /// Write only if nobody wrote to any scope since [`CatalogStore::version`] gave this for the whole installation: where every
    /// tenant was looked at, those that came meanwhile too.
    pub expect_latest: Option<u64>,
}

impl WriteContext {
    /// Whatever others write elsewhere.
    pub fn new(actor: &str, now: Timestamp) -> WriteContext {
        WriteContext { actor: actor.to_owned(), now, expect_latest: None }
    }
}

/// The outcome of a catalog write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// Done; the new version of every scope that had a change. Without any change: the version as it was.
    Done(u64),
    /// The version of a scope was another one: nothing was written.
    Conflict(u64),
}

/// What is heard of writes to the catalog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CatalogNews {
    /// These scopes got these versions, in the order in which they were written.
    Written(Vec<ScopeVersion>),
    /// Anything may have been written: it is not known what.
    Anything,
}

/// A scope (a tenant; `None`: the installation) and the version of its own part.
pub type ScopeVersion = (Option<String>, u64);

/// The catalog's store: the truth about everything configured. Versions are kept from the first migration on.
pub trait CatalogStore: Paperwork {
    /// Everything that the tenant sees; `None`: the installation's own and nothing else. The version is that of what is
    /// seen: the greater of the tenant's and the installation's.
    fn load<'a>(&'a self, tenant: Option<&'a str>) -> Boxed<'a, Result<CatalogData, StoreError>>;

    /// The same with nothing but meters, plans and some rate cards.
    fn load_definitions<'a>(
        &'a self,
        tenant: Option<&'a str>,
        cards: Cards<'a>,
    ) -> Boxed<'a, Result<CatalogData, StoreError>>;

    /// The same without rate cards, with no other quotas than these and those that lock them, and of accounts, pools and choices only those of the
    /// tenant itself and on their subjects' paths: all that it takes to judge a change of them.
    fn load_for<'a>(
        &'a self,
        tenant: Option<&'a str>,
        quotas: &'a [QuotaKey],
    ) -> Boxed<'a, Result<CatalogData, StoreError>>;

    /// The same without rate cards and quotas, and of accounts, pools and choices only those of the tenant itself and on the paths of these:
    /// all that it takes to judge a change of their records.
    fn load_records<'a>(
        &'a self,
        tenant: Option<&'a str>,
        names: &'a [AccountName],
    ) -> Boxed<'a, Result<CatalogData, StoreError>>;

    /// The names of a tenant behind which something else stands than they were derived from.
    fn names<'a>(&'a self, tenant: &'a str) -> Boxed<'a, Result<Vec<NameRecord>, StoreError>>;

    /// The accounts that are being moved, each with its tenant.
    fn moving(&self) -> Boxed<'_, Result<Vec<(String, NameRecord)>, StoreError>>;

    /// What the tenant sees otherwise since version `since`; `None`: so much that it is better loaded anew.
    fn changes<'a>(&'a self, tenant: &'a str, since: u64) -> Boxed<'a, Result<Option<CatalogChanges>, StoreError>>;

    /// A page of the quotas that the tenant sees. A tenant's plan's quota takes the place of the installation's.
    fn list_quotas<'a>(
        &'a self,
        tenant: Option<&'a str>,
        page: &'a QuotaPage,
    ) -> Boxed<'a, Result<Vec<Quota>, StoreError>>;

    /// A page of the tenant's account records by name, at most `limit` after `after`.
    fn list_accounts<'a>(
        &'a self,
        tenant: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Boxed<'a, Result<Vec<Account>, StoreError>>;

    /// One record.
    fn account<'a>(&'a self, name: &'a AccountName) -> Boxed<'a, Result<Option<Account>, StoreError>>;

    /// The version of what the tenant sees, as [`CatalogStore::load`] gives it; `None`: of the whole installation with
    /// all its tenants, which every write raises.
    fn version<'a>(&'a self, tenant: Option<&'a str>) -> Boxed<'a, Result<u64, StoreError>>;

    /// Resolves once another process, or this one, may have written: with all that was heard since it resolved last, for one who
    /// asks. News may be lost, so that it spares nobody a look from time to time; where no other process writes there are none.
    fn changed(&self) -> Boxed<'_, CatalogNews>;

    /// Every version that a scope's quota of a subject on a meter had, newest first.
    fn quota_versions<'a>(
        &'a self,
        tenant: Option<&'a str>,
        subject: &'a Subject,
        meter: &'a MeterName,
    ) -> Boxed<'a, Result<Vec<QuotaVersion>, StoreError>>;

    /// Names of all tenants that have anything configured, in order.
    fn tenants(&self) -> Boxed<'_, Result<Vec<String>, StoreError>>;

    /// The version of every scope that was ever written, each its own part alone; `None`: the installation's. A counter
    /// store that begins anew learns from it what it may decide under.
    fn versions(&self) -> Boxed<'_, Result<Vec<ScopeVersion>, StoreError>>;

    /// Writes all changes of all scopes, the audit entries and the new version in one transaction.
    fn write<'a>(
        &'a self,
        context: &'a WriteContext,
        scopes: &'a [ScopeWrite],
    ) -> Boxed<'a, Result<Written, StoreError>>;

    /// A small text kept by name (the digest of the catalog file applied last).
    fn note<'a>(&'a self, name: &'a str) -> Boxed<'a, Result<Option<String>, StoreError>>;

    /// Keeps a small text by name.
    fn set_note<'a>(&'a self, name: &'a str, text: &'a str) -> Boxed<'a, Result<(), StoreError>>;
}
