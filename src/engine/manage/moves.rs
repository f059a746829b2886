//! Moves of accounts in the catalog: one is written as under way before anything is counted elsewhere, and then as done, with all that
//! is configured of the account and below it, or as if it had never begun.

use super::apply::{ApplyError, Catalogs};
use super::document::{DraftScope, Place, Problems};
use super::quotas::{Context, QuotaError, check_unlocked};
use super::rename::renamed;
use crate::domain::account::{Account, AccountPolicy};
use crate::domain::moved::{Behind, Move, NameRecord};
use crate::domain::name::{AccountName, Uid};
use crate::domain::quota::{Quota, Subject};
use crate::domain::time::Timestamp;
use crate::engine::names::Names;
use crate::engine::ports::{CatalogData, CatalogWrite, QuotaKey, ScopeWrite, StoreError, WriteContext, Written};
use thiserror::Error;

/// How often a race with another server is run again.
const ATTEMPTS: usize = 50;

/// A move that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct MoveRequest<'a> {
    /// The account, by any name that it ever had.
    pub account: &'a AccountName,
    /// The name that it shall have.
    pub to: &'a AccountName,
    /// Whether its own quotas, and those of what is below it, are left behind.
    pub resets_quotas: bool,
}

/// What becomes of a move that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Begun {
    /// It is under way, by this call or an earlier one.
    Moving(NameRecord),
    /// The account has that name already; the name.
    Done(AccountName),
}

