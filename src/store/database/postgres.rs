//! PostgreSQL: a pool of connections that write and one of those that read, so that flushers that wait for each other never
//! keep a decision from what it must read.

use super::connection::Connection;
use super::errors::{no_answer, postgres_error};
use super::migrate;
use crate::engine::ports::StoreError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _, PgConnection, PgPool};
use std::str::FromStr;
use std::time::Duration;

/// Connections that write: some flushers and the catalog.
const WRITERS: u32 = 6;
/// Connections that read.
const READERS: u32 = 6;
/// How long a caller waits for a free connection, or for a new one while the server can't be reached.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Distinct statements that a connection keeps prepared.
const STATEMENTS: usize = 256;
/// How a transaction that writes begins: each statement sees what was committed before it, so that what follows a lock
/// sees everything of the one who had it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// How a transaction that reads begins: all its statements see one moment.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Told to the server on each new connection. A statement that takes this long will not get anywhere; a lock is held for
/// one transaction only, so that whoever waits longer waits for one that hangs; and of one whose client went away
/// without a word the server lets go after half a minute. An answer is durable when it comes: a server that is set up to
/// answer sooner is told otherwise, one that waits for its standbys is left to it.
const SESSION: &str = "
    SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// The connections to a database on a server.
#[derive(Clone, Debug)]
pub(super) struct PostgresServer {
    writer: PgPool,
    reader: PgPool,
}

impl PostgresServer {
    /// Connects and brings the schema up to date.
    pub(super) async fn open(url: &str) -> Result<PostgresServer, StoreError> {
        let mut options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::Corrupt(format!("the database URL is not understood: {error}")))?
            .statement_cache_capacity(STATEMENTS);
        if options.get_application_name().is_none() {
            options = options.application_name("quotad");
        }
        // A connection of its own: changing a large table takes longer than a statement may.
        let mut first = connect(&options).await.map_err(postgres_error)?;
        usable(&mut first).await?;
        migrate::postgres(&mut first).await?;
        // The schema is up to date; that this connection does not end in good order changes nothing.
        let _ = first.close().await;
        let pool = |connections| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .after_connect(|connection, _| Box::pin(prepare(connection)))
                .connect_lazy_with(options.clone())
        };
        Ok(PostgresServer { writer: pool(WRITERS), reader: pool(READERS) })
    }

    /// A connection that reads.
    pub(super) async fn read(&self) -> Result<Connection, StoreError> {
        Connection::postgres(&self.reader).await
    }

    /// A transaction that reads from one snapshot.
    pub(super) async fn snapshot(&self) -> Result<Connection, StoreError> {
        Connection::postgres_transaction(&self.reader, SNAPSHOT).await
    }

    /// A transaction that writes.
    pub(super) async fn write(&self) -> Result<Connection, StoreError> {
        Connection::postgres_transaction(&self.writer, BEGIN).await
    }

    /// A place for one more connection, apart from the others: it may be kept as long as it lives.
    pub(super) fn listening(&self) -> PgPool {
        let options = PgConnectOptions::clone(&self.reader.connect_options());
        self.reader.options().clone().max_connections(1).connect_lazy_with(options)
    }

    /// Closes all connections when their work is done.
    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
    connected.unwrap_or_else(|_| Err(no_answer(CONNECT_TIMEOUT)))
}

/// Refuses a database that could not keep what it is given.
async fn usable(connection: &mut PgConnection) -> Result<(), StoreError> {
    let asked = sqlx::query_as("SELECT current_setting('server_encoding'), current_setting('server_version_num')");
    let (encoding, version): (String, String) = asked.fetch_one(connection).await.map_err(postgres_error)?;
    if encoding != "UTF8" {
        return Err(StoreError::Corrupt(format!(
            "the PostgreSQL database has the encoding {encoding}: create one with ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    if version.parse::<u32>().unwrap_or(0) < 130_000 {
        return Err(StoreError::Corrupt(format!("PostgreSQL {version} is too old: quotad needs version 13 or newer")));
    }
    Ok(())
}

async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SESSION).execute(connection).await?;
    Ok(())
}
