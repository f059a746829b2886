//! `quotad verify`: a ledger made by calls is clean, every kind of damage is found, and what follows from entries is written
//! anew.

use crate::support::{Options, Output, Server, TempDir, cli};
use serde_json::Value;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::fs;
use std::path::Path;

const CATALOG: &str = "
meters:
  - {name: runs, unit: run}
  - {name: disk.bytes, unit: byte, family: allocation}
tenants:
  - name: tenants/acme
    quotas:
      - {subject: tenants/acme, meter: runs, limits: {day: 100000}}
      - {subject: tenants/acme/users/-, meter: runs, limits: {day: 10}, top_up: 50}
      - {subject: tenants/acme/users/-, meter: disk.bytes, limits: {lifetime: 5000}}
";
const U1: &str = "tenants/acme/users/u1";
const U2: &str = "tenants/acme/users/u2";

/// What is done to a ledger, what is then found, and whether all of it can be repaired.
struct Damage {
    sql: &'static str,
    found: &'static [&'static str],
    repaired: bool,
}

const DAMAGES: &[Damage] = &[
    Damage { sql: "UPDATE counter SET used = used + 7", found: &["counter"], repaired: true },
    Damage { sql: "UPDATE counter SET own_used = own_used + 1", found: &["counter"], repaired: true },
    Damage { sql: "UPDATE counter SET top_up_used = top_up_used + 1", found: &["counter"], repaired: true },
    Damage { sql: "DELETE FROM counter", found: &["counter"], repaired: true },
    Damage {
        sql: "INSERT INTO counter VALUES (x'000102030405060708090a0b0c0d0e0f', 5, 1, 0, 0)",
        found: &["counter"],
        repaired: true,
    },
    Damage { sql: "UPDATE rollup SET used = used - 3, top_up = 1", found: &["rollup"], repaired: true },
    Damage { sql: "DELETE FROM rollup", found: &["rollup"], repaired: true },
    Damage { sql: "UPDATE rollup SET quarter = quarter + 1", found: &["rollup"], repaired: true },
    Damage { sql: "DELETE FROM posting WHERE meter = :disk", found: &["posting_missing"], repaired: true },
    Damage { sql: "UPDATE posting SET used = used + 1 WHERE meter = :disk", found: &["posting"], repaired: true },
    Damage {
        sql: "UPDATE posting SET effective = effective + 1 WHERE meter = :disk",
        found: &["posting", "posting_missing"],
        repaired: true,
    },
    Damage {
        sql: "DELETE FROM posting WHERE meter = :disk; UPDATE counter SET used = 1, own_used = 2; DELETE FROM rollup",
        found: &["counter", "posting_missing", "rollup"],
        repaired: true,
    },
    // What of it stood in the top-up is in no entry; the sums must not lose it.
    Damage { sql: "DELETE FROM posting WHERE top_up > 0", found: &["posting_missing"], repaired: false },
    Damage {
        sql: "DELETE FROM entry WHERE (\"partition\", seq) IN (SELECT \"partition\", MIN(seq) FROM entry)",
        found: &["entry_gap", "reservation"],
        repaired: false,
    },
    Damage {
        sql: "DELETE FROM entry WHERE seq = 3 AND used > 0",
        found: &["entry_gap", "entry_missing", "reservation"],
        repaired: false,
    },
    Damage { sql: "UPDATE watermark SET seq = seq + 1", found: &["watermark"], repaired: false },
    Damage { sql: "UPDATE watermark SET seq = seq - 1", found: &["watermark"], repaired: false },
    Damage { sql: "UPDATE entry SET held = held + 1 WHERE held > 0", found: &["reservation"], repaired: false },
];

fn verify(data: &Path, more: &[&str]) -> Output {
    let data = data.to_str().unwrap();
    cli(["verify", "--data-dir", data].iter().chain(more))
}

/// Status and the report of `--json`.
#[track_caller]
fn report(data: &Path, more: &[&str]) -> (i32, Value) {
    let more: Vec<&str> = more.iter().chain(&["--json"]).copied().collect();
    let output = verify(data, &more);
    (output.status.unwrap(), output.json())
}

/// A server and calls of every kind.
fn worked() -> (Server, TempDir) {
    let folder = TempDir::new("catalog");
    let file = folder.path().join("verify.yaml");
    fs::write(&file, CATALOG).unwrap();
    let server = Server::start(Options::new().catalog(file));
    let call = |command: &str, args: &str| {
        let addr = server.grpc_addr();
        let output = cli([command, "--addr", addr].into_iter().chain(args.split_whitespace()));
        assert_eq!(output.status, Some(0), "{command} {args}: {output:?}");
    };
    let take = |command: &str, account: &str, meter: &str, amount: u32, id: &str| {
        call(command, &format!("--account {account} --meter {meter} --amount {amount} --id {id}"));
    };
    take("reserve", U1, "runs", 4, "a");
    call("commit", "--tenant tenants/acme --id a");
    take("consume", U1, "runs", 15, "b");
    take("consume", U2, "runs", 3, "c");
    take("reserve", U2, "runs", 2, "d");
    call("release", "--tenant tenants/acme --id d");
    take("consume", U1, "disk.bytes", 1000, "e");
    take("consume", U2, "disk.bytes", 50, "f");
    call("free", "--tenant tenants/acme --id f");
    call("free", &format!("--account {U1} --meter disk.bytes --amount 300"));
    take("reserve", U2, "runs", 1, "open");
    take("reserve", U1, "disk.bytes", 7, "open-too");
    (server, folder)
}

