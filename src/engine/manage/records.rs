//! Records of accounts, pools and choices of them, one by one, as an administrator or a member sets them.

use super::apply::{ApplyError, Catalogs, etag_of};
use super::document::pool::DraftPool;
use super::document::{DraftScope, Found, Problems};
use super::members::Registry;
use super::moves::check_name;
use super::quotas::{Context, QuotaError, check_unlocked, current_of};
use super::validate::validate;
use crate::domain::account::{Account, AccountPolicy};
use crate::domain::name::AccountName;
use crate::domain::pool::{Join, Pool, membership};
use crate::domain::quota::Subject;
use crate::domain::time::Timestamp;
use crate::engine::ports::{CatalogData, CatalogWrite, QuotaKey, ScopeWrite, StoreError, WriteContext, Written};
use thiserror::Error;

/// How often a race with another server is run again; within one server writers wait for each other.
const ATTEMPTS: usize = 50;

/// A change of one record.
#[derive(Clone, Copy, Debug)]
pub enum RecordChange<'a> {
    /// Makes a record of an account.
    CreateAccount(&'a Found<Account>),
    /// Makes the record be so.
    UpdateAccount(&'a Found<Account>),
    /// Removes the record, the account's own quotas and its choice of a pool.
    DeleteAccount(&'a AccountName),
    /// Makes an account a pool.
    CreatePool(&'a DraftPool),
    /// Makes the pool be so.
    UpdatePool(&'a DraftPool),
    /// Makes the account be no pool.
    DeletePool(&'a AccountName),
    /// The account chooses a pool, or none.
    Choose(&'a AccountName, Option<&'a AccountName>),
}

/// What is recorded of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noun {
    /// Its record.
    Account,
    /// That it is a pool.
    Pool,
}

impl Noun {
    fn is_there(self, name: &AccountName) -> String {
        match self {
            Noun::Account => format!("there is a record of {name} already"),
            Noun::Pool => format!("{name} is a pool already"),
        }
    }

    fn is_missing(self, name: &AccountName) -> String {
        match self {
            Noun::Account => format!("there is no record of {name}"),
            Noun::Pool => format!("{name} is no pool"),
        }
    }
}

/// Why a record was not changed. Nothing has changed then.
#[derive(Clone, Debug, Error)]
pub enum RecordError {
    /// Fields that are not fit, by their path in the request.
    #[error("{0}")]
    Invalid(Problems),
    /// It is there already.
    #[error("{}", .0.is_there(.1))]
    Exists(Noun, AccountName),
    /// It is not there.
    #[error("{}", .0.is_missing(.1))]
    NotFound(Noun, AccountName),
    /// What limits a pool does not go as long as it is one.
    #[error("{0} is a pool: delete that first")]
    StillPool(AccountName),
    /// Its quotas can't be changed.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// A pool that joins in any case is not chosen.
    #[error("{0} counts every charge of its members: there is nothing to choose")]
    NotToBeChosen(AccountName),
    /// A disabled pool is not chosen.
    #[error("the pool {0} is disabled")]
    Disabled(AccountName),
    /// Who is no member of a pool does not choose it.
    #[error("{0} is no member of the pool {1}")]
    NotAMember(AccountName, AccountName),
    /// The account has another name now.
    #[error("{0} was moved: it is {1} now")]
    Moved(AccountName, AccountName),
    /// As for a document: another etag, a race lost again and again, a store that can't answer.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl RecordError {
    /// Whether the catalog is not as the call took it to be: by another's change, or by its own when it was sent before.
    pub fn finds_it_otherwise(&self) -> bool {
        match self {
            RecordError::Exists(..) | RecordError::NotFound(..) => true,
            RecordError::Apply(error) => matches!(error, ApplyError::EtagMismatch(_)),
            _ => false,
        }
    }
}

impl From<StoreError> for RecordError {
    fn from(error: StoreError) -> RecordError {
        RecordError::Apply(error.into())
    }
}

impl Catalogs {
    /// Changes one record: judges and writes against one state of the catalog, again while others change it in between. Answers
    /// what it is about as it is then, and the catalog's etag.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn change_record(
        &self,
        context: Context<'_>,
        change: RecordChange<'_>,
    ) -> Result<(CatalogData, String), RecordError> {
        let _turn = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let mut current = self.load_for_record(context, change).await?;
            if change.names_many()
                && let Some(tenant) = context.tenant
            {
                // Apart from the rest, which is asked for name by name: a tenant moved few accounts, and a pool may have many members.
                current.names = self.store.names(tenant).await?;
            }
            // After the load: an etag that still holds now held for everything that was read.
            self.check_etag(context.tenant, context.etag).await?;
            let write = ScopeWrite {
                tenant: context.tenant.map(str::to_owned),
                expect_version: Some(current.version),
                changes: change.judge(context, &current)?,
            };
            let by = WriteContext::new(context.actor, context.now);
            if let Written::Done(_) = self.store.write(&by, &[write]).await? {
                let now = self.load_for_record(context, change).await?;
                let etag = etag_of(now.version);
                return Ok((now, etag));
            }
        }
        Err(ApplyError::Contention.into())
    }

    /// What it takes to judge a change: little, but where quotas come into it.
    async fn load_for_record(&self, context: Context<'_>, change: RecordChange<'_>) -> Result<CatalogData, StoreError> {
        match change.names() {
            Some(names) => self.store.load_records(context.tenant, &names).await,
            None => self.store.load(context.tenant).await,
        }
    }
}

impl RecordChange<'_> {
    /// The accounts that it is about; `None` if also about quotas.
    fn names(self) -> Option<Vec<AccountName>> {
        match self {
            RecordChange::CreateAccount(found) | RecordChange::UpdateAccount(found) => {
                let registers = found.value.account_policy == AccountPolicy::Registered;
                (!registers).then(|| vec![found.value.name.clone()])
            }
            RecordChange::DeleteAccount(_) => None,
            RecordChange::CreatePool(draft) | RecordChange::UpdatePool(draft) => {
                Some(std::iter::once(&draft.pool.account).chain(&draft.pool.overflow).cloned().collect())
            }
            RecordChange::DeletePool(name) => Some(vec![name.clone()]),
            RecordChange::Choose(name, chosen) => Some(std::iter::once(name).chain(chosen).cloned().collect()),
        }
    }

    /// Whether it names accounts beside those that it is about.
    fn names_many(self) -> bool {
        match self {
            RecordChange::CreatePool(draft) | RecordChange::UpdatePool(draft) => !draft.pool.members.is_empty(),
            _ => false,
        }
    }

    /// What it writes, if it fits the catalog.
    fn judge(self, context: Context<'_>, data: &CatalogData) -> Result<Vec<CatalogWrite>, RecordError> {
        match self {
            RecordChange::CreateAccount(found) => {
                absent(Noun::Account, &found.value.name, account(data, &found.value.name))?;
                put_account(context, found, data)
            }
            RecordChange::UpdateAccount(found) => {
                present(Noun::Account, &found.value.name, account(data, &found.value.name))?;
                put_account(context, found, data)
            }
            RecordChange::DeleteAccount(name) => {
                let record = present(Noun::Account, name, account(data, name))?;
                if pool(data, name).is_some() {
                    return Err(RecordError::StillPool(name.clone()));
                }
                let own = data.quotas.iter().filter(|quota| quota.subject == Subject::Account(name.clone()));
                let keys: Vec<QuotaKey> =
                    own.clone().map(|quota| (quota.subject.clone(), quota.meter.clone())).collect();
                check_unlocked(context, &keys, data)?;
                let mut writes: Vec<CatalogWrite> = own.cloned().map(CatalogWrite::DeleteQuota).collect();
                writes.push(CatalogWrite::Choose(name.clone(), None));
                writes.push(CatalogWrite::DeleteAccount(record.clone()));
                Ok(writes)
            }
            RecordChange::CreatePool(draft) => {
                absent(Noun::Pool, &draft.pool.account, pool(data, &draft.pool.account))?;
                put_pool(context, draft, data)
            }
            RecordChange::UpdatePool(draft) => {
                present(Noun::Pool, &draft.pool.account, pool(data, &draft.pool.account))?;
                put_pool(context, draft, data)
            }
            RecordChange::DeletePool(name) => {
                let pool = present(Noun::Pool, name, pool(data, name))?;
                let mut writes = vec![CatalogWrite::DeletePool(pool.clone())];
                // Where accounts are registered it was known as a pool, and stays known: its quotas, use and holds stay too.
                if Registry::of(&scope(context), Some(data), false).registers() && account(data, name).is_none() {
                    writes.push(CatalogWrite::PutAccount(Account::plain(name.clone())));
                }
                Ok(writes)
            }
            RecordChange::Choose(name, chosen) => {
                for name in std::iter::once(name).chain(chosen) {
                    check_name(name, data).map_err(|(old, today)| RecordError::Moved(old, today))?;
                }
                if !Registry::of(&scope(context), Some(data), false).knows(&Subject::Account(name.clone())) {
                    return Err(RecordError::NotFound(Noun::Account, name.clone()));
                }
                if let Some(chosen) = chosen {
                    may_choose(data, name, present(Noun::Pool, chosen, pool(data, chosen))?, context.now)?;
                }
                Ok(vec![CatalogWrite::Choose(name.clone(), chosen.cloned())])
            }
        }
    }
}

/// A draft of the scope that says nothing.
fn scope(context: Context<'_>) -> DraftScope {
    DraftScope { tenant: context.tenant.map(str::to_owned), ..DraftScope::default() }
}

/// In the order of S3.24: the pool exists, is enabled, the account is a member.
fn may_choose(data: &CatalogData, name: &AccountName, pool: &Pool, now: Timestamp) -> Result<(), RecordError> {
    if pool.join == Join::Always {
        Err(RecordError::NotToBeChosen(pool.account.clone()))
    } else if !pool.enabled {
        Err(RecordError::Disabled(pool.account.clone()))
    } else if !is_member(data, name, pool, now) {
        Err(RecordError::NotAMember(name.clone(), pool.account.clone()))
    } else {
        Ok(())
    }
}

/// Whether an account is a member of a pool: it, or one above it, is named now, or has the labels of its rule.
fn is_member(data: &CatalogData, name: &AccountName, pool: &Pool, now: Timestamp) -> bool {
    let of_name = pool.members.iter().filter(|member| name.is_within(member.account.as_str()));
    let stretches: Vec<_> = of_name.map(|member| member.period).collect();
    let by_rule = |record: &Account| name.is_within(record.name.as_str()) && pool.ruled_in(&record.labels);
    membership(&stretches, now).0 || data.accounts.iter().any(by_rule)
}

fn put_account(
    context: Context<'_>,
    found: &Found<Account>,
    data: &CatalogData,
) -> Result<Vec<CatalogWrite>, RecordError> {
    let scope = DraftScope { accounts: vec![found.clone()], ..DraftScope::default() };
    judged(context, scope, data).map_err(RecordError::Invalid)?;
    Ok(vec![CatalogWrite::PutAccount(found.value.clone())])
}

fn put_pool(context: Context<'_>, draft: &DraftPool, data: &CatalogData) -> Result<Vec<CatalogWrite>, RecordError> {
    let scope = DraftScope { pools: vec![draft.clone()], ..DraftScope::default() };
    judged(context, scope, data).map_err(RecordError::Invalid)?;
    Ok(vec![CatalogWrite::PutPool(draft.pool.clone())])
}

/// Judges a draft as that of a document.
pub(super) fn judged(context: Context<'_>, scope: DraftScope, data: &CatalogData) -> Result<(), Problems> {
    let current = current_of(context, data);
    let mut problems = Problems::default();
    validate(&[DraftScope { tenant: context.tenant.map(str::to_owned), ..scope }], &current, false, &mut problems);
    problems.into_result()
}

/// The record of an account.
pub fn account<'a>(data: &'a CatalogData, name: &AccountName) -> Option<&'a Account> {
    data.accounts.iter().find(|record| record.name == *name)
}

/// The pool of an account.
pub fn pool<'a>(data: &'a CatalogData, name: &AccountName) -> Option<&'a Pool> {
    data.pools.iter().find(|pool| pool.account == *name)
}

fn absent<T>(noun: Noun, name: &AccountName, found: Option<T>) -> Result<(), RecordError> {
    found.map_or(Ok(()), |_| Err(RecordError::Exists(noun, name.clone())))
}

fn present<T>(noun: Noun, name: &AccountName, found: Option<T>) -> Result<T, RecordError> {
    found.ok_or_else(|| RecordError::NotFound(noun, name.clone()))
}
