//! Driver errors to [`StoreError`]: the only place that looks into them.

use crate::engine::ports::StoreError;
use sqlx::migrate::MigrateError;

/// What a driver error means to the caller: the database can't be used now, or what it holds can't be right.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Migrate(error) => migrate_error(error),
        other => meaning(other),
    }
}

fn meaning(error: &sqlx::Error) -> StoreError {
    let sqlx::Error::Database(database) = error else {
        let text = format!("database: {error}");
        let wrong =
            matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_));
        return if wrong { StoreError::Corrupt(text) } else { StoreError::Unavailable(text) };
    };
    // The extended result code has the plain one in its lowest byte.
    match database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0) & 0xff {
        // A damaged file, and one that is not a database.
        11 | 26 => StoreError::Corrupt(format!(
            "ledger.db is damaged ({database}): put a backup back; journal.db still holds what came after it"
        )),
        8 => StoreError::Unavailable(format!(
            "ledger.db is read-only ({database}): make it and its folder writable for the user that runs quotad"
        )),
        13 => StoreError::Unavailable(format!("no room for ledger.db ({database}): make room on its disk")),
        14 => StoreError::Unavailable(format!(
            "ledger.db can't be opened ({database}): check that it is a file and that the folder may be read and written"
        )),
        _ => StoreError::Unavailable(format!("database: {error}")),
    }
}

/// What a failed migration means: a schema that is not ours, or a database that can't be written now.
pub(super) fn migrate_error(error: &MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => meaning(error),
        other => StoreError::Corrupt(format!("ledger.db has another schema than this quotad: {other}")),
    }
}
