//! SQLite: connections to the file, one that writes, a few that read, one for checkpoints.

use super::connection::Connection;
use super::errors::{is_busy, store_error};
use super::migrate;
use crate::engine::ports::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};
use std::path::Path;
use std::time::Duration;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a file is opened that another process has locked: one that is new is locked for the moment in which it gets
/// its log, without regard to [`BUSY_TIMEOUT`].
const OPENS: u32 = 20;
/// The time between two of these tries.
const BETWEEN_OPENS: Duration = Duration::from_millis(50);
/// Connections that read.
const READERS: u32 = 4;
/// Distinct statements that a connection keeps prepared.
const STATEMENTS: usize = 256;
/// Pages of write-ahead log (4 KiB each) after which the writer itself makes a checkpoint: only if nobody calls
/// [`Database::checkpoint`](super::Database::checkpoint).
const CHECKPOINT_PAGES: &str = "65536";
/// Memory for pages that a connection keeps, in KiB below zero: keys are hashes, so that a batch of some thousand effects
/// touches as many pages, and one that spills is written twice.
const CACHE: &str = "-131072";
/// Pages of the log from which on a checkpoint keeps writers out to get to its end. Without that a log that is always written
/// grows for ever.
const LOG_PAGES: i64 = 32_768;
/// Bytes that the log file keeps after a checkpoint.
const LOG_SIZE: &str = "67108864";
/// How a transaction that writes begins: one that reads first and writes then fails if another process wrote in between.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// When a transaction counts as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sync {
    /// With the operating system: survives the end of the process, not a power cut.
    Normal,
    /// On the disk.
    Full,
}

/// The connections to an open file.
#[derive(Clone, Debug)]
pub(super) struct SqliteFile {
    writer: SqlitePool,
    reader: SqlitePool,
    checkpointer: SqlitePool,
}

impl SqliteFile {
    /// Opens the file, makes it if it is missing, and brings its schema up to date.
    pub(super) async fn open(path: &Path, sync: Sync) -> Result<SqliteFile, StoreError> {
        let options = options(path, sync);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        // One partition's flusher waits for another's transaction: that is how it is meant.
        let writer = pool.clone().acquire_slow_threshold(ACQUIRE_TIMEOUT);
        let writer = writer.max_connections(1).after_release(|connection, _| Box::pin(out_of_it(connection)));
        let mut tries = 1;
        let writer = loop {
            match writer.clone().connect_with(options.clone()).await {
                Ok(writer) => break writer,
                Err(error) if tries < OPENS && is_busy(&error) => tries += 1,
                Err(error) => return Err(store_error(error)),
            }
            tokio::time::sleep(BETWEEN_OPENS).await;
        };
        if let Err(error) = migrate::sqlite(&writer).await {
            writer.close().await;
            return Err(error);
        }
        // Not opened read-only: a reader of a write-ahead log must be able to make its index.
        let reader =
            pool.clone().max_connections(READERS).connect_lazy_with(options.clone().pragma("query_only", "on"));
        // Moving a long log takes a second and more, which is no fault to be warned of.
        let checkpointer = pool.max_connections(1).connect_lazy_with(options.disable_statement_logging());
        Ok(SqliteFile { writer, reader, checkpointer })
    }

    /// A connection that reads.
    pub(super) async fn read(&self) -> Result<Connection, StoreError> {
        Connection::sqlite(&self.reader).await
    }

    /// A transaction that reads from one snapshot.
    pub(super) async fn snapshot(&self) -> Result<Connection, StoreError> {
        Connection::sqlite_transaction(&self.reader, "BEGIN").await
    }

    /// A transaction on the one connection that writes.
    pub(super) async fn write(&self) -> Result<Connection, StoreError> {
        Connection::sqlite_transaction(&self.writer, BEGIN).await
    }

