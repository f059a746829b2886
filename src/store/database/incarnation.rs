//! Lifetimes of a counter store in the ledger: where one ended, where the next begins, and what was lost between.

use super::append::{move_watermark, watermark};
use super::errors::store_error;
use crate::engine::ports::{StoreError, Watermark};
use sqlx::SqlitePool;

/// Moves a partition's watermark from `expect` to `next` and keeps the numbers between as lost, if it still is `expect`;
/// answers whether it did.
///
/// # Errors
/// [`StoreError::Corrupt`] if `next` does not lie beyond `expect`; [`StoreError`] of the database, after which it may or may
/// not be written: the watermark tells.
pub(super) async fn open(
    writer: &SqlitePool,
    partition: u32,
    expect: Watermark,
    next: Watermark,
) -> Result<bool, StoreError> {
    if next.incarnation <= expect.incarnation || next.seq < expect.seq {
        return Err(StoreError::Corrupt(format!("partition {partition}: {next:?} does not come after {expect:?}")));
    }
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
    if watermark(&mut transaction, partition).await? != expect {
        return Ok(false);
    }
    sqlx::query(include_str!("../../sql/queries/incarnation_add.sql"))
        .bind(i64::from(partition))
        .bind(next.incarnation.cast_signed())
        .bind(expect.seq.cast_signed())
        .bind(next.seq.cast_signed())
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
    move_watermark(&mut transaction, partition, next).await?;
    transaction.commit().await.map_err(store_error)?;
    Ok(true)
}

/// The numbers of a partition's entries that never reached the ledger: ranges of first and last, in order.
pub(super) async fn lost(reader: &SqlitePool, partition: u32) -> Result<Vec<(u64, u64)>, StoreError> {
    let query = sqlx::query_as(include_str!("../../sql/queries/incarnation_lost.sql")).bind(i64::from(partition));
    let rows: Vec<(i64, i64)> = query.fetch_all(reader).await.map_err(store_error)?;
    Ok(rows.into_iter().map(|(first, last)| (first.cast_unsigned(), last.cast_unsigned())).collect())
}
