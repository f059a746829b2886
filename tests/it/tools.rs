//! Strangers' tools against the real server: grpcurl finds everything by reflection and makes the four calls;
//! grpc-health-probe finds it alive and ready (X.03, X.09). `.ci/tools` builds them where Go is.

use crate::support::{Options, Server};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The tool: from `.ci/bin` or the PATH. `None`, said aloud, where neither it nor Go to build it is there.
fn tool(name: &str) -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/bin").join(name);
    let found = Some(built).filter(|path| path.is_file()).or_else(|| on_path(name));
    if found.is_none() {
        assert!(on_path("go").is_none(), "{name} is not there, but Go is: run .ci/tools");
        // Straight to the terminal: what is printed in the usual way is shown of failing tests only.
        let _ =
            writeln!(std::io::stderr(), "not run: a test of {name}, which is absent, as is Go to build it (.ci/tools)");
    }
    found
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn run(tool: &Path, args: &[&str]) -> Output {
    Command::new(tool).args(args).stdin(Stdio::null()).output().unwrap()
}

/// What the tool printed; it must have succeeded.
#[track_caller]
fn text(tool: &Path, args: &[&str]) -> String {
    let output = run(tool, args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{args:?}: {}\n{out}\n{err}", output.status);
    out.into_owned() + &err
}

/// A call through grpcurl: the answer as JSON.
#[track_caller]
fn call(grpcurl: &Path, server: &Server, method: &str, request: &Value) -> Value {
    let path = format!("quotad.v1.QuotaService/{method}");
    let answer = text(grpcurl, &["-plaintext", "-d", &request.to_string(), server.grpc_addr(), &path]);
    serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"))
}

fn training_run() -> Value {
    json!([{ "account": "tenants/ai/users/u1", "meter": "training.runs", "amount": 1 }])
}

#[test]
fn grpcurl_lists_the_services() {
    let Some(grpcurl) = tool("grpcurl") else { return };
    let server = Server::start(Options::new().example("ai-platform"));
    let listed = text(&grpcurl, &["-plaintext", server.grpc_addr(), "list"]);
    for service in ["QuotaService", "CatalogService", "UsageService", "AdminService"] {
        assert!(listed.lines().any(|line| line == format!("quotad.v1.{service}")), "{service} is missing:\n{listed}");
    }
    assert!(listed.lines().any(|line| line == "grpc.health.v1.Health"), "{listed}");
    assert!(!listed.contains("TestClockService"), "the hand-wound clock is served without being asked for:\n{listed}");

    let methods = text(&grpcurl, &["-plaintext", server.grpc_addr(), "list", "quotad.v1.QuotaService"]);
    for method in ["Check", "Reserve", "Commit", "Release", "Extend", "Consume", "Free", "BatchReserve", "Enforce"] {
        assert!(methods.lines().any(|line| line == format!("quotad.v1.QuotaService.{method}")), "{method}:\n{methods}");
    }
    let described = text(&grpcurl, &["-plaintext", server.grpc_addr(), "describe", "quotad.v1.ReserveRequest"]);
    assert!(described.contains("message ReserveRequest") && described.contains("reservation_id"), "{described}");
}

#[test]
fn grpcurl_makes_the_four_calls() {
    let Some(grpcurl) = tool("grpcurl") else { return };
    let server = Server::start(Options::new().example("ai-platform"));
    let by_id = |id: &str| json!({ "tenant": "tenants/ai", "reservation_id": id });
    let reserve = |id: &str| {
        let request = json!({ "tenant": "tenants/ai", "reservation_id": id, "ttl": "60s", "charges": training_run() });
        call(&grpcurl, &server, "Reserve", &request)
    };

    let check = json!({ "tenant": "tenants/ai", "charges": training_run() });
    let granted = call(&grpcurl, &server, "Check", &check);
    let lines = granted["granted"]["limits"].as_array().unwrap_or_else(|| panic!("{granted}"));
    let own = lines.iter().find(|line| line["account"] == "tenants/ai/users/u1").unwrap_or_else(|| panic!("{granted}"));
    assert_eq!((&own["limit"], &own["remaining"]), (&json!("3"), &json!("3")), "{granted}");

    let held = reserve("r1");
    assert_eq!(held["granted"]["state"], "RESERVATION_STATE_HELD", "{held}");
    let committed = call(&grpcurl, &server, "Commit", &by_id("r1"));
    assert_eq!(committed["reservation"]["state"], "RESERVATION_STATE_COMMITTED", "{committed}");

    reserve("r2");
    let released = call(&grpcurl, &server, "Release", &by_id("r2"));
    assert_eq!(released["reservation"]["state"], "RESERVATION_STATE_RELEASED", "{released}");

    // One used, two held: the fourth of three does not fit, and the answer says why.
    reserve("r3");
    reserve("r4");
    let denied = reserve("r5");
    let violation = &denied["denied"]["violations"][0];
    assert_eq!(violation["account"], "tenants/ai/users/u1", "{denied}");
    assert_eq!(violation["cause"], "CAUSE_HELD_BY_OTHERS", "{denied}");
    assert_eq!((&violation["limit"], &violation["requested"]), (&json!("3"), &json!("1")), "{denied}");
}

#[test]
fn grpcurl_shows_a_rich_error() {
    let Some(grpcurl) = tool("grpcurl") else { return };
    let server = Server::start(Options::new().example("ai-platform"));
    let request =
        json!({ "tenant": "tenants/ai", "charges": [{ "account": "", "meter": "training.runs", "amount": -1 }] });
    let args = ["-plaintext", "-d", &request.to_string(), server.grpc_addr(), "quotad.v1.QuotaService/Reserve"];
    let output = run(&grpcurl, &args);
    assert!(!output.status.success());
    let shown = String::from_utf8_lossy(&output.stderr);
    for expected in ["InvalidArgument", "INVALID_FIELD", "charges[0].account", "charges[0].amount"] {
        assert!(shown.contains(expected), "{expected} is missing:\n{shown}");
    }
}

#[test]
fn grpc_health_probe_finds_it_alive_and_ready() {
    let Some(probe) = tool("grpc-health-probe") else { return };
    let server = Server::start(Options::new());
    let addr = format!("-addr={}", server.grpc_addr());
    for service in ["", "liveness", "readiness", "quotad.v1.QuotaService", "quotad.v1.CatalogService"] {
        let answer = text(&probe, &[&addr, &format!("-service={service}")]);
        assert!(answer.contains("SERVING") && !answer.contains("NOT_SERVING"), "{service}: {answer}");
    }
    let unknown = run(&probe, &[&addr, "-service=no.such.Service"]);
    assert!(!unknown.status.success(), "a service that does not exist is said to serve");
}
