//! An open database, whichever it is.

use super::connection::Connection;
use super::postgres::PostgresServer;
use super::sqlite::{SqliteFile, Sync};
use crate::engine::ports::StoreError;
use sqlx::PgPool;
use std::path::Path;
use std::time::Duration;

/// How often a transaction is tried that the database ended because of another one.
const TRIES: u32 = 8;
/// How long the first of them rests before it is tried again; each further one as long again.
const REST: Duration = Duration::from_millis(10);

/// An open database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database {
    product: Open,
}

#[derive(Clone, Debug)]
enum Open {
    Sqlite(SqliteFile),
    Postgres(PostgresServer),
}

impl Database {
    /// Opens the SQLite file at `path`, makes it if it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file can't be opened or written; [`StoreError::Corrupt`] if it is damaged or
    /// has a schema that this version does not know.
    pub async fn open(path: &Path, sync: Sync) -> Result<Database, StoreError> {
        Ok(Database { product: Open::Sqlite(SqliteFile::open(path, sync).await?) })
    }

    /// Opens a database by its URL and brings its schema up to date: `postgres://USER:PASSWORD@HOST:PORT/DATABASE` (or
    /// `postgresql://`), with `sslmode`, `sslrootcert`, `sslcert` and `sslkey` as parameters; `sqlite:PATH` or a path for
    /// a SQLite file, which is then synchronized with the disk in each transaction. Any number of processes may open a
    /// PostgreSQL database at once. One try: whether to wait for a database that is not there yet is the caller's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it can't be reached, opened or written now; [`StoreError::Corrupt`] for a URL that is
    /// not understood, or a database that is damaged or has a schema that this version does not know.
    pub async fn open_url(url: &str) -> Result<Database, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Database { product: Open::Postgres(PostgresServer::open(url).await?) });
        }
        let path = url.strip_prefix("sqlite:").map_or(url, |rest| rest.strip_prefix("//").unwrap_or(rest));
        if path.is_empty() || path.contains("://") {
            // Not the text itself: there may be a password in it.
            let text =
                "the database URL is not understood: use postgres://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:PATH";
            return Err(StoreError::Corrupt(String::from(text)));
        }
        Database::open(Path::new(path), Sync::Full).await
    }

    /// Whether several processes may use it at once, each with connections of its own: PostgreSQL.
    pub fn is_shared(&self) -> bool {
        matches!(self.product, Open::Postgres(_))
    }

    /// A connection for one statement that reads.
    pub(super) async fn read(&self) -> Result<Connection, StoreError> {
        match &self.product {
            Open::Sqlite(file) => file.read().await,
            Open::Postgres(server) => server.read().await,
        }
    }

    /// A transaction whose statements all read what was there at one moment.
    pub(super) async fn snapshot(&self) -> Result<Connection, StoreError> {
        match &self.product {
            Open::Sqlite(file) => file.snapshot().await,
            Open::Postgres(server) => server.snapshot().await,
        }
    }

    /// A transaction that writes. On SQLite there is one at a time; on PostgreSQL there may be others, and each statement
    /// sees what they committed before it: what is read to be written must be locked.
    pub(super) async fn write(&self) -> Result<Connection, StoreError> {
        match &self.product {
            Open::Sqlite(file) => file.write().await,
            Open::Postgres(server) => server.write().await,
        }
    }

    /// Where a listener makes its connection; `None`: nobody else writes here.
    pub(super) fn listening(&self) -> Option<PgPool> {
        match &self.product {
            Open::Sqlite(_) => None,
            Open::Postgres(server) => Some(server.listening()),
        }
    }

    /// Moves what is written from SQLite's log into the file, as far as no reader needs the log, on a connection of its
    /// own: writers and readers go on meanwhile. Call it from time to time. PostgreSQL does so by itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file can't be written.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        match &self.product {
            Open::Sqlite(file) => file.checkpoint().await,
            Open::Postgres(_) => Ok(()),
        }
    }

    /// Closes all connections when their work is done; SQLite's last one empties the log.
    pub async fn close(&self) {
        match &self.product {
            Open::Sqlite(file) => file.close().await,
            Open::Postgres(server) => server.close().await,
        }
    }
}

/// The tries of one transaction.
#[derive(Debug, Default)]
pub(super) struct Tries(u32);

impl Tries {
    /// Rests and says to go on if the transaction failed only because of another one, and not too often yet.
    ///
    /// # Errors
    /// The transaction's own.
    pub(super) async fn again(&mut self, transaction: Connection, error: StoreError) -> Result<(), StoreError> {
        self.0 += 1;
        if !transaction.collided() || self.0 == TRIES {
            return Err(error);
        }
        drop(transaction);
        tokio::time::sleep(REST * self.0).await;
        Ok(())
    }
}
