//! How a server may be started: what it waits for, what it refuses, and how it ends.

use super::helpers::*;
use crate::support::{Options, Server, TempDir, cli};
use quotad::proto::v1::{reserve_response::Outcome, *};
use std::time::{Duration, Instant};
use tokio_stream::StreamExt;

#[tokio::test]
async fn every_answer_says_how_safe_it_is() {
    for (setting, expected) in
        [("relaxed", Durability::Applied), ("default", Durability::Journaled), ("strict", Durability::Journaled)]
    {
        let options = Options::new().catalog(catalog()).arg("--durability").arg(setting);
        let api = Api::with(options.arg("--flush-interval-ms").arg("1000")).await;
        let mut seen = Vec::new();
        for n in 0..5 {
            let answer = api.reserve(reserve(&format!("r{n}"), runs("a", 1))).await.unwrap();
            assert!(matches!(answer.outcome, Some(Outcome::Granted(_))));
            seen.push(answer.durability());
        }
        // The flusher may have been quick with one or the other.
        assert!(seen.contains(&expected), "{setting}: {seen:?}");
        assert!(seen.iter().all(|durability| *durability >= expected), "{setting}: {seen:?}");
        // Asked for, it is in the ledger.
        let begin = Instant::now();
        let durable = ReserveRequest { wait_for_durable: true, ..reserve("durable", runs("a", 1)) };
        assert_eq!(api.reserve(durable.clone()).await.unwrap().durability(), Durability::Durable, "{setting}");
        let repeat = api.reserve(durable).await.unwrap();
        assert_eq!((repeat.replayed, repeat.durability()), (true, Durability::Durable), "{setting}");
        let consume = ConsumeRequest { wait_for_durable: true, ..consume("c", runs("a", 1)) };
        assert_eq!(api.consume(consume).await.unwrap().durability(), Durability::Durable, "{setting}");
        let commit = CommitRequest { wait_for_durable: true, ..commit("durable", vec![]) };
        assert_eq!(api.commit(commit).await.unwrap().durability(), Durability::Durable, "{setting}");
        let extend = ExtendRequest {
            tenant: TENANT.into(),
            reservation_id: "r1".into(),
            wait_for_durable: true,
            ..Default::default()
        };
        assert_eq!(api.extend(extend).await.unwrap().durability(), Durability::Durable, "{setting}");
        let release = ReleaseRequest { wait_for_durable: true, ..release("r1") };
        assert_eq!(api.release(release).await.unwrap().durability(), Durability::Durable, "{setting}");
        // Relaxed answers before the journal has it, so the flusher may come just too early and rest once more.
        let quick = setting == "relaxed" || begin.elapsed() < Duration::from_secs(3);
        assert!(quick, "{setting}: who waits is kept for the interval: {:?}", begin.elapsed());
    }
}

/// Runs `serve` with arguments that it must refuse.
fn refused_start(args: &[&str]) -> String {
    let folder = TempDir::new("refused");
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let all = ["serve", "--data-dir", data, "--http-addr", "127.0.0.1:0"];
    let output = cli(all.iter().chain(args));
    assert_eq!(output.status, Some(1), "{args:?}: {output:?}");
    assert_eq!(output.stdout, "", "{args:?}");
    output.stderr
}

#[test]
fn beyond_this_machine_only_if_said_aloud() {
    for addr in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let why = refused_start(&["--grpc-addr", addr]);
        assert!(why.contains("--allow-anonymous"), "{why}");
        let why = refused_start(&["--grpc-addr", addr, "--allow-anonymous", "--test-clock"]);
        assert!(why.contains("--test-clock"), "{why}");
    }
    let folder = TempDir::new("open");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_quotad"));
    command.args([
        "serve",
        "--grpc-addr",
        "0.0.0.0:0",
        "--http-addr",
        "127.0.0.1:0",
        "--allow-anonymous",
        "--data-dir",
    ]);
    command.arg(folder.path().join("data")).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("{\"grpc\":\"0.0.0.0:"), "{line}");
}

