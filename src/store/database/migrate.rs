//! The schema's versions, run at every start. A database that a newer quotad has written is refused.

use super::errors::{migrate_error, store_error};
use crate::engine::ports::StoreError;
use sqlx::SqlStr;
use sqlx::SqlitePool;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Every version: number, name, statements. A file that has been released is never edited again: its checksum is kept.
const VERSIONS: &[(i64, &str, &str)] = &[
    (1, "ledger", include_str!("../../sql/migrations/sqlite/0001_ledger.sql")),
    (2, "catalog", include_str!("../../sql/migrations/sqlite/0002_catalog.sql")),
    (3, "incarnation", include_str!("../../sql/migrations/sqlite/0003_incarnation.sql")),
];

/// Brings the schema to the newest version.
///
/// # Errors
/// [`StoreError::Corrupt`] if the database has a version that this quotad does not know, or one that was changed;
/// [`StoreError::Unavailable`] if it can't be written.
pub(super) async fn run(writer: &SqlitePool) -> Result<(), StoreError> {
    refuse_newer(writer).await?;
    migrator().run(writer).await.map_err(|error| migrate_error(&error))
}

fn migrator() -> Migrator {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(VERSIONS.iter().map(migration).collect())
}

async fn refuse_newer(writer: &SqlitePool) -> Result<(), StoreError> {
    let known = VERSIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
    let fresh = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let (tables,): (i64,) = sqlx::query_as(fresh).fetch_one(writer).await.map_err(store_error)?;
    if tables == 0 {
        return Ok(());
    }
    let newest = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    let (found,): (i64,) = sqlx::query_as(newest).fetch_one(writer).await.map_err(store_error)?;
    if found > known {
        let text = format!("ledger.db has schema {found}, this quotad knows schemas up to {known}: use a newer quotad");
        return Err(StoreError::Corrupt(text));
    }
    Ok(())
}
