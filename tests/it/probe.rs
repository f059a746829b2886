//! `quotad probe` against a server that serves, one that is not ready, one that is silent, and nothing at all.

use crate::support::{Options, Output, Server, cli, unused_addr};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tonic_health::ServingStatus;

fn probe(addr: &str, more: &[&str]) -> Output {
    cli(["probe", "--addr", addr].iter().chain(more))
}

/// It failed and said so in one line, or with `--json` in one document, of which this is a part.
#[track_caller]
fn refused(output: &Output, part: &str) {
    assert_eq!((output.status, output.stdout.as_str()), (Some(1), ""), "{output:?}");
    assert!(output.stderr.contains(part), "{output:?}");
}

#[test]
fn a_ready_server_serves_all_that_it_has() {
    let server = Server::start(Options::new());
    let addr = server.grpc_addr();
    for service in ["liveness", "readiness", "quotad.v1.QuotaService"] {
        let output = probe(addr, &["--service", service]);
        assert_eq!((output.status, output.stdout), (Some(0), format!("{service}: SERVING\n")));
    }
    // Readiness is asked for where nothing is said; the empty name is the server as a whole.
    assert_eq!(probe(addr, &[]).stdout, "readiness: SERVING\n");
    assert_eq!(probe(addr, &["--service", ""]).stdout, "server: SERVING\n");
    let json = probe(addr, &["--json"]);
    assert_eq!((json.status, json.stdout.as_str()), (Some(0), "{\"service\":\"readiness\",\"status\":\"SERVING\"}\n"));
    let unknown = probe(addr, &["--service", "no.such.Service"]);
    assert_eq!((unknown.status, unknown.stdout.as_str()), (Some(1), "no.such.Service: SERVICE_UNKNOWN\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_is_not_ready_fails_readiness_alone() {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("liveness", ServingStatus::Serving).await;
    reporter.set_service_status("readiness", ServingStatus::NotServing).await;
    let addr = unused_addr();
    let serving = tokio::spawn(tonic::transport::Server::builder().add_service(service).serve(addr));
    let addr = addr.to_string();
    let deadline = Instant::now() + Duration::from_secs(20);
    let ask = async |more: &'static [&'static str]| {
        let addr = addr.clone();
        tokio::task::spawn_blocking(move || probe(&addr, more)).await.unwrap()
    };
    while ask(&["--service", "liveness"]).await.status != Some(0) {
        assert!(Instant::now() < deadline, "the double does not listen");
    }
    let output = ask(&[]).await;
    assert_eq!((output.status, output.stdout.as_str()), (Some(1), "readiness: NOT_SERVING\n"), "{output:?}");
    let output = ask(&["--json"]).await;
    assert_eq!((output.status, &output.json()["status"]), (Some(1), &"NOT_SERVING".into()), "{output:?}");
    serving.abort();
}

#[test]
fn nothing_silence_and_nonsense_are_failures() {
    let nothing = unused_addr().to_string();
    refused(&probe(&nothing, &[]), "cannot reach the server at");
    assert_eq!(probe(&nothing, &[]).stderr.lines().count(), 1, "one line");
    let json = probe(&nothing, &["--json"]);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!((json.status, &error["error"]["code"]), (Some(1), &"UNAVAILABLE".into()), "{json:?}");
    refused(&probe("nowhere", &[]), "host:port");

    // It is connected by the kernel, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let begin = Instant::now();
    refused(&probe(&silent.local_addr().unwrap().to_string(), &["--timeout", "200ms"]), "no answer within 200ms");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}
