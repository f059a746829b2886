//! The command line from end to end: what it prints for people and for programs, and its exit status (0 granted or done,
//! 2 denied, 1 error).

use crate::support::{Options, Output, Server, TempDir, cli, unused_addr};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

const USER: &str = "tenants/ai/users/u1";
const CHARGE: [&str; 6] = ["--account", USER, "--meter", "training.runs", "--amount", "1"];
const ALLOCATION: &str = "meters: [{name: disk.bytes, unit: byte, family: allocation}]\n";

/// A command on a server.
fn on(server: &Server, command: &str, args: &[&str]) -> Output {
    let addr = ["--addr", server.grpc_addr()];
    cli([command].iter().chain(&addr).chain(args))
}

/// A charge, then further arguments.
fn charged<'a>(more: &[&'a str]) -> Vec<&'a str> {
    CHARGE.iter().chain(more).copied().collect()
}

#[track_caller]
fn says(output: &Output, status: i32, expected: &[&str]) {
    assert_eq!(output.status, Some(status), "{output:?}");
    for text in expected {
        assert!(output.stdout.contains(text), "{text:?} is missing:\n{}\n{}", output.stdout, output.stderr);
    }
}

/// With `--json`.
#[track_caller]
fn json_of(server: &Server, command: &str, args: &[&str], status: i32) -> Value {
    let args: Vec<&str> = args.iter().chain(&["--json"]).copied().collect();
    let output = on(server, command, &args);
    assert_eq!(output.status, Some(status), "{output:?}");
    output.json()
}

#[test]
fn the_four_calls_for_people() {
    let server = Server::start(Options::new().example("ai-platform"));
    says(&on(&server, "check", &CHARGE), 0, &["allowed", USER, "lifetime"]);
    let held = on(&server, "reserve", &charged(&["--id", "r1", "--ttl", "60s", "--label", "team=red"]));
    says(&held, 0, &["held 1 training.runs on tenants/ai/users/u1", "reservation r1", "expires"]);
    let again = on(&server, "reserve", &charged(&["--id", "r1", "--ttl", "60s"]));
    says(&again, 0, &["replayed"]);
    says(&on(&server, "extend", &["--tenant", "tenants/ai", "--id", "r1", "--ttl", "5m"]), 0, &["held 1", "expires"]);
    let one = on(&server, "reservation", &["--tenant", "tenants/ai", "--id", "r1"]);
    says(&one, 0, &["reservation r1 of tenants/ai: held", "team=red", "training.runs"]);
    says(&on(&server, "commit", &["--tenant", "tenants/ai", "--id", "r1"]), 0, &["committed 1 training.runs"]);
    says(&on(&server, "reserve", &charged(&["--id", "r2"])), 0, &["held"]);
    says(&on(&server, "release", &["--tenant", "tenants/ai", "--id", "r2"]), 0, &["released 1"]);
    says(&on(&server, "consume", &charged(&["--id", "c1", "--durable"])), 0, &["committed 1", "durable"]);
    says(&on(&server, "reserve", &charged(&["--id", "r3"])), 0, &["held"]);

    let denied = on(&server, "reserve", &charged(&["--id", "r4"]));
    says(&denied, 2, &["denied:", "training.runs", "held by others", "advice:", USER]);
    assert_eq!(denied.stderr, "", "a denial is an answer");
    says(&on(&server, "check", &CHARGE), 2, &["denied:"]);
    says(&on(&server, "consume", &charged(&["--id", "c2"])), 2, &["denied:"]);
    let raise = charged(&["--id", "r3", "--request-id", "q"]);
    says(&on(&server, "extend", &raise), 2, &["denied:"]);

    says(&on(&server, "usage", &["--account", USER]), 0, &["training.runs", "lifetime", "export.jobs"]);
    let list = on(&server, "reservations", &["--tenant", "tenants/ai"]);
    says(&list, 0, &["r1", "r2", "r3", "c1", "committed", "released"]);
    let held = on(&server, "reservations", &["--account", USER, "--state", "held"]);
    says(&held, 0, &["r3"]);
    assert!(!held.stdout.contains("r1"), "{}", held.stdout);
    says(&on(&server, "reservations", &["--tenant", "tenants/nobody"]), 0, &["no reservations"]);
    let limited = on(&server, "reservations", &["--tenant", "tenants/ai", "--limit", "2"]);
    says(&limited, 0, &["raise --limit"]);
}

