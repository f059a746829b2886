//! Writes the changes of several scopes in one transaction, with a new version, quota history and audit entries.

use super::super::Database;
use super::super::connection::{Connection, Product, Sql, sql};
use super::super::pool::Tries;
use super::super::values::Values;
use super::read::{self, INSTALLATION};
use super::statements::{
    ACCOUNT, AUDIT_INSERT, CHOICE, METER, NAME, NOTIFY, Noun, PLAN, POOL, QUOTA_CLOSE, QUOTA_EDIT, QUOTA_GET,
    QUOTA_INSERT, QUOTA_REOPEN, RATE_CARD, SEQUENCE_NEXT, VERSION_PUT,
};
use super::{name_rows, news, pool_rows, rate_cards, requests, rows};
use crate::domain::limit_request::{LimitRequest, RequestState};
use crate::domain::name::{AccountName, Uid};
use crate::domain::quota::Quota;
use crate::engine::ports::{CatalogWrite, ScopeWrite, StoreError, WriteContext, Written};

/// All scopes, or nothing.
pub(super) async fn write(
    database: &Database,
    context: &WriteContext,
    scopes: &[ScopeWrite],
) -> Result<Written, StoreError> {
    let mut tries = Tries::default();
    loop {
        let mut transaction = database.write().await?;
        match write_in(&mut transaction, context, scopes).await {
            Ok((written, true)) => return transaction.commit().await.map(|()| written),
            // Nothing was otherwise, or must not be: the version that was drawn is given back.
            Ok((written, false)) => return transaction.rollback().await.map(|()| written),
            Err(error) => tries.again(transaction, error).await?,
        }
    }
}

/// The outcome, and whether anything was changed.
async fn write_in(
    transaction: &mut Connection,
    context: &WriteContext,
    scopes: &[ScopeWrite],
) -> Result<(Written, bool), StoreError> {
    // First of all: the versions that are compared here must not change before they are raised.
    let before = read::lock_sequence(transaction).await?;
    if context.expect_latest.is_some_and(|expected| expected != before) {
        return Ok((Written::Conflict(before), false));
    }
    for scope in scopes {
        let Some(expected) = scope.expect_version else { continue };
        let found = read::version(transaction, scope_text(scope)).await?;
        if found != expected {
            return Ok((Written::Conflict(found), false));
        }
    }
    let version = read::number(transaction.fetch_optional(SEQUENCE_NEXT, |_| {}).await?)?;
    let mut changed = Vec::new();
    for scope in scopes {
        let scoped = scope_text(scope);
        let mut writer = Writer { connection: transaction, context, scope: scoped, version: version.cast_signed() };
        if writer.write_all(&scope.changes).await? {
            changed.push(scoped);
        }
    }
    if changed.is_empty() {
        return Ok((Written::Done(before), false));
    }
    tell(transaction, version, &changed).await?;
    Ok((Written::Done(version), true))
}

/// Lets the other servers hear of it once it is committed. Those of a file are none.
async fn tell(transaction: &mut Connection, version: u64, scopes: &[&str]) -> Result<(), StoreError> {
    if transaction.product() == Product::Postgres {
        let text = news::to_text(version, scopes);
        let told = transaction.execute(NOTIFY, |values| {
            values.text(&text);
        });
        told.await?;
    }
    Ok(())
}

fn scope_text(scope: &ScopeWrite) -> &str {
    scope.tenant.as_deref().unwrap_or(INSTALLATION)
}

/// Writes into one scope.
struct Writer<'a> {
    connection: &'a mut Connection,
    context: &'a WriteContext,
    scope: &'a str,
    version: i64,
}

