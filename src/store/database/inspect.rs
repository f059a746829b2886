//! What a database says of itself, to somebody who only looks: nothing is made, migrated or written.

use super::errors::{postgres_error, store_error};
use super::migrate;
use crate::domain::time::Timestamp;
use crate::engine::ports::{StoreError, Watermark, known_lost};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};
use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From this version on there are incarnations.
const INCARNATIONS: i64 = 3;
/// From this version on there is a catalog.
const CATALOG: i64 = 2;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LedgerFacts {
    /// Which database: SQLite or PostgreSQL.
    pub product: &'static str,
    /// Its version.
    pub version: String,
    /// The version of the schema in it; 0: none yet.
    pub schema: i64,
    /// The newest version that this program knows.
    pub known: i64,
    /// Its settings that matter, by name.
    pub settings: BTreeMap<String, String>,
    /// Whether it follows another server and can't be written.
    pub standby: bool,
    /// Its clock; `None` if it has none of its own.
    pub now: Option<Timestamp>,
    /// How far it holds each partition's journal.
    pub watermarks: BTreeMap<u32, Watermark>,
    /// Number of partitions; `None`: nobody has started on it yet.
    pub partitions: Option<u32>,
    /// Entries that never reached it, over all times.
    pub lost: u64,
    /// Meters that fail open, by name.
    pub fail_open: Vec<String>,
}

impl LedgerFacts {
    /// Looks at a SQLite file.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be opened, or is no ledger.
    pub async fn of_file(path: &Path) -> Result<LedgerFacts, StoreError> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
        let mut connection = options.pragma("query_only", "on").connect().await.map_err(store_error)?;
        let facts = sqlite(&mut connection).await.map_err(store_error);
        // It was only looked at.
        let _ = connection.close().await;
        facts
    }

    /// Looks at a database by its URL, as in [`Database::open_url`](super::Database::open_url).
    ///
    /// # Errors
    /// As [`LedgerFacts::of_file`].
    pub async fn of_url(url: &str) -> Result<LedgerFacts, StoreError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            let path = url.strip_prefix("sqlite:").map_or(url, |rest| rest.strip_prefix("//").unwrap_or(rest));
            return LedgerFacts::of_file(Path::new(path)).await;
        }
        let options = PgConnectOptions::from_str(url).map_err(postgres_error)?;
        let mut connection = tokio::time::timeout(CONNECT_TIMEOUT, options.connect())
            .await
            .map_err(|_| StoreError::Unavailable("PostgreSQL does not answer in time".into()))?
            .map_err(postgres_error)?;
        let facts = postgres(&mut connection).await.map_err(postgres_error);
        // It was only looked at.
        let _ = connection.close().await;
        facts
    }
}

async fn sqlite(connection: &mut SqliteConnection) -> Result<LedgerFacts, sqlx::Error> {
    let mut facts = LedgerFacts { product: "SQLite", known: migrate::newest(), ..LedgerFacts::default() };
    (facts.version,) = sqlx::query_as("SELECT sqlite_version()").fetch_one(&mut *connection).await?;
    let (mode,): (String,) = sqlx::query_as("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
    facts.settings.insert("journal_mode".into(), mode);
    let is_there = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
    let (tables,): (i64,) = sqlx::query_as(is_there).fetch_one(&mut *connection).await?;
    if tables > 0 {
        (facts.schema,) = sqlx::query_as(migrate::NEWEST).fetch_one(&mut *connection).await?;
    }
    if facts.schema > 0 {
        facts.watermarks = watermarks(sqlx::query_as(WATERMARKS).fetch_all(&mut *connection).await?);
        let setting = sqlx::query_as(PARTITIONS).fetch_optional(&mut *connection).await?;
        facts.partitions = setting.and_then(|(text,): (String,)| text.parse().ok());
    }
    if facts.schema >= CATALOG {
        facts.fail_open = names(sqlx::query_as(FAIL_OPEN).fetch_all(&mut *connection).await?);
    }
    if facts.schema >= INCARNATIONS {
        facts.lost = lost(sqlx::query_as(BEGINS).fetch_all(&mut *connection).await?);
    }
    Ok(facts)
}

async fn postgres(connection: &mut PgConnection) -> Result<LedgerFacts, sqlx::Error> {
    let mut facts = LedgerFacts { product: "PostgreSQL", known: migrate::newest(), ..LedgerFacts::default() };
    let settings = "SELECT name, setting FROM pg_settings WHERE name IN ('server_version', 'fsync', 'synchronous_commit',
                    'full_page_writes', 'default_transaction_read_only', 'max_connections', 'synchronous_standby_names')";
    let settings: Vec<(String, String)> = sqlx::query_as(settings).fetch_all(&mut *connection).await?;
    facts.settings = settings.into_iter().collect();
    facts.version = facts.settings.get("server_version").cloned().unwrap_or_default();
    (facts.standby,) = sqlx::query_as("SELECT pg_is_in_recovery()").fetch_one(&mut *connection).await?;
    let now = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    let (now,): (i64,) = sqlx::query_as(now).fetch_one(&mut *connection).await?;
    facts.now = Some(Timestamp::from_millis(now));
    let is_there = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    let (is_there,): (bool,) = sqlx::query_as(is_there).fetch_one(&mut *connection).await?;
    if is_there {
        (facts.schema,) = sqlx::query_as(migrate::NEWEST).fetch_one(&mut *connection).await?;
    }
    if facts.schema > 0 {
        facts.watermarks = watermarks(sqlx::query_as(WATERMARKS).fetch_all(&mut *connection).await?);
        let setting = sqlx::query_as(PARTITIONS).fetch_optional(&mut *connection).await?;
        facts.partitions = setting.and_then(|(text,): (String,)| text.parse().ok());
    }
    if facts.schema >= CATALOG {
        facts.fail_open = names(sqlx::query_as(FAIL_OPEN).fetch_all(&mut *connection).await?);
    }
    if facts.schema >= INCARNATIONS {
        facts.lost = lost(sqlx::query_as(BEGINS).fetch_all(&mut *connection).await?);
    }
    Ok(facts)
}

const WATERMARKS: &str = include_str!("../../sql/queries/verify_watermarks.sql");
const BEGINS: &str = include_str!("../../sql/queries/verify_incarnations.sql");
/// By what the catalog's rows say in their JSON.
const FAIL_OPEN: &str = r#"SELECT DISTINCT name FROM meter_def WHERE deleted = 0
                           AND definition LIKE '%"fail_open":true%' ORDER BY name"#;
const PARTITIONS: &str = "SELECT value FROM setting WHERE name = 'partitions'";

fn watermarks(rows: Vec<(i64, i64, i64)>) -> BTreeMap<u32, Watermark> {
    let watermark = |(partition, incarnation, seq): (i64, i64, i64)| {
        let watermark = Watermark { incarnation: incarnation.cast_unsigned(), seq: seq.cast_unsigned() };
        Some((u32::try_from(partition).ok()?, watermark))
    };
    rows.into_iter().filter_map(watermark).collect()
}

fn names(rows: Vec<(String,)>) -> Vec<String> {
    rows.into_iter().map(|(name,)| name).collect()
}

fn lost(rows: Vec<(i64, i64, i64, i64)>) -> u64 {
    rows.into_iter().map(|(_, _, after, seq)| known_lost(u64::try_from(seq - after).unwrap_or(0))).sum()
}
