//! One way to talk to either database: statements with `$n` and values go in, rows come out, so that each statement and each
//! function exists once.

use super::errors::{self, store_error};
use super::row::Row;
use super::values::Values;
use crate::engine::ports::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, SqlStr, Sqlite, SqliteConnection, SqlitePool};
use std::time::Duration;

/// How long PostgreSQL may take to answer one statement. Above the server's own limits, so that it is only reached when the
/// way there is lost and nobody said so.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// The databases that there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Product {
    Sqlite,
    Postgres,
}

/// The text of a statement, on each of the databases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Sql {
    /// One text for both.
    pub(super) const fn same(text: &'static str) -> Sql {
        Sql { sqlite: text, postgres: text }
    }

    /// A text for each.
    pub(super) const fn each(sqlite: &'static str, postgres: &'static str) -> Sql {
        Sql { sqlite, postgres }
    }

    /// The text for one of them.
    pub(super) fn on(self, product: Product) -> &'static str {
        match product {
            Product::Sqlite => self.sqlite,
            Product::Postgres => self.postgres,
        }
    }
}

/// The statement of a file in `src/sql/queries`; after `each`, that of a file in its folders `sqlite` and `postgres`.
macro_rules! sql {
    ($name:literal) => {
        $crate::store::database::connection::Sql::same(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/sql/queries/",
            $name,
            ".sql"
        )))
    };
    (each $name:literal) => {
        $crate::store::database::connection::Sql::each(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/queries/sqlite/", $name, ".sql")),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/queries/postgres/", $name, ".sql")),
        )
    };
}
pub(super) use sql;

/// A connection of a pool, in a transaction or not. A transaction that is not committed has no effect.
pub(super) struct Connection {
    held: Held,
    collided: bool,
}

enum Held {
    Sqlite(PoolConnection<Sqlite>),
    SqliteTransaction(sqlx::Transaction<'static, Sqlite>),
    Postgres(PostgresSession),
}

/// A connection to PostgreSQL. One with a transaction or a statement under way is closed when it is dropped: what the server
/// has begun ends with it, and the next caller gets another one.
struct PostgresSession {
    connection: PoolConnection<Postgres>,
    in_transaction: bool,
    busy: bool,
}

impl Drop for PostgresSession {
    fn drop(&mut self) {
        if self.in_transaction || self.busy {
            self.connection.close_on_drop();
        }
    }
}

impl PostgresSession {
    /// Has the connection do something, and waits for it no longer than [`ANSWER_TIMEOUT`].
    async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        self.busy = true;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, work(&mut self.connection)).await;
        let answer = answer.unwrap_or_else(|_| Err(errors::no_answer(ANSWER_TIMEOUT)));
        // After an error of the server the connection is as good as before; after any other nobody knows.
        self.busy = !matches!(&answer, Ok(_) | Err(sqlx::Error::Database(_)));
        answer
    }

    async fn command(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        self.run(async |connection| sqlx::raw_sql(text).execute(connection).await.map(|_| ())).await
    }
}

impl Connection {
    /// One of SQLite's connections.
    pub(super) async fn sqlite(pool: &SqlitePool) -> Result<Connection, StoreError> {
        Ok(Connection::of(Held::Sqlite(pool.acquire().await.map_err(store_error)?)))
    }

    /// A transaction on one of SQLite's connections.
    pub(super) async fn sqlite_transaction(pool: &SqlitePool, begin: &'static str) -> Result<Connection, StoreError> {
        Ok(Connection::of(Held::SqliteTransaction(pool.begin_with(begin).await.map_err(store_error)?)))
    }

    /// One of PostgreSQL's connections.
    pub(super) async fn postgres(pool: &sqlx::PgPool) -> Result<Connection, StoreError> {
        let connection = pool.acquire().await.map_err(errors::postgres_error)?;
        Ok(Connection::of(Held::Postgres(PostgresSession { connection, in_transaction: false, busy: false })))
    }

    /// A transaction on one of PostgreSQL's connections.
    pub(super) async fn postgres_transaction(
        pool: &sqlx::PgPool,
        begin: &'static str,
    ) -> Result<Connection, StoreError> {
        let mut connection = Connection::postgres(pool).await?;
        if let Held::Postgres(session) = &mut connection.held {
            session.command(begin).await.map_err(errors::postgres_error)?;
            session.in_transaction = true;
        }
        Ok(connection)
    }

    fn of(held: Held) -> Connection {
        Connection { held, collided: false }
    }

