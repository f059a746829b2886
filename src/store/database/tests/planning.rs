//! Every statement of the ledger finds its rows by an index, on both databases.

use super::support::{Folder, Place};
use crate::store::database::bulk::Text;
use crate::store::database::connection::{Product, Sql};
use std::path::PathBuf;

/// A large ledger: so many rows that reading a whole table is never the shorter way.
const LARGE: &str = "
    INSERT INTO reservation SELECT sha(n), sha(n), 'r' || n, 0, n % 2, n % 2, n, n, n, n % 500, n, sha(n)
        FROM generate_series(1, 20000) AS n;
    INSERT INTO reservation_account SELECT sha(n), sha(n), n, sha(n) FROM generate_series(1, 20000) AS n;
    INSERT INTO account SELECT sha(n), sha(n), 'a' || n FROM generate_series(1, 20000) AS n;
    INSERT INTO request SELECT sha(n), sha(n), n, 1, NULL, NULL, n FROM generate_series(1, 20000) AS n;
    INSERT INTO counter SELECT sha(n), 1, n, 0, 0 FROM generate_series(1, 20000) AS n;
    INSERT INTO rollup SELECT sha(n % 400), 1, n, 1, 0 FROM generate_series(1, 20000) AS n;
    INSERT INTO posting SELECT sha(n % 400), 1, n, 1, 1, n, 0, 1, 0 FROM generate_series(1, 20000) AS n;
    INSERT INTO entry SELECT n % 500, 1, n, 0, 1, sha(n), n, 1 FROM generate_series(1, 20000) AS n;
    INSERT INTO setting SELECT 's' || n, 'x' FROM generate_series(1, 20000) AS n;
    INSERT INTO watermark SELECT n, 1, n FROM generate_series(1, 20000) AS n;
    INSERT INTO incarnation SELECT n, 1, n, n FROM generate_series(1, 20000) AS n;
    INSERT INTO repeated SELECT sha(n), sha(n), n, 1, sha(n) FROM generate_series(1, 20000) AS n;
    INSERT INTO meter SELECT n, 'm' || n FROM generate_series(1, 20000) AS n;
    INSERT INTO audit (scope, version, time, actor, action, subject)
        SELECT 's' || n % 400, n, n, 'a', 'adjust', 'x' || n FROM generate_series(1, 20000) AS n;
    INSERT INTO limit_request
        SELECT 's' || n % 400, 'i' || n, 'a' || n, 'm', 'pending', n, '[]', 'r', 'a', '[]', '[]', '', '', NULL
        FROM generate_series(1, 20000) AS n;
    ANALYZE";

/// The statements of the ledger. The catalog with its moved names, watermarks, incarnations and the repeats that wait are few and read whole;
/// one statement counts.
fn statements(product: &str) -> Vec<(PathBuf, &'static str)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/queries");
    let folders = [PathBuf::from(root), PathBuf::from(root).join(product)];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    let small = |path: &PathBuf| {
        [
            "catalog_",
            "repeated_list",
            "verify_reservation_count",
            "verify_watermarks",
            "watermark_list",
            "verify_incarnations",
            "verify_moved_names",
        ]
        .iter()
        .any(|name| path.to_string_lossy().contains(name))
    };
    let ours = files.filter(|path| path.extension().is_some_and(|extension| extension == "sql") && !small(path));
    let found: Vec<_> = ours.map(|path| (path.clone(), &*std::fs::read_to_string(&path).unwrap().leak())).collect();
    assert!(found.len() > 25, "{} statements", found.len());
    found
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_on_sqlite() {
    let folder = Folder::new();
    let database = folder.database().await;
    let mut connection = database.write().await.unwrap();
    let tables = Sql::same("SELECT name FROM sqlite_master WHERE type = 'table'");
    let tables = connection.fetch(tables, |_| {}).await.unwrap();
    let tables: Vec<String> = tables.iter().map(|row| row.text(0).unwrap()).collect();
    let mut scans = Vec::new();
    for (path, text) in statements("sqlite") {
        let explain = format!("EXPLAIN QUERY PLAN {text}");
        let plan = connection.fetch(Sql::same(explain.leak()), |_| {}).await.unwrap();
        for step in plan.iter().map(|row| row.text(3).unwrap()) {
            let scanned = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            scans.extend(tables.iter().any(|table| table == scanned).then(|| format!("{}: {step}", path.display())));
        }
    }
    assert_eq!(scans, [""; 0]);
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_on_postgres() {
    let place = Place::new(Product::Postgres).await;
    let mut connection = place.database().await.write().await.unwrap();
    let mut run = async |text: String| connection.fetch(Sql::same(text.leak()), |_| {}).await.unwrap();
    let sha = "CREATE FUNCTION pg_temp.sha(n BIGINT) RETURNS BYTEA LANGUAGE SQL IMMUTABLE
               AS $$ SELECT substring(sha256(CAST(CAST(n AS TEXT) AS BYTEA)) FOR 16) $$";
    run(String::from(sha)).await;
    for insert in LARGE.split(';') {
        run(insert.replace("sha(", "pg_temp.sha(")).await;
    }
    // Planned once for all values, as statements that stay prepared are.
    run(String::from("SET plan_cache_mode = force_generic_plan")).await;
    let mut scans = Vec::new();
    for (path, text) in statements("postgres") {
        let (types, text) = match text.split_once("WITH wanted (") {
            Some((_, rest)) => {
                let columns = rest.split_once(')').unwrap().0.split(", ");
                let types: Vec<String> = columns.map(|column| format!("{}[]", type_of(column))).collect();
                (format!("({})", types.join(", ")), Text::parse(text).of(Product::Postgres, 1).as_str().to_owned())
            }
            None => (String::new(), text.to_owned()),
        };
        run(format!("PREPARE planned {types} AS {text}")).await;
        let values = (1..40).take_while(|n| text.contains(&format!("${n}"))).count();
        let nothing = vec!["NULL"; values].join(", ");
        let nothing = if values == 0 { nothing } else { format!("({nothing})") };
        let plan = run(format!("EXPLAIN EXECUTE planned {nothing}")).await;
        for step in plan.iter().map(|row| row.text(0).unwrap()) {
            scans.extend(step.contains("Seq Scan").then(|| format!("{}: {step}", path.display())));
        }
        run(String::from("DEALLOCATE planned")).await;
    }
    assert_eq!(scans, [""; 0]);
}

fn type_of(column: &str) -> &'static str {
    match column {
        "tenant" | "key" | "account" | "uid" => "BYTEA",
        _ => "BIGINT",
    }
}
