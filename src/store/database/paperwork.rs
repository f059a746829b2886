//! [`Paperwork`] on a database: the audit, into which the flusher writes adjustments with the entries that made them.

use super::Database;
use super::catalog::requests;
use super::connection::{Connection, sql};
use super::fold::{Batch, EntryRow};
use super::row::Row;
use crate::domain::entry::{Line, Note};
use crate::domain::limit_request::LimitRequest;
use crate::domain::name::AccountName;
use crate::domain::time::Timestamp;
use crate::engine::paperwork::{Added, AuditEntry, AuditFilter, Paperwork, RequestFilter};
use crate::engine::ports::{Boxed, StoreError};
use serde_json::json;

/// Beyond every subject that begins as asked.
const LAST: char = char::MAX;

impl Paperwork for super::DatabaseCatalog {
    fn audit<'a>(
        &'a self,
        tenant: Option<&'a str>,
        filter: &'a AuditFilter,
    ) -> Boxed<'a, Result<Vec<AuditEntry>, StoreError>> {
        Box::pin(list(self.database(), tenant.unwrap_or_default(), filter))
    }

    fn add_request<'a>(&'a self, request: &'a LimitRequest) -> Boxed<'a, Result<Added, StoreError>> {
        Box::pin(requests::add(self.database(), request))
    }

    fn request<'a>(&'a self, tenant: &'a str, id: &'a str) -> Boxed<'a, Result<Option<LimitRequest>, StoreError>> {
        Box::pin(async move {
            let mut connection = self.database().read().await?;
            requests::get(&mut connection, tenant, id).await
        })
    }

    fn requests<'a>(
        &'a self,
        tenant: &'a str,
        filter: &'a RequestFilter,
    ) -> Boxed<'a, Result<Vec<LimitRequest>, StoreError>> {
        Box::pin(requests::list(self.database(), tenant, filter))
    }
}

async fn list(database: &Database, scope: &str, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
    let millis = |time: Option<Timestamp>, none: i64| time.map_or(none, Timestamp::millis);
    let mut connection = database.read().await?;
    let rows = connection.fetch(sql!("audit_list"), |values| {
        values.text(scope).int(filter.before.unwrap_or(i64::MAX));
        values.int(millis(filter.start, i64::MIN)).int(millis(filter.end, i64::MAX));
        values.text(&filter.prefix).text(&format!("{}{LAST}", filter.prefix)).int(i64::from(filter.limit));
    });
    rows.await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.int(0)?,
        time: Timestamp::from_millis(row.int(1)?),
        actor: row.text(2)?,
        action: row.text(3)?,
        subject: row.text(4)?,
        before: row.maybe_text(5)?,
        after: row.maybe_text(6)?,
    })
}

/// Writes down the adjustments among a batch's entries: who, why, and what was charged to the account before and after.
pub(super) async fn write_adjustments(
    connection: &mut Connection,
    (partition, incarnation): (u32, u64),
    batch: &Batch<'_>,
) -> Result<(), StoreError> {
    for row in &batch.entries {
        let (Some(note), Some(line)) = (&row.effect.note, row.line) else { continue };
        let Ok(account) = line.account.parse::<AccountName>() else { continue };
        let place = format!("{partition}-{incarnation}-{}-{}", row.seq, row.index);
        let (before, after) = said(row, line, note, &place);
        let written = connection.execute(sql!("catalog_audit_insert"), |values| {
            values.text(account.tenant()).int(row.effect.catalog_version.cast_signed());
            values.int(row.effect.time.millis()).text(&note.actor).text("adjust");
            values.text(&format!("adjustment {} {}", line.account, line.meter));
            values.maybe_text(before.as_deref()).maybe_text(Some(&after));
        });
        written.await?;
    }
    Ok(())
}

fn said(row: &EntryRow<'_>, line: &Line, note: &Note, place: &str) -> (Option<String>, String) {
    let amounts = row.effect.request.as_ref().map_or(&[][..], |stamp| &stamp.amounts);
    let charged = amounts.chunks_exact(2).nth(usize::from(line.charge)).filter(|_| line.charged().is_some());
    let mut after = json!({"amount": line.used, "reason": note.reason, "entry": place});
    if !line.item.is_empty() {
        after["item"] = json!(line.item);
    }
    if !line.also.is_empty() {
        after["also"] = json!(line.also);
    }
    if line.effective != row.effect.time {
        after["effective_time"] = json!(line.effective.to_string());
    }
    if let Some(charged) = charged {
        after["charged"] = json!(charged[1]);
    }
    (charged.map(|charged| json!({"charged": charged[0]}).to_string()), after.to_string())
}
