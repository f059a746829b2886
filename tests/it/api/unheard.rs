//! A server that nobody listens to: its log, and its line for programs, can't be written. It decides all the same.

use super::helpers::*;
use crate::support::{TempDir, unused_addr};
use quotad::proto::v1::quota_service_client::QuotaServiceClient;
use std::fs::OpenOptions;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tonic::transport::Endpoint;

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that is always full.
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// Ends the child with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended by itself where all is well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server that logs much, has it answer a call, and ends it.
async fn serve_unheard(what: &str, stdout: Stdio, stderr: Stdio) -> ExitStatus {
    let (folder, addr) = (TempDir::new("unheard"), unused_addr().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_quotad"));
    command.args(["serve", "--grpc-addr", &addr, "--http-addr", "127.0.0.1:0"]);
    command.arg("--catalog").arg(catalog()).arg("--data-dir").arg(folder.path().join("data"));
    command.env("QUOTAD_LOG", "debug").stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let mut child = Running(command.spawn().unwrap());
    // A pipe whose reader leaves.
    drop((child.0.stdout.take(), child.0.stderr.take()));

    let begin = tokio::time::Instant::now();
    let channel = loop {
        match Endpoint::from_shared(format!("http://{addr}")).unwrap().connect().await {
            Ok(channel) => break channel,
            Err(error) => {
                let ended = child.0.try_wait().unwrap();
                assert!(ended.is_none() && begin.elapsed() < PATIENCE, "{what}: {ended:?}, {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let answer = QuotaServiceClient::new(channel).reserve(reserve("r", runs("a", 1))).await;
    granted(answer.unwrap_or_else(|error| panic!("{what}: {error}")).into_inner());

    assert!(Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().unwrap().success());
    let begin = tokio::time::Instant::now();
    loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            return status;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}: does not end after SIGTERM");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_log_that_cant_be_written_costs_no_decision() {
    for (what, stdout, stderr) in [
        ("a full log", Stdio::null(), full()),
        ("a log without reader", Stdio::null(), Stdio::piped()),
        ("all full", full(), full()),
        ("nobody reads anything", Stdio::piped(), Stdio::piped()),
    ] {
        let status = serve_unheard(what, stdout, stderr).await;
        assert_eq!(status.code(), Some(0), "{what}: {status}");
    }
}