#[test]
fn the_calls_for_programs() {
    let server = Server::start(Options::new().example("ai-platform"));
    let allowed = json_of(&server, "check", &CHARGE, 0);
    let lines = allowed["granted"]["limits"].as_array().unwrap();
    let own = lines.iter().find(|line| line["account"] == USER).unwrap();
    assert_eq!((&own["limit"], &own["remaining"]), (&json!("3"), &json!("3")), "{allowed}");
    let held = json_of(&server, "reserve", &charged(&["--id", "r1"]), 0);
    assert_eq!(held["granted"]["state"], "RESERVATION_STATE_HELD", "{held}");
    assert_eq!(held["granted"]["charges"][0]["amount"], "1", "64 bits are text in JSON: {held}");
    assert!(held["granted"]["expireTime"].as_str().is_some_and(|time| time.ends_with('Z')), "{held}");
    let more = charged(&["--id", "r1", "--request-id", "q1"]);
    let extended = json_of(&server, "extend", &more, 0);
    assert_eq!(extended["reservation"]["committed"][0]["held"], "2", "{extended}");
    let part = charged(&["--id", "r1", "--part", "--request-id", "q2"]);
    let parted = json_of(&server, "commit", &part, 0);
    assert_eq!(parted["reservation"]["state"], "RESERVATION_STATE_PARTIALLY_COMMITTED", "{parted}");
    let committed = json_of(&server, "commit", &charged(&["--id", "r1"]), 0);
    assert_eq!(committed["reservation"]["committed"][0]["committed"], "2", "{committed}");
    let consumed = json_of(&server, "consume", &charged(&["--id", "c1"]), 0);
    assert_eq!(consumed["granted"]["state"], "RESERVATION_STATE_COMMITTED", "{consumed}");
    let denied = json_of(&server, "reserve", &charged(&["--id", "r2"]), 2);
    let violation = &denied["denied"]["violations"][0];
    assert_eq!((&violation["cause"], &violation["limit"]), (&json!("CAUSE_SPENT"), &json!("3")), "{denied}");
    let usage = json_of(&server, "usage", &["--account", USER, "--meter", "training.runs"], 0);
    let window = &usage["meters"][0]["windows"][0];
    assert_eq!((&window["used"], &window["state"]), (&json!("3"), &json!("USAGE_STATE_EXHAUSTED")), "{usage}");
    let one = json_of(&server, "reservation", &["--tenant", "tenants/ai", "--id", "r1"], 0);
    assert_eq!(one["reservationId"].as_str().or(one["reservation"]["reservationId"].as_str()), Some("r1"), "{one}");
    let list = json_of(&server, "reservations", &["--tenant", "tenants/ai"], 0);
    assert_eq!(list["reservations"].as_array().map(Vec::len), Some(2), "{list}");
}

#[test]
fn allocation_is_freed() {
    let server = Server::start(Options::new());
    let folder = TempDir::new("free");
    let file = folder.path().join("catalog.yaml");
    std::fs::write(&file, ALLOCATION).unwrap();
    says(&on(&server, "apply", &["-f", file.to_str().unwrap()]), 0, &["+ meter disk.bytes", "1 change made"]);
    let bytes = |amount: &'static str| ["--account", "tenants/t/users/u", "--meter", "disk.bytes", "--amount", amount];
    let with = |amount, more: &[&'static str]| -> Vec<&str> {
        bytes(amount).into_iter().chain(more.iter().copied()).collect()
    };
    says(&on(&server, "consume", &with("100", &["--id", "f1"])), 0, &["committed 100"]);
    says(&on(&server, "free", &bytes("30")), 0, &["freed 30 disk.bytes on tenants/t/users/u"]);
    says(&on(&server, "free", &["--tenant", "tenants/t", "--id", "f1"]), 0, &["freed", "disk.bytes", "reservation f1"]);
    let freed = json_of(&server, "free", &bytes("5"), 0);
    assert_eq!(freed["freed"][0]["amount"], "0", "never below zero: {freed}");
}

