//! Opening, closing and opening again; a schema from the future; settings.

use super::support::Folder;
use crate::engine::ports::StoreError;
use crate::store::database::{Database, Sync};

#[tokio::test]
async fn settings_survive_a_close() {
    let folder = Folder::new();
    let database = folder.database().await;
    assert_eq!(database.setting("partitions").await.unwrap(), None);
    database.set_setting("partitions", "8").await.unwrap();
    database.set_setting("partitions", "16").await.unwrap();
    database.checkpoint().await.unwrap();
    database.close().await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the log is gone after a clean close");
    let again = Database::open(&folder.file(), Sync::Full).await.unwrap();
    assert_eq!(again.setting("partitions").await.unwrap().as_deref(), Some("16"));
    again.close().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = Folder::new();
    let database = folder.database().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'later', 1, x'00', 0)";
    sqlx::query(newer).execute(database.writer()).await.unwrap();
    database.close().await;
    match Database::open(&folder.file(), Sync::Normal).await {
        Err(StoreError::Corrupt(text)) => {
            assert!(text.contains("ledger.db has schema 9999") && text.contains("use a newer quotad"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "this is not a database, but some text that is long enough to be one".repeat(100))
        .unwrap();
    match Database::open(&folder.file(), Sync::Normal).await {
        Err(StoreError::Corrupt(text)) => {
            assert!(text.contains("ledger.db is damaged") && text.contains("put a backup back"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let folder = Folder::new();
    let database = folder.database().await;
    let tables: Vec<(String,)> = sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'table'")
        .fetch_all(database.reader())
        .await
        .unwrap();
    let queries = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/queries")).unwrap();
    // The catalog and the repeats that wait are few and read whole.
    let small = |path: &std::path::PathBuf| {
        ["catalog_", "repeated_list"].iter().any(|name| path.to_string_lossy().contains(name))
    };
    let ours = queries.map(|file| file.unwrap().path()).filter(|path| !small(path));
    let mut seen = 0;
    for path in ours {
        let explain = format!("EXPLAIN QUERY PLAN {}", std::fs::read_to_string(&path).unwrap());
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(explain)).fetch_all(database.writer()).await.unwrap();
        for (.., step) in plan {
            let scanned = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            assert!(!tables.iter().any(|(table,)| table == scanned), "{}: {step}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 25, "{seen} statements");
}
