//! Driver errors to [`StoreError`]: the only place that looks into them.

use crate::engine::ports::StoreError;
use sqlx::migrate::MigrateError;
use std::time::Duration;

/// What an error of SQLite means to the caller: the database can't be used now, or what it holds can't be right.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let sqlx::Error::Database(database) = &error else { return plain(&error) };
    // The extended result code has the plain one in its lowest byte.
    match database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0) & 0xff {
        // A damaged file, and one that is not a database.
        11 | 26 => StoreError::Corrupt(format!(
            "ledger.db is damaged ({database}): put a backup back; the journal still holds what came after it"
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

/// What an error of PostgreSQL means to the caller. Its codes are five letters, of which the first two are a class.
pub(super) fn postgres_error(error: sqlx::Error) -> StoreError {
    let text = format!("PostgreSQL: {error}");
    let sqlx::Error::Database(database) = &error else {
        return match &error {
            sqlx::Error::PoolTimedOut => StoreError::Unavailable(String::from(
                "PostgreSQL: no connection in time; it can't be reached, or all connections are in use",
            )),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => StoreError::Unavailable(text),
            other => plain(other),
        };
    };
    let code = database.code().unwrap_or_default();
    match (code.get(..2).unwrap_or_default(), &*code) {
        // Rows that can't be there if the watermark is right, damaged pages, a schema that lacks something.
        ("22" | "23" | "XX", _) | (_, "42P01" | "42703" | "42P10" | "42804" | "42883") => StoreError::Corrupt(text),
        ("28", _) => StoreError::Unavailable(format!("{text}: check user and password of the database URL")),
        (_, "3D000") => StoreError::Unavailable(format!("{text}: create it, empty and with encoding UTF8")),
        (_, "42501") => StoreError::Unavailable(format!(
            "{text}: the user must own the database and its tables, or be granted to read and write tables that `quotad migrate` made"
        )),
        (_, "25006") => StoreError::Unavailable(format!("{text}: this is a standby; the URL must name the primary")),
        _ => StoreError::Unavailable(text),
    }
}

/// What an error of PostgreSQL at a commit means: if it was the server that said so, nothing was written.
pub(super) fn commit_error(error: sqlx::Error) -> StoreError {
    // A server that is going down says so, but not whether the commit went through.
    let ended = |database: &dyn sqlx::error::DatabaseError| database.code().is_some_and(|code| code.starts_with("57"));
    match &error {
        sqlx::Error::Database(database) if !ended(&**database) => postgres_error(error),
        _ => StoreError::OutcomeUnknown(format!("PostgreSQL: no answer to a commit: {error}")),
    }
}

/// Whether PostgreSQL ended a transaction only because of another one: a serialization failure or a deadlock.
pub(super) fn is_collision(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    matches!(database.code().as_deref(), Some("40001" | "40P01"))
}

/// Whether SQLite could not do something because another connection has the file locked.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    database.code().and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == 5)
}

/// The error of a database that does not answer at all.
pub(super) fn no_answer(after: Duration) -> sqlx::Error {
    let text = format!("no answer within {} s", after.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}

/// What a failed migration means: a schema that is not ours, or a database that can't be written now. `name` is the
/// database's, `meaning` its errors'.
pub(super) fn migrate_error(error: MigrateError, name: &str, meaning: fn(sqlx::Error) -> StoreError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => meaning(error),
        other => StoreError::Corrupt(format!("{name} has another schema than this quotad: {other}")),
    }
}

fn plain(error: &sqlx::Error) -> StoreError {
    let text = format!("database: {error}");
    match error {
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::Configuration(_) => StoreError::Corrupt(text),
        _ => StoreError::Unavailable(text),
    }
}