/// Why a move does not begin. Nothing has changed then.
#[derive(Clone, Debug, Error)]
pub enum MoveError {
    /// A name that can't be: field and why.
    #[error("{0}: {1}")]
    Invalid(&'static str, String),
    /// In a tenant that registers its accounts there is none of that name: field and name.
    #[error("there is no record of {1}")]
    NotFound(&'static str, AccountName),
    /// The new name is somebody else's, or something was counted under it.
    #[error("{0} is taken: {1}")]
    Taken(AccountName, String),
    /// Another move that touches either is under way.
    #[error("{0} is being moved")]
    Moving(AccountName),
    /// Its quotas can't be changed.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// As for a document: another etag, a race lost again and again, a store that can't answer.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<StoreError> for MoveError {
    fn from(error: StoreError) -> MoveError {
        MoveError::Apply(error.into())
    }
}

impl Catalogs {
    /// Writes a move as under way, if it can be.
    ///
    /// # Errors
    /// [`MoveError`].
    pub async fn begin_move(&self, context: Context<'_>, asked: MoveRequest<'_>) -> Result<Begun, MoveError> {
        let _turn = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let data = self.store.load(context.tenant).await?;
            let begun = judge(context, asked, &data)?;
            let Begun::Moving(record) = &begun else { return Ok(begun) };
            if data.names.contains(record) {
                return Ok(begun);
            }
            // After the load: an etag that still holds now held for everything that was read.
            self.check_etag(context.tenant, context.etag).await?;
            let by = WriteContext::new(context.actor, context.now);
            let write = scope(context.tenant, &data, vec![CatalogWrite::PutName(record.clone())]);
            if let Written::Done(_) = self.store.write(&by, &[write]).await? {
                return Ok(begun);
            }
        }
        Err(ApplyError::Contention.into())
    }

    /// Writes down that a move was refused, so that nobody goes on with it.
    ///
    /// # Errors
    /// [`MoveError`].
    pub async fn refuse_move(&self, tenant: &str, record: &NameRecord, now: Timestamp) -> Result<(), MoveError> {
        self.on_move(tenant, record, now, |moving, _| {
            let behind = Behind::Moving(Box::new(Move { undone: true, ..moving.clone() }));
            vec![CatalogWrite::PutName(NameRecord { name: record.name.clone(), behind })]
        })
        .await
    }

    /// Ends a move: the account has its new name, or its old one as before. Who finds it ended has nothing to do.
    ///
    /// # Errors
    /// [`MoveError`].
    pub async fn end_move(
        &self,
        tenant: &str,
        record: &NameRecord,
        is_done: bool,
        now: Timestamp,
    ) -> Result<(), MoveError> {
        self.on_move(tenant, record, now, |moving, data| {
            if is_done { renamed(&record.name, moving, data) } else { vec![stands(&record.name, moving.uid, data)] }
        })
        .await
    }

    /// Writes as long as that move is under way.
    async fn on_move(
        &self,
        tenant: &str,
        record: &NameRecord,
        now: Timestamp,
        changes: impl Fn(&Move, &CatalogData) -> Vec<CatalogWrite>,
    ) -> Result<(), MoveError> {
        let Behind::Moving(wanted) = &record.behind else { return Ok(()) };
        let _turn = self.writing.lock().await;
        for _ in 0..ATTEMPTS {
            let data = self.store.load(Some(tenant)).await?;
            let here = data.names.iter().find(|here| here.name == record.name).map(|here| &here.behind);
            let Some(Behind::Moving(moving)) = here else { return Ok(()) };
            if moving.id != wanted.id {
                return Ok(());
            }
            let by = WriteContext::new(&moving.actor, now);
            let write = scope(Some(tenant), &data, changes(moving, &data));
            if let Written::Done(_) = self.store.write(&by, &[write]).await? {
                return Ok(());
            }
        }
        Err(ApplyError::Contention.into())
    }
}

fn scope(tenant: Option<&str>, data: &CatalogData, changes: Vec<CatalogWrite>) -> ScopeWrite {
    ScopeWrite { tenant: tenant.map(str::to_owned), expect_version: Some(data.version), changes }
}

fn names_of(data: &CatalogData) -> Names {
    let mut names = Names::default();
    names.change(data.names.iter().map(|record| (record.name.clone(), Some(record.clone()))).collect());
    names
}

/// Refuses to configure what was moved under a name that it had: whoever does so means the account that has another name now.
pub(super) fn check_names(scope: &DraftScope, data: &CatalogData, problems: &mut Problems) {
    if data.names.is_empty() {
        return;
    }
    let names = names_of(data);
    let mut check = |name: &AccountName, at: &Place| {
        let today = names.today(name);
        if *today != *name {
            problems.add(at, format!("{name} was moved: it is {today} now"));
        }
    };
    scope.accounts.iter().for_each(|found| check(&found.value.name, &found.at));
    for quota in &scope.quotas {
        if let Subject::Account(name) = &quota.subject {
            check(name, &quota.subject_at);
        }
    }
    for draft in &scope.pools {
        check(&draft.pool.account, &draft.at);
        draft.pool.members.iter().for_each(|member| check(&member.account, &draft.at));
    }
}

/// The same of one name, where it is chosen or chooses.
pub(super) fn check_name(name: &AccountName, data: &CatalogData) -> Result<(), (AccountName, AccountName)> {
    let names = names_of(data);
    let today = names.today(name);
    if *today == *name { Ok(()) } else { Err((name.clone(), today.into_owned())) }
}

/// What a move begins with, if the catalog lets it.
fn judge(context: Context<'_>, asked: MoveRequest<'_>, data: &CatalogData) -> Result<Begun, MoveError> {
    let names = names_of(data);
    let old = names.today(asked.account).into_owned();
    let parent = |name: &AccountName, field| {
        name.parent().ok_or_else(|| MoveError::Invalid(field, String::from("a tenant can't be moved")))
    };
    parent(&old, "account")?;
    let above = parent(asked.to, "new_name")?;
    // Below an account that was moved: the name of today.
    let (said, above) = (&above, names.today(&above).into_owned());
    let new = asked.to.renamed(said, &above);
    let new = new.ok_or_else(|| MoveError::Invalid("new_name", String::from("is too long")))?;
    if new == old {
        return Ok(Begun::Done(old));
    }
    if new.is_within(old.as_str()) || old.is_within(new.as_str()) {
        return Err(MoveError::Invalid("new_name", format!("{new} and {old} lie one within the other")));
    }
    check_under_way(&old, &new, asked, data)?;
    if let Some(record) = data.names.iter().find(|record| record.name == old)
        && matches!(record.behind, Behind::Moving(_))
    {
        return Ok(Begun::Moving(record.clone()));
    }
    check_known(context, [&old, &above], data)?;
    check_free(&names, &old, &new, data)?;
    check_below(&old, &new, data)?;
    if asked.resets_quotas {
        let keys: Vec<QuotaKey> =
            own(data, &old).map(|(quota, _)| (quota.subject.clone(), quota.meter.clone())).collect();
        check_unlocked(context, &keys, data)?;
    }
    let uid = names.uids(&old).last().copied().unwrap_or(Uid::ROOT);
    let id = uuid::Uuid::now_v7().to_string();
    let actor = context.actor.to_owned();
    let moving = Move { id, uid, to: new, resets_quotas: asked.resets_quotas, undone: false, actor };
    Ok(Begun::Moving(NameRecord { name: old, behind: Behind::Moving(Box::new(moving)) }))
}

/// Whatever is configured below the account has a name there as well.
fn check_below(old: &AccountName, new: &AccountName, data: &CatalogData) -> Result<(), MoveError> {
    let names = data.names.iter().map(|record| &record.name);
    let pools = data.pools.iter().map(|pool| &pool.account);
    let all = names.chain(pools).chain(data.accounts.iter().map(|account| &account.name));
    let mut all = all.chain(own(data, old).map(|(_, name)| name));
    match all.find(|name| name.is_within(old.as_str()) && name.renamed(old, new).is_none()) {
        Some(name) => Err(MoveError::Invalid("new_name", format!("leaves no room for the name of {name} below it"))),
        None => Ok(()),
    }
}

/// Moves whose names touch wait for each other; the same one is gone on with.
fn check_under_way(
    old: &AccountName,
    new: &AccountName,
    asked: MoveRequest<'_>,
    data: &CatalogData,
) -> Result<(), MoveError> {
    let touch = |one: &AccountName, other: &AccountName| one.is_within(other.as_str()) || other.is_within(one.as_str());
    for record in &data.names {
        let Behind::Moving(moving) = &record.behind else { continue };
        let is_same =
            record.name == *old && moving.to == *new && moving.resets_quotas == asked.resets_quotas && !moving.undone;
        let touched = [old, new].into_iter().any(|name| touch(name, &record.name) || touch(name, &moving.to));
        if touched && !is_same {
            return Err(MoveError::Moving(record.name.clone()));
        }
    }
    Ok(())
}

/// Where accounts are registered, the one that is moved must be, and the one below which it comes to lie.
fn check_known(context: Context<'_>, names: [&AccountName; 2], data: &CatalogData) -> Result<(), MoveError> {
    let find = |name: &str| data.accounts.iter().find(|record| record.name.as_str() == name);
    let registers = |record: &Account| record.account_policy == AccountPolicy::Registered;
    if !context.tenant.and_then(find).is_some_and(registers) {
        return Ok(());
    }
    let is_known =
        |name: &AccountName| find(name.as_str()).is_some() || data.pools.iter().any(|pool| pool.account == *name);
    for (name, field) in names.into_iter().zip(["account", "new_name"]) {
        if !is_known(name) {
            return Err(MoveError::NotFound(field, name.clone()));
        }
    }
    Ok(())
}

/// The new name is nobody else's, and nothing is configured for it or for what would be below it.
fn check_free(names: &Names, old: &AccountName, new: &AccountName, data: &CatalogData) -> Result<(), MoveError> {
    let taken = |why: String| Err(MoveError::Taken(new.clone(), why));
    let today = names.today(new);
    if *today != *new && *today != *old {
        return taken(format!("it stands for {today}, which was moved"));
    }
    let below = |name: &AccountName| name.is_within(new.as_str());
    if let Some(record) = data.accounts.iter().find(|record| below(&record.name)) {
        return taken(format!("there is a record of {}", record.name));
    }
    if let Some(pool) = data.pools.iter().find(|pool| below(&pool.account)) {
        return taken(format!("{} is a pool", pool.account));
    }
    if let Some((quota, name)) = own(data, new).next() {
        return taken(format!("{name} has a quota on {}", quota.meter));
    }
    Ok(())
}

/// The own quotas of an account and of what is below it.
pub(super) fn own<'a>(
    data: &'a CatalogData,
    account: &'a AccountName,
) -> impl Iterator<Item = (&'a Quota, &'a AccountName)> {
    data.quotas.iter().filter_map(|quota| match &quota.subject {
        Subject::Account(name) if name.is_within(account.as_str()) => Some((quota, name)),
        _ => None,
    })
}

/// A name stands for an account: by itself where it was derived so.
pub(super) fn stands(name: &AccountName, uid: Uid, data: &CatalogData) -> CatalogWrite {
    let above = name.parent().and_then(|above| names_of(data).uids(&above).last().copied());
    let derived = above.zip(name.pairs().last()).map(|(above, (collection, id))| above.child(collection, id, 0));
    if derived == Some(uid) {
        return CatalogWrite::DeleteName(name.clone());
    }
    CatalogWrite::PutName(NameRecord { name: name.clone(), behind: Behind::Account(uid) })
}
