//! Driver errors to [`StoreError`]: the only place that looks into them.

use crate::engine::ports::StoreError;
use sqlx::migrate::MigrateError;

/// SQLite's result codes for a file that is damaged, and for one that is not a database.
const DAMAGED: [i32; 2] = [11, 26];

/// What a driver error means to the caller: the database can't be used now, or what it holds can't be right.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let text = format!("database: {error}");
    match &error {
        sqlx::Error::Migrate(error) => migrate_error(error),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Corrupt(text)
        }
        sqlx::Error::Database(database) => {
            // The extended result code has the plain one in its lowest byte.
            let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0) & 0xff;
            if DAMAGED.contains(&code) { StoreError::Corrupt(text) } else { StoreError::Unavailable(text) }
        }
        _ => StoreError::Unavailable(text),
    }
}

/// What a failed migration means: a schema that is not ours, or a database that can't be written now.
pub(super) fn migrate_error(error: &MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(_) | MigrateError::ExecuteMigration(..) => {
            StoreError::Unavailable(format!("database: {error}"))
        }
        other => StoreError::Corrupt(format!("database schema: {other}")),
    }
}
