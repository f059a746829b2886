//! The journal's file: one row for each group commit of a partition, written before anybody is answered.

use crate::domain::entry::Entry;
use crate::engine::ports::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Pages (4 KiB each) in the log after which the writer makes a checkpoint itself, if the thread for it does not.
const CHECKPOINT_PAGES: &str = "32768";
/// Rows removed by one trim at most, so that a group commit never waits long behind it.
const TRIM_AT_ONCE: i64 = 4096;

const SCHEMA: &str = include_str!("../../sql/journal/schema.sql");
const APPEND: &str = include_str!("../../sql/journal/append.sql");
const READ: &str = include_str!("../../sql/journal/read.sql");
const NEWEST: &str = include_str!("../../sql/journal/newest.sql");
const NEWEST_ALL: &str = include_str!("../../sql/journal/newest_all.sql");
const INSTALLATION_GET: &str = include_str!("../../sql/journal/installation_get.sql");
const INSTALLATION_PUT: &str = include_str!("../../sql/journal/installation_put.sql");
const TRIM: &str = include_str!("../../sql/journal/trim.sql");

/// How safely a group commit is on disk when it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Safety {
    /// With the operating system: survives `kill -9`.
    Process,
    /// On the disk: survives a power cut, given an honest fsync.
    Power,
}

/// An open journal.
pub struct Journal {
    connection: SqliteConnection,
}

/// One entry on its way to the file.
pub struct JournalRow {
    /// The partition.
    pub partition: u32,
    /// The entry's number.
    pub seq: u64,
    /// The entry.
    pub bytes: Vec<u8>,
}

impl Journal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it can't be opened or written.
    pub async fn open(path: &Path, safety: Safety) -> Result<Journal, StoreError> {
        let mut connection = options(path, safety).connect().await.map_err(unavailable)?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await.map_err(unavailable)?;
        Ok(Journal { connection })
    }

    /// Writes the rows of one group commit, all or none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if they can't be written (a full disk); whether they are there is then not known.
    pub async fn append(&mut self, rows: &[JournalRow]) -> Result<(), StoreError> {
        // One statement, because each is a way to the thread that has the file and back; by itself it is a transaction.
        let mut query = sqlx::query(AssertSqlSafe(append_text(rows.len())));
        for row in rows {
            query = query.bind(i64::from(row.partition)).bind(row.seq.cast_signed()).bind(row.bytes.as_slice());
        }
        query.execute(&mut self.connection).await.map_err(unavailable)?;
        Ok(())
    }

    /// All entries of a partition after `seq`, in order.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a gap or a damaged entry, [`StoreError::Unavailable`] if the file can't be read.
    pub async fn read(&mut self, partition: u32, seq: u64) -> Result<Vec<(u64, Arc<Entry>)>, StoreError> {
        let rows = sqlx::query(READ)
            .bind(i64::from(partition))
            .bind(seq.cast_signed())
            .fetch_all(&mut self.connection)
            .await
            .map_err(unavailable)?;
        let mut entries = Vec::with_capacity(rows.len());
        for (row, expected) in rows.iter().zip(seq + 1..) {
            let number = row.try_get::<i64, _>(0).map_err(unavailable)?.cast_unsigned();
            if number != expected {
                return Err(StoreError::Corrupt(format!(
                    "ledger.db goes up to entry {} of partition {partition}, journal.db goes on only from entry {number}: \
                     ledger.db is older than journal.db, or not the one that belongs to it. Put the newest ledger.db \
                     back; to go on with what is here and forget the entries between, move journal.db away",
                    expected - 1
                )));
            }
            let bytes: &[u8] = row.try_get(1).map_err(unavailable)?;
            let entry = Entry::decode(bytes)
                .map_err(|error| StoreError::Corrupt(format!("partition {partition}, entry {number}: {error}")))?;
            entries.push((number, Arc::new(entry)));
        }
        Ok(entries)
    }

    /// The number of a partition's newest entry, which is never trimmed; 0 if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file can't be read.
    pub async fn newest(&mut self, partition: u32) -> Result<u64, StoreError> {
        let query = sqlx::query_as(NEWEST).bind(i64::from(partition));
        let (seq,): (i64,) = query.fetch_one(&mut self.connection).await.map_err(unavailable)?;
        Ok(seq.cast_unsigned())
    }

    /// Whether any partition ever wrote an entry: the newest of each is never trimmed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file can't be read.
    pub async fn has_entries(&mut self) -> Result<bool, StoreError> {
        let newest = sqlx::query(NEWEST_ALL).fetch_optional(&mut self.connection);
        Ok(newest.await.map_err(unavailable)?.is_some())
    }

    /// Which installation the entries are of; `None` as long as that was never said.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file can't be read.
    pub async fn installation(&mut self) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_as(INSTALLATION_GET).fetch_optional(&mut self.connection);
        let row: Option<(String,)> = query.await.map_err(unavailable)?;
        Ok(row.map(|(id,)| id))
    }

    /// Notes which installation the entries are of.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file can't be written.
    pub async fn set_installation(&mut self, id: &str) -> Result<(), StoreError> {
        sqlx::query(INSTALLATION_PUT).bind(id).execute(&mut self.connection).await.map_err(unavailable)?;
        Ok(())
    }

    /// Removes entries of a partition up to `seq`, a bounded number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file can't be written.
    pub async fn trim(&mut self, partition: u32, seq: u64) -> Result<(), StoreError> {
        sqlx::query(TRIM)
            .bind(i64::from(partition))
            .bind(seq.cast_signed())
            .bind(TRIM_AT_ONCE)
            .execute(&mut self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    /// Moves what is written from the log into the file, as far as that needs no waiting. Called on a connection of its
    /// own, so that group commits go on meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file can't be written.
    pub async fn checkpoint(&mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut self.connection).await.map_err(unavailable)?;
        Ok(())
    }

    /// Closes the file.
    pub async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the journal did not close cleanly; nothing is lost");
        }
    }
}

/// The statement that writes so many rows, at least one: its group of values as often.
fn append_text(rows: usize) -> String {
    let mut text = APPEND.trim_end().to_owned();
    for row in 1..rows {
        // Writing into a string can't fail.
        let _ = write!(text, ", (${}, ${}, ${})", 3 * row + 1, 3 * row + 2, 3 * row + 3);
    }
    text
}

fn options(path: &Path, safety: Safety) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match safety {
            Safety::Process => SqliteSynchronous::Normal,
            Safety::Power => SqliteSynchronous::Full,
        })
        .busy_timeout(Duration::from_secs(5))
        // By its name an operator tells the journal's processor time from the ledger's.
        .thread_name(|id| format!("journal-sql-{id}"))
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .disable_statement_logging()
}

fn unavailable(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i32>().ok());
    match code.unwrap_or(0) & 0xff {
        // A damaged file, and one that is not a database.
        11 | 26 => StoreError::Corrupt(format!(
            "journal.db is damaged ({error}): put it back from a copy; to go on with what ledger.db has and lose what \
             had not reached it, move journal.db away"
        )),
        _ => StoreError::Unavailable(format!("journal.db can't be used: {error}")),
    }
}