#[test]
fn what_it_cannot_use_is_said_in_a_sentence() {
    let missing = refused_start(&["--grpc-addr", "127.0.0.1:0", "--catalog", "/no/such/file.yaml"]);
    assert!(missing.contains("/no/such/file.yaml"), "{missing}");
    let folder = TempDir::new("bad-catalog");
    let file = folder.path().join("bad.yaml");
    std::fs::write(&file, "meters:\n  - {name: Bad Name}\nquotas:\n  - {limits: 1}\n").unwrap();
    let bad = refused_start(&["--grpc-addr", "127.0.0.1:0", "--catalog", file.to_str().unwrap()]);
    for expected in ["bad.yaml", "line 2", "line 4"] {
        assert!(bad.contains(expected), "{expected}: {bad}");
    }
    let running = Server::start(Options::new());
    let taken = refused_start(&["--grpc-addr", running.grpc_addr()]);
    assert!(taken.contains(running.grpc_addr()), "{taken}");
    let data = running.data_dir();
    let output = cli([
        "serve",
        "--grpc-addr",
        "127.0.0.1:0",
        "--http-addr",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(output.stderr.contains("another quotad uses"), "{output:?}");
    let usage = cli(["serve", "--grpc-addr", "nowhere"]);
    assert_eq!(usage.status, Some(1), "{usage:?}");
}

#[tokio::test]
async fn the_file_is_applied_again_only_when_it_has_changed() {
    let folder = TempDir::new("catalog-file");
    let file = folder.path().join("catalog.yaml");
    let with_limit = |limit: i64| {
        format!(
            "meters: [{{name: job.runs, unit: run}}]\ntenants:\n  - name: {TENANT}\n    quotas: [{{subject: {}, meter: job.runs, limits: {{lifetime: {limit}}}}}]\n",
            user("a")
        )
    };
    std::fs::write(&file, with_limit(5)).unwrap();
    let mut api = Api::with(Options::new().catalog(&file)).await;
    let limit = async |api: &Api| api.windows(&user("a"), "job.runs").await[0].limit;
    assert_eq!(limit(&api).await, Some(5));
    let yaml = with_limit(7).into_bytes();
    api.apply(ApplyRequest { yaml, ..Default::default() }).await.unwrap();
    for (written, expected) in [(5, 7), (9, 9), (9, 9)] {
        std::fs::write(&file, with_limit(written)).unwrap();
        api.server.restart();
        api.reconnect();
        assert_eq!(limit(&api).await, Some(expected), "a file that says {written}");
    }
}

#[tokio::test]
async fn the_end_answers_what_is_open_and_keeps_everything() {
    let mut api = Api::with(Options::new().catalog(catalog())).await;
    api.hold("r", runs("a", 2)).await;
    let (requests, receiver) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = api.server.quota().enforce(stream).await.unwrap().into_inner();
    let operation = Some(enforce_request::Operation::Consume(consume("c", runs("a", 1))));
    requests.send(EnforceRequest { tag: 1, operation }).await.unwrap();
    assert_eq!(answers.next().await.unwrap().unwrap().tag, 1);

    let begin = Instant::now();
    let mut ending = api;
    let (status, back) = tokio::task::spawn_blocking(move || (ending.server.terminate(), ending)).await.unwrap();
    api = back;
    assert!(status.success(), "{status}");
    assert!(begin.elapsed() < Duration::from_secs(10), "an open stream holds it up: {:?}", begin.elapsed());
    let last = Fault::from(&answers.next().await.unwrap().unwrap_err());
    assert_eq!(last.kind(), (tonic::Code::Unavailable, "SHUTTING_DOWN"));

    api.server.restart();
    api.reconnect();
    assert_eq!(api.figures(&user("a"), "job.runs").await, (1, 2));
    assert_eq!(api.get("r").await.state(), ReservationState::Held);
}

#[tokio::test]
async fn a_stream_with_nothing_in_work_does_not_hold_up_the_end() {
    let mut api = Api::with(Options::new().catalog(catalog())).await;
    let (_requests, receiver) = tokio::sync::mpsc::channel::<EnforceRequest>(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = api.server.quota().enforce(stream).await.unwrap().into_inner();
    let status = tokio::task::spawn_blocking(move || (api.server.terminate(), api)).await.unwrap();
    let (status, api) = status;
    assert!(status.success(), "{status}");
    let last = Fault::from(&answers.next().await.unwrap().unwrap_err());
    assert_eq!(last.kind(), (tonic::Code::Unavailable, "SHUTTING_DOWN"));
    let log = api.server.stderr();
    assert!(!log.contains("cut at the end of the drain"), "{log}");
}
