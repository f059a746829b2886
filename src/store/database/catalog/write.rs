//! Writes the changes of several scopes in one transaction, with a new version, quota history and audit entries.

use super::super::Database;
use super::super::errors::store_error;
use super::read::{self, INSTALLATION};
use super::rows::{self, QuotaRow};
use super::statements::{
    ACCOUNT, AUDIT_INSERT, METER, Noun, PLAN, QUOTA_CLOSE, QUOTA_GET, QUOTA_INSERT, SEQUENCE_NEXT, VERSION_PUT,
};
use crate::domain::quota::Quota;
use crate::engine::ports::{CatalogWrite, ScopeWrite, StoreError, WriteContext, Written};
use sqlx::SqliteConnection;

/// All scopes, or nothing.
pub(super) async fn write(
    database: &Database,
    context: &WriteContext,
    scopes: &[ScopeWrite],
) -> Result<Written, StoreError> {
    // Immediate: the versions that are compared here must not change before they are raised.
    let mut transaction = database.writer().begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
    for scope in scopes {
        let Some(expected) = scope.expect_version else { continue };
        let found = read::version(&mut transaction, scope_text(scope)).await?;
        if found != expected {
            transaction.rollback().await.map_err(store_error)?;
            return Ok(Written::Conflict(found));
        }
    }
    let before = read::sequence(&mut transaction).await?;
    let (version,): (i64,) = sqlx::query_as(SEQUENCE_NEXT).fetch_one(&mut *transaction).await.map_err(store_error)?;
    let mut changed = false;
    for scope in scopes {
        let mut writer = Writer { connection: &mut transaction, context, scope: scope_text(scope), version };
        if writer.write_all(&scope.changes).await? {
            changed = true;
        }
    }
    if !changed {
        // Nothing was otherwise: the version that was drawn is given back.
        transaction.rollback().await.map_err(store_error)?;
        return Ok(Written::Done(before));
    }
    transaction.commit().await.map_err(store_error)?;
    Ok(Written::Done(version.unsigned_abs()))
}

fn scope_text(scope: &ScopeWrite) -> &str {
    scope.tenant.as_deref().unwrap_or(INSTALLATION)
}

/// Writes into one scope.
struct Writer<'a> {
    connection: &'a mut SqliteConnection,
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
            let query = sqlx::query(VERSION_PUT).bind(self.scope).bind(self.version);
            query.execute(&mut *self.connection).await.map_err(store_error)?;
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
            CatalogWrite::PutQuota(quota) => self.put_quota(quota).await,
            CatalogWrite::DeleteMeter(meter) => self.delete(&METER, "meter", meter.name.as_str()).await,
            CatalogWrite::DeletePlan(plan) => self.delete(&PLAN, "plan", &plan.name).await,
            CatalogWrite::DeleteAccount(account) => self.delete(&ACCOUNT, "account", account.name.as_str()).await,
            CatalogWrite::DeleteQuota(quota) => self.delete_quota(quota).await,
        }
    }

    async fn put(&mut self, noun: &Noun, kind: &str, name: &str, definition: String) -> Result<bool, StoreError> {
        let before = self.definition(noun, name).await?;
        if before.as_ref() == Some(&definition) {
            return Ok(false);
        }
        let query = sqlx::query(noun.put).bind(self.scope).bind(name).bind(&definition);
        let query = query.bind(self.version).bind(self.context.now.millis());
        query.execute(&mut *self.connection).await.map_err(store_error)?;
        self.audit(&format!("{kind} {name}"), before, Some(definition)).await
    }

    async fn delete(&mut self, noun: &Noun, kind: &str, name: &str) -> Result<bool, StoreError> {
        let Some(before) = self.definition(noun, name).await? else { return Ok(false) };
        let query = sqlx::query(noun.delete).bind(self.scope).bind(name);
        let query = query.bind(self.version).bind(self.context.now.millis());
        query.execute(&mut *self.connection).await.map_err(store_error)?;
        self.audit(&format!("{kind} {name}"), Some(before), None).await
    }

    async fn definition(&mut self, noun: &Noun, name: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_as(noun.get).bind(self.scope).bind(name);
        let row: Option<(String,)> = query.fetch_optional(&mut *self.connection).await.map_err(store_error)?;
        Ok(row.map(|(definition,)| definition))
    }

    /// The current version is closed and a new one made, unless it says the same already.
    async fn put_quota(&mut self, quota: &Quota) -> Result<bool, StoreError> {
        let before = self.current_quota(quota).await?;
        if before.as_ref().is_some_and(|before| rows::same_quota(before, quota)) {
            return Ok(false);
        }
        let top_up = quota.top_up.map(i64::try_from).transpose();
        let top_up = top_up.map_err(|_| StoreError::Corrupt(String::from("catalog: a top-up is beyond 2^63-1")))?;
        if before.is_some() {
            self.close_quota(quota, "closed").await?;
        }
        let query = sqlx::query(QUOTA_INSERT)
            .bind(self.scope)
            .bind(quota.subject.to_string())
            .bind(quota.meter.as_str())
            .bind(self.context.now.millis())
            .bind(self.version)
            .bind(rows::limits_to_json(&quota.limits)?)
            .bind(top_up)
            .bind(quota.hold_share_percent.map(i64::from))
            .bind(rows::enforcement_text(quota.enforcement))
            .bind(&quota.note);
        query.execute(&mut *self.connection).await.map_err(store_error)?;
        let before = before.as_ref().map(rows::quota_to_json).transpose()?;
        self.audit(&quota_subject(quota), before, Some(rows::quota_to_json(quota)?)).await
    }

    async fn delete_quota(&mut self, quota: &Quota) -> Result<bool, StoreError> {
        let Some(before) = self.current_quota(quota).await? else { return Ok(false) };
        self.close_quota(quota, "deleted").await?;
        self.audit(&quota_subject(quota), Some(rows::quota_to_json(&before)?), None).await
    }

    async fn current_quota(&mut self, quota: &Quota) -> Result<Option<Quota>, StoreError> {
        let query = sqlx::query_as(QUOTA_GET).bind(self.scope);
        let query = query.bind(quota.subject.to_string()).bind(quota.meter.as_str());
        let row: Option<QuotaRow> = query.fetch_optional(&mut *self.connection).await.map_err(store_error)?;
        row.map(|row| rows::quota_from_row(self.scope, row)).transpose()
    }

    async fn close_quota(&mut self, quota: &Quota, state: &str) -> Result<(), StoreError> {
        let query = sqlx::query(QUOTA_CLOSE)
            .bind(self.scope)
            .bind(quota.subject.to_string())
            .bind(quota.meter.as_str())
            .bind(state)
            .bind(self.context.now.millis())
            .bind(self.version);
        query.execute(&mut *self.connection).await.map_err(store_error)?;
        Ok(())
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
        let query = sqlx::query(AUDIT_INSERT)
            .bind(self.scope)
            .bind(self.version)
            .bind(self.context.now.millis())
            .bind(&self.context.actor)
            .bind(action)
            .bind(subject)
            .bind(before)
            .bind(after);
        query.execute(&mut *self.connection).await.map_err(store_error)?;
        Ok(true)
    }
}

fn quota_subject(quota: &Quota) -> String {
    format!("quota {} {}", quota.subject, quota.meter)
}