#[test]
fn what_calls_left_is_clean_and_may_be_looked_at_while_the_server_runs() {
    let (mut server, _folder) = worked();
    let data = server.data_dir();
    let (status, clean) = report(&data, &[]);
    assert_eq!((status, &clean["clean"]), (0, &Value::from(true)), "{clean:#}");
    let refused = verify(&data, &["--repair"]);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("stop it"), "{refused:?}");
    assert!(server.terminate().success());
    let (status, clean) = report(&data, &["--repair"]);
    assert_eq!((status, &clean["repaired"]), (0, &Value::from(0)), "{clean:#}");
    for (table, least) in [("entries", 12), ("postings", 14), ("roll-ups", 4), ("counters", 6), ("reservations", 8)] {
        assert!(clean["looked_at"][table].as_i64().unwrap() >= least, "{table}: {clean:#}");
    }
    let text = verify(&data, &[]);
    assert!(text.stdout.starts_with("clean: "), "{text:?}");
}

#[test]
fn every_damage_is_found_and_what_follows_from_entries_is_repaired() {
    let (mut server, _folder) = worked();
    assert!(server.terminate().success());
    let disk = "disk.bytes".parse::<quotad::domain::name::MeterName>().unwrap().id().0.cast_signed();
    for damage in DAMAGES {
        let folder = TempDir::new("damaged");
        let file = folder.path().join("ledger.db");
        fs::copy(server.data_dir().join("ledger.db"), &file).unwrap();
        let before = figures(&file);
        let changed = execute(&file, &damage.sql.replace(":disk", &disk.to_string()));
        assert!(changed > 0, "{}", damage.sql);

        let (status, found) = report(folder.path(), &[]);
        let kinds: Vec<&str> = found["drift"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((status, kinds.as_slice()), (1, damage.found), "{}: {found:#}", damage.sql);
        let (status, repaired) = report(folder.path(), &["--repair"]);
        assert_eq!(repaired["drift"], found["drift"], "{}: {repaired:#}", damage.sql);
        assert_eq!(status, i32::from(!damage.repaired), "{}: {repaired:#}", damage.sql);
        let (status, again) = report(folder.path(), &["--repair"]);
        assert_eq!(status, i32::from(!damage.repaired), "{}: {again:#}", damage.sql);
        assert_eq!(again["repaired"], 0, "nothing is left to do after {}: {again:#}", damage.sql);
        assert_eq!(figures(&file), before, "the figures are what they were before {}", damage.sql);
    }
}

#[test]
fn what_is_wrong_is_told_by_name() {
    let (mut server, _folder) = worked();
    assert!(server.terminate().success());
    let data = server.data_dir();
    execute(&data.join("ledger.db"), "UPDATE counter SET used = used + 7 WHERE own_used = 0");
    let output = verify(&data, &["--list", "1"]);
    assert_eq!(output.status, Some(1), "{output:?}");
    for text in ["DRIFT: 3", "lifetime counters", "tenants/acme, disk.bytes", "and 2 more"] {
        assert!(output.stdout.contains(text), "{text:?} is missing: {output:?}");
    }
}

#[test]
fn where_there_is_nothing_to_look_at_it_says_so() {
    let folder = TempDir::new("empty");
    let output = verify(folder.path(), &[]);
    assert_eq!(output.status, Some(2), "{output:?}");
    assert!(output.stderr.contains("no ledger in"), "{output:?}");
    assert!(!folder.path().join("ledger.db").exists(), "looking makes nothing");
    assert_eq!(cli(["verify", "--nonsense"]).status, Some(2));
}

/// Runs statements; answers how many rows they changed.
fn execute(file: &Path, sql: &str) -> u64 {
    on(file, async |connection| sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap().rows_affected())
}

/// The counters and roll-ups that say something.
fn figures(file: &Path) -> Vec<(Vec<u8>, i64, i64, i64, i64, i64)> {
    let sql = "SELECT account, meter, -1, used, top_up_used, own_used FROM counter WHERE used <> 0 OR top_up_used <> 0
               UNION ALL SELECT account, meter, quarter, used, top_up, 0 FROM rollup WHERE used <> 0 OR top_up <> 0
               ORDER BY 1, 2, 3";
    on(file, async |connection| sqlx::query_as(sql).fetch_all(connection).await.unwrap())
}

fn on<T>(file: &Path, work: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut connection: SqliteConnection = options.connect().await.unwrap();
        let done = work(&mut connection).await;
        connection.close().await.unwrap();
        done
    })
}
