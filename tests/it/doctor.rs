//! `quotad doctor`: promises met, weakened and broken, told of real servers.

use crate::support::redis::{Keep, RedisServer};
use crate::support::{Options, Postgres, Server, TempDir, cli};
use serde_json::Value;

/// The exit status, and the report of `--json`.
#[track_caller]
fn doctor(args: &[&str]) -> (i32, Value) {
    let output = cli(["doctor", "--json"].iter().chain(args));
    (output.status.unwrap(), output.json())
}

/// What is said of one promise: the verdict, and the reasons as one text.
#[track_caller]
fn of(report: &Value, name: &str) -> (String, String) {
    let promise = report["promises"].as_array().unwrap().iter().find(|promise| promise["promise"] == name).unwrap();
    (promise["verdict"].as_str().unwrap().to_owned(), promise["why"].to_string())
}

#[test]
fn a_data_folder_is_judged_while_the_server_runs_and_afterwards() {
    let mut server = Server::start(Options::new().example("ai-platform"));
    let data = server.data_dir();
    let folder = ["--data-dir", data.to_str().unwrap()];
    let charge = ["--account", "tenants/ai/users/u1", "--meter", "training.runs", "--amount", "1"];
    let output = cli(["consume", "--addr", server.grpc_addr(), "--durable"].iter().chain(&charge));
    assert_eq!(output.status, Some(0), "{output:?}");
    let look = |durability: &str| doctor(&[folder[0], folder[1], "--durability", durability]);
    for running in [true, false] {
        let (_, report) = look("strict");
        for promise in ["limits", "kill", "power", "durable", "loss", "flush", "time", "safe"] {
            assert_eq!(of(&report, promise).0, "met", "{promise}, running {running}: {report:#}");
        }
        let (status, report) = look("default");
        assert_eq!(of(&report, "power").0, "weakened", "{report:#}");
        assert!(status >= 1);
        let (status, report) = look("relaxed");
        assert_eq!((status, of(&report, "kill").0.as_str()), (2, "broken"), "{report:#}");
        if running {
            assert!(server.terminate().success());
        }
    }
    let text = cli(["doctor"].iter().chain(&folder));
    assert!(text.stdout.contains("WEAKENED") && text.stdout.contains("A power cut loses"), "{text:?}");

    std::fs::remove_dir_all(data.join("journal")).unwrap();
    let (status, report) = look("strict");
    assert_eq!((status, of(&report, "loss").0.as_str()), (2, "broken"), "{report:#}");
}

#[test]
fn what_can_not_be_looked_at_is_broken() {
    let folder = TempDir::new("empty");
    let (status, report) = doctor(&["--data-dir", folder.path().to_str().unwrap()]);
    assert_eq!((status, of(&report, "durable").0.as_str()), (2, "broken"), "{report:#}");
    assert!(!folder.path().join("ledger.db").exists(), "looking makes nothing");
    let (status, report) = doctor(&["--redis-url", "http://nonsense"]);
    assert_eq!((status, of(&report, "safe").0.as_str()), (2, "broken"), "{report:#}");
    assert_eq!(cli(["doctor", "--nonsense"]).status, Some(2));
}

#[test]
fn redis_and_postgresql_are_judged_by_their_settings() {
    let postgres = Postgres::start_with(&["full_page_writes=off"]);
    let url = postgres.fresh_database();
    let redis = RedisServer::start_with(Keep::Nothing, &["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let (status, report) = doctor(&["--redis-url", &redis.url(), "--database-url", &url]);
    assert_eq!(status, 2, "{report:#}");
    let (verdict, why) = of(&report, "safe");
    assert!(verdict == "broken" && why.contains("allkeys-lru") && why.contains("schema 0"), "{report:#}");
    let (verdict, why) = of(&report, "durable");
    assert!(verdict == "weakened" && why.contains("full_page_writes"), "{report:#}");
    let (verdict, why) = of(&report, "loss");
    assert!(verdict == "weakened" && why.contains("appendonly no"), "{report:#}");
    assert_eq!(of(&report, "time").0, "met", "{report:#}");
    assert_eq!(
        postgres
            .sql(url.rsplit('/').next().unwrap(), "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'")
            .trim(),
        "0"
    );
}

#[test]
fn meters_that_fail_open_are_named() {
    let (redis, folder) = (RedisServer::start(), TempDir::new("catalog"));
    let file = folder.path().join("open.yaml");
    std::fs::write(&file, "meters: [{name: calls, failure_policy: fail_open}, {name: runs}]").unwrap();
    let server = Server::start(Options::new().catalog(file).redis(&redis.url(), "d:"));
    let data = server.data_dir();
    let place = ["--redis-url", &redis.url(), "--redis-prefix", "d:", "--data-dir", data.to_str().unwrap()];
    let (status, report) = doctor(&place);
    let (verdict, why) = of(&report, "limits");
    assert!(status >= 1 && verdict == "weakened", "{report:#}");
    assert!(why.contains("calls") && !why.contains("runs"), "{why}");
}

#[test]
fn a_folder_that_is_not_there_is_said_to_be_not_there() {
    let output = cli(["doctor", "--data-dir", "/no/such/folder"]);
    assert_eq!(output.status, Some(2), "{output:?}");
    assert!(output.stdout.contains("there is no data folder /no/such/folder"), "{output:?}");
    let (_, report) = doctor(&["--data-dir", "/no/such/folder"]);
    for promise in ["loss", "flush", "durable", "room"] {
        assert_eq!(of(&report, promise).0, "broken", "what was not looked at is not met: {report:#}");
    }
}
