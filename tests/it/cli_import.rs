//! `quotad import-usage` from end to end: what it records, that a repeat records nothing, and what it refuses.

use crate::support::{Options, Output, Server, TempDir, cli, unused_addr};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

const CATALOG: &str = "
meters:
  - {name: training.runs, unit: run, family: consumption}
  - {name: disk.bytes, unit: byte, family: allocation}
  - {name: calls, unit: call, family: consumption}
quotas:
  - {subject: tenants/-, meter: calls, limits: {month: 1000}}
  - {subject: tenants/-/users/-, meter: training.runs, limits: {lifetime: 10}}
  - {subject: tenants/-/users/-, meter: calls, limits: {day: 100}}
";

struct Place {
    server: Server,
    dir: TempDir,
}

impl Place {
    fn new() -> Place {
        let dir = TempDir::new("import");
        let catalog = dir.path().join("catalog.yaml");
        fs::write(&catalog, CATALOG).unwrap();
        Place { server: Server::start(Options::new().catalog(catalog)), dir }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn import(&self, text: &str, more: &[&str]) -> Output {
        let file = self.file("usage.csv", text);
        let args = ["import-usage", "--addr", self.server.grpc_addr(), "-f", file.to_str().unwrap()];
        cli(args.iter().chain(more))
    }

    /// The lifetime, or only, window's use of an account on a meter.
    fn used(&self, account: &str, meter: &str) -> i64 {
        let args = ["usage", "--addr", self.server.grpc_addr(), "--account", account, "--meter", meter, "--json"];
        let usage = cli(args).json();
        let windows = usage["meters"][0]["windows"].as_array().unwrap().clone();
        let used: Vec<&Value> = windows.iter().map(|window| &window["used"]).collect();
        used[0].as_str().map_or(0, |used| used.parse().unwrap())
    }
}

#[track_caller]
fn says(output: &Output, status: i32, expected: &[&str]) {
    assert_eq!(output.status, Some(status), "{output:?}");
    let all = format!("{}\n{}", output.stdout, output.stderr);
    for text in expected {
        assert!(all.contains(text), "{text:?} is missing:\n{all}");
    }
}

#[test]
fn opening_use_is_recorded_once() {
    let place = Place::new();
    let text = "account,meter,amount,period\n\
                tenants/a/users/u1,training.runs,12,lifetime\n\
                tenants/a/users/u1,disk.bytes,5000,\n\
                tenants/a/users/u1,disk.bytes,5000,\n\
                tenants/b/users/u2,training.runs,3,\n";
    let dry = place.import(text, &["--dry-run"]);
    says(&dry, 0, &["4 lines are well; nothing was recorded (dry run)"]);
    assert_eq!(place.used("tenants/a/users/u1", "training.runs"), 0);

    let first = place.import(text, &[]);
    says(&first, 0, &["recorded 4 lines", "tenants/b", "4 of 4 lines"]);
    let figures = |place: &Place| {
        [
            // More than the limit of 10: it has happened.
            place.used("tenants/a/users/u1", "training.runs"),
            place.used("tenants/a", "training.runs"),
            place.used("tenants/a/users/u1", "disk.bytes"),
            place.used("tenants/b/users/u2", "training.runs"),
        ]
    };
    assert_eq!(figures(&place), [12, 12, 10_000, 3]);

    let again = place.import(text, &["--json"]);
    says(&again, 0, &["4 of 4 lines"]);
    let json = again.json();
    assert_eq!((&json["recorded"], &json["recordedBefore"]), (&0.into(), &4.into()), "{json}");
    assert_eq!(json["meters"][0]["amount"], "10000", "{json}");
    assert_eq!(figures(&place), [12, 12, 10_000, 3]);

    let one = "{\"account\":\"tenants/b/users/u2\",\"meter\":\"training.runs\",\"amount\":3}\n";
    says(&place.import(one, &["--name", "second"]), 0, &["recorded 1 lines"]);
    assert_eq!(place.used("tenants/b/users/u2", "training.runs"), 6);
    let list = cli(["reservations", "--addr", place.server.grpc_addr(), "--tenant", "tenants/b", "--json"]).json();
    let flags = &list["reservations"][0];
    assert_eq!((&flags["late"], &flags["recovered"]), (&true.into(), &true.into()), "{list}");
}

#[test]
fn a_repeat_after_a_kill_records_nothing_twice() {
    let mut place = Place::new();
    let lines: Vec<String> = (0..500).map(|n| format!("tenants/a/users/u{},disk.bytes,7\n", n % 50)).collect();
    let text = format!("account,meter,amount\n{}", lines.concat());
    let half = format!("account,meter,amount\n{}", lines[..200].concat());
    says(&place.import(&half, &[]), 0, &["recorded 200 lines"]);
    place.server.kill_hard();
    place.server.restart();
    says(&place.import(&text, &[]), 0, &["recorded 300 lines; 200 had been recorded before"]);
    assert_eq!(place.used("tenants/a", "disk.bytes"), 3500);
    assert_eq!(place.used("tenants/a/users/u49", "disk.bytes"), 70);
}

#[test]
fn nothing_is_recorded_if_any_line_is_wrong() {
    let place = Place::new();
    let good = "tenants/a/users/u1,disk.bytes,5";
    let head = "account,meter,amount,time,period";
    let wrong = format!("{head}\n{good},,\ntenants/a/users,disk.bytes,x,,\n{good},soon,\n");
    let bad = place.import(&wrong, &[]);
    says(&bad, 1, &["nothing was recorded", "line 3: account", "line 3: amount \"x\"", "line 4: time \"soon\""]);
    let unknown = place.import(&format!("{head}\n{good},,\ntenants/a,no.meter,1,,\n"), &[]);
    says(&unknown, 1, &["line 3: the meter no.meter does not exist"]);
    // The month's use would count in today, and what is older than the month in the month.
    let misplaced =
        format!("{head}\n{good},,\ntenants/a/users/u1,calls,5,,month\ntenants/a,calls,1,2001-01-01T00:00:00Z,\n");
    let bad = place.import(&misplaced, &["--json"]);
    assert_eq!(bad.status, Some(1));
    let error: Value = serde_json::from_str(&bad.stderr).unwrap();
    let fields: Vec<&Value> = error["error"]["violations"].as_array().unwrap().iter().map(|v| &v["field"]).collect();
    // On the first of a month its use is today's.
    assert!(fields.contains(&&"line 4".into()) && !fields.contains(&&"line 2".into()), "{error}");
    assert_eq!(place.used("tenants/a/users/u1", "disk.bytes"), 0);
    let today = place.import("account,meter,amount,period\ntenants/a/users/u1,calls,5,day\n", &[]);
    says(&today, 0, &["recorded 1 lines"]);
    assert_eq!(place.used("tenants/a", "calls"), 5);
}

#[test]
fn a_line_with_an_id_is_not_recorded_with_another_amount() {
    let place = Place::new();
    let line = |amount: u32| format!("account,meter,amount,request_id\ntenants/a,disk.bytes,{amount},q1\n");
    says(&place.import(&line(5), &[]), 0, &["recorded 1 lines"]);
    says(&place.import(&line(6), &[]), 1, &["0 of 1 lines are recorded", "line 2: "]);
    says(&place.import(&line(5), &[]), 0, &["1 had been recorded before"]);
    assert_eq!(place.used("tenants/a", "disk.bytes"), 5);
}

#[test]
fn what_can_t_be_read_or_reached_is_said() {
    let nowhere = unused_addr().to_string();
    let dir = TempDir::new("import-nowhere");
    let file = dir.path().join("usage.csv");
    fs::write(&file, "account,meter,amount\ntenants/a,disk.bytes,5\n").unwrap();
    let file = file.to_str().unwrap();
    says(&cli(["import-usage", "--addr", &nowhere, "-f", file]), 1, &["cannot reach the server"]);
    says(&cli(["import-usage", "--addr", &nowhere, "-f", "/no/such/file"]), 1, &["/no/such/file"]);
    says(&cli(["import-usage", "--help"]), 0, &["nobody knows", "period", "--dry-run", "35 days"]);
}