impl Writer<'_> {
    /// Whether anything was otherwise than it is now; then the scope has the new version.
    async fn write_all(&mut self, changes: &[CatalogWrite]) -> Result<bool, StoreError> {
        let mut changed = false;
        for change in changes {
            changed |= self.write(change).await?;
        }
        if changed {
            let version = self.version;
            self.execute(VERSION_PUT, |values| {
                values.int(version);
            })
            .await?;
        }
        Ok(changed)
    }

    async fn write(&mut self, change: &CatalogWrite) -> Result<bool, StoreError> {
        match change {
            CatalogWrite::PutMeter(meter) => {
                let definition = rows::meter_to_json(meter)?;
                self.put(&METER, "meter", meter.name.as_str(), definition).await
            }
            CatalogWrite::PutPlan(plan) => self.put(&PLAN, "plan", &plan.name, rows::plan_to_json(plan)?).await,
            CatalogWrite::PutAccount(account) => {
                let definition = rows::account_to_json(account)?;
                self.put(&ACCOUNT, "account", account.name.as_str(), definition).await
            }
            CatalogWrite::PutPool(pool) => {
                self.put(&POOL, "pool", pool.account.as_str(), pool_rows::pool_to_json(pool)?).await
            }
            CatalogWrite::DeletePool(pool) => self.delete(&POOL, "pool", pool.account.as_str()).await,
            CatalogWrite::Choose(account, Some(pool)) => {
                let definition = pool_rows::choice_to_json(pool)?;
                self.put(&CHOICE, "active pool of", account.as_str(), definition).await
            }
            CatalogWrite::Choose(account, None) => self.delete(&CHOICE, "active pool of", account.as_str()).await,
            CatalogWrite::PutName(record) => {
                self.put(&NAME, "name", record.name.as_str(), name_rows::to_json(&record.behind)?).await
            }
            CatalogWrite::DeleteName(name) => self.delete(&NAME, "name", name.as_str()).await,
            CatalogWrite::Rename { old, new } => self.rename(old, new).await,
            CatalogWrite::PutQuota(quota) => self.put_quota(quota).await,
            CatalogWrite::DeleteMeter(meter) => self.delete(&METER, "meter", meter.name.as_str()).await,
            CatalogWrite::DeletePlan(plan) => self.delete(&PLAN, "plan", &plan.name).await,
            CatalogWrite::DeleteAccount(account) => self.delete(&ACCOUNT, "account", account.name.as_str()).await,
            CatalogWrite::PutRateCard(card) => {
                let definition = rate_cards::to_definition(card)?;
                self.put(&RATE_CARD, "rate card", &card.name(), definition).await
            }
            CatalogWrite::DeleteRateCard(card) => self.delete(&RATE_CARD, "rate card", &card.name()).await,
            CatalogWrite::SupersedeQuota(quota) => self.supersede_quota(quota).await,
            CatalogWrite::EditQuota(quota) => self.edit_quota(quota).await,
            CatalogWrite::DeleteQuota(quota) => self.delete_quota(quota).await,
            CatalogWrite::ReopenQuota(quota) => self.reopen_quota(quota).await,
            CatalogWrite::ResolveRequest(request) => self.resolve_request(request).await,
        }
    }

    async fn put(&mut self, noun: &Noun, kind: &str, name: &str, definition: String) -> Result<bool, StoreError> {
        let before = self.definition(noun, name).await?;
        if before.as_ref() == Some(&definition) {
            return Ok(false);
        }
        let (version, now) = (self.version, self.context.now.millis());
        self.execute(noun.put, |values| {
            values.text(name).text(&definition).int(version).int(now);
        })
        .await?;
        self.audit(&format!("{kind} {name}"), before, Some(definition)).await
    }

    async fn delete(&mut self, noun: &Noun, kind: &str, name: &str) -> Result<bool, StoreError> {
        let Some(before) = self.definition(noun, name).await? else { return Ok(false) };
        let (version, now) = (self.version, self.context.now.millis());
        self.execute(noun.delete, |values| {
            values.text(name).int(version).int(now);
        })
        .await?;
        self.audit(&format!("{kind} {name}"), Some(before), None).await
    }

    async fn definition(&mut self, noun: &Noun, name: &str) -> Result<Option<String>, StoreError> {
        let scope = self.scope;
        let row = self.connection.fetch_optional(noun.get, |values| {
            values.text(scope).text(name);
        });
        row.await?.map(|row| row.text(0)).transpose()
    }

    /// What the ledger, and requests for more, call an account and what is below it. Says nothing of a change of the catalog: those
    /// beside it do.
    async fn rename(&mut self, old: &AccountName, new: &AccountName) -> Result<bool, StoreError> {
        let tenant = Uid::of(self.scope).to_bytes();
        let renamed = self.connection.execute(sql!("account_rename"), |values| {
            values.bytes(&tenant).text(old.as_str()).text(new.as_str());
        });
        renamed.await?;
        let renamed = self.execute(sql!("limit_request_rename"), |values| {
            values.text(old.as_str()).text(new.as_str());
        });
        renamed.await.map(|()| false)
    }

    /// The current version is closed and a new one made, unless it says the same already.
    async fn put_quota(&mut self, quota: &Quota) -> Result<bool, StoreError> {
        let before = self.current_quota(quota).await?;
        if before.as_ref().is_some_and(|before| rows::same_quota(before, quota)) {
            return Ok(false);
        }
        self.new_version(quota, before).await
    }

    /// The same, whatever it says.
    async fn supersede_quota(&mut self, quota: &Quota) -> Result<bool, StoreError> {
        let before = self.current_quota(quota).await?;
        self.new_version(quota, before).await
    }

    async fn new_version(&mut self, quota: &Quota, before: Option<Quota>) -> Result<bool, StoreError> {
        if before.is_some() {
            self.close_quota(quota, "closed").await?;
        }
        self.say(QUOTA_INSERT, quota).await?;
        let before = before.as_ref().map(rows::quota_to_json).transpose()?;
        self.audit(&quota_subject(quota), before, Some(rows::quota_to_json(quota)?)).await
    }

    /// The current version says something else from now on; saying the same is a change too (S2.10).
    async fn edit_quota(&mut self, quota: &Quota) -> Result<bool, StoreError> {
        let Some(before) = self.current_quota(quota).await? else { return Ok(false) };
        self.say(QUOTA_EDIT, quota).await?;
        let (before, after) = (rows::quota_to_json(&before)?, rows::quota_to_json(quota)?);
        self.audit(&quota_subject(quota), Some(before), Some(after)).await
    }

    /// Writes what a quota says, by a statement that makes or changes a version.
    async fn say(&mut self, statement: Sql, quota: &Quota) -> Result<(), StoreError> {
        let top_up = quota.top_up.map(i64::try_from).transpose();
        let top_up = top_up.map_err(|_| StoreError::Corrupt(String::from("catalog: a top-up is beyond 2^63-1")))?;
        let limits = rows::limits_to_json(&quota.limits)?;
        let raise = quota.raise.as_ref().map(rows::raise_to_json).transpose()?;
        let (version, now) = (self.version, self.context.now.millis());
        self.execute(statement, |values| {
            values.text(&quota.subject.to_string()).text(quota.meter.as_str()).int(now).int(version).text(&limits);
            values.maybe_int(top_up).maybe_int(quota.hold_share_percent.map(i64::from));
            values.text(rows::enforcement_text(quota.enforcement)).text(&quota.note);
            values.maybe_text(quota.locked_without.as_deref()).maybe_text(raise.as_deref());
        })
        .await
    }

    async fn delete_quota(&mut self, quota: &Quota) -> Result<bool, StoreError> {
        let Some(before) = self.current_quota(quota).await? else { return Ok(false) };
        self.close_quota(quota, "deleted").await?;
        self.audit(&quota_subject(quota), Some(rows::quota_to_json(&before)?), None).await
    }

    /// The current version goes, and the one that it closed is in force again, where there is one (S4.13).
    async fn reopen_quota(&mut self, quota: &Quota) -> Result<bool, StoreError> {
        let Some(before) = self.current_quota(quota).await? else { return Ok(false) };
        self.close_quota(quota, "deleted").await?;
        let (version, now) = (self.version, self.context.now.millis());
        self.execute(QUOTA_REOPEN, |values| {
            values.text(&quota.subject.to_string()).text(quota.meter.as_str()).int(now).int(version);
        })
        .await?;
        let reopened = self.current_quota(quota).await?;
        let after = reopened.as_ref().map(rows::quota_to_json).transpose()?;
        self.audit(&quota_subject(quota), Some(rows::quota_to_json(&before)?), after).await
    }

    async fn resolve_request(&mut self, request: &LimitRequest) -> Result<bool, StoreError> {
        let Some(resolution) = &request.resolution else { return Ok(false) };
        let pending = LimitRequest { state: RequestState::Pending, resolution: None, ..request.clone() };
        // Whoever resolved it raised the scope's version, which was compared: it is pending still.
        if !requests::resolve(self.connection, self.scope, request, resolution).await? {
            return Ok(false);
        }
        let (before, after) = (requests::request_to_json(&pending)?, requests::request_to_json(request)?);
        self.audit(&requests::subject(request), Some(before), Some(after)).await
    }

    async fn current_quota(&mut self, quota: &Quota) -> Result<Option<Quota>, StoreError> {
        let scope = self.scope;
        let row = self.connection.fetch_optional(QUOTA_GET, |values| {
            values.text(scope).text(&quota.subject.to_string()).text(quota.meter.as_str());
        });
        row.await?.map(|row| rows::quota_from_row(scope, &row)).transpose()
    }

    async fn close_quota(&mut self, quota: &Quota, state: &str) -> Result<(), StoreError> {
        let (version, now) = (self.version, self.context.now.millis());
        self.execute(QUOTA_CLOSE, |values| {
            values.text(&quota.subject.to_string()).text(quota.meter.as_str()).text(state).int(now).int(version);
        })
        .await
    }

    /// Writes down what was changed. Always true: something was.
    async fn audit(
        &mut self,
        subject: &str,
        before: Option<String>,
        after: Option<String>,
    ) -> Result<bool, StoreError> {
        let action = match (&before, &after) {
            (None, _) => "create",
            (Some(_), Some(_)) => "update",
            (Some(_), None) => "delete",
        };
        let (version, context) = (self.version, self.context);
        self.execute(AUDIT_INSERT, |values| {
            values.int(version).int(context.now.millis()).text(&context.actor).text(action).text(subject);
            values.maybe_text(before.as_deref()).maybe_text(after.as_deref());
        })
        .await?;
        Ok(true)
    }

    /// Runs a statement whose first value is the scope.
    async fn execute(&mut self, sql: Sql, bind: impl FnOnce(&mut Values)) -> Result<(), StoreError> {
        let scope = self.scope;
        let done = self.connection.execute(sql, |values| {
            values.text(scope);
            bind(values);
        });
        done.await.map(|_| ())
    }
}

fn quota_subject(quota: &Quota) -> String {
    format!("quota {} {}", quota.subject, quota.meter)
}