    /// Which database it is.
    pub(super) fn product(&self) -> Product {
        match self.held {
            Held::Sqlite(_) | Held::SqliteTransaction(_) => Product::Sqlite,
            Held::Postgres(_) => Product::Postgres,
        }
    }

    /// Whether a statement failed only because of another transaction: nothing was written, and the same can be tried again
    /// at once on another connection.
    pub(super) fn collided(&self) -> bool {
        self.collided
    }

    /// Runs a statement; answers how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError`] if it failed; a transaction is then over.
    pub(super) async fn execute(&mut self, sql: Sql, bind: impl FnOnce(&mut Values)) -> Result<u64, StoreError> {
        let mut values = Values::of(self.product());
        bind(&mut values);
        self.execute_text(SqlStr::from_static(sql.on(self.product())), values).await
    }

    /// Runs a statement; answers its rows.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub(super) async fn fetch(&mut self, sql: Sql, bind: impl FnOnce(&mut Values)) -> Result<Vec<Row>, StoreError> {
        let mut values = Values::of(self.product());
        bind(&mut values);
        self.fetch_text(SqlStr::from_static(sql.on(self.product())), values).await
    }

    /// Runs a statement that answers one row at most.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub(super) async fn fetch_optional(
        &mut self,
        sql: Sql,
        bind: impl FnOnce(&mut Values),
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch(sql, bind).await?.pop())
    }

    /// As [`Connection::execute`], with a text that was put together.
    pub(super) async fn execute_text(&mut self, text: SqlStr, values: Values) -> Result<u64, StoreError> {
        let done = match &mut self.held {
            Held::Sqlite(connection) => execute_sqlite(connection, text, values).await,
            Held::SqliteTransaction(transaction) => execute_sqlite(transaction, text, values).await,
            Held::Postgres(session) => {
                let query = sqlx::query_with(text, values.into_postgres()?);
                session.run(async |connection| Ok(query.execute(connection).await?.rows_affected())).await
            }
        };
        self.known(done)
    }

    /// As [`Connection::fetch`], with a text that was put together.
    pub(super) async fn fetch_text(&mut self, text: SqlStr, values: Values) -> Result<Vec<Row>, StoreError> {
        let found = match &mut self.held {
            Held::Sqlite(connection) => fetch_sqlite(connection, text, values).await,
            Held::SqliteTransaction(transaction) => fetch_sqlite(transaction, text, values).await,
            Held::Postgres(session) => {
                let query = sqlx::query_with(text, values.into_postgres()?);
                let rows = session.run(async |connection| query.fetch_all(connection).await).await;
                rows.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
        };
        self.known(found)
    }

    /// Commits the transaction; without one there is nothing to do.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] if the way to the server was lost meanwhile; otherwise nothing was written.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self.held {
            Held::Sqlite(_) => Ok(()),
            Held::SqliteTransaction(transaction) => transaction.commit().await.map_err(store_error),
            Held::Postgres(mut session) => {
                session.command("COMMIT").await.map_err(errors::commit_error)?;
                session.in_transaction = false;
                Ok(())
            }
        }
    }

    /// Ends the transaction without effect, at once.
    ///
    /// # Errors
    /// [`StoreError`] of the database; it has no effect then either.
    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        match self.held {
            Held::Sqlite(_) => Ok(()),
            Held::SqliteTransaction(transaction) => transaction.rollback().await.map_err(store_error),
            Held::Postgres(mut session) => {
                session.command("ROLLBACK").await.map_err(errors::postgres_error)?;
                session.in_transaction = false;
                Ok(())
            }
        }
    }

    /// What an answer means to the caller.
    fn known<T>(&mut self, answer: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        let product = self.product();
        answer.map_err(|error| {
            self.collided |= errors::is_collision(&error);
            match product {
                Product::Sqlite => store_error(error),
                Product::Postgres => errors::postgres_error(error),
            }
        })
    }
}

async fn execute_sqlite(connection: &mut SqliteConnection, text: SqlStr, values: Values) -> Result<u64, sqlx::Error> {
    let query = sqlx::query_with(text, values.into_sqlite()?);
    Ok(query.execute(connection).await?.rows_affected())
}

async fn fetch_sqlite(
    connection: &mut SqliteConnection,
    text: SqlStr,
    values: Values,
) -> Result<Vec<Row>, sqlx::Error> {
    let query = sqlx::query_with(text, values.into_sqlite()?);
    Ok(query.fetch_all(connection).await?.into_iter().map(Row::Sqlite).collect())
}
