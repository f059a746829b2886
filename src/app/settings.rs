//! What is fixed at the first start and kept in the database.

use crate::engine::ports::StoreError;
use crate::store::database::Database;

/// The setting that keeps the number of partitions.
const PARTITIONS: &str = "partitions";
/// The setting that keeps the installation's id.
const INSTALLATION: &str = "installation";
/// The most partitions.
const MOST: u32 = 256;

/// The number of partitions: `wanted` at the first start, what it was then ever after.
///
/// # Errors
/// [`StoreError`] if it can't be read or written.
pub(super) async fn partitions(database: &Database, wanted: u32) -> Result<u32, StoreError> {
    let kept = first(database, PARTITIONS, &wanted.clamp(1, MOST).to_string()).await?;
    kept.parse().map_err(|_| StoreError::Corrupt(format!("the setting {PARTITIONS} is {kept:?}")))
}

/// The installation's id, drawn at the first start: by it the ledger and the counter store know each other.
///
/// # Errors
/// [`StoreError`] if it can't be read or written.
pub(super) async fn installation(database: &Database) -> Result<String, StoreError> {
    first(database, INSTALLATION, &uuid::Uuid::now_v7().to_string()).await
}

/// Both, to somebody who only looks; `None`: no server has started on this database yet.
///
/// # Errors
/// [`StoreError`] if they can't be read.
pub async fn installed(database: &Database) -> Result<Option<(u32, String)>, StoreError> {
    let (partitions, installation) = (database.setting(PARTITIONS).await?, database.setting(INSTALLATION).await?);
    let partitions = partitions.and_then(|text| text.parse().ok());
    Ok(partitions.zip(installation))
}

/// The value that was set first.
async fn first(database: &Database, name: &str, value: &str) -> Result<String, StoreError> {
    match database.setting(name).await? {
        Some(kept) => Ok(kept),
        None => database.setting_or(name, value).await,
    }
}