    /// Moves what is written from the log into the file, as far as no reader needs the log. A log that has become long although
    /// this was done, because there was always somebody who wrote, is moved to its end while nobody writes: the next transaction
    /// begins it anew.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        self.checkpoint_beyond(LOG_PAGES).await
    }

    /// The same, where so many pages are long.
    async fn checkpoint_beyond(&self, pages: i64) -> Result<(), StoreError> {
        if self.move_log().await? <= pages {
            return Ok(());
        }
        // Held, not used: a checkpoint of its own would cost the writer its cache.
        let writer = self.writer.acquire().await.map_err(store_error)?;
        let moved = self.move_log().await;
        drop(writer);
        moved.map(|_| ())
    }

    /// Moves what it can; answers how many pages the log has.
    async fn move_log(&self) -> Result<i64, StoreError> {
        let move_log = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)");
        let (_, pages, _): (i64, i64, i64) = move_log.fetch_one(&self.checkpointer).await.map_err(store_error)?;
        Ok(pages)
    }

    /// Closes all connections when their work is done; the last one empties the log.
    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.checkpointer.close().await;
        self.writer.close().await;
    }
}

/// Whether a connection that comes back has no transaction open; one that has is closed. SQLite ends a transaction by
/// itself when the disk is full, the driver goes on counting it, and could never begin another on that connection.
async fn out_of_it(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // A transaction that was dropped is rolled back behind its caller; this waits until that is done.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

fn options(path: &Path, sync: Sync) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match sync {
            Sync::Normal => SqliteSynchronous::Normal,
            Sync::Full => SqliteSynchronous::Full,
        })
        .busy_timeout(BUSY_TIMEOUT)
        .thread_name(|id| format!("ledger-sql-{id}"))
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(1024)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", LOG_SIZE)
        .pragma("cache_size", CACHE)
        .pragma("temp_store", "memory")
}

#[cfg(test)]
mod tests {
    use super::super::bulk::Bulk;
    use super::super::connection::Sql;
    use super::super::tests::support::Folder;
    use super::super::values::Values;
    use super::*;

    #[tokio::test]
    async fn a_statement_of_many_rows_that_fails_halfway_leaves_none_of_them() {
        let folder = Folder::new();
        let file = SqliteFile::open(&folder.file(), Sync::Normal).await.unwrap();
        let count = async || {
            let mut reader = file.read().await.unwrap();
            let rows = reader.fetch(Sql::same("SELECT COUNT(*) FROM setting WHERE value = 'x'"), |_| {}).await.unwrap();
            rows[0].int(0).unwrap()
        };
        let add = Bulk::new(Sql::same("INSERT INTO setting (name, value) VALUES ($1, $2)"));
        let bind = |values: &mut Values, name: &&str| {
            values.text(name).text("x");
        };
        let mut transaction = file.write().await.unwrap();
        add.execute(&mut transaction, &["a"], bind).await.unwrap();
        assert!(add.execute(&mut transaction, &["b", "c", "a", "d"], bind).await.is_err());
        drop(transaction);
        assert_eq!(count().await, 0, "nor those of the statement before it");

        let mut transaction = file.write().await.unwrap();
        add.execute(&mut transaction, &["b", "c", "a", "d"], bind).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(count().await, 4, "the connection can be used on");
        file.close().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_long_log_is_moved_to_its_end_between_two_transactions() {
        let folder = Folder::new();
        let file = SqliteFile::open(&folder.file(), Sync::Normal).await.unwrap();
        let fill = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 200)
                    INSERT INTO setting (name, value) SELECT lower(hex(randomblob(8))), hex(randomblob(2000)) FROM n";
        let mut transaction = file.write().await.unwrap();
        transaction.execute(Sql::same(fill), |_| {}).await.unwrap();
        transaction.commit().await.unwrap();
        let long = file.move_log().await.unwrap();
        assert!(long > 150, "{long}");
        // What was moved already stays in the log as long as others write.
        let mut under_way = file.write().await.unwrap();
        under_way.execute(Sql::same(fill), |_| {}).await.unwrap();
        let checkpoint = tokio::spawn({
            let file = file.clone();
            async move { file.checkpoint_beyond(0).await }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!checkpoint.is_finished(), "it does not wait for who writes");
        under_way.commit().await.unwrap();
        checkpoint.await.unwrap().unwrap();

        let mut transaction = file.write().await.unwrap();
        let one = Sql::same("INSERT INTO setting (name, value) VALUES ('a', 'b')");
        transaction.execute(one, |_| {}).await.unwrap();
        transaction.commit().await.unwrap();
        let short = file.move_log().await.unwrap();
        assert!(short < 10, "the log goes on at {short} pages");
        file.close().await;
    }
}
