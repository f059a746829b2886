//! Forgetting what may be forgotten: ended reservations and request ids after 35 days.

use super::bulk::Bulk;
use super::errors::store_error;
use super::fold::key_of;
use super::{reservations, rows};
use crate::domain::time::{Span, Timestamp};
use crate::engine::ports::StoreError;
use sqlx::SqlitePool;

/// How long reservations and request ids are kept after their end (rule 5).
const KEPT: Span = Span::from_secs(35 * 24 * 3600);
/// Reservations, and request ids, that one call removes at most: the writer is not held longer than some tens of ms.
const AT_ONCE: i64 = 5_000;

/// Forgets a bounded part of what may be forgotten at `now`; answers how many reservations and request ids went.
pub(super) async fn prune(writer: &SqlitePool, now: Timestamp) -> Result<u64, StoreError> {
    let before = (now - KEPT).millis();
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
    let ended = sqlx::query_as(include_str!("../../sql/queries/reservation_ended.sql")).bind(before).bind(AT_ONCE);
    let ended = rows::reservations(ended.fetch_all(&mut *transaction).await.map_err(store_error)?)?;
    let accounts: Vec<_> = ended.iter().flat_map(reservations::account_rows).collect();
    let from_accounts = Bulk::new(include_str!("../../sql/queries/reservation_account_remove.sql"));
    from_accounts.execute(&mut transaction, &accounts, reservations::bind_account).await?;
    let remove = Bulk::new(include_str!("../../sql/queries/reservation_remove.sql"));
    let reservations = remove
        .execute(&mut transaction, &ended, |values, record| {
            let (tenant, key) = key_of(record);
            values.bytes(&tenant.to_bytes()).bytes(&key.to_bytes());
        })
        .await?;
    let requests = sqlx::query(include_str!("../../sql/queries/request_prune.sql")).bind(before).bind(AT_ONCE);
    let requests = requests.execute(&mut *transaction).await.map_err(store_error)?.rows_affected();
    transaction.commit().await.map_err(store_error)?;
    Ok(reservations + requests)
}
