//! What the journal's file has that the ledger lacks, to somebody who only looks.

use crate::domain::entry::Entry;
use crate::engine::audit::Backlog;
use crate::engine::ports::{StoreError, Watermark};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::collections::BTreeMap;
use std::path::Path;

/// The entries beyond the ledger's watermarks, by partition.
///
/// # Errors
/// [`StoreError::Unavailable`] if the file can't be read, [`StoreError::Corrupt`] if it is no journal.
pub async fn backlog(path: &Path, watermarks: &BTreeMap<u32, Watermark>) -> Result<Vec<Backlog>, StoreError> {
    let cant = |error: sqlx::Error| StoreError::Unavailable(format!("journal.db can't be read: {error}"));
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).pragma("query_only", "on");
    let mut connection = options.connect().await.map_err(cant)?;
    let newest: Vec<(i64, i64)> = sqlx::query_as(include_str!("../../sql/journal/newest_all.sql"))
        .fetch_all(&mut connection)
        .await
        .map_err(cant)?;
    let mut backlog = Vec::new();
    for (partition, newest) in newest {
        let Ok(number) = u32::try_from(partition) else { continue };
        let flushed = watermarks.get(&number).map_or(0, |watermark| watermark.seq);
        let entries = newest.cast_unsigned().saturating_sub(flushed);
        let oldest: Option<(Vec<u8>,)> = sqlx::query_as(include_str!("../../sql/journal/first_after.sql"))
            .bind(partition)
            .bind(flushed.cast_signed())
            .fetch_optional(&mut connection)
            .await
            .map_err(cant)?;
        let since = oldest.map(|(bytes,)| Entry::decode(&bytes)).transpose();
        let since = since.map_err(|error| StoreError::Corrupt(format!("journal.db: {error}")))?;
        backlog.push(Backlog { partition: number, entries, since: since.map(|entry| entry.time), open: true });
    }
    // It was only looked at.
    let _ = connection.close().await;
    Ok(backlog)
}