#[test]
fn the_catalog_in_and_out() {
    let server = Server::start(Options::new());
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/catalogs/ai-platform.yaml");
    let dry = on(&server, "apply", &["-f", example, "--dry-run"]);
    says(&dry, 0, &["+ meter training.runs", "changes would be made", "etag"]);
    says(&on(&server, "apply", &["-f", example]), 0, &["changes made"]);
    says(&on(&server, "apply", &["-f", example]), 0, &["nothing to change"]);
    let exported = on(&server, "export", &[]);
    says(&exported, 0, &["training.runs", "tenants/ai/users/-"]);
    // What comes out goes in again, from standard input, without a change.
    let mut command = Command::new(env!("CARGO_BIN_EXE_quotad"));
    command.args(["apply", "--addr", server.grpc_addr(), "-f", "-", "--prune"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(exported.stdout.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("nothing to change"),
        "{output:?}"
    );

    let folder = TempDir::new("export");
    let file = folder.path().join("out.yaml");
    let path = file.to_str().unwrap();
    says(&on(&server, "export", &["--tenant", "tenants/ai", "-o", path]), 0, &["wrote", path]);
    assert!(std::fs::read_to_string(&file).unwrap().contains("users/u1"));
    let json = json_of(&server, "apply", &["-f", example], 0);
    assert!(json["etag"].as_str().is_some_and(|etag| !etag.is_empty()), "{json}");

    std::fs::write(&file, "meters:\n  - {name: Bad Name}\n  - {name: ok.too, family: other}\n").unwrap();
    let bad = on(&server, "apply", &["-f", path]);
    assert_eq!(bad.status, Some(1), "{bad:?}");
    assert!(
        bad.stderr.contains("CATALOG_INVALID") && bad.stderr.contains("line 2") && bad.stderr.contains("line 3"),
        "{}",
        bad.stderr
    );
    let stale = on(&server, "apply", &["-f", example, "--etag", "stale"]);
    assert!(stale.status == Some(1) && stale.stderr.contains("ETAG_MISMATCH"), "{stale:?}");
    let missing = on(&server, "apply", &["-f", "/no/such/file"]);
    assert!(missing.status == Some(1) && missing.stderr.contains("/no/such/file"), "{missing:?}");
}

#[test]
fn errors() {
    let server = Server::start(Options::new().example("ai-platform"));
    let unknown = on(&server, "commit", &["--tenant", "tenants/ai", "--id", "never"]);
    assert_eq!((unknown.status, unknown.stdout.as_str()), (Some(1), ""), "{unknown:?}");
    assert!(unknown.stderr.contains("RESERVATION_NOT_FOUND"), "{unknown:?}");
    let json = on(&server, "commit", &["--tenant", "tenants/ai", "--id", "never", "--json"]);
    let error: Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(error["error"]["reason"], "RESERVATION_NOT_FOUND", "{error}");
    let fields = on(&server, "reserve", &["--charge", "tenants/ai/users/u1,Bad,1", "--charge", "tenants/ai/x,ok,1"]);
    assert!(
        fields.status == Some(1)
            && fields.stderr.contains("charges[0].meter")
            && fields.stderr.contains("charges[1].account"),
        "{fields:?}"
    );

    // A wrong command line is an error and never looks like a denial.
    for wrong in [
        &["reserve", "--account", USER][..],
        &["reserve"],
        &["reserve", "--account", USER, "--meter", "training.runs", "--amount", "1.5"],
        &["reserve", "--account", USER, "--meter", "training.runs", "--amount", "-1"],
        &["reserve", "--account", USER, "--meter", "training.runs", "--amount", "0x10"],
        &["commit", "--id", "r"],
        &["frobnicate"],
        &[],
    ] {
        let output = cli(wrong);
        assert_eq!(output.status, Some(1), "{wrong:?}: {output:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{wrong:?}: {output:?}");
    }
}

#[test]
fn no_server() {
    let addr = unused_addr().to_string();
    let output = cli(["check", "--addr", &addr, "--timeout", "2s"].iter().chain(&CHARGE));
    assert_eq!((output.status, output.stdout.as_str()), (Some(1), ""), "{output:?}");
    assert!(output.stderr.contains(&format!("cannot reach the server at {addr}")), "{output:?}");
    // A write says how to repeat it safely.
    let output = cli(["reserve", "--addr", &addr, "--timeout", "1s", "--id", "r1"].iter().chain(&CHARGE));
    assert!(output.status == Some(1) && output.stderr.contains("--request-id"), "{output:?}");
    let output = cli(["check", "--addr", "not an address"].iter().chain(&CHARGE));
    assert!(output.status == Some(1) && output.stderr.contains("not an address"), "{output:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let server = Server::start(Options::new().example("ai-platform"));
    for args in [&["export"][..], &["usage", "--account", USER]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quotad"));
        command.args(args).args(["--addr", server.grpc_addr()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Nobody reads at all: the first write meets a closed pipe.
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}

#[test]
fn help_explains() {
    let serve = cli(["serve", "--help"]);
    says(
        &serve,
        0,
        &[
            "--catalog",
            "--data-dir",
            "--grpc-addr",
            "127.0.0.1:50051",
            "127.0.0.1:8080",
            "./quotad-data",
            "--allow-anonymous",
            "SIGTERM",
        ],
    );
    let all = cli(["--help"]);
    says(&all, 0, &["0 granted or done, 2 denied, 1 error"]);
    for command in [
        "serve",
        "check",
        "reserve",
        "commit",
        "release",
        "extend",
        "consume",
        "free",
        "reservation",
        "reservations",
        "usage",
        "apply",
        "export",
    ] {
        assert!(all.stdout.contains(command), "{command}");
        let help = cli([command, "--help"]);
        says(&help, 0, &["Usage:"]);
    }
    says(&cli(["--version"]), 0, &["quotad 0.1.0"]);
}

#[test]
fn a_slip_on_the_command_line_is_told_and_nothing_is_made_up() {
    let charge = ["--account", "tenants/acme/users/u1", "--meter", "training.runs", "--amount", "1"];
    for (args, expected) in [
        (&["--id", ""][..], "can't be empty"),
        (&["--request-id", ""], "can't be empty"),
        (&["--label", "a=b", "--label", "a=c"], "--label a is given twice"),
        (&["--ttl", "-5s"], "above zero"),
    ] {
        let output = cli(["reserve", "--addr", "127.0.0.1:1"].iter().chain(&charge).chain(args));
        assert!(output.status == Some(1) && output.stderr.contains(expected), "{args:?}: {output:?}");
    }
    let output = cli(["free", "--addr", "127.0.0.1:1", "--tenant", "tenants/acme"]);
    assert!(output.status == Some(1) && output.stderr.contains("--id"), "{output:?}");
}
