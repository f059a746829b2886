//! The schema's versions, run at every start. A database that a newer quotad has written is refused.

use super::errors::{migrate_error, postgres_error, store_error};
use crate::engine::ports::StoreError;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlStr, SqlitePool};
use std::time::Duration;

/// Every version: number, name, statements on SQLite and on PostgreSQL. A file that has been released is never edited
/// again: its checksum is kept.
const VERSIONS: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "ledger",
        include_str!("../../sql/migrations/sqlite/0001_ledger.sql"),
        include_str!("../../sql/migrations/postgres/0001_ledger.sql"),
    ),
    (
        2,
        "catalog",
        include_str!("../../sql/migrations/sqlite/0002_catalog.sql"),
        include_str!("../../sql/migrations/postgres/0002_catalog.sql"),
    ),
    (
        3,
        "incarnation",
        include_str!("../../sql/migrations/sqlite/0003_incarnation.sql"),
        include_str!("../../sql/migrations/postgres/0003_incarnation.sql"),
    ),
    (
        4,
        "catalog_changes",
        include_str!("../../sql/migrations/sqlite/0004_catalog_changes.sql"),
        include_str!("../../sql/migrations/postgres/0004_catalog_changes.sql"),
    ),
    (
        5,
        "locked_defaults",
        include_str!("../../sql/migrations/sqlite/0005_locked_defaults.sql"),
        include_str!("../../sql/migrations/postgres/0005_locked_defaults.sql"),
    ),
    (
        6,
        "pool",
        include_str!("../../sql/migrations/sqlite/0006_pool.sql"),
        include_str!("../../sql/migrations/postgres/0006_pool.sql"),
    ),
    (
        7,
        "limit_request",
        include_str!("../../sql/migrations/sqlite/0007_limit_request.sql"),
        include_str!("../../sql/migrations/postgres/0007_limit_request.sql"),
    ),
    (
        8,
        "rate_cards",
        include_str!("../../sql/migrations/sqlite/0008_rate_cards.sql"),
        include_str!("../../sql/migrations/postgres/0008_rate_cards.sql"),
    ),
    (
        9,
        "raise",
        include_str!("../../sql/migrations/sqlite/0009_raise.sql"),
        include_str!("../../sql/migrations/postgres/0009_raise.sql"),
    ),
    (
        10,
        "moved_name",
        include_str!("../../sql/migrations/sqlite/0010_moved_name.sql"),
        include_str!("../../sql/migrations/postgres/0010_moved_name.sql"),
    ),
];
/// How often a file is looked at whose schema another process seems to be changing.
const LOOKS: u32 = 10;
/// The time between two of these looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// What SQLite's file is called in messages.
const FILE: &str = "ledger.db";
/// What PostgreSQL's database is called in messages.
const SERVER: &str = "the PostgreSQL database";
/// The version of a database, 0 for a new one. The driver's own table; both databases understand it.
pub(super) const NEWEST: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";

/// Brings a file's schema to the newest version. Several processes may do so at once: one of them does it, and the others
/// find it done.
///
/// # Errors
/// [`StoreError::Corrupt`] if the database has a version that this quotad does not know, or one that was changed;
/// [`StoreError::Unavailable`] if it can't be written.
pub(super) async fn sqlite(writer: &SqlitePool) -> Result<(), StoreError> {
    let migrator = migrator(|(.., sqlite, _)| sqlite);
    let mut looks = 1;
    loop {
        refuse_newer(sqlite_version(writer).await?, FILE)?;
        let Err(error) = migrator.run(writer).await else { return Ok(()) };
        // Each version is one transaction. That another process is at it shows as a lock, or as a table that exists.
        let error = migrate_error(error, FILE, store_error);
        if looks == LOOKS || matches!(error, StoreError::Corrupt(_)) {
            return Err(error);
        }
        looks += 1;
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Brings a PostgreSQL database's schema to the newest version. Several processes may do so at once: the driver takes a lock
/// on the database, and who comes later finds it done.
///
/// # Errors
/// As [`sqlite`].
pub(super) async fn postgres(connection: &mut PgConnection) -> Result<(), StoreError> {
    let version = postgres_version(connection).await?;
    refuse_newer(version, SERVER)?;
    let migrator = migrator(|(.., postgres)| postgres);
    // The driver begins by making its table if it is not there, which a user who may not change tables may not even ask for.
    if version == newest() && is_done(connection, &migrator).await? {
        return Ok(());
    }
    migrator.run(&mut *connection).await.map_err(|error| migrate_error(error, SERVER, postgres_error))
}

/// Whether the versions that were run are those that this program knows, text for text.
async fn is_done(connection: &mut PgConnection, migrator: &Migrator) -> Result<bool, StoreError> {
    let done = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
    let done: Vec<(i64, Vec<u8>)> = sqlx::query_as(done).fetch_all(connection).await.map_err(postgres_error)?;
    Ok(done.into_iter().eq(migrator.iter().map(|known| (known.version, known.checksum.to_vec()))))
}

fn migrator(text: fn(&(i64, &'static str, &'static str, &'static str)) -> &'static str) -> Migrator {
    let migration = |version: &(i64, &'static str, &'static str, &'static str)| {
        let text = SqlStr::from_static(text(version));
        Migration::new(version.0, version.1.into(), MigrationType::Simple, text, false)
    };
    Migrator::with_migrations(VERSIONS.iter().map(migration).collect())
}

async fn sqlite_version(writer: &SqlitePool) -> Result<i64, StoreError> {
    let is_there = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let (tables,): (i64,) = sqlx::query_as(is_there).fetch_one(writer).await.map_err(store_error)?;
    if tables == 0 {
        return Ok(0);
    }
    let (version,): (i64,) = sqlx::query_as(NEWEST).fetch_one(writer).await.map_err(store_error)?;
    Ok(version)
}

async fn postgres_version(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let is_there = sqlx::query_as("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    let (is_there,): (bool,) = is_there.fetch_one(&mut *connection).await.map_err(postgres_error)?;
    if !is_there {
        return Ok(0);
    }
    let (version,): (i64,) = sqlx::query_as(NEWEST).fetch_one(connection).await.map_err(postgres_error)?;
    Ok(version)
}

/// The newest version that this program knows.
pub(super) fn newest() -> i64 {
    VERSIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

fn refuse_newer(found: i64, name: &str) -> Result<(), StoreError> {
    let known = newest();
    if found > known {
        let text = format!("{name} has schema {found}, this quotad knows schemas up to {known}: use a newer quotad");
        return Err(StoreError::Corrupt(text));
    }
    Ok(())
}
